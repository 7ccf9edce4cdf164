/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/ctl/trace.h"
#include "hv/ctl/log.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"

#define PROBES_MAX 32u	/* slots that are tried for a place */
#define REPORTED   128u /* places */
#define HASH	   0x9e3779b97f4a7c15ul
#define HASH_SHIFT 40

static unsigned ring_size;

void trace_configure(unsigned exits)
{
	ring_size = MIN(exits, TRACE_EXITS_MAX);
}

struct trace *trace_start(unsigned exits)
{
	unsigned order = page_order(sizeof(struct trace) + (u64)exits * sizeof(struct trace_exit));
	struct trace *t = page_alloc(order, PAGE_HV);

	if (t) {
		t->size = exits;
		t->order = order;
	}
	return t;
}

struct trace *trace_create(void)
{
	struct trace *t = ring_size ? trace_start(ring_size) : NULL;

	if (t)
		t->at_end = true;
	return t;
}

void trace_destroy(struct trace *t)
{
	if (t)
		page_free(t, t->order, PAGE_HV);
}

static struct trace_place *place_of(struct trace *t, u64 rip, const char *reason)
{
	u64 slot = ((rip ^ (u64)reason) * HASH) >> HASH_SHIFT;

	for (unsigned i = 0; i < PROBES_MAX; i++) {
		struct trace_place *p = &t->place[(slot + i) & (TRACE_PLACES - 1)];

		if (!p->reason)
			*p = (struct trace_place){ .rip = rip, .reason = reason };
		if (p->rip == rip && p->reason == reason)
			return p;
	}
	return NULL;
}

void trace_record(struct trace *t, const struct trace_exit *e, u64 spent)
{
	if (t->last)
		t->last->ticks += spent;
	t->exit[t->total++ % t->size] = *e;
	t->last = place_of(t, e->rip, e->reason);
	if (t->last)
		t->last->count++;
	else
		t->lost++;
}

void trace_print(const struct vcpu *v)
{
	const struct trace *t = v->trace;
	unsigned n = t && t->at_end ? (unsigned)MIN(t->total, (u64)t->size) : 0;

	if (n)
		log_info("trace: %s, vcpu %u: the last %u of %lu exits", v->vm->cfg.name, v->index,
			n, t->total);
	for (unsigned i = 0; i < n; i++) {
		const struct trace_exit *e = &t->exit[(t->total - n + i) % t->size];

		log_info("trace: tsc %lu rip 0x%lx %s 0x%lx", e->tsc, e->rip, e->reason, e->info);
	}
}

/* The place with most exits of those with fewer than `below`, or as many and behind `after`. */
static const struct trace_place *next_place(const struct trace *t, const struct trace_place *after)
{
	const struct trace_place *best = NULL;

	for (const struct trace_place *p = t->place; p < t->place + TRACE_PLACES; p++) {
		bool later = !after || p->count < after->count ||
			     (p->count == after->count && p > after);

		if (p->reason && later && (!best || p->count > best->count))
			best = p;
	}
	return best;
}

void trace_report(const struct vcpu *v)
{
	const struct trace_place *p = NULL;

	if (!v->trace || !v->trace->at_end)
		return;
	for (unsigned i = 0; i < REPORTED && (p = next_place(v->trace, p)); i++)
		log_machine("@stats "
			    "{\"vm\":\"%s\",\"vcpu\":%u,\"rip\":\"0x%lx\",\"reason\":\"%s\","
			    "\"times\":%lu,\"spent\":%lu}",
			v->vm->cfg.name, v->index, p->rip, p->reason, p->count, p->ticks);
	log_machine("@stats {\"vm\":\"%s\",\"vcpu\":%u,\"traced\":%lu,\"without_place\":%lu}",
		v->vm->cfg.name, v->index, v->trace->total, v->trace->lost);
}
