/* SPDX-License-Identifier: BSD-2-Clause */
/* The IDT and what happens on a trap: interrupts and NMIs go to irq.c, exceptions end the machine.
 */
#include "hv/cpu/traps.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/panic.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/stubs.h"
#include "hv/ctl/log.h"
#include "hv/mem/hostmap.h"

#define BACKTRACE_MAX 24

/* "64-Bit IDT Gate Descriptors" */
struct idt_gate {
	u16 offset_low;
	u16 selector;
	u8 ist;
	u8 type;
	u16 offset_mid;
	u32 offset_high;
	u32 reserved;
};
static_assert(sizeof(struct idt_gate) == 16, "IDT gate layout");

#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */

static struct idt_gate idt[256] __aligned(16);

struct ex_entry {
	u32 at, to; /* offsets from IMAGE_BASE */
};

extern const struct ex_entry __ex_table_start[], __ex_table_end[];

static const char *const trap_name[32] = {
	[VEC_DE] = "#DE divide error",
	[VEC_DB] = "#DB debug",
	[VEC_NMI] = "NMI",
	[VEC_BP] = "#BP breakpoint",
	[VEC_OF] = "#OF overflow",
	[VEC_BR] = "#BR bound range",
	[VEC_UD] = "#UD invalid opcode",
	[VEC_NM] = "#NM device not available",
	[VEC_DF] = "#DF double fault",
	[VEC_TS] = "#TS invalid TSS",
	[VEC_NP] = "#NP segment not present",
	[VEC_SS] = "#SS stack fault",
	[VEC_GP] = "#GP general protection",
	[VEC_PF] = "#PF page fault",
	[VEC_MF] = "#MF x87 error",
	[VEC_AC] = "#AC alignment check",
	[VEC_MC] = "#MC machine check",
	[VEC_XM] = "#XM SIMD error",
	[VEC_VE] = "#VE virtualization exception",
	[VEC_CP] = "#CP control protection",
};

static void gate_set(unsigned vector, u8 ist)
{
	u64 to = (u64)trap_stubs + vector * STUB_SIZE;

	idt[vector] = (struct idt_gate){
		.offset_low = (u16)to,
		.selector = SEL_CODE,
		.ist = ist,
		.type = GATE_INTERRUPT,
		.offset_mid = (u16)(to >> 16),
		.offset_high = (u32)(to >> 32),
	};
}

void idt_load(void)
{
	struct descriptor_ptr p = { .limit = sizeof(idt) - 1, .base = (u64)idt };

	lidt(&p);
}

u64 idt_base(void)
{
	return (u64)idt;
}

void traps_init(void)
{
	for (unsigned v = 0; v < ARRAY_SIZE(idt); v++)
		gate_set(v, 0);
	idt_load();
}

void traps_use_ist(void)
{
	gate_set(VEC_NMI, IST_NMI);
	gate_set(VEC_DF, IST_DF);
	gate_set(VEC_MC, IST_MC);
}

/* True if the 16 bytes at rbp (saved RBP and return address) lie in the stack that holds `from`. */
static bool frame_readable(u64 rbp, u64 from)
{
	const struct percpu *cpu = this_cpu();
	u64 low = (u64)cpu->stack_low, top = (u64)cpu->stack_top;

	if (!IS_ALIGNED(rbp, 8))
		return false;
	if (rbp >= low && rbp + 16 <= top)
		return true;
	/* An interrupt stack: one page, between guard pages. */
	return rbp >= STACK_BASE && rbp >= from && rbp + 16 <= ALIGN_UP(from + 1, PAGE_SIZE);
}

void backtrace(u64 rbp)
{
	for (unsigned i = 0; i < BACKTRACE_MAX && frame_readable(rbp, rbp); i++) {
		const u64 *frame = (const u64 *)rbp;
		/* The return address belongs to the instruction before it. */
		struct symbol_hit s = symbol_at(frame[1] - 1);

		if (!frame[1])
			break;
		log_err("  %016lx %s+0x%lx", frame[1], s.name, s.offset + 1);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

static void trap_log(const struct trap_frame *f)
{
	struct symbol_hit s = symbol_at(f->rip);

	log_err("  rip %04lx:%016lx %s+0x%lx error %lx", f->cs, f->rip, s.name, s.offset, f->error);
	log_err("  rax %016lx rbx %016lx rcx %016lx rdx %016lx", f->rax, f->rbx, f->rcx, f->rdx);
	log_err("  rsi %016lx rdi %016lx rbp %016lx rsp %016lx", f->rsi, f->rdi, f->rbp, f->rsp);
	log_err("  r8  %016lx r9  %016lx r10 %016lx r11 %016lx", f->r8, f->r9, f->r10, f->r11);
	log_err("  r12 %016lx r13 %016lx r14 %016lx r15 %016lx", f->r12, f->r13, f->r14, f->r15);
	log_err("  cr0 %016lx cr2 %016lx cr3 %016lx cr4 %016lx", read_cr0(), read_cr2(), read_cr3(),
		read_cr4());
	log_err("  rflags %08lx ss %04lx", f->rflags, f->ss);
	backtrace(f->rbp);
}

static __noreturn void trap_fatal(const struct trap_frame *f)
{
	struct symbol_hit s = symbol_at(f->rip);
	const char *name = f->vector < 32 ? trap_name[f->vector] : NULL;
	char at[24] = "";

	if (f->vector == VEC_PF)
		snprintf(at, sizeof(at), " on %016lx", read_cr2());
	panic_begin("%s%s in the hypervisor at %s+0x%lx", name ? name : "reserved exception", at,
		s.name, s.offset);
	trap_log(f);
	panic_end();
}

/* Continues where the exception table says, if the instruction is in it. */
static bool trap_fixup(struct trap_frame *f)
{
	for (const struct ex_entry *e = __ex_table_start; (u64)e < (u64)__ex_table_end; e++) {
		if (f->rip == IMAGE_BASE + e->at) {
			f->rip = IMAGE_BASE + e->to;
			return true;
		}
	}
	return false;
}

void trap_handle(struct trap_frame *f)
{
	if (f->vector == VEC_NMI)
		nmi_handle();
	else if (f->vector >= 32)
		irq_handle((u8)f->vector);
	else if (f->vector != VEC_GP || !trap_fixup(f))
		trap_fatal(f);
}
