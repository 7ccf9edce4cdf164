/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that C has no word for, one inline function each, named as the manual names them. */
#ifndef HV_CPU_CPU_H
#define HV_CPU_CPU_H

#include "hv/cpu/regs.h"
#include "hv/lib/util.h"

/* ---- model-specific registers and counters ---- */

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* For probing: false, and *value 0, if the processor answers with #GP. (traps.c looks in the
 * exception table.) */
bool rdmsr_safe(u32 msr, u64 *value);
bool wrmsr_safe(u32 msr, u64 value);

static inline u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

static inline struct cpuid_regs cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* Like cpuid(), but all zeros when the leaf is above the highest of its range (where Intel repeats
 * another leaf). */
static inline struct cpuid_regs cpuid_checked(u32 leaf, u32 subleaf)
{
	if (cpuid(leaf & 0xffff0000u, 0).eax < leaf)
		return (struct cpuid_regs){ 0 };
	return cpuid(leaf, subleaf);
}

/* The low half, where only a difference of less than 2^32 ticks matters. */
static inline u32 rdtsc_low(void)
{
	u32 lo;

	__asm__ volatile("rdtsc" : "=a"(lo) : : "edx");
	return lo;
}

static inline void xsetbv(u32 reg, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(reg), "a"((u32)value), "d"((u32)(value >> 32)));
}

static inline u64 xgetbv(u32 reg)
{
	u32 lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(reg));
	return (u64)hi << 32 | lo;
}

/* ---- control and debug registers ---- */

#define CR_ACCESSORS(name, reg)                                                                    \
	static inline u64 read_##name(void)                                                        \
	{                                                                                          \
		u64 v;                                                                             \
		__asm__ volatile("mov %%" reg ", %0" : "=r"(v) : : "memory");                      \
		return v;                                                                          \
	}                                                                                          \
	static inline void write_##name(u64 v)                                                     \
	{                                                                                          \
		__asm__ volatile("mov %0, %%" reg : : "r"(v) : "memory");                          \
	}

CR_ACCESSORS(cr0, "cr0")
CR_ACCESSORS(cr2, "cr2")
CR_ACCESSORS(cr3, "cr3")
CR_ACCESSORS(cr4, "cr4")
CR_ACCESSORS(dr0, "dr0")
CR_ACCESSORS(dr1, "dr1")
CR_ACCESSORS(dr2, "dr2")
CR_ACCESSORS(dr3, "dr3")
CR_ACCESSORS(dr6, "dr6")
CR_ACCESSORS(dr7, "dr7")

static inline void invlpg(u64 va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* ---- descriptor tables ---- */

struct __packed descriptor_ptr {
	u16 limit;
	u64 base;
};

static inline void lgdt(const struct descriptor_ptr *p)
{
	__asm__ volatile("lgdt %0" : : "m"(*p) : "memory");
}

static inline void lidt(const struct descriptor_ptr *p)
{
	__asm__ volatile("lidt %0" : : "m"(*p) : "memory");
}

static inline void ltr(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

/* ---- ports ---- */

static inline u8 inb(u16 port)
{
	u8 v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u16 inw(u16 port)
{
	u16 v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline u32 inl(u16 port)
{
	u32 v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline void outb(u16 port, u8 v)
{
	__asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(u16 port, u16 v)
{
	__asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(u16 port, u32 v)
{
	__asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

/* ---- flow ---- */

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* Stops this processor until an NMI, and then again. */
static inline __noreturn void cpu_halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

/* Linear addresses of 48 bits: bits 63:47 are equal ("Canonical Addressing"). */
static inline bool is_canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

#endif
