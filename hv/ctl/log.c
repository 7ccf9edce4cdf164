/* SPDX-License-Identifier: BSD-2-Clause */
/* Formats log lines, "[seconds.micros] LEVEL text", and hands each whole to the log port. */
#include "hv/ctl/log.h"
#include "hv/cpu/tsc.h"
#include "hv/lib/printf.h"

#define TEXT_MAX 400
#define LINE_MAX (TEXT_MAX + 40) /* and the time, the level, the newline */
#define US_PER_S 1000000ul

enum log_level log_level = LOG_INFO;
static log_sink_fn sink;

static const char *const level_name[] = {
	[LOG_ERR] = "ERR ",
	[LOG_WARN] = "WARN",
	[LOG_INFO] = "INFO",
	[LOG_DEBUG] = "DBG ",
};

void log_set_sink(log_sink_fn fn)
{
	sink = fn;
}

/* Characters that would break the line, or the terminal of whoever reads it, become '?'. */
static void scrub(char *s)
{
	for (; *s; s++)
		if ((u8)*s < ' ' || *s == 0x7f)
			*s = '?';
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[TEXT_MAX + 1], line[LINE_MAX + 1];
	u64 us = uptime_us();
	va_list ap;
	int n;

	if (level > log_level || !sink)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	scrub(text);
	n = snprintf(line, sizeof(line), "[%5lu.%06lu] %s %s\n", us / US_PER_S, us % US_PER_S,
		level_name[level], text);
	sink(line, MIN((size_t)n, sizeof(line) - 1), level <= LOG_WARN || log_level >= LOG_DEBUG);
}

void log_raw(const char *text, size_t len)
{
	if (sink)
		sink(text, len, true);
}

bool ratelimit_pass(struct ratelimit *rl)
{
	u64 now = tsc_now(), hz = tsc_hz();

	if (hz && now - rl->last >= hz) {
		u64 earned = (now - rl->last) / hz;

		rl->tokens = (unsigned)MIN((u64)rl->burst, rl->tokens + MIN(earned, (u64)rl->burst));
		rl->last = now;
	}
	if (!rl->tokens) {
		rl->dropped++;
		return false;
	}
	rl->tokens--;
	if (rl->dropped) {
		log_write(LOG_WARN, "(%u lines like the next were dropped)", rl->dropped);
		rl->dropped = 0;
	}
	return true;
}
