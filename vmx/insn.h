/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMX instructions ("VMX Instruction Reference"). They stand here and in entry.S, nowhere else.
 *
 * Each reports VMfailInvalid in CF and VMfailValid in ZF; "jbe" catches both. VMREAD and VMWRITE of
 * a field that exists cannot fail while a VMCS is current, so a failure there is our own bug.
 */
#ifndef VMX_INSN_H
#define VMX_INSN_H

#include "hv/cpu/percpu.h"
#include "hv/ctl/log.h"
#include "hv/mem/addr.h"

/*
 * A build with VMX_COUNTING counts the VMREADs and VMWRITEs of each kind of exit (make counting);
 * any other pays nothing for it. Those in entry.S, one VMWRITE an entry from the run loop, are not
 * counted.
 */
#ifdef VMX_COUNTING
#define vmx_count(what)                                                                            \
	__asm__ volatile("incq %%gs:%c0" : : "i"(offsetof(struct percpu, what)) : "cc", "memory")
#else
#define vmx_count(what) ((void)0)
#endif

/* False on failure. Needs CR4.VMXE and an enabled IA32_FEATURE_CONTROL. */
static inline bool vmxon(hpa_t region)
{
	bool fail;

	__asm__ volatile("vmxon %1" : "=@ccbe"(fail) : "m"(region.v) : "memory");
	return !fail;
}

static inline void vmxoff(void)
{
	__asm__ volatile("vmxoff" ::: "cc", "memory");
}

static inline bool vmclear(hpa_t vmcs)
{
	bool fail;

	__asm__ volatile("vmclear %1" : "=@ccbe"(fail) : "m"(vmcs.v) : "memory");
	return !fail;
}

static inline bool vmptrld(hpa_t vmcs)
{
	bool fail;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(fail) : "m"(vmcs.v) : "memory");
	return !fail;
}

/* VMREAD that may meet a field which this CPU does not have: false then. */
static inline bool vmread_safe(u64 field, u64 *value)
{
	bool fail;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(fail), "=rm"(*value) : "r"(field));
	return !fail;
}

__noreturn __attribute__((cold)) void vmx_insn_failed(const char *insn, u64 field);

static inline u64 vmread(u64 field)
{
	u64 value;

	vmx_count(vmreads);
	__asm__ goto volatile("vmread %1, %0\n\tjbe %l2" : "=r"(value) : "r"(field) : "cc" : fail);
	return value;
fail:
	vmx_insn_failed("VMREAD", field);
}

static inline u32 vmread32(u64 field)
{
	return (u32)vmread(field);
}

static inline void vmwrite(u64 field, u64 value)
{
	vmx_count(vmwrites);
	__asm__ goto volatile("vmwrite %1, %0\n\tjbe %l2" : : "r"(field), "r"(value) : "cc" : fail);
	return;
fail:
	vmx_insn_failed("VMWRITE", field);
}

/* For the few fields that every exit reads or writes and that every CPU with VMX has: unchecked. */
static inline u64 vmread_hot(u64 field)
{
	u64 value;

	vmx_count(vmreads);
	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"(field) : "cc");
	return value;
}

static inline void vmwrite_hot(u64 field, u64 value)
{
	vmx_count(vmwrites);
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "r"(value) : "cc");
}

#define INVEPT_SINGLE	1ul
#define INVEPT_ALL	2ul
#define INVVPID_ADDRESS 0ul
#define INVVPID_SINGLE	1ul
#define INVVPID_ALL	2ul
#define INVVPID_GLOBALS 3ul /* single context, retaining globals */

static inline void invept(u64 type, u64 eptp)
{
	struct {
		u64 eptp, zero;
	} d = { eptp, 0 };

	__asm__ goto volatile("invept %0, %1\n\tjbe %l2"
			      :
			      : "m"(d), "r"(type)
			      : "cc", "memory"
			      : fail);
	return;
fail:
	vmx_insn_failed("INVEPT", type);
}

static inline void invvpid(u64 type, u16 vpid, gva_t gva)
{
	struct {
		u64 vpid, gva;
	} d = { vpid, gva.v };

	__asm__ goto volatile("invvpid %0, %1\n\tjbe %l2"
			      :
			      : "m"(d), "r"(type)
			      : "cc", "memory"
			      : fail);
	return;
fail:
	vmx_insn_failed("INVVPID", type);
}

#endif
