/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/cpu/cpu.h"
#include "hv/ctl/ledger.h"
#include "hv/ctl/log.h"
#include "hv/ctl/stats.h"
#include "hv/ctl/trace.h"
#include "hv/lib/printf.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"
#include "hv/vm/vm.h"

static void exit_stats(const struct vcpu *v, unsigned kind)
{
	const struct exit_count *c = &v->exits[kind];
	char fields[64] = "";

	if (c->vmreads | c->vmwrites)
		snprintf(fields, sizeof(fields), ",\"vmreads\":%lu,\"vmwrites\":%lu", c->vmreads,
			c->vmwrites);
	log_machine("@stats "
		    "{\"vm\":\"%s\",\"vcpu\":%u,\"exit\":\"%s\",\"count\":%lu,\"ticks\":%lu%s}",
		v->vm->cfg.name, v->index, exit_handlers[kind].name, c->count, c->ticks, fields);
}

static void vcpu_stats(const struct vcpu *v)
{
	const char *name = v->vm->cfg.name;
	u64 count = 0, ticks = 0;

	for (unsigned k = 0; k < EXIT_KINDS; k++) {
		const struct exit_count *c = &v->exits[k];

		if (ledger_omits(exit_handlers[k].name))
			continue;
		/* Kind "none" is the way into the first entry, and no exit. */
		count += k == EXIT_NONE ? 0 : c->count;
		ticks += c->ticks;
		/* The last exit leads to no entry, and is not counted: it may be the only one. */
		if (c->count || c->ticks)
			exit_stats(v, k);
	}
	log_machine("@stats "
		    "{\"vm\":\"%s\",\"vcpu\":%u,\"exits\":%lu,\"guest_ticks\":%lu,\"hv_ticks\":%lu,"
		    "\"idle_ticks\":%lu}",
		name, v->index, count, v->guest_ticks, ticks, v->idle_ticks);
	log_machine("@stats "
		    "{\"vm\":\"%s\",\"vcpu\":%u,\"cpu\":%u,\"weight\":%u,\"ran_ticks\":%lu,"
		    "\"wait_ticks\":%lu,\"switches_in\":%lu,\"yields\":%u,"
		    "\"yields_to_own\":%u}",
		name, v->index, v->sched.cpu->index, v->sched.runner.share->weight,
		v->sched.ran_ticks, v->sched.wait_ticks, v->sched.switches_in, v->sched.yields,
		v->sched.yields_to_own);
}

void stats_vm(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpus; i++)
		vcpu_stats(vm->vcpu[i]);
	for (unsigned i = 0; i < vm->vcpus; i++)
		ledger_close(vm->vcpu[i]);
	for (unsigned i = 0; i < vm->vcpus; i++) {
		if (vm->end != VM_END_CRASH) /* or it is in the log already */
			trace_print(vm->vcpu[i]);
		trace_report(vm->vcpu[i]);
		if (vm->vcpu[i]->trace && !vm->shared &&
			vm->vcpu[i]
				->trace->at_end) /* where its kernel is: it may have moved itself */
			log_machine(
				"@stats {\"vm\":\"%s\",\"vcpu\":%u,\"syscall_entry\":\"0x%lx\"}",
				vm->cfg.name, i, rdmsr(MSR_LSTAR));
	}
	if (vm->mmu->ops->report)
		vm->mmu->ops->report(vm->mmu);
	if (vm->io_ops)
		vm->io_ops->report(vm->io);
}

void stats_memory(const struct vm *vm)
{
	struct page_stats s;
	u64 image = hostmap_image_bytes();

	page_stats(&s);
	log_machine("@stats "
		    "{\"vm\":\"%s\",\"hv_bytes\":%lu,\"image_bytes\":%lu,\"table_bytes\":%lu,"
		    "\"guest_bytes\":%lu,"
		    "\"free_bytes\":%lu}",
		vm->cfg.name, (s.used[PAGE_HV] * PAGE_SIZE), image, s.used[PAGE_TABLE] * PAGE_SIZE,
		s.used[PAGE_GUEST] * PAGE_SIZE, s.free * PAGE_SIZE);
}
