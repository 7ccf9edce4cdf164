/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How processors but the first come to run: INIT parks one, a start-up IPI has it begin in real
 * mode, at the page that the vector names. Source: Intel SDM, "Multiple-Processor Management";
 * "Processor State After Reset", table of values after power-up, reset and INIT.
 *
 *             vcpu_load()
 *                 v       start-up IPI
 *     INIT ---> PARKED ----------------> running: start-up IPIs have no effect
 *                 ^------- INIT -----------'
 *
 * Where there is no real mode, the mailbox of hv/dev/wakeup.h does both at once, and the processor
 * begins in 64-bit mode.
 *
 * The sender leaves a note in v->work, as for any work; the vcpu heeds it on its own CPU.
 */
#include "hv/cpu/regs.h"
#include "hv/dev/layout.h"
#include "hv/vm/cpuid.h"
#include "hv/vm/cr.h"
#include "hv/vm/debug.h"
#include "hv/vm/vm.h"

#define LEAF_VERSION 1u
#define REAL_LIMIT   0xffffu
#define REAL_CODE    0x9bu /* present, executable, readable, accessed */
#define REAL_DATA    0x93u /* present, writable, accessed */
#define REAL_LDT     0x82u
#define REAL_TSS     0x8bu /* busy */
#define FLAT_LIMIT   0xffffffffu
#define FLAT_DATA    (REAL_DATA | SEG_AR_G | SEG_AR_DB)
#define FLAT_CODE64  (REAL_CODE | SEG_AR_G | SEG_AR_L)
#define TSS_LIMIT    0x67u
#define SIPI_SHIFT   12 /* from vector to address; to selector: 4 less */

/* What comes to nothing while one is parked, and what was pending when INIT came. */
#define LOST_BY_INIT (WORK_IRQ | WORK_NMI | WORK_EVENT | WORK_INPUT | WORK_HALTED | WORK_DEAF)

void vcpu_signal_init(struct vcpu *v)
{
	/* A start-up IPI that came before it was for a processor that ran. */
	vcpu_work_clear(v, WORK_SIPI);
	vcpu_post(v, WORK_INIT);
}

void vcpu_signal_sipi(struct vcpu *v, u8 vector)
{
	if (v->work & WORK_SIPI)
		return;
	v->start_at = vector;
	v->start_in_64 = false;
	vcpu_post(v, WORK_SIPI);
}

void vcpu_signal_wake(struct vcpu *v, u64 rip)
{
	v->start_at = rip;
	v->start_in_64 = true;
	vcpu_post(v, WORK_INIT | WORK_SIPI);
}

/* Registers after INIT, and CS as the vector says. */
static void real_mode_state(const struct vcpu *v, u8 vector, struct vcpu_state *s)
{
	struct cpuid_regs version;

	cpuid_lookup(v->cpuid, LEAF_VERSION, 0, 0, XCR0_X87, true, &version);
	*s = (struct vcpu_state){ .rflags = RFLAGS_R1, .cr0 = CR0_CD | CR0_NW | CR0_ET };
	s->gpr[RDX] = version.eax;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		s->seg[i] = (struct segment){ .limit = REAL_LIMIT, .ar = REAL_DATA };
	s->seg[SEG_LDTR].ar = REAL_LDT;
	s->seg[SEG_TR].ar = REAL_TSS;
	s->seg[SEG_CS].ar = REAL_CODE;
	s->seg[SEG_CS].selector = (u16)(vector << (SIPI_SHIFT - 4));
	s->seg[SEG_CS].base = (u64)vector << SIPI_SHIFT;
	s->gdtr.limit = REAL_LIMIT;
	s->idtr.limit = REAL_LIMIT;
}

/* As the ACPI specification has firmware wake a processor: flat, on page tables of its own. */
static void long_mode_state(u64 rip, struct vcpu_state *s)
{
	*s = (struct vcpu_state){ .rip = rip,
		.rflags = RFLAGS_R1,
		.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG,
		.cr3 = LAYOUT_WAKEUP_TABLES,
		.cr4 = CR4_PAE,
		.efer = EFER_LME | EFER_LMA };
	for (unsigned i = 0; i < SEG_COUNT; i++)
		s->seg[i] =
			(struct segment){ .limit = FLAT_LIMIT, .ar = FLAT_DATA, .selector = 16 };
	s->seg[SEG_CS] = (struct segment){ .limit = FLAT_LIMIT, .ar = FLAT_CODE64, .selector = 8 };
	s->seg[SEG_LDTR] = (struct segment){ .ar = SEG_AR_UNUSABLE };
	s->seg[SEG_TR] = (struct segment){ .limit = TSS_LIMIT, .ar = REAL_TSS };
}

/* INIT leaves the TSC alone; and the account of the last exit stays open. */
static void begin(struct vcpu *v)
{
	u64 offset = v->ops->get(v, VREG_TSC_OFFSET);
	u32 open = v->exit_tsc;
	struct vcpu_state s;

	if (v->start_in_64)
		long_mode_state(v->start_at, &s);
	else
		real_mode_state(v, (u8)v->start_at, &s);
	vcpu_work_clear(v, LOST_BY_INIT | WORK_PARKED);
	if (!vcpu_can_run_with(v, s.cr0))
		return; /* the VM is over; its MMU still has what the registers say */
	v->ops->load(v, &s);
	if (v->vm->debug)
		debug_loaded(v);
	v->ops->set(v, VREG_TSC_OFFSET, offset);
	v->exit_tsc = open;
	v->nmi_waits = false;
	if (v->vm->mmu->ops->paging_changed)
		v->vm->mmu->ops->paging_changed(v);
}

bool vcpu_startup(struct vcpu *v)
{
	unsigned long work = v->work;

	vcpu_work_clear(v, work & (WORK_INIT | WORK_SIPI));
	if ((work & WORK_INIT) && v->index == 0) {
		/* It starts from the reset vector, where a PC has firmware that reboots. */
		vm_end(v->vm, VM_END_RESET, 0);
		return true;
	}
	if (work & WORK_INIT)
		vcpu_work_set(v, WORK_PARKED);
	if (!(v->work & WORK_PARKED))
		return true;
	vcpu_work_clear(v, LOST_BY_INIT);
	if (work & WORK_SIPI)
		begin(v);
	else
		vm_check_halt(v->vm);
	return !(v->work & WORK_PARKED);
}
