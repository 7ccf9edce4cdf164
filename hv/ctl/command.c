/* SPDX-License-Identifier: BSD-2-Clause */
/* Words to values, and values to errors that say what was expected. */
#include "hv/ctl/command.h"

#include <stdarg.h>

#include "hv/lib/hex.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define SHOWN_MAX 20 /* characters of a wrong word that are repeated */
#define NAME_MAX  16u

const struct command *command_find(const char *name)
{
	for (unsigned i = 0; i < commands_count; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static const char *in_capitals(const char *name, char buf[NAME_MAX])
{
	unsigned i;

	for (i = 0; i < NAME_MAX - 1 && name[i]; i++)
		buf[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
	buf[i] = '\0';
	return buf;
}

void command_usage(const struct command *cmd, char *buf, size_t size)
{
	char name[NAME_MAX];
	size_t n = (size_t)snprintf(buf, size, "%s", cmd->name);

	for (unsigned i = 0; i < COMMAND_ARGS && cmd->arg[i].type && n < size; i++) {
		bool optional = cmd->arg[i].optional;

		n += (size_t)snprintf(buf + n, size - n, " %s%s%s", optional ? "[" : "",
			in_capitals(cmd->arg[i].name, name), optional ? "]" : "");
	}
}

/* Decimal, or hexadecimal behind 0x. */
static bool read_number(const char *s, u64 *out)
{
	unsigned base = 10;
	u64 n = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		int d = hex_digit(*s);

		if (d < 0 || (unsigned)d >= base || n > (~0ul - (unsigned)d) / base)
			return false;
		n = n * base + (unsigned)d;
	}
	*out = n;
	return true;
}

static bool value_of(const struct arg_spec *spec, struct arg_value *v, char *err, size_t size)
{
	bool number = read_number(v->word, &v->number);

	switch (spec->type) {
	case ARG_ADDRESS:
		snprintf(err, size, "an address such as 0xffffffff81000000");
		return number;
	case ARG_COUNT:
		snprintf(err, size, "a number from 1 to %lu", spec->max);
		return number && v->number >= 1 && v->number <= spec->max;
	case ARG_SIZE:
		snprintf(err, size, "a number from 0 to %lu", spec->max);
		return number && v->number <= spec->max;
	case ARG_VCPU: snprintf(err, size, "the number of a vcpu, from 0 on,"); return number;
	default: snprintf(err, size, "a name"); return v->word[0] != '\0';
	}
}

bool command_check(const struct command *cmd, const char *const word[COMMAND_ARGS],
	struct arg_value value[COMMAND_ARGS], char *err)
{
	char usage[COMMAND_ERR_MAX / 2], expected[COMMAND_ERR_MAX / 4], name[NAME_MAX];

	command_usage(cmd, usage, sizeof(usage));
	memset(value, 0, COMMAND_ARGS * sizeof(*value));
	for (unsigned i = 0; i < COMMAND_ARGS; i++) {
		const struct arg_spec *spec = &cmd->arg[i];
		const char *w = word[i];

		if (!w && (!spec->type || spec->optional))
			continue;
		if (!spec->type) {
			snprintf(err, COMMAND_ERR_MAX, "\"%.*s\" is one too many: %s", SHOWN_MAX, w,
				usage);
			return false;
		}
		in_capitals(spec->name, name);
		if (!w) {
			snprintf(err, COMMAND_ERR_MAX, "%s is missing: %s", name, usage);
			return false;
		}
		value[i].given = strlen(w) < COMMAND_WORD;
		if (value[i].given)
			memcpy(value[i].word, w, strlen(w) + 1);
		if (!value_of(spec, &value[i], expected, sizeof(expected)) || !value[i].given) {
			snprintf(err, COMMAND_ERR_MAX, "%s: %s is expected, not \"%.*s\": %s", name,
				expected, SHOWN_MAX, w, usage);
			return false;
		}
	}
	return true;
}

bool call_fail(struct call *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->err, sizeof(c->err), fmt, ap);
	va_end(ap);
	return false;
}
