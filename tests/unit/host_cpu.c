/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trampoline: a page of code below 4 GB holds the instruction and, right behind it, a jump
 * back; it is entered by a far jump, with every register loaded. Exceptions come back as signals,
 * whose handler, on a stack of its own, notes the registers and resumes behind the trampoline.
 */
#define _GNU_SOURCE /* names of the registers in a signal frame */
#include "tests/unit/host_cpu.h"

#ifdef __x86_64__

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct host_cpu host_cpu;

void host_cpu_enter(void);
extern char host_cpu_return[], host_cpu_resume[];

#define PUT(reg, n)  "mov host_cpu+8*" #n "(%rip), %" #reg "\n"
#define TAKE(reg, n) "mov %" #reg ", host_cpu+8*" #n "(%rip)\n"
#define OTHERS(f)                                                                                  \
	f(rcx, 1) f(rdx, 2) f(rbx, 3) f(rbp, 5) f(rsi, 6) f(rdi, 7) f(r8, 8) f(r9, 9) f(r10, 10)   \
		f(r11, 11) f(r12, 12) f(r13, 13) f(r14, 14) f(r15, 15)

static_assert(offsetof(struct host_cpu, rflags) == 128, "used by the assembly");
static_assert(offsetof(struct host_cpu, eip) == 136, "used by the assembly");
static_assert(offsetof(struct host_cpu, stack) == 144, "used by the assembly");
static_assert(offsetof(struct host_cpu, ds) == 152, "used by the assembly");

/* clang-format off */
__asm__(".globl host_cpu_enter, host_cpu_return, host_cpu_resume\n"
	"host_cpu_enter:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, host_cpu+144(%rip)\n"
	"mov host_cpu+152(%rip), %eax; mov %eax, %ds\n"
	"mov host_cpu+160(%rip), %eax; mov %eax, %es\n"
	"pushq host_cpu+128(%rip); popfq\n"
	PUT(rax, 0) OTHERS(PUT)
	"mov host_cpu+168(%rip), %ss\n"
	PUT(rsp, 4)
	"ljmp *host_cpu+136(%rip)\n"
	"host_cpu_return:\n"
	TAKE(rax, 0) OTHERS(TAKE) TAKE(rsp, 4)
	"mov host_cpu+144(%rip), %rsp\n"
	"pushfq; popq host_cpu+128(%rip)\n"
	"host_cpu_resume:\n"
	"pushq $2; popfq\n"
	"mov $0x2b, %eax; mov %eax, %ss\n"
	"xor %eax, %eax; mov %eax, %ds; mov %eax, %es\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n");
/* clang-format on */

