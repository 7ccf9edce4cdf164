/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers, RFLAGS, exceptions and MSRs: transcribed from the Intel SDM, in its order. */
#ifndef HV_CPU_REGS_H
#define HV_CPU_REGS_H

#include "hv/lib/util.h"

/* What CPUID leaves in its registers. */
struct cpuid_regs {
	u32 eax, ebx, ecx, edx;
};

/* "Control Registers" */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR3_PWT	    BIT(3)
#define CR3_PCD	    BIT(4)
#define CR3_NOFLUSH BIT(63)

#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)

/* "Extended Control Registers": XCR0 */
#define XCR0_X87    BIT(0)
#define XCR0_SSE    BIT(1)
#define XCR0_AVX    BIT(2)
#define XCR0_BND    (BIT(3) | BIT(4))
#define XCR0_AVX512 (BIT(5) | BIT(6) | BIT(7))
#define XCR0_PKRU   BIT(9)

/* "EFLAGS Register" */
#define RFLAGS_CF   BIT(0)
#define RFLAGS_R1   BIT(1) /* always 1 */
#define RFLAGS_PF   BIT(2)
#define RFLAGS_AF   BIT(4)
#define RFLAGS_ZF   BIT(6)
#define RFLAGS_SF   BIT(7)
#define RFLAGS_TF   BIT(8)
#define RFLAGS_IF   BIT(9)
#define RFLAGS_DF   BIT(10)
#define RFLAGS_OF   BIT(11)
#define RFLAGS_IOPL (BIT(12) | BIT(13))
#define RFLAGS_NT   BIT(14)
#define RFLAGS_RF   BIT(16)
#define RFLAGS_VM   BIT(17)
#define RFLAGS_AC   BIT(18)
#define RFLAGS_VIF  BIT(19)
#define RFLAGS_VIP  BIT(20)
#define RFLAGS_ID   BIT(21)

/* "Debug Registers" */
#define DR6_INIT 0xffff0ff0ul
#define DR6_B	 0xful /* B0 to B3 */
#define DR6_BD	 BIT(13)
#define DR6_BS	 BIT(14)
#define DR6_BT	 BIT(15)
#define DR7_INIT 0x400ul
#define DR7_GD	 BIT(13)

/* "Exception and Interrupt Reference" */
enum vector {
	VEC_DE = 0,
	VEC_DB = 1,
	VEC_NMI = 2,
	VEC_BP = 3,
	VEC_OF = 4,
	VEC_BR = 5,
	VEC_UD = 6,
	VEC_NM = 7,
	VEC_DF = 8,
	VEC_TS = 10,
	VEC_NP = 11,
	VEC_SS = 12,
	VEC_GP = 13,
	VEC_PF = 14,
	VEC_MF = 16,
	VEC_AC = 17,
	VEC_MC = 18,
	VEC_XM = 19,
	VEC_VE = 20,
	VEC_CP = 21,
};

#define PF_P	BIT(0)
#define PF_W	BIT(1)
#define PF_U	BIT(2)
#define PF_RSVD BIT(3)
#define PF_I	BIT(4)

