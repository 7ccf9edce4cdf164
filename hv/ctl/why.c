/* SPDX-License-Identifier: BSD-2-Clause */
/* The last exits of a vcpu: as they were recorded (hv/ctl/trace.h), and told as a story. */
#include "hv/cpu/cpu.h"
#include "hv/cpu/tsc.h"
#include "hv/ctl/commands.h"
#include "hv/ctl/inspect.h"
#include "hv/ctl/trace.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/vm/vm.h"

#define SHOWN	   16u
#define RECORDED   1024u
#define SENTENCES  12u
#define US_PER_SEC 1000000ul

static unsigned recorded(const struct trace *t)
{
	return t ? (unsigned)MIN(t->total, (u64)t->size) : 0;
}

/* The i-th from the oldest of the last n. */
static const struct trace_exit *exit_at(const struct trace *t, unsigned n, unsigned i)
{
	return &t->exit[(t->total - n + i) % t->size];
}

/* It was entered: with the way into the first entry, which is counted as well. */
static bool has_exited(const struct vcpu *v)
{
	u64 entries = 0;

	for (unsigned k = 0; k < EXIT_KINDS; k++)
		entries += v->exits[k].count;
	return entries != 0;
}

static void exit_row(struct out *o, const struct trace_exit *e)
{
	out_row(o);
	out_number(o, "tsc", e->tsc);
	out_hex(o, "rip", e->rip);
	out_text(o, "reason", "%s", e->reason);
	out_hex(o, "info", e->info);
	out_row_end(o);
}

/* only: it is all there is, if none are recorded; or NULL. */
static void exits_table(
	struct out *o, const struct vcpu *v, unsigned count, const struct trace_exit *only)
{
	unsigned n = MIN(recorded(v->trace), count);

	out_table(o, "exits");
	for (unsigned i = 0; i < n; i++)
		exit_row(o, exit_at(v->trace, n, i));
	if (!n && only)
		exit_row(o, only);
	out_table_end(o);
}

void inspect_exits(struct out *o, const struct vcpu *v, unsigned count)
{
	exits_table(o, v, count, NULL);
}

void inspect_end(struct out *o, const struct vcpu *v, unsigned count)
{
	struct last_exit last;

	if (!has_exited(v)) {
		exits_table(o, v, count, NULL);
		return;
	}
	v->ops->last_exit(v, &last);
	if (last.memory)
		out_hex(o, "exit_gpa", last.gpa.v);
	if (last.gva_valid)
		out_hex(o, "exit_gva", last.gva.v);
	exits_table(o, v, count, &last.exit);
}

static bool begin_recording(struct vcpu *v)
{
	v->trace = trace_start(RECORDED);
	if (v->trace)
		v->ops->trace(v);
	return v->trace != NULL;
}

bool run_trace(struct call *c)
{
	if (!c->v->trace && !begin_recording(c->v))
		return call_fail(c, "no memory to record exits in");
	out_number(&c->out, "recorded", c->v->trace->total);
	inspect_exits(&c->out, c->v, c->arg[1].given ? (unsigned)c->arg[1].number : SHOWN);
	return true;
}

/* ---- the story ---- */

/* "Exit Qualification for I/O Instructions". */
#define IO_SIZE	  0x7u
#define IO_IN	  BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT	  16
/* "Exit Qualification for Control-Register Accesses". */
#define CR_NUMBER 0xfu
#define CR_TYPE	  4

static void tell_io(char *text, size_t size, u64 q)
{
	snprintf(text, size, "%s %lu byte%s %s port 0x%lx", q & IO_IN ? "read" : "wrote",
		(q & IO_SIZE) + 1,
		q & IO_STRING ? "s in a row"
		: q & IO_SIZE ? "s"
			      : "",
		q & IO_IN ? "from" : "to", q >> IO_PORT & 0xffff);
}

static void tell_cr(char *text, size_t size, u64 q)
{
	static const char *const types[] = { "wrote", "read", "did CLTS on", "did LMSW on" };

	snprintf(text, size, "%s CR%lu", types[q >> CR_TYPE & 3], q & CR_NUMBER);
}

