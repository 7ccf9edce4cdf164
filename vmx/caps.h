/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this CPU's VT-x can do: the capability MSRs of the Intel SDM's appendix "VMX Capability
 * Reporting Facility", read once on each CPU into one struct that all others look at.
 */
#ifndef VMX_CAPS_H
#define VMX_CAPS_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

/* IA32_VMX_BASIC, "Basic VMX Information" */
#define VMX_BASIC_REVISION	GENMASK(30, 0)
#define VMX_BASIC_SIZE_SHIFT	32
#define VMX_BASIC_SIZE		GENMASK(44, 32)
#define VMX_BASIC_32BIT		BIT(48) /* VMX structures must lie below 4 GB */
#define VMX_BASIC_TYPE_SHIFT	50
#define VMX_BASIC_TYPE		GENMASK(53, 50) /* memory type for VMX structures */
#define VMX_BASIC_INS_OUTS	BIT(54)
#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_BASIC_ANY_ERROR	BIT(56) /* any hardware exception may have an error code */

/* IA32_VMX_MISC, "Miscellaneous Data" */
#define VMX_MISC_TIMER_RATE	GENMASK(4, 0) /* the timer counts when this TSC bit changes */
#define VMX_MISC_SAVES_LMA	BIT(5)
#define VMX_MISC_HLT		BIT(6)
#define VMX_MISC_SHUTDOWN	BIT(7)
#define VMX_MISC_WAIT_SIPI	BIT(8)
#define VMX_MISC_CR3_SHIFT	16
#define VMX_MISC_CR3		GENMASK(24, 16)
#define VMX_MISC_MSR_LIST_SHIFT 25
#define VMX_MISC_MSR_LIST	GENMASK(27, 25) /* recommended maximum: 512 * (N + 1) */
#define VMX_MISC_INJECT_LEN0	BIT(30)		/* software events may have length 0 */

/* IA32_VMX_EPT_VPID_CAP, "VPID and EPT Capabilities" */
#define EPT_CAP_EXECUTE_ONLY	 BIT(0)
#define EPT_CAP_WALK_4		 BIT(6)
#define EPT_CAP_WALK_5		 BIT(7)
#define EPT_CAP_UC		 BIT(8)
#define EPT_CAP_WB		 BIT(14)
#define EPT_CAP_2MB		 BIT(16)
#define EPT_CAP_1GB		 BIT(17)
#define EPT_CAP_INVEPT		 BIT(20)
#define EPT_CAP_AD		 BIT(21)
#define EPT_CAP_ADVANCED_EXIT	 BIT(22)
#define EPT_CAP_SSS		 BIT(23)
#define EPT_CAP_INVEPT_SINGLE	 BIT(25)
#define EPT_CAP_INVEPT_ALL	 BIT(26)
#define VPID_CAP_INVVPID	 BIT(32)
#define VPID_CAP_INVVPID_ADDRESS BIT(40)
#define VPID_CAP_INVVPID_SINGLE	 BIT(41)
#define VPID_CAP_INVVPID_ALL	 BIT(42)
#define VPID_CAP_INVVPID_GLOBALS BIT(43) /* single context, retaining globals */

/* The five 32-bit control words that are negotiated. */
enum vmx_word {
	VMX_PIN,
	VMX_PROC,
	VMX_PROC2,
	VMX_EXIT,
	VMX_ENTRY,
	VMX_WORDS
};

struct vmx_word_caps {
	u32 must; /* allowed 0-settings: bits that must be 1 */
	u32 may;  /* allowed 1-settings: bits that may be 1 */
};

struct vmx_caps {
	u64 feature_control; /* IA32_FEATURE_CONTROL; not locked: the caller sets VMXON and the lock
			      */
	u64 basic;
	struct vmx_word_caps word[VMX_WORDS]; /* from the TRUE MSRs where they exist */
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1; /* bits that must be 1; bits that may be 1 */
	u64 cr4_fixed0, cr4_fixed1;
	u64 ept_vpid; /* 0 without EPT and VPID */
	u64 vmfunc;   /* functions that may be enabled; 0 without VM functions */
	unsigned physical_bits, linear_bits; /* address widths, CPUID.80000008H:EAX */
	u64 perf_global;		     /* bits of IA32_PERF_GLOBAL_CTRL that exist */
	bool rtm, sgx, nx, bus_lock;	     /* what some VM-entry checks depend on */
};

/* How the machine is looked at; a unit test gives a model instead. */
struct vmx_probe {
	u64 (*rdmsr)(u32 msr);
	void (*cpuid)(u32 leaf, u32 subleaf, u32 out[4]); /* out: EAX, EBX, ECX, EDX */
};

#define VMX_ERR_SIZE 256 /* bytes that an error sentence can take, with its terminator */

/*
 * Reads the capabilities of the CPU it runs on. MSRs that this CPU does not have are not touched.
 * VPID counts as missing where there is no single-context INVVPID.
 * ERR_NOTSUP where no guest can run here, with one sentence in err (VMX_ERR_SIZE bytes): no VT-x,
 * or VT-x locked off by the firmware; *caps is zero then.
 */
enum status vmx_caps_read(
	struct vmx_caps *caps, const struct vmx_probe *probe, char *err) __must_check;

/* Can this bit of a control word be 1? */
static inline bool vmx_caps_may(const struct vmx_caps *caps, enum vmx_word w, u32 bit)
{
	return (caps->word[w].may & bit) != 0;
}

/* Can it only be 1? */
static inline bool vmx_caps_must(const struct vmx_caps *caps, enum vmx_word w, u32 bit)
{
	return (caps->word[w].must & bit) != 0;
}

/* VMX preemption timer: it counts down once every 2^n TSC ticks. */
static inline unsigned vmx_caps_timer_shift(const struct vmx_caps *caps)
{
	return (unsigned)(caps->misc & VMX_MISC_TIMER_RATE);
}

static inline u32 vmx_caps_revision(const struct vmx_caps *caps)
{
	return (u32)(caps->basic & VMX_BASIC_REVISION);
}

static inline unsigned vmx_caps_cr3_targets(const struct vmx_caps *caps)
{
	return (unsigned)((caps->misc & VMX_MISC_CR3) >> VMX_MISC_CR3_SHIFT);
}

#endif
