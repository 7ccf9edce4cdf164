/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A state for what may come next, and a stack of the containers that are open.
 */
#include "hv/ctl/json.h"
#include "hv/lib/hex.h"
#include "hv/lib/string.h"

#define TEXT_LIMIT 0xffffu
#define HEX_DIGITS 4u
#define ASCII_MAX  0x7fu

struct reader {
	struct json *j;
	const char *s;
	unsigned len, at;
	u16 open[JSON_DEPTH_MAX]; /* containers */
	unsigned depth;
};

static bool fail(struct reader *r, const char *why)
{
	if (!r->j->error) {
		r->j->error = why;
		r->j->at = r->at;
	}
	return false;
}

static int peek(const struct reader *r)
{
	return r->at < r->len ? (u8)r->s[r->at] : -1;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static void skip_blanks(struct reader *r)
{
	int c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\r' || c == '\n')
		r->at++;
}

static struct json_value *add(struct reader *r, enum json_type type)
{
	struct json_value *v;

	if (r->j->values == JSON_VALUES_MAX) {
		fail(r, "too many values");
		return NULL;
	}
	v = &r->j->value[r->j->values++];
	*v = (struct json_value){ .type = type, .start = (u16)r->at };
	return v;
}

static bool end(struct reader *r, struct json_value *v)
{
	v->end = (u16)r->at;
	v->next = (u16)r->j->values;
	return true;
}

/* ---- scalars ---- */

static bool escape(struct reader *r)
{
	int c = peek(r);

	if (c < 0)
		return fail(r, "a string does not end");
	r->at++;
	if (c != 'u')
		return (c && strchr("\"\\/bfnrt", c)) || fail(r, "an unknown escape");
	for (unsigned i = 0; i < HEX_DIGITS; i++, r->at++)
		if (hex_digit(peek(r)) < 0)
			return fail(r, "\\u takes four hexadecimal digits");
	return true;
}

static bool string(struct reader *r)
{
	struct json_value *v;
	int c;

	r->at++;
	v = add(r, JSON_STRING);
	if (!v)
		return false;
	while ((c = peek(r)) != '"') {
		if (c < 0)
			return fail(r, "a string does not end");
		if (c < ' ')
			return fail(r, "a control character in a string");
		r->at++;
		if (c == '\\' && !escape(r))
			return false;
	}
	end(r, v);
	r->at++;
	return true;
}

static bool digits(struct reader *r)
{
	if (!is_digit(peek(r)))
		return fail(r, "a digit is missing");
	while (is_digit(peek(r)))
		r->at++;
	return true;
}

static bool number(struct reader *r)
{
	struct json_value *v = add(r, JSON_NUMBER);

	if (!v)
		return false;
	if (peek(r) == '-')
		r->at++;
	if (peek(r) == '0')
		r->at++;
	else if (!digits(r))
		return false;
	if (peek(r) == '.') {
		r->at++;
		if (!digits(r))
			return false;
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->at++;
		if (peek(r) == '+' || peek(r) == '-')
			r->at++;
		if (!digits(r))
			return false;
	}
	return end(r, v);
}

static bool word(struct reader *r)
{
	static const struct {
		const char *text;
		enum json_type type;
	} words[] = { { "null", JSON_NULL }, { "true", JSON_BOOL }, { "false", JSON_BOOL } };

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = strlen(words[i].text);
		struct json_value *v;

		if (r->len - r->at < n || strncmp(r->s + r->at, words[i].text, n))
			continue;
		v = add(r, words[i].type);
		if (!v)
			return false;
		r->at += (unsigned)n;
		return end(r, v);
	}
	return fail(r, "a value is missing");
}

static bool scalar(struct reader *r)
{
	int c = peek(r);

	if (c == '"')
		return string(r);
	if (c == '-' || is_digit(c))
		return number(r);
	return word(r);
}

/* ---- containers ---- */

static struct json_value *innermost(const struct reader *r)
{
	return r->depth ? &r->j->value[r->open[r->depth - 1]] : NULL;
}

