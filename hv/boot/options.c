/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line's words, one table row each. */
#include "hv/boot/options.h"
#include "hv/ctl/trace.h"
#include "hv/drv/gpt.h"
#include "hv/lib/string.h"
#include "hv/lib/text.h"

#define COUNT_LIMIT 4096u

static bool set_loglevel(struct options *o, struct text v)
{
	static const char *const names[] = { "err", "warn", "info", "debug" };
	static const char *const numbers[] = { "0", "1", "2", "3" };
	int i = MAX(text_one_of(v, names, ARRAY_SIZE(names)),
		text_one_of(v, numbers, ARRAY_SIZE(numbers)));

	if (i >= 0)
		o->loglevel = (enum log_level)i;
	return i >= 0;
}

static bool read_port(struct text v, enum port_choice *out)
{
	static const char *const names[] = { "none", "com1", "com2" };
	int i = text_one_of(v, names, ARRAY_SIZE(names));

	if (i >= 0)
		*out = (enum port_choice)i;
	return i >= 0;
}

static bool set_log(struct options *o, struct text v)
{
	return read_port(v, &o->log);
}

static bool set_console(struct options *o, struct text v)
{
	return read_port(v, &o->console);
}

static bool set_ctl(struct options *o, struct text v)
{
	return read_port(v, &o->ctl);
}

static bool set_monitor(struct options *o, struct text v)
{
	o->monitor = true;
	return !v.len;
}

static bool set_stay(struct options *o, struct text v)
{
	o->vms.stay = true;
	return !v.len;
}

static bool set_cpus(struct options *o, struct text v)
{
	return text_whole(v, 1, COUNT_LIMIT, &o->cpus);
}

static bool set_trace(struct options *o, struct text v)
{
	return text_whole(v, 1, TRACE_EXITS_MAX, &o->trace);
}

static bool set_at_once(struct options *o, struct text v)
{
	return text_whole(v, 1, COUNT_LIMIT, &o->vms.at_once);
}

static bool set_start(struct options *o, struct text v)
{
	return text_whole(v, 1, COUNT_LIMIT, &o->vms.start);
}

static bool set_preflight(struct options *o, struct text v)
{
	o->preflight = true;
	return !v.len;
}

static bool set_gdb(struct options *o, struct text v)
{
	o->gdb = true;
	return !v.len;
}

static bool set_ledger_omit(struct options *o, struct text v)
{
	o->omit = v.s;
	o->omit_len = v.len;
	return v.len != 0;
}

static bool set_try_disk(struct options *o, struct text v)
{
	if (!v.len || v.len > GPT_NAME_MAX)
		return false;
	o->try_disk = v.s;
	o->try_disk_len = v.len;
	return true;
}

static const struct {
	const char *key;
	bool (*set)(struct options *o, struct text value);
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
	{ "try-disk=", set_try_disk },
	{ "gdb", set_gdb },
	{ "trace=", set_trace },
	{ "ledger_omit=", set_ledger_omit },
};

static bool take(struct options *o, struct text w)
{
	struct text value;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (text_after(w, rows[i].key, &value))
			return rows[i].set(o, value);
	return false;
}

void options_parse(struct options *o, const char *cmdline)
{
	struct text rest = { cmdline, strlen(cmdline) };

	*o = (struct options){
		.loglevel = LOG_INFO,
		.log = PORT_COM2,
		.console = PORT_COM1,
		.ctl = PORT_NONE,
		.cpus = COUNT_LIMIT,
		.vms.at_once = COUNT_LIMIT,
		.vms.start = COUNT_LIMIT,
	};
	while (rest.len) {
		struct text w = rest;

		text_split(&w, ' ', &rest);
		if (w.len && !take(o, w) && !o->bad) {
			o->bad = w.s;
			o->bad_len = (unsigned)w.len;
		}
	}
}
