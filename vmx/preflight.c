/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The preflight report: each VT-x capability, whether this CPU has it, and what it costs where it
 * is missing. Control bits come from the tables in controls.c, all else from the table here, which
 * is about EPT alone.
 */
#include "hv/ctl/log.h"
#include "vmx/controls.h"

struct capability {
	size_t member; /* which u64 of struct vmx_caps */
	u64 bit;
	enum vmx_need need;
	const char *name;
	const char *cost;
};

#define IN(m) offsetof(struct vmx_caps, m)

static const struct capability capabilities[] = {
	{ IN(basic), VMX_BASIC_TRUE_CONTROLS, VMX_REQUIRED, "TRUE control capability MSRs",
		"exits on every CR3 access could not be switched off" },
	{ IN(ept_vpid), EPT_CAP_WALK_4, VMX_REQUIRED, "EPT with 4 levels",
		"there is no other form of EPT here" },
	{ IN(ept_vpid), EPT_CAP_WB, VMX_REQUIRED, "write-back EPT tables",
		"every EPT walk would go to memory" },
	{ IN(ept_vpid), EPT_CAP_2MB, VMX_WANTED, "2 MB pages in EPT",
		"guest memory is mapped in 4 KB pages: more tables and more TLB misses" },
	{ IN(ept_vpid), EPT_CAP_1GB, VMX_WANTED, "1 GB pages in EPT",
		"guest memory is mapped in 2 MB pages: more TLB misses" },
	{ IN(ept_vpid), EPT_CAP_AD, VMX_WANTED, "EPT accessed and dirty bits",
		"the CPU does not note which pages a guest used and wrote" },
	{ IN(ept_vpid), EPT_CAP_INVEPT, VMX_REQUIRED, "INVEPT",
		"changes to EPT could not be made to hold" },
	{ IN(ept_vpid), EPT_CAP_INVEPT_SINGLE, VMX_WANTED, "single-context INVEPT",
		"one guest's changes to EPT flush the translations of all guests" },
	{ IN(ept_vpid), EPT_CAP_INVEPT_ALL, VMX_WANTED, "all-context INVEPT",
		"nothing, where there is single-context INVEPT" },
};

/* One line; true when something needed is missing. */
static bool report(const char *name, bool found, enum vmx_need need, const char *cost)
{
	if (found) {
		log_info("preflight: found    %s", name);
		return false;
	}
	if (need == VMX_REQUIRED) {
		log_err("preflight: MISSING  %s (needed): %s", name, cost);
		return true;
	}
	log_info("preflight: missing  %s: %s", name, cost);
	return false;
}

static unsigned report_word(const struct vmx_caps *caps, enum vmx_mode mode, enum vmx_word w)
{
	const struct vmx_control_table *t = &vmx_control_tables[w];
	unsigned missing = 0;

	for (unsigned i = 0; i < t->count; i++) {
		const struct vmx_control_row *r = &t->rows[i];
		bool forced = (caps->word[w].must & r->bit) != 0;
		const char *cost;
		enum vmx_need need = vmx_control_need(mode, w, r, &cost);
		bool off_again = need == VMX_REFUSED || r->dynamic;

		if (off_again && forced) {
			log_err("preflight: FORCED   %s (cannot be 0): %s", r->name, cost);
			missing++;
		} else if (need != VMX_REFUSED) {
			missing += report(r->name, vmx_caps_may(caps, w, r->bit), need, cost);
		}
	}
	return missing;
}

unsigned vmx_preflight(const struct vmx_caps *caps, enum vmx_mode mode)
{
	unsigned missing = 0;

	log_info("preflight: VMCS revision 0x%x, addresses of %u bits physical, %u linear, timer "
		 "counts every %lu TSC ticks",
		vmx_caps_revision(caps), caps->physical_bits, caps->linear_bits,
		BIT(vmx_caps_timer_shift(caps)));
	for (unsigned w = 0; w < VMX_WORDS; w++)
		missing += report_word(caps, mode, (enum vmx_word)w);
	for (unsigned i = 0; mode == VMX_TWO_LEVEL && i < ARRAY_SIZE(capabilities); i++) {
		const struct capability *c = &capabilities[i];
		u64 have = *(const u64 *)(const void *)((const char *)caps + c->member);

		missing += report(c->name, (have & c->bit) != 0, c->need, c->cost);
	}
	return missing;
}
