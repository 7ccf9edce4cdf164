/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the hypervisor's sources expect around them, for unit tests on the host: the log goes to
 * standard error, panic() aborts, pages come from the C library (and are counted, so that a test
 * can see a leak), and the clock stands.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hv/cpu/tsc.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/mem/page.h"
#include "hv/vm/task.h"
#include "tests/unit/host.h"

__attribute__((weak)) enum log_level log_level = LOG_INFO;
char host_last_log[512];
jmp_buf *host_panic_jmp;
static struct page_stats stats = { .total = 1u << 20, .free = 1u << 20 };
u64 host_page_limit = ~0ul, host_pages_hidden;

__attribute__((weak)) void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host_last_log, sizeof(host_last_log), fmt, ap);
	va_end(ap);
	if (level <= log_level)
		fprintf(stderr, "# %s\n", host_last_log);
}

__attribute__((weak)) void log_machine(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host_last_log, sizeof(host_last_log), fmt, ap);
	va_end(ap);
}

__attribute__((weak)) bool ratelimit_pass(struct ratelimit *rl)
{
	(void)rl;
	return true;
}

__attribute__((weak)) void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(host_last_log, sizeof(host_last_log), fmt, ap);
	va_end(ap);
	if (host_panic_jmp)
		longjmp(*host_panic_jmp, 1);
	fprintf(stderr, "panic: %s\n", host_last_log);
	abort();
}

__attribute__((weak)) void *page_alloc(unsigned order, enum page_owner owner)
{
	size_t bytes = PAGE_SIZE << order;
	void *p;

	if (stats.used[owner] + (1ul << order) > host_page_limit)
		return NULL;
	p = aligned_alloc(bytes, bytes);
	if (!p)
		return NULL;
	memset(p, 0, bytes);
	stats.used[owner] += 1ul << order;
	stats.free -= 1ul << order;
	return p;
}

/* The host's memory lies where it does. */
__attribute__((weak)) void *page_alloc_below(unsigned order, hpa_t limit, enum page_owner owner)
{
	(void)limit;
	return page_alloc(order, owner);
}

__attribute__((weak)) void page_free(void *p, unsigned order, enum page_owner owner)
{
	stats.used[owner] -= 1ul << order;
	stats.free += 1ul << order;
	free(p);
}

__attribute__((weak)) void *page_alloc_upto(unsigned *order, unsigned least, enum page_owner owner)
{
	(void)least;
	return page_alloc(*order, owner);
}

/* Only the real allocator can take a block apart. */
__attribute__((weak)) void *page_alloc_at(hfn_t frame, enum page_owner owner)
{
	(void)frame;
	(void)owner;
	return NULL;
}

__attribute__((weak)) void page_split(void *p, unsigned order, unsigned into, enum page_owner owner)
{
	(void)owner;
	panic("page_split(%p, %u, %u)", p, order, into);
}

__attribute__((weak)) bool page_join(void *p, unsigned order, enum page_owner owner)
{
	(void)p;
	(void)order;
	(void)owner;
	return false;
}

__attribute__((weak)) void page_stats(struct page_stats *out)
{
	*out = stats;
	out->free -= host_pages_hidden;
}

static struct page_stats at_begin;

void host_pages_begin(void)
{
	host_page_limit = ~0ul;
	page_stats(&at_begin);
}

bool host_pages_are_back(void)
{
	struct page_stats now;

	page_stats(&now);
	return !memcmp(&at_begin, &now, sizeof(now));
}

__attribute__((weak)) struct ledger_mark ledger_backend_begin(void)
{
	return (struct ledger_mark){ 0, 0 };
}

__attribute__((weak)) void ledger_backend_end(struct ledger_mark m)
{
	(void)m;
}

__attribute__((weak)) u64 tsc_now(void)
{
	return 0;
}

__attribute__((weak)) u64 tsc_hz(void)
{
	return 1;
}

__attribute__((weak)) u64 uptime_us(void)
{
	return 0;
}

__attribute__((weak)) void task_init(struct task *t, void (*run)(struct task *t))
{
	t->run = run;
}
