/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line's words, one table row each. */
#include "hv/boot/options.h"
#include "hv/ctl/trace.h"
#include "hv/lib/string.h"

#define COUNT_LIMIT 4096u

struct word {
	const char *text; /* not terminated */
	size_t len;
};

static bool word_is(struct word w, const char *s)
{
	return w.len == strlen(s) && !strncmp(w.text, s, w.len);
}

static bool set_loglevel(struct options *o, struct word v)
{
	static const char *const names[] = { "err", "warn", "info", "debug" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (word_is(v, names[i]) || (v.len == 1 && v.text[0] == (char)('0' + i))) {
			o->loglevel = (enum log_level)i;
			return true;
		}
	}
	return false;
}

static bool read_port(struct word v, enum port_choice *out)
{
	static const char *const names[] = { "none", "com1", "com2" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (word_is(v, names[i])) {
			*out = (enum port_choice)i;
			return true;
		}
	}
	return false;
}

static bool set_log(struct options *o, struct word v)
{
	return read_port(v, &o->log);
}

static bool set_console(struct options *o, struct word v)
{
	return read_port(v, &o->console);
}

/* A number in decimal, from 1 to max. */
static bool read_number(struct word v, unsigned max, unsigned *out)
{
	unsigned n = 0;

	for (size_t i = 0; i < v.len; i++) {
		if (v.text[i] < '0' || v.text[i] > '9')
			return false;
		n = n * 10 + (unsigned)(v.text[i] - '0');
		if (n > max)
			return false;
	}
	if (!n)
		return false;
	*out = n;
	return true;
}

static bool set_ctl(struct options *o, struct word v)
{
	return read_port(v, &o->ctl);
}

static bool set_monitor(struct options *o, struct word v)
{
	o->monitor = true;
	return !v.len;
}

static bool set_stay(struct options *o, struct word v)
{
	o->vms.stay = true;
	return !v.len;
}

static bool set_cpus(struct options *o, struct word v)
{
	return read_number(v, COUNT_LIMIT, &o->cpus);
}

static bool set_trace(struct options *o, struct word v)
{
	return read_number(v, TRACE_EXITS_MAX, &o->trace);
}

static bool set_at_once(struct options *o, struct word v)
{
	return read_number(v, COUNT_LIMIT, &o->vms.at_once);
}

static bool set_start(struct options *o, struct word v)
{
	return read_number(v, COUNT_LIMIT, &o->vms.start);
}

static bool set_preflight(struct options *o, struct word v)
{
	o->preflight = true;
	return !v.len;
}

static bool set_gdb(struct options *o, struct word v)
{
	o->gdb = true;
	return !v.len;
}

static bool set_ledger_omit(struct options *o, struct word v)
{
	o->omit = v.text;
	o->omit_len = v.len;
	return v.len != 0;
}

static const struct {
	const char *key;
	bool (*set)(struct options *o, struct word value);
} rows[] = {
	{ "loglevel=", set_loglevel },
	{ "log=", set_log },
	{ "console=", set_console },
	{ "ctl=", set_ctl },
	{ "monitor", set_monitor },
	{ "stay", set_stay },
	{ "start=", set_start },
	{ "cpus=", set_cpus },
	{ "at-once=", set_at_once },
	{ "preflight", set_preflight },
	{ "gdb", set_gdb },
	{ "trace=", set_trace },
	{ "ledger_omit=", set_ledger_omit },
};

static bool take(struct options *o, struct word w)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = strlen(rows[i].key);

		if (w.len >= n && !strncmp(w.text, rows[i].key, n))
			return rows[i].set(o, (struct word){ w.text + n, w.len - n });
	}
	return false;
}

void options_parse(struct options *o, const char *cmdline)
{
	*o = (struct options){
		.loglevel = LOG_INFO,
		.log = PORT_COM2,
		.console = PORT_COM1,
		.ctl = PORT_NONE,
		.cpus = COUNT_LIMIT,
		.vms.at_once = COUNT_LIMIT,
		.vms.start = COUNT_LIMIT,
	};
	for (const char *s = cmdline; *s;) {
		struct word w = { s, 0 };

		while (s[w.len] && s[w.len] != ' ')
			w.len++;
		if (w.len && !take(o, w) && !o->bad) {
			o->bad = w.text;
			o->bad_len = (unsigned)w.len;
		}
		s += w.len;
		while (*s == ' ')
			s++;
	}
}