static bool open(struct reader *r, enum json_type type)
{
	struct json_value *v;

	if (r->depth == JSON_DEPTH_MAX)
		return fail(r, "too deep");
	v = add(r, type);
	if (!v)
		return false;
	r->open[r->depth++] = (u16)(v - r->j->value);
	r->at++;
	return true;
}

static bool closes(const struct reader *r)
{
	const struct json_value *c = innermost(r);

	return c && peek(r) == (c->type == JSON_OBJECT ? '}' : ']');
}

static void close(struct reader *r)
{
	struct json_value *c = innermost(r);

	r->at++;
	r->depth--;
	end(r, c);
}

static bool name(struct reader *r)
{
	if (peek(r) != '"')
		return fail(r, "a member's name is missing");
	if (!string(r))
		return false;
	skip_blanks(r);
	if (peek(r) != ':')
		return fail(r, "\":\" is missing");
	r->at++;
	skip_blanks(r);
	return true;
}

/* A value, of a container only its beginning; *opened tells. */
static bool begin_value(struct reader *r, bool *opened)
{
	const struct json_value *c = innermost(r);
	int first;

	if (c && c->type == JSON_OBJECT && !name(r))
		return false;
	first = peek(r);
	*opened = first == '{' || first == '[';
	if (*opened)
		return open(r, first == '{' ? JSON_OBJECT : JSON_ARRAY);
	return scalar(r);
}

/* What follows a value: the ends of containers, or a comma and one more value. */
static bool after_value(struct reader *r)
{
	for (;;) {
		skip_blanks(r);
		if (!r->depth)
			return true;
		if (!closes(r))
			break;
		close(r);
	}
	if (peek(r) != ',')
		return fail(r, "\",\" or the end of an array or object is missing");
	r->at++;
	return true;
}

enum status json_parse(struct json *j, const char *text, size_t len)
{
	struct reader r = { .j = j, .s = text, .len = (unsigned)len };
	bool opened;

	j->text = text;
	j->values = 0;
	j->error = NULL;
	j->at = 0;
	if (len > TEXT_LIMIT)
		return fail(&r, "too long"), ERR_RANGE;
	do {
		skip_blanks(&r);
		if (!begin_value(&r, &opened))
			break;
		skip_blanks(&r);
		if (opened && !closes(&r))
			continue;
		if (!after_value(&r))
			break;
	} while (r.depth);
	if (!j->error && r.at < r.len)
		fail(&r, "something follows the value");
	if (!j->error)
		return OK;
	return j->values == JSON_VALUES_MAX || r.depth == JSON_DEPTH_MAX ? ERR_RANGE : ERR_INVAL;
}

/* ---- looking at it ---- */

const struct json_value *json_get(const struct json *j, const struct json_value *o, const char *key)
{
	unsigned i;

	if (o->type != JSON_OBJECT)
		return NULL;
	for (i = (unsigned)(o - j->value) + 1; i < o->next; i = j->value[i + 1].next)
		if (json_is(j, &j->value[i], key))
			return &j->value[i + 1];
	return NULL;
}

bool json_is(const struct json *j, const struct json_value *v, const char *text)
{
	size_t n = strlen(text);

	return v->type == JSON_STRING && (size_t)(v->end - v->start) == n &&
	       !strncmp(j->text + v->start, text, n);
}

/* The character of an escape, of which *s is behind the backslash; *s moves on. */
static unsigned unescape(const char **s)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	char c = *(*s)++;
	const char *found = strchr(from, c);
	unsigned code = 0;

	if (c != 'u')
		return (u8)(found ? to[found - from] : c);
	for (unsigned i = 0; i < HEX_DIGITS; i++)
		code = code << 4 | (unsigned)hex_digit((u8) * (*s)++);
	return code;
}

bool json_text(const struct json *j, const struct json_value *v, char *buf, size_t size)
{
	const char *s = j->text + v->start, *last = j->text + v->end;
	size_t n = 0;

	if (v->type != JSON_STRING && v->type != JSON_NUMBER)
		return false;
	while (s < last) {
		unsigned c = (u8)*s++;

		if (c == '\\')
			c = unescape(&s);
		if (!c || c > ASCII_MAX || n + 1 >= size)
			return false;
		buf[n++] = (char)c;
	}
	buf[n] = '\0';
	return true;
}