/* The order of enum gpr, in a signal frame. */
static const u8 frame_gpr[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
	REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

#define FLAG_AC BIT(18)
#define FLAG_DF BIT(10)

static __attribute__((no_sanitize("address", "undefined"))) void on_signal(
	int sig, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	__asm__ volatile("pushfq; andl %0, (%%rsp); popfq" : : "i"(~(int)FLAG_AC) : "memory", "cc");
	for (unsigned i = 0; i < 16; i++)
		host_cpu.gpr[i] = (u64)g[frame_gpr[i]];
	host_cpu.rflags = (u64)g[REG_EFL];
	host_cpu.rip = (u64)g[REG_RIP];
	host_cpu.trap = (u64)g[REG_TRAPNO];
	host_cpu.error = (u64)g[REG_ERR];
	host_cpu.cr2 = (u64)g[REG_CR2];
	g[REG_EFL] &= ~(greg_t)(FLAG_AC | FLAG_DF);
	g[REG_RIP] = (greg_t)host_cpu_resume;
	g[REG_RSP] = (greg_t)host_cpu.stack;
	/* CS, GS, FS, SS from the lowest word up. */
	g[REG_CSGSFS] = (greg_t)(((u64)g[REG_CSGSFS] & 0x0000ffffffff0000ul) |
				 (u64)HOST_SS64 << 48 | HOST_CS64);
}

static bool map(u64 at, u64 len, int prot)
{
	return mmap((void *)at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
	       MAP_FAILED;
}

static bool catch_signals(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	bool ok = sigaltstack(&alt, NULL) == 0;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		ok = sigaction(signals[i], &sa, NULL) == 0 && ok;
	return ok;
}

bool host_cpu_segment(unsigned n, const struct segment *s)
{
	bool pages = s->ar & SEG_AR_G;
	struct user_desc d = {
		.entry_number = n,
		.base_addr = (unsigned)s->base,
		.limit = (pages ? s->limit >> 12 : s->limit) & 0xfffff,
		.seg_32bit = !!(s->ar & SEG_AR_DB),
		.contents = (s->ar >> 2) & 3,
		.read_exec_only = !(s->ar & 2),
		.limit_in_pages = pages,
		.useable = 1,
	};

	return syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) == 0;
}

u64 host_cpu_fs_base(void)
{
	u64 base = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
	return base;
}

bool host_cpu_init(void)
{
	static const struct segment probe = { .limit = 0xfff, .ar = 0x40f3 };

	return map(HOST_ARENA, HOST_ARENA_LEN, PROT_NONE) &&
	       map(HOST_RW, HOST_RW_LEN, PROT_READ | PROT_WRITE) &&
	       map(HOST_RO, 0x1000, PROT_READ | PROT_WRITE) &&
	       map(HOST_CODE, 0x1000, PROT_READ | PROT_WRITE | PROT_EXEC) && catch_signals() &&
	       syscall(SYS_arch_prctl, ARCH_SET_GS, HOST_GS_BASE) == 0 &&
	       host_cpu_segment(0, &probe);
}

void host_cpu_fill_ro(const void *bytes)
{
	mprotect((void *)HOST_RO, 0x1000, PROT_READ | PROT_WRITE);
	memcpy((void *)HOST_RO, bytes, 0x1000);
	mprotect((void *)HOST_RO, 0x1000, PROT_READ);
}

static u8 *put(u8 *p, u64 v, unsigned n)
{
	memcpy(p, &v, n);
	return p + n;
}

#define POINTER (HOST_CODE + 0x80)  /* to host_cpu_return; aligned, for RFLAGS.AC may be set */
#define STUB	(HOST_CODE + 0x100) /* 64-bit code that 16-bit and 32-bit code returns to */

/* JMP [rip + POINTER] */
static void jump64(u8 *p)
{
	p = put(p, 0x25ff, 2);
	put(p, POINTER - ((u64)p + 4), 4);
}

void host_cpu_run(const u8 *bytes, unsigned len)
{
	u8 *p = (u8 *)HOST_CODE + HOST_INSN;

	memset(p, 0xcc, HOST_INSN_ROOM);
	memcpy(p, bytes, len);
	put((u8 *)POINTER, (u64)host_cpu_return, 8);
	jump64((u8 *)STUB);
	p += len;
	if (host_cpu.cs == HOST_CS64) {
		jump64(p);
	} else {
		/* JMP ptr16:32, in 16-bit and in 32-bit code: with 66 it is the other one's. */
		unsigned is32 = 0;

		__asm__("lar %1, %0" : "=r"(is32) : "r"(host_cpu.cs) : "cc");
		if (!(is32 >> 8 & SEG_AR_DB))
			p = put(p, 0x66, 1);
		p = put(p, 0xea, 1);
		p = put(p, STUB, 4);
		put(p, HOST_CS64, 2);
		__asm__ volatile("mov %0, %%gs" : : "r"((u32)host_cpu.gs));
	}
	host_cpu.trap = NO_TRAP;
	host_cpu_enter();
}

#else

struct host_cpu host_cpu;

bool host_cpu_init(void)
{
	return false;
}

bool host_cpu_segment(unsigned n, const struct segment *s)
{
	(void)n;
	(void)s;
	return false;
}

void host_cpu_fill_ro(const void *bytes)
{
	(void)bytes;
}

u64 host_cpu_fs_base(void)
{
	return 0;
}

void host_cpu_run(const u8 *bytes, unsigned len)
{
	(void)bytes;
	(void)len;
}

#endif
