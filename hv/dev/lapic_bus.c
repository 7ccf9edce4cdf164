/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between APICs: what writes to ICR send, and who is addressed. Source: Intel SDM,
 * sections "Issuing Interprocessor Interrupts", "Determining IPI Destination", "Message Signalled
 * Interrupts".
 */
#include "hv/dev/lapic_regs.h"

/* "Message Address Register Format" */
#define MSI_BASE	  0xfee00000ul
#define MSI_BASE_MASK	  (~0xffffful)
#define MSI_DEST_SHIFT	  12
#define MSI_LOGICAL	  BIT(2)
#define MSI_REDIRECT_HINT BIT(3)

/* x2APIC logical IDs: "Logical Destination Mode in x2APIC Mode" */
#define CLUSTER_SHIFT  16
#define CLUSTER_MEMBER 0xffffu
#define ID_MEMBER_BITS 4
#define ID_MEMBER      0xfu

/* xAPIC: cluster model */
#define XAPIC_CLUSTER 0xf0u
#define XAPIC_MEMBER  0xfu

/* ---- sending ---- */

void lapic_write_icr(struct lapic *l, u64 value)
{
	bool wide = lapic_is_x2apic(l);
	struct apic_msg m = {
		.vector = value & MSG_VECTOR,
		.mode = (enum apic_delivery)(value >> MSG_MODE_SHIFT & MSG_MODE_MASK),
		.logical = (value & ICR_LOGICAL) != 0,
		.shorthand =
			(enum apic_shorthand)(value >> ICR_SHORTHAND_SHIFT & ICR_SHORTHAND_MASK),
		.src = l->index,
		.wide = wide,
		.dest = (u32)(value >> (wide ? ICR_X2APIC_SHIFT : ICR_XAPIC_SHIFT)),
	};

	l->icr = value & (ICR_HIGH | ICR_LOW_VALID);
	if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < VECTOR_FIRST) {
		lapic_error(l, ESR_SEND_VECTOR);
		return;
	}
	/* The INIT level de-assert of old processors is no message. */
	if (m.mode == APIC_INIT && (value & MSG_LEVEL) && !(value & MSG_ASSERT))
		return;
	l->host->send(l->ctx, &m);
}

void lapic_write_self_ipi(struct lapic *l, u8 vector)
{
	if (vector < VECTOR_FIRST)
		lapic_error(l, ESR_SEND_VECTOR);
	else
		(void)lapic_deliver(l, APIC_FIXED, vector, false);
}

/* ---- who is addressed ---- */

u32 lapic_read_ldr(const struct lapic *l)
{
	if (!lapic_is_x2apic(l))
		return l->ldr;
	return (l->id >> ID_MEMBER_BITS) << CLUSTER_SHIFT | 1u << (l->id & ID_MEMBER);
}

static bool matches_logical(const struct lapic *l, u32 dest)
{
	u32 ldr = lapic_read_ldr(l), id = ldr >> XAPIC_DEST_SHIFT;

	if (lapic_is_x2apic(l))
		return dest >> CLUSTER_SHIFT == ldr >> CLUSTER_SHIFT &&
		       (dest & ldr & CLUSTER_MEMBER);
	if (l->dfr == DFR_FLAT)
		return (dest & id) != 0;
	return (dest & XAPIC_CLUSTER) == (id & XAPIC_CLUSTER) && (dest & id & XAPIC_MEMBER);
}

static bool matches(const struct lapic *l, const struct apic_msg *m)
{
	if (m->dest == (m->wide ? X2APIC_ALL : XAPIC_ALL))
		return true;
	return m->logical ? matches_logical(l, m->dest) : m->dest == l->id;
}

static bool is_target(const struct lapic *l, const struct apic_msg *m)
{
	switch (m->shorthand) {
	case APIC_DEST_SELF: return l->index == m->src;
	case APIC_DEST_ALL: return true;
	case APIC_DEST_OTHERS: return l->index != m->src;
	default: return matches(l, m);
	}
}

/* Among equals the vector decides: vectors spread over the vcpus, and each stays with its own. */
static bool send_lowest(struct lapic *l, unsigned n, const struct apic_msg *m)
{
	struct lapic *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		struct lapic *c = &l[(m->vector + i) % n];

		if (is_target(c, m) && lapic_software_enabled(c) &&
			(!best || lapic_ppr(c) < lapic_ppr(best)))
			best = c;
	}
	return best && lapic_deliver(best, APIC_FIXED, m->vector, m->level);
}

bool apic_send(struct lapic *l, unsigned n, const struct apic_msg *m)
{
	bool taken = false;

	if (m->mode == APIC_LOWEST)
		return send_lowest(l, n, m);
	for (unsigned i = 0; i < n; i++)
		if (is_target(&l[i], m))
			taken |= lapic_deliver(&l[i], m->mode, m->vector, m->level);
	return taken;
}

/* ---- messages of devices ---- */

bool apic_msg_from_msi(u64 address, u32 data, struct apic_msg *m)
{
	enum apic_delivery mode = (enum apic_delivery)(data >> MSG_MODE_SHIFT & MSG_MODE_MASK);
	bool level = (data & MSG_LEVEL) != 0;

	if ((address & MSI_BASE_MASK) != MSI_BASE || apic_mode_is_reserved(mode))
		return false;
	if (level && !(data & MSG_ASSERT))
		return false;
	/* The hint: to the one of lowest priority among those addressed. */
	if (mode == APIC_FIXED && (address & MSI_REDIRECT_HINT))
		mode = APIC_LOWEST;
	*m = (struct apic_msg){
		.dest = (u32)(address >> MSI_DEST_SHIFT) & XAPIC_ALL,
		.logical = (address & MSI_LOGICAL) != 0,
		.vector = (u8)data,
		.mode = mode,
		.level = level,
	};
	return true;
}
