/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no VMCS field holds stays as the guest has left it, whoever had the processor meanwhile:
 * vector registers (beyond XCR0 as it is now, too), MXCSR and the x87 control word, XCR0, DR0 to
 * DR3 and DR6, CR2, and the MSRs of SYSCALL, SWAPGS, RDTSCP and speculation. Each is given a value
 * of its own, made of "seed=N"; then the guest computes and sleeps for "for=MS" (20) and looks
 * again and again.
 */
#include "tests/guest/lib/lib.h"

#define VECTOR	   0x40
#define AREA	   4096u
#define FCW	   0x27fu
#define MXCSR	   0x1fa0u
#define MXCSR_AT   24
#define LEGACY	   512u
#define HEADER	   64u
#define XMM_AT	   160u
#define XMM_BYTES  256u
#define AVX_AT	   576u
#define AVX_BYTES  256u
#define XCR0_BASIC 3ul
#define ECX_XSAVE  BIT(26)
#define EDX_RDTSCP BIT(27)
#define EDX_SPEC   BIT(26)
#define SPEC_STIBP BIT(1)
#define CANONICAL  0xffff800000000000ul
#define LOW_CANON  0x00007ffffffff000ul

static u8 want[AREA] __aligned(64), got[AREA] __aligned(64);
static u64 seed, xcr0;
static bool avx;

static u64 value(unsigned n)
{
	u64 x = (seed + 1) * 0x9e3779b97f4a7c15ul + n * 0xbf58476d1ce4e5b9ul;

	return x ^ x >> 29;
}

static struct {
	u32 msr;
	u64 value;
} msrs[] = { { MSR_STAR, 0 }, { MSR_LSTAR, 0 }, { MSR_CSTAR, 0 }, { MSR_FMASK, 0 },
	{ MSR_KERNEL_GS_BASE, 0 }, { MSR_TSC_AUX, 0 }, { MSR_SPEC_CTRL, 0 } };

static bool have(u32 msr)
{
	if (msr == MSR_TSC_AUX)
		return cpuid(0x80000001, 0).edx & EDX_RDTSCP;
	if (msr == MSR_SPEC_CTRL)
		return cpuid(7, 0).edx & EDX_SPEC;
	return true;
}

static void set_msrs(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		u64 v = value(i);

		switch (msrs[i].msr) {
		case MSR_LSTAR:
		case MSR_CSTAR:
		case MSR_KERNEL_GS_BASE: v = v & BIT(40) ? v | CANONICAL : v & LOW_CANON; break;
		case MSR_FMASK:
		case MSR_TSC_AUX: v = (u32)v; break;
		case MSR_SPEC_CTRL: v = seed & 1 ? SPEC_STIBP : 0; break;
		default: break;
		}
		msrs[i].value = v;
		if (have(msrs[i].msr))
			wrmsr(msrs[i].msr, v);
	}
}

static void set_debug(void)
{
	write_dr0(value(20) & LOW_CANON);
	write_dr1(value(21) & LOW_CANON);
	write_dr2(value(22) & LOW_CANON);
	write_dr3(value(23) & LOW_CANON);
	write_dr6(DR6_INIT | (value(24) & 0xf));
	write_cr2(value(25));
}

/* All vector state but the AVX-512 part; then AVX is turned off again, and must stay all the same.
 */
static void set_vectors(void)
{
	u16 fcw = FCW;
	u32 mxcsr = MXCSR;

	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	memcpy(want, &fcw, sizeof(fcw));
	memcpy(want + MXCSR_AT, &mxcsr, sizeof(mxcsr));
	for (unsigned i = 0; i < XMM_BYTES / 8; i++)
		((u64 *)(want + XMM_AT))[i] = value(100 + i);
	if (!(cpuid(1, 0).ecx & ECX_XSAVE)) {
		__asm__ volatile("fxrstor64 %0" : : "m"(want));
		return;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	avx = cpuid(0xd, 0).eax & XCR0_AVX;
	xcr0 = XCR0_BASIC | (avx ? XCR0_AVX : 0);
	for (unsigned i = 0; avx && i < AVX_BYTES / 8; i++)
		((u64 *)(want + AVX_AT))[i] = value(200 + i);
	*(u64 *)(want + LEGACY) = xcr0;
	xsetbv(0, xcr0);
	__asm__ volatile("xrstor64 %0" : : "m"(want), "a"(xcr0), "d"(0));
	if (avx && (seed & 2)) {
		xcr0 &= ~XCR0_AVX;
		xsetbv(0, xcr0);
	}
}

static void look_at_vectors(void)
{
	memset(got, 0, sizeof(got));
	if (!xcr0) {
		__asm__ volatile("fxsave64 %0" : "=m"(got));
	} else {
		check_eq(xgetbv(0), xcr0, "XCR0");
		if (avx)
			xsetbv(0, XCR0_BASIC | XCR0_AVX);
		__asm__ volatile("xsave64 %0" : "+m"(got) : "a"(~0u), "d"(0));
		xsetbv(0, xcr0);
	}
	check_eq(*(u16 *)got, FCW, "x87 control word");
	check_eq(*(u32 *)(got + MXCSR_AT), MXCSR, "MXCSR");
	check(!memcmp(got + XMM_AT, want + XMM_AT, XMM_BYTES), "XMM registers");
	if (avx)
		check(!memcmp(got + AVX_AT, want + AVX_AT, AVX_BYTES), "upper halves of YMM");
}

static void look(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		if (have(msrs[i].msr))
			check_eq(rdmsr(msrs[i].msr), msrs[i].value, "MSR 0x%x", msrs[i].msr);
	check_eq(read_dr0(), value(20) & LOW_CANON, "DR0");
	check_eq(read_dr1(), value(21) & LOW_CANON, "DR1");
	check_eq(read_dr2(), value(22) & LOW_CANON, "DR2");
	check_eq(read_dr3(), value(23) & LOW_CANON, "DR3");
	check_eq(read_dr6(), DR6_INIT | (value(24) & 0xf), "DR6");
	check_eq(read_cr2(), value(25), "CR2");
	look_at_vectors();
}

static void on_interrupt(struct frame *f)
{
	(void)f;
	apic_eoi();
}

static void doze(u64 ms)
{
	apic_write(APIC_LVT_TIMER, VECTOR | APIC_LVT_DEADLINE);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + ms);
	sti_hlt_cli();
}

void test_main(void)
{
	u64 ms = tsc_per_second() / 1000;
	u64 end = rdtsc() + cmdline_number("for", 20) * ms, looks = 0;

	seed = cmdline_number("seed", 0);
	apic_enable();
	on_vector(VECTOR, on_interrupt);
	set_vectors();
	set_msrs();
	set_debug();
	while (rdtsc() < end) {
		look();
		if (++looks % 64 == 0)
			doze(ms);
	}
	say("looked %lu times", looks);
	pass();
}
