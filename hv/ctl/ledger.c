/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/ctl/ledger.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/vm/vcpu.h"

static struct {
	const char *text;
	size_t len;
} omitted;

void ledger_start(struct percpu *cpu, u64 tsc)
{
	cpu->ledger = (struct ledger){ .start = tsc, .mark = tsc };
}

/* Ticks since the mark that were not idle. */
static u64 since_mark(const struct percpu *cpu, u64 now)
{
	const struct ledger *l = &cpu->ledger;

	return now - l->mark - (cpu_idle_ticks(cpu, now) - l->idle_mark);
}

void ledger_slice_begin(struct vcpu *v)
{
	struct percpu *cpu = this_cpu();
	struct ledger *l = &cpu->ledger;

	*(l->ran ? &l->hypervisor : &l->boot) += since_mark(cpu, rdtsc());
	l->ran = true;
	l->vcpu = v;
}

void ledger_slice_end(void)
{
	struct percpu *cpu = this_cpu();

	cpu->ledger.mark = rdtsc();
	cpu->ledger.idle_mark = cpu->idle_ticks;
	cpu->ledger.vcpu = NULL;
}

struct ledger_mark ledger_backend_begin(void)
{
	return (struct ledger_mark){ rdtsc(), this_cpu()->ledger.backend };
}

void ledger_backend_end(struct ledger_mark m)
{
	struct percpu *cpu = this_cpu();
	struct vcpu *v = cpu->ledger.vcpu;
	u64 inner = cpu->ledger.backend - m.backend, ticks = rdtsc() - m.tsc - inner;

	cpu->ledger.backend += ticks;
	if (v)
		v->exit_tsc += (u32)ticks;
}

u32 ledger_trace(u64 since)
{
	u64 ticks = rdtsc() - since;

	this_cpu()->ledger.trace += ticks;
	return (u32)ticks;
}

void ledger_omit(const char *kind, size_t len)
{
	omitted.text = kind;
	omitted.len = len;
}

bool ledger_omits(const char *kind)
{
	return omitted.text && strlen(kind) == omitted.len &&
	       !strncmp(kind, omitted.text, omitted.len);
}

void ledger_close(const struct vcpu *v)
{
	struct ledger *l = &v->sched.cpu->ledger;
	u64 exits = 0;

	for (unsigned k = 0; k < EXIT_KINDS; k++)
		if (!ledger_omits(exit_handlers[k].name))
			exits += v->exits[k].ticks;
	__atomic_fetch_add(&l->guest, v->guest_ticks, __ATOMIC_RELAXED);
	__atomic_fetch_add(&l->exits, exits, __ATOMIC_RELAXED);
}

static u64 hundredths(u64 part, u64 whole)
{
	return whole ? part * 10000 / whole : 0;
}

static void report_cpu(const struct percpu *cpu, u64 now)
{
	struct ledger l = cpu->ledger;
	u64 elapsed = now - l.start, idle = cpu_idle_ticks(cpu, now), residual, off;
	bool low;

	*(l.ran ? &l.hypervisor : &l.boot) += since_mark(cpu, now);
	residual = elapsed - l.boot - l.hypervisor - l.backend - l.trace - l.guest - l.exits - idle;
	low = (s64)residual < 0; /* more was charged than there was */
	off = hundredths(low ? -residual : residual, elapsed);
	log_machine("@stats "
		    "{\"ledger\":%u,\"elapsed_ticks\":%lu,\"boot_ticks\":%lu,"
		    "\"hypervisor_ticks\":%lu,\"backend_ticks\":%lu,\"trace_ticks\":%lu,\"guest_"
		    "sum\":%lu,"
		    "\"exit_sum\":%lu,\"cpu_idle_ticks\":%lu,\"residual_ticks\":%ld}",
		cpu->index, elapsed, l.boot, l.hypervisor, l.backend, l.trace, l.guest, l.exits,
		idle, (s64)residual);
	log_write(off >= 10000 / LEDGER_RESIDUAL_MAX ? LOG_WARN : LOG_INFO,
		"CPU %u: %lu ticks, in no account %s%lu (%lu.%02lu %%)", cpu->index, elapsed,
		low ? "-" : "", low ? -residual : residual, off / 100, off % 100);
}

void ledger_report(void)
{
	const struct percpu *cpu;
	u64 now = rdtsc();

	for_each_cpu (cpu)
		report_cpu(cpu, now);
}