/* "Model-Specific Registers", architectural ones */
#define MSR_TSC			    0x00000010u
#define MSR_PLATFORM_ID		    0x00000017u
#define MSR_APIC_BASE		    0x0000001bu
#define MSR_FEATURE_CONTROL	    0x0000003au
#define MSR_TSC_ADJUST		    0x0000003bu
#define MSR_SPEC_CTRL		    0x00000048u
#define MSR_PRED_CMD		    0x00000049u
#define MSR_BIOS_UPDT_TRIG	    0x00000079u
#define MSR_BIOS_SIGN_ID	    0x0000008bu
#define MSR_MTRRCAP		    0x000000feu
#define MSR_ARCH_CAPABILITIES	    0x0000010au
#define ARCH_CAP_PSCHANGE_MC_NO	    BIT(6) /* no machine check when a page changes its size */
#define MSR_FLUSH_CMD		    0x0000010bu
#define MSR_SYSENTER_CS		    0x00000174u
#define MSR_SYSENTER_ESP	    0x00000175u
#define MSR_SYSENTER_EIP	    0x00000176u
#define MSR_MCG_CAP		    0x00000179u
#define MSR_MCG_STATUS		    0x0000017au
#define MSR_MISC_ENABLE		    0x000001a0u
#define MSR_DEBUGCTL		    0x000001d9u
#define MSR_MTRR_PHYSBASE0	    0x00000200u
#define MSR_MTRR_PHYSMASK0	    0x00000201u
#define MSR_MTRR_FIX64K_00000	    0x00000250u
#define MSR_MTRR_FIX16K_80000	    0x00000258u
#define MSR_MTRR_FIX16K_A0000	    0x00000259u
#define MSR_MTRR_FIX4K_C0000	    0x00000268u
#define MSR_PAT			    0x00000277u
#define MSR_MTRR_DEF_TYPE	    0x000002ffu
#define MSR_PERF_GLOBAL_CTRL	    0x0000038fu
#define MSR_VMX_BASIC		    0x00000480u
#define MSR_VMX_PINBASED_CTLS	    0x00000481u
#define MSR_VMX_PROCBASED_CTLS	    0x00000482u
#define MSR_VMX_EXIT_CTLS	    0x00000483u
#define MSR_VMX_ENTRY_CTLS	    0x00000484u
#define MSR_VMX_MISC		    0x00000485u
#define MSR_VMX_CR0_FIXED0	    0x00000486u
#define MSR_VMX_CR0_FIXED1	    0x00000487u
#define MSR_VMX_CR4_FIXED0	    0x00000488u
#define MSR_VMX_CR4_FIXED1	    0x00000489u
#define MSR_VMX_PROCBASED_CTLS2	    0x0000048bu
#define MSR_VMX_EPT_VPID_CAP	    0x0000048cu
#define MSR_VMX_TRUE_PINBASED_CTLS  0x0000048du
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x0000048eu
#define MSR_VMX_TRUE_EXIT_CTLS	    0x0000048fu
#define MSR_VMX_TRUE_ENTRY_CTLS	    0x00000490u
#define MSR_VMX_VMFUNC		    0x00000491u
#define MSR_TSC_DEADLINE	    0x000006e0u
#define MSR_X2APIC_BASE		    0x00000800u
#define MSR_X2APIC_LAST		    0x000008ffu
#define MSR_XSS			    0x00000da0u
#define MSR_EFER		    0xc0000080u
#define MSR_STAR		    0xc0000081u
#define MSR_LSTAR		    0xc0000082u
#define MSR_CSTAR		    0xc0000083u
#define MSR_FMASK		    0xc0000084u
#define MSR_FS_BASE		    0xc0000100u
#define MSR_GS_BASE		    0xc0000101u
#define MSR_KERNEL_GS_BASE	    0xc0000102u
#define MSR_TSC_AUX		    0xc0000103u

#define MISC_ENABLE_FAST_STRINGS BIT(0)
#define FEATURE_CONTROL_LOCK	 BIT(0)
#define FEATURE_CONTROL_VMX_SMX	 BIT(1)
#define FEATURE_CONTROL_VMX	 BIT(2)
#define APIC_BASE_BSP		 BIT(8)
#define APIC_BASE_EXTD		 BIT(10)
#define APIC_BASE_EN		 BIT(11)
#define PAT_RESET		 0x0007040600070406ul
#define PAT_ALL_TYPES		 0x0007050100070406ul /* the same, but WC and WP for a second WB and WT */
#define PRED_CMD_IBPB		 BIT(0)
#define FLUSH_CMD_L1D		 BIT(0)
#define DEBUGCTL_LBR		 BIT(0)
#define DEBUGCTL_BTF		 BIT(1)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

#endif
