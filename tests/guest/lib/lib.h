/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every test guest is built from. A test is a folder with a main.c that defines test_main();
 * it ends by pass(), fail() or skip(), whose result leaves through the debug-exit port 0xF4:
 *
 *   pass  status 1      skip  status 5      fail  status 3      anything else: the VM crashed
 */
#ifndef TESTS_GUEST_LIB_H
#define TESTS_GUEST_LIB_H

#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "hv/dev/layout.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/lib/util.h"

/* Registers at an interrupt or exception, as start.S pushes them. */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	u64 vector, error;
	u64 rip, cs, rflags, rsp, ss;
};

/* Given at entry. */
extern const char *guest_cmdline;
extern u64 guest_ram; /* bytes */
extern u64 guest_rsdp;

/* What an entry calls: pointers stay valid. */
void guest_start(const char *cmdline, u64 ram, u64 rsdp);
void test_main(void); /* the test */
/* GDT and IDT into this processor's registers; guest_start() has done so on the first. */
void guest_tables(void);

__noreturn void pass(void);
__noreturn void skip(const char *why);
__noreturn void fail(const char *fmt, ...) __printf(1, 2);
void say(const char *fmt, ...) __printf(1, 2);
/* The next byte of the console's input; negative: there is none. */
int typed(void);

/* Fails with the text and both values unless they are equal. */
#define check_eq(got, want, ...)                                                                   \
	do {                                                                                       \
		u64 _got = (u64)(got), _want = (u64)(want);                                        \
		if (_got != _want) {                                                               \
			say(__VA_ARGS__);                                                          \
			fail("%s:%d: got 0x%lx, want 0x%lx", __FILE__, __LINE__, _got, _want);     \
		}                                                                                  \
	} while (0)
/* Bytes of a page of guest memory. */
#define PAGE_BYTES 4096ul

#define check(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			say(__VA_ARGS__);                                                          \
			fail("%s:%d: %s", __FILE__, __LINE__, #cond);                              \
		}                                                                                  \
	} while (0)

/* A handler for a vector; NULL: unexpected. It may change the frame. */
typedef void (*handler_t)(struct frame *f);
void on_vector(unsigned vector, handler_t fn);
/* The gate of a vector: present or not. */
void gate_present(unsigned vector, bool present);
/* The gate may be used by INT at level 3. */
void gate_user(unsigned vector);
/* The gate leads straight to that code, which ends by IRET; NULL: to the handler, as at first. */
void gate_to(unsigned vector, const void *code);

/* Words of the command line: WORD, and KEY=N. */
bool cmdline_has(const char *word);
u64 cmdline_number(const char *key, u64 otherwise);
/* What is behind KEY=, with all that follows on the command line; NULL: no such word. */
const char *cmdline_text(const char *key);

/* The last exception that FAULTS() caught. */
struct caught {
	int vector; /* -1: none */
	u64 error, cr2, rip, rflags;
};
extern struct caught caught;
extern u64 resume_rip;

/*
 * FAULTS(code, outputs : inputs : clobbers): runs one piece of assembly; an exception in it resumes
 * behind it. Yields the vector, or -1.
 */
#define FAULTS(code, ...)                                                                          \
	({                                                                                         \
		caught.vector = -1;                                                                \
		__asm__ volatile(                                                                  \
			"push %%rax; lea 77f(%%rip), %%rax; mov %%rax, resume_rip(%%rip); "        \
			"pop %%rax; " code "; 77: movq $0, resume_rip(%%rip)" __VA_ARGS__);        \
		caught.vector;                                                                     \
	})

static inline void sti(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* Enables interrupts for one instruction boundary, so that what is pending is taken. */
static inline void sti_nop_cli(void)
{
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
}

static inline void sti_hlt_cli(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

static inline u32 mmio_read(u64 address)
{
	return *(volatile u32 *)address;
}

static inline void mmio_write(u64 address, u32 value)
{
	*(volatile u32 *)address = value;
}

/* Local APIC registers ("Local APIC Register Address Map"). */
enum apic_reg {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_LDR = 0xd0,
	APIC_DFR = 0xe0,
	APIC_SVR = 0xf0,
	APIC_ISR = 0x100,
	APIC_IRR = 0x200,
	APIC_ESR = 0x280,
	APIC_ICR = 0x300,
	APIC_ICR2 = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_TMICT = 0x380,
	APIC_TMCCT = 0x390,
	APIC_TDCR = 0x3e0,
};
#define APIC_LVT_MASKED	  0x10000u
#define APIC_LVT_PERIODIC 0x20000u
#define APIC_LVT_DEADLINE 0x40000u
#define APIC_LVT_EXTINT	  0x700u

u32 apic_read(enum apic_reg r);
void apic_write(enum apic_reg r, u32 value);
void apic_enable(void); /* SVR, TPR 0, LINT0 masked */
void apic_eoi(void);
void pic_mask_all(void);
void ioapic_write(unsigned reg, u32 value);
u32 ioapic_read(unsigned reg);

u64 tsc_per_second(void); /* from CPUID 0x40000010 */

/* Spins for that many TSC ticks with interrupts on, or until *flag is not 0. True: it became so. */
bool wait_for(volatile unsigned *flag, u64 ticks);

/* PML4 that the guest runs on, a page of zeros, and mapping of one 4 KB page in the own tables at a
 * va above 512 GB. */
u64 *new_page(void);
u64 *map_page(u64 va, u64 pa, u64 bits); /* returns the PTE */

#endif
