/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In text, the cells of a table or a group are first separated by tabs; when it ends, the columns
 * are as wide as their widest cell, and the text grows in place, from its end.
 */
#include "hv/ctl/out.h"

#include <stdarg.h>

#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define TEXT_MAX 256
#define GAP	 2u /* blanks between columns */

/* ---- bytes ---- */

/* For n bytes and the end of the string. False: the answer is full. */
static bool make_room(struct out *o, size_t n)
{
	while (!o->full && n >= o->size - o->len)
		o->full = !o->grow || !o->grow(o);
	return !o->full;
}

static void put(struct out *o, const char *s, size_t n)
{
	if (!make_room(o, n))
		return;
	memcpy(o->buf + o->len, s, n);
	o->len += n;
	o->buf[o->len] = '\0';
}

static void puts_(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* As a JSON string. One that might not fit does not. */
static void put_quoted(struct out *o, const char *s)
{
	size_t worst = strlen(s) * strlen("\\u0000") + strlen("\"\"");

	if (!make_room(o, worst))
		return;
	log_json_string(o->buf + o->len, o->size - o->len, s);
	o->len += strlen(o->buf + o->len);
}

/* Without anything that would end a cell or a line, or move a cursor. */
static void put_plain(struct out *o, const char *s)
{
	for (; *s; s++) {
		char c = (u8)*s < ' ' || *s == 0x7f ? '?' : *s;

		put(o, &c, 1);
	}
}

/* ---- JSON's punctuation ---- */

static void separate(struct out *o)
{
	if (o->comma)
		puts_(o, ",");
	o->comma = true;
}

static void open(struct out *o, const char *key, const char *bracket)
{
	separate(o);
	put_quoted(o, key);
	puts_(o, ":");
	puts_(o, bracket);
	o->comma = false;
}

static void close(struct out *o, const char *bracket)
{
	puts_(o, bracket);
	o->comma = true;
}

/* ---- columns ---- */

/* Calls for each cell of the text from `begin`: its column, and where it ends. */
static size_t cell_end(const struct out *o, size_t at)
{
	while (at < o->len && o->buf[at] != '\t' && o->buf[at] != '\n')
		at++;
	return at;
}

static void measure(const struct out *o, size_t width[OUT_COLUMNS])
{
	unsigned column = 0;

	for (size_t at = o->begin, end; at < o->len; at = end + 1) {
		end = cell_end(o, at);
		width[column] = MAX(width[column], end - at);
		column = o->buf[end] == '\n' ? 0 : MIN(column + 1, OUT_COLUMNS - 1);
	}
}

/* What the text grows by, with a tab replaced by the blanks up to the next column. */
static size_t growth(const struct out *o, const size_t width[OUT_COLUMNS])
{
	unsigned column = 0;
	size_t more = 0;

	for (size_t at = o->begin, end; at < o->len; at = end + 1) {
		end = cell_end(o, at);
		if (o->buf[end] == '\t')
			more += width[column] - (end - at) + GAP - 1;
		column = o->buf[end] == '\n' ? 0 : MIN(column + 1, OUT_COLUMNS - 1);
	}
	return more;
}

static void align(struct out *o)
{
	size_t width[OUT_COLUMNS] = { 0 }, more, old = o->len - o->begin, at, end;
	unsigned column = 0;
	char *from;

	if (o->full)
		return;
	measure(o, width);
	more = growth(o, width);
	if (!make_room(o, more))
		return;
	/* Moved to the end of where it will be, then back cell by cell. */
	from = o->buf + o->begin + more;
	memmove(from, o->buf + o->begin, old);
	o->len = o->begin;
	for (at = 0; at < old; at = end + 1) {
		for (end = at; from[end] != '\t' && from[end] != '\n'; end++)
			;
		memmove(o->buf + o->len, from + at, end - at);
		o->len += end - at;
		if (from[end] == '\n') {
			o->buf[o->len++] = '\n';
			column = 0;
			continue;
		}
		for (size_t blanks = width[column] - (end - at) + GAP; blanks; blanks--)
			o->buf[o->len++] = ' ';
		column = MIN(column + 1, OUT_COLUMNS - 1);
	}
	o->buf[o->len] = '\0';
}

/* ---- values ---- */

static void name_column(struct out *o, const char *key)
{
	int n = snprintf(o->header + o->header_len, sizeof(o->header) - o->header_len, "%s%s",
		o->header_len ? "\t" : "", key);

	o->header_len = MIN(o->header_len + (size_t)n, sizeof(o->header) - 1);
}

/* The text before a value, by where it stands. */
static void lead(struct out *o, const char *key)
{
	if (o->in == OUT_TABLE) {
		if (!o->rows)
			name_column(o, key);
		if (o->cells++)
			puts_(o, "\t");
	} else if (o->in == OUT_GROUP) {
		if (o->cells)
			puts_(o, o->cells % o->per_line ? "\t" : "\n");
		o->cells++;
		puts_(o, key);
		puts_(o, "\t");
	} else {
		puts_(o, key);
		puts_(o, ": ");
	}
}

static void value(struct out *o, const char *key, const char *text, bool quoted)
{
	if (o->json) {
		separate(o);
		put_quoted(o, key);
		puts_(o, ":");
		if (quoted)
			put_quoted(o, text);
		else
			puts_(o, text);
		return;
	}
	lead(o, key);
	put_plain(o, *text || o->in != OUT_TABLE ? text : "-");
	if (o->in == OUT_FIELDS)
		puts_(o, "\n");
}

void out_text(struct out *o, const char *key, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	value(o, key, text, true);
}

void out_number(struct out *o, const char *key, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", number);
	value(o, key, text, false);
}

void out_hex(struct out *o, const char *key, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%lx", number);
	value(o, key, text, true);
}

void out_flag(struct out *o, const char *key, bool flag)
{
	if (o->json)
		value(o, key, flag ? "true" : "false", false);
	else
		value(o, key, flag ? "yes" : "no", false);
}

/* ---- tables ---- */

void out_table(struct out *o, const char *key)
{
	o->in = OUT_TABLE;
	o->begin = o->len;
	o->rows = 0;
	o->header_len = 0;
	o->header[0] = '\0';
	if (o->json)
		open(o, key, "[");
}

void out_row(struct out *o)
{
	o->cells = 0;
	if (!o->json)
		return;
	separate(o);
	puts_(o, "{");
	o->comma = false;
}

/* The first row has told the header, which goes before it. */
static void put_header(struct out *o)
{
	size_t row = o->len - o->begin, n = o->header_len + 1;

	if (!make_room(o, n))
		return;
	memmove(o->buf + o->begin + n, o->buf + o->begin, row);
	memcpy(o->buf + o->begin, o->header, o->header_len);
	o->buf[o->begin + o->header_len] = '\n';
	o->len += n;
	o->buf[o->len] = '\0';
}

void out_row_end(struct out *o)
{
	if (o->json) {
		close(o, "}");
	} else {
		puts_(o, "\n");
		if (!o->rows)
			put_header(o);
	}
	o->rows++;
}

void out_table_end(struct out *o)
{
	o->in = OUT_FIELDS;
	if (o->json)
		close(o, "]");
	else
		align(o);
}

/* ---- groups ---- */

void out_group(struct out *o, const char *key, unsigned per_line)
{
	o->in = OUT_GROUP;
	o->begin = o->len;
	o->cells = 0;
	o->per_line = per_line;
	if (o->json)
		open(o, key, "{");
}

void out_group_end(struct out *o)
{
	o->in = OUT_FIELDS;
	if (o->json) {
		close(o, "}");
	} else if (o->cells) {
		puts_(o, "\n");
		align(o);
	}
}

/* ---- narrations ---- */

void out_lines(struct out *o, const char *key)
{
	o->in = OUT_LINES;
	if (o->json)
		open(o, key, "[");
}

void out_line(struct out *o, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (o->json) {
		separate(o);
		put_quoted(o, text);
	} else {
		put_plain(o, text);
		puts_(o, "\n");
	}
}

void out_lines_end(struct out *o)
{
	o->in = OUT_FIELDS;
	if (o->json)
		close(o, "]");
}

/* ---- all of it ---- */

void out_init(struct out *o, char *buf, size_t size, bool json)
{
	*o = (struct out){ .buf = buf, .size = size, .json = json };
	buf[0] = '\0';
	if (json)
		puts_(o, "{");
}

bool out_finish(struct out *o)
{
	if (o->json)
		close(o, "}");
	return !o->full;
}
