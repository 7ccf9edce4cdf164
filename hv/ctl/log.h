/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's log: one line a call, with a level, on the log port. BUG() stops the machine.
 */
#ifndef HV_CTL_LOG_H
#define HV_CTL_LOG_H

#include "hv/lib/spinlock.h"
#include "hv/lib/util.h"

enum log_level {
	LOG_ERR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG
};

/* Lines above this level are dropped; set from the command line's "loglevel=". */
extern enum log_level log_level;

/* A newline is added. Lines over 400 characters are cut. */
void log_write(enum log_level level, const char *fmt, ...) __printf(2, 3);

/* A line for programs, starting with '@': no time, no level, printed whatever the level. A newline
 * is added. Lines over 1,000 characters are cut. */
void log_machine(const char *fmt, ...) __printf(1, 2);

/* The same of any length, as it is: a whole line, with its newline. */
void log_machine_line(const char *line, size_t len);

/* Waits until all lines so far are out. */
void log_flush(void);

/* Writes text as a JSON string, quotes included, to buf; cut to fit. */
void log_json_string(char *buf, size_t size, const char *text);

/*
 * Where lines go: whole lines, any CPU. now: the line must be out before the call returns, since
 * what comes next may be a hang (everything at level "debug").
 */
typedef void (*log_sink_fn)(const char *line, size_t len, bool now);
void log_set_sink(log_sink_fn fn);

/*
 * log_keep(): from now on the last lines are also kept, in buf (size is a power of two), which must
 * live on. log_kept(): calls fn for each of the last `lines` of them, oldest first. A line that is
 * being written meanwhile may be garbled.
 */
void log_keep(char *buf, size_t size);
void log_kept(unsigned lines, void (*fn)(void *ctx, const char *line), void *ctx);

#define log_err(...)   log_write(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/*
 * For lines that a guest can provoke: at most `burst` lines, refilled with one each second of
 * TSC time; the number of lines dropped is added to the next one that passes.
 */
struct ratelimit {
	u64 last;	 /* TSC of the last refill */
	unsigned tokens; /* lines left */
	unsigned burst;
	unsigned dropped;
	struct spinlock lock;
};

#define RATELIMIT(n)                                                                               \
	{                                                                                          \
		.tokens = (n), .burst = (n)                                                        \
	}

bool ratelimit_pass(struct ratelimit *rl);

#define log_guest(rl, level, ...)                                                                  \
	do {                                                                                       \
		if (ratelimit_pass(rl))                                                            \
			log_write(level, __VA_ARGS__);                                             \
	} while (0)

/* Prints the message with a backtrace and stops the machine with exit status "crash". */
__noreturn void panic(const char *fmt, ...) __printf(1, 2);

#define BUG(...) panic("BUG: " __VA_ARGS__)
#define BUG_ON(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(cond))                                                                \
			panic("BUG: %s:%d: %s", __FILE__, __LINE__, #cond);                        \
	} while (0)
#ifdef NDEBUG
#define ASSERT(cond) ((void)0)
#else
#define ASSERT(cond)                                                                               \
	do {                                                                                       \
		if (unlikely(!(cond)))                                                             \
			panic("ASSERT: %s:%d: %s", __FILE__, __LINE__, #cond);                     \
	} while (0)
#endif

#endif
