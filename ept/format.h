/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The EPT entry, transcribed from the Intel SDM, "The Extended Page Table Mechanism (EPT)", and
 * the rules that make one a misconfiguration.
 *
 *   63    52 51                 12 11 10  9   8   7    6    5..3  2  1  0
 *  +--------+---------------------+-----+---+---+----+-----+-----+--+--+--+
 *  |        |  address            |     | D | A | PS | IPAT| type| X| W| R|
 *  +--------+---------------------+-----+---+---+----+-----+-----+--+--+--+
 *                                         \__ leaf only: D, IPAT, type __/
 */
#ifndef EPT_FORMAT_H
#define EPT_FORMAT_H

#include "hv/mem/pt.h"

#define EPTE_R		BIT(0)
#define EPTE_W		BIT(1)
#define EPTE_X		BIT(2)
#define EPTE_RWX	(EPTE_R | EPTE_W | EPTE_X)
#define EPTE_TYPE_SHIFT 3
#define EPTE_TYPE	GENMASK(5, 3)
#define EPTE_IPAT	BIT(6) /* the guest's PAT does not count; we never set it */
#define EPTE_PS		BIT(7) /* a page, not a table, at levels 2 and 3 */
#define EPTE_A		BIT(8) /* with EPTP_AD: accessed */
#define EPTE_D		BIT(9) /* with EPTP_AD: written */
#define EPTE_ADDR	GENMASK(51, 12)
#define EPTE_X_IN_4K                                                                               \
	BIT(52) /* ignored by the processor: a large page that may be executed once split */

/* "Extended-Page-Table Pointer (EPTP)" */
#define EPTP_WB	    6ul
#define EPTP_WALK_4 (3ul << 3) /* page-walk length 4, less one */
#define EPTP_AD	    BIT(6)

/* IA32_VMX_EPT_VPID_CAP: "VPID and EPT Capabilities" */
#define EPT_CAP_EXEC_ONLY     BIT(0)
#define EPT_CAP_WALK_4	      BIT(6)
#define EPT_CAP_WB	      BIT(14)
#define EPT_CAP_2M	      BIT(16)
#define EPT_CAP_1G	      BIT(17)
#define EPT_CAP_INVEPT	      BIT(20)
#define EPT_CAP_AD	      BIT(21)
#define EPT_CAP_INVEPT_SINGLE BIT(25)
#define EPT_CAP_INVEPT_ALL    BIT(26)

/* What the CPU can do with EPT entries. */
struct ept_caps {
	unsigned maxphyaddr; /* bits of a physical address */
	bool exec_only, page_2m, page_1g;
	bool ad; /* accessed and dirty flags */
};

/* For struct pt; attr is EPTE_RWX bits (the values of MMU_R, MMU_W, MMU_X) and the memory type. */
extern const struct pt_format pt_ept;

/*
 * The same, but that a large page is never executable: where attr has EPTE_X it gets EPTE_X_IN_4K
 * instead, and its pieces of 4 KB are what may be executed.
 */
extern const struct pt_format pt_ept_split_exec;

/*
 * ept_explain_misconfig(): the rule that the entry of this level (4..1) breaks, as a clause such as
 * "is writable but not readable"; NULL if it breaks none. Not-present entries break none.
 * Source: Intel SDM, "EPT Misconfigurations".
 */
const char *ept_explain_misconfig(const struct ept_caps *caps, u64 entry, unsigned level);

#endif