/* "Exit Qualification for EPT Violations": bits 0 to 2 say what was tried. */
static void tell_ept(char *text, size_t size, u64 q)
{
	snprintf(text, size, "touched memory that is not mapped so (%s)",
		q & MMU_W   ? "to write"
		: q & MMU_X ? "to execute"
			    : "to read");
}

static void tell_exception(char *text, size_t size, u64 q)
{
	snprintf(text, size, "raised an exception that we intercept (about 0x%lx)", q);
}

static const struct {
	const char *reason;
	void (*tell)(char *text, size_t size, u64 info);
} tellers[] = {
	{ "I/O instruction", tell_io },
	{ "control-register access", tell_cr },
	{ "EPT violation", tell_ept },
	{ "exception or NMI", tell_exception },
};

static void sentence(char *text, size_t size, const struct trace_exit *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(tellers); i++)
		if (!strcmp(tellers[i].reason, e->reason)) {
			tellers[i].tell(text, size, e->info);
			return;
		}
	snprintf(text, size, "%s", e->reason);
}

static bool same(const struct trace_exit *a, const struct trace_exit *b)
{
	return a->rip == b->rip && a->reason == b->reason && a->info == b->info;
}

/* How far back the last `sentences` groups of exits that are the same reach. */
static unsigned story_length(const struct trace *t, unsigned sentences)
{
	unsigned n = recorded(t), groups = 0, i;

	for (i = n; i; i--)
		if ((i == n || !same(exit_at(t, n, i - 1), exit_at(t, n, i))) &&
			++groups > sentences)
			break;
	return n - i;
}

static void tell_exits(struct out *o, const struct trace *t)
{
	unsigned n = story_length(t, SENTENCES), times;
	u64 now = rdtsc();
	char text[96];

	for (unsigned i = 0; i < n; i += times) {
		const struct trace_exit *e = exit_at(t, n, i);

		for (times = 1; i + times < n && same(e, exit_at(t, n, i + times)); times++)
			;
		sentence(text, sizeof(text), e);
		if (times == 1)
			out_line(o, "%lu us ago, at 0x%lx: %s",
				(now - e->tsc) * US_PER_SEC / tsc_hz(), e->rip, text);
		else
			out_line(o, "from %lu us ago on, %u times, at 0x%lx: %s",
				(now - e->tsc) * US_PER_SEC / tsc_hz(), times, e->rip, text);
	}
}

/* Where nothing is recorded. */
static void tell_last(struct out *o, const struct vcpu *v)
{
	struct last_exit last;
	char text[96], about[48] = "";

	if (has_exited(v)) {
		v->ops->last_exit(v, &last);
		sentence(text, sizeof(text), &last.exit);
		if (last.memory)
			snprintf(about, sizeof(about), ", at gpa 0x%lx", last.gpa.v);
		out_line(o, "%lu us ago, the last exit: %s%s; it is at 0x%lx",
			(rdtsc() - last.exit.tsc) * US_PER_SEC / tsc_hz(), text, about,
			last.exit.rip);
	}
	out_line(o, "no exits are recorded: \"trace %s\" begins to record them", v->vm->cfg.name);
}

static const char *present(const struct vcpu *v)
{
	if (v->vm->end != VM_END_NONE)
		return "its VM is over";
	if (v->sched.holds)
		return "it is paused";
	if (v->work & WORK_PARKED)
		return "it waits for being started by another vcpu";
	if (v->work & WORK_HALTED)
		return "it is in HLT and waits for an interrupt";
	return "it has work to do";
}

void inspect_story(struct out *o, const struct vcpu *v)
{
	u64 exits = 0;

	for (unsigned k = EXIT_NONE + 1; k < EXIT_KINDS; k++)
		exits += v->exits[k].count;
	out_lines(o, "story");
	out_line(o, "%s, vcpu %u: %s, after %lu exits; the last kind was %s", v->vm->cfg.name,
		v->index, present(v), exits, exit_handlers[v->kind].name);
	if (recorded(v->trace))
		tell_exits(o, v->trace);
	else
		tell_last(o, v);
	out_lines_end(o);
}

bool run_why(struct call *c)
{
	inspect_story(&c->out, c->v);
	return true;
}
