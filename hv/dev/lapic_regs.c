/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The local APIC's register map: which registers there are in xAPIC and in x2APIC mode, who may
 * read or write them, and the change between the modes. Source: Intel SDM, "Local APIC Register
 * Address Map" and "x2APIC Register Address Space".
 */
#include "hv/dev/lapic_regs.h"
#include "hv/dev/layout.h"

#define REG_SHIFT  4 /* registers are 16 bytes apart */
#define REG_BYTES  4 /* and so long */
#define REG_OFFSET 0xful
#define WORD_BITS  32

/* What there is to a register; what is not there in a mode is reserved in it. */
enum {
	XAPIC = 1, /* in xAPIC mode, where what cannot be read gives 0 */
	RDMSR = 2, /* in x2APIC mode */
	WRMSR = 4,
	READ_ONLY = XAPIC | RDMSR,
	WRITE_ONLY = XAPIC | WRMSR,
	READ_WRITE = XAPIC | RDMSR | WRMSR
};

struct reg {
	unsigned access;
	u64 allowed; /* bits that a WRMSR may set: others are reserved */
};

#define LVT_ANY	 (MSG_VECTOR | LVT_STATUS | LVT_MASKED) /* status and remote IRR: read-only */
#define LVT_LINT (LVT_ANY | MSG_MODE | LVT_POLARITY | LVT_REMOTE_IRR | LVT_LEVEL)

static const struct reg regs[REG_COUNT] = {
	[REG_ID] = { READ_ONLY, 0 },
	[REG_VERSION] = { READ_ONLY, 0 },
	[REG_TPR] = { READ_WRITE, TPR_VALID },
	[REG_APR] = { XAPIC, 0 },
	[REG_PPR] = { READ_ONLY, 0 },
	[REG_EOI] = { WRITE_ONLY, 0 },
	[REG_RRD] = { XAPIC, 0 },
	[REG_LDR] = { READ_ONLY, 0 },
	[REG_DFR] = { XAPIC, 0 },
	[REG_SVR] = { READ_WRITE, SVR_VALID },
	[REG_ISR... REG_ISR + 7] = { READ_ONLY, 0 },
	[REG_TMR... REG_TMR + 7] = { READ_ONLY, 0 },
	[REG_IRR... REG_IRR + 7] = { READ_ONLY, 0 },
	[REG_ESR] = { READ_WRITE, 0 },
	[REG_ICR] = { READ_WRITE, ICR_HIGH | ICR_LOW_VALID },
	[REG_ICR_HIGH] = { XAPIC, 0 },
	[REG_LVT + LVT_TIMER] = { READ_WRITE, LVT_ANY | LVT_TIMER_MODE },
	[REG_LVT + LVT_THERMAL] = { READ_WRITE, LVT_ANY | MSG_MODE },
	[REG_LVT + LVT_PERF] = { READ_WRITE, LVT_ANY | MSG_MODE },
	[REG_LVT + LVT_LINT0] = { READ_WRITE, LVT_LINT },
	[REG_LVT + LVT_LINT1] = { READ_WRITE, LVT_LINT },
	[REG_LVT + LVT_ERROR] = { READ_WRITE, LVT_ANY },
	[REG_TMICT] = { READ_WRITE, UINT32_MAX },
	[REG_TMCCT] = { READ_ONLY, 0 },
	[REG_TDCR] = { READ_WRITE, TDCR_VALID },
	[REG_SELF_IPI] = { WRMSR, MSG_VECTOR },
};

static u32 map_word(const u64 *map, unsigned n)
{
	return (u32)(map[n / 2] >> (n % 2 * WORD_BITS));
}

static u64 read_id(const struct lapic *l)
{
	return lapic_is_x2apic(l) ? l->id : l->id << XAPIC_DEST_SHIFT;
}

/* What cannot be read is 0. */
static u64 reg_read(const struct lapic *l, unsigned reg)
{
	switch (reg) {
	case REG_ID: return read_id(l);
	case REG_VERSION: return VERSION_VALUE;
	case REG_TPR: return l->tpr;
	case REG_PPR: return lapic_ppr(l);
	case REG_LDR: return lapic_read_ldr(l);
	case REG_DFR: return l->dfr;
	case REG_SVR: return l->svr;
	case REG_ISR ... REG_ISR + 7: return map_word(l->isr, reg - REG_ISR);
	case REG_TMR ... REG_TMR + 7: return map_word(l->tmr, reg - REG_TMR);
	case REG_IRR ... REG_IRR + 7: return map_word(l->irr, reg - REG_IRR);
	case REG_ESR: return l->esr;
	case REG_ICR: return lapic_is_x2apic(l) ? l->icr : (u32)l->icr;
	case REG_ICR_HIGH: return l->icr >> WORD_BITS;
	case REG_LVT ... REG_LVT_LAST: return l->lvt[reg - REG_LVT];
	case REG_TMICT: return l->tmict;
	case REG_TMCCT: return lapic_read_tmcct(l);
	case REG_TDCR: return l->tdcr;
	default: return 0;
	}
}

static void write_icr_low(struct lapic *l, u64 value)
{
	lapic_write_icr(l, lapic_is_x2apic(l) ? value : (l->icr & ICR_HIGH) | (u32)value);
}

static void write_icr_high(struct lapic *l, u32 value)
{
	l->icr = (u32)l->icr | (u64)(value & XAPIC_DEST) << WORD_BITS;
}

/* What cannot be written swallows it. */
static void reg_write(struct lapic *l, unsigned reg, u64 value)
{
	u32 low = (u32)value;

	switch (reg) {
	case REG_EOI: lapic_write_eoi(l); break;
	case REG_ICR: write_icr_low(l, value); break;
	case REG_ICR_HIGH: write_icr_high(l, low); break;
	case REG_TPR: lapic_write_tpr(l, low); break;
	case REG_LDR: l->ldr = low & XAPIC_DEST; break;
	case REG_DFR: l->dfr = low | DFR_ONES; break;
	case REG_SVR: lapic_write_svr(l, low); break;
	case REG_ESR: lapic_write_esr(l); break;
	case REG_LVT ... REG_LVT_LAST:
		lapic_write_lvt(l, (enum lapic_lvt)(reg - REG_LVT), low);
		break;
	case REG_TMICT: lapic_write_tmict(l, low); break;
	case REG_TDCR: lapic_write_tdcr(l, low); break;
	case REG_SELF_IPI: lapic_write_self_ipi(l, (u8)value); break;
	default: break;
	}
}

/* ---- xAPIC: memory ---- */

static bool is_xapic(const struct lapic *l)
{
	return (l->base & (APIC_BASE_EN | APIC_BASE_EXTD)) == APIC_BASE_EN;
}

/* True if the register is there; "Error Handling": an access to a reserved one is an error. */
static bool check_xapic(struct lapic *l, u64 offset)
{
	u64 reg = offset >> REG_SHIFT;

	if (reg < REG_COUNT && (regs[reg].access & XAPIC))
		return true;
	lapic_error(l, ESR_REGISTER);
	return false;
}

static u64 mmio_read(void *dev, u64 offset, unsigned size)
{
	struct lapic *l = dev;
	unsigned byte = offset & REG_OFFSET;

	(void)size;
	if (!is_xapic(l))
		return ~0ul;
	if (byte >= REG_BYTES || !check_xapic(l, offset))
		return 0;
	return reg_read(l, (unsigned)(offset >> REG_SHIFT)) >> (byte * 8);
}

static void mmio_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct lapic *l = dev;

	if (is_xapic(l) && !(offset & REG_OFFSET) && size == REG_BYTES && check_xapic(l, offset))
		reg_write(l, (unsigned)(offset >> REG_SHIFT), value);
}

const struct io_ops lapic_ops = { .read = mmio_read, .write = mmio_write };

/* ---- MSRs ---- */

/* "x2APIC State Transitions": all but these can be had in one step. */
static bool transition_ok(u64 from, u64 to)
{
	if (to == APIC_BASE_EXTD)
		return false;
	if (from == (APIC_BASE_EN | APIC_BASE_EXTD))
		return to != APIC_BASE_EN;
	return from || to != (APIC_BASE_EN | APIC_BASE_EXTD);
}

/*
 * The page stays where every PC has it: a guest that moves it is refused rather than misled. Which
 * CPU is the BSP is not the guest's choice either.
 */
static bool write_base(struct lapic *l, u64 value)
{
	u64 modes = APIC_BASE_EN | APIC_BASE_EXTD;
	u64 from = l->base & modes, to = value & modes;

	if ((value & ~(modes | APIC_BASE_BSP)) != LAYOUT_LAPIC || !transition_ok(from, to))
		return false;
	l->base = (l->base & ~modes) | to;
	if (from && !to)
		lapic_reset(l, LAPIC_INIT);
	return true;
}

bool lapic_rdmsr(struct lapic *l, u32 msr, u64 *value)
{
	unsigned reg = msr - MSR_X2APIC_BASE;

	switch (msr) {
	case MSR_APIC_BASE: *value = l->base; return true;
	case MSR_TSC_DEADLINE: *value = l->tsc_deadline; return true;
	default: break;
	}
	if (!lapic_is_x2apic(l) || reg >= REG_COUNT || !(regs[reg].access & RDMSR))
		return false;
	*value = reg_read(l, reg);
	return true;
}

bool lapic_wrmsr(struct lapic *l, u32 msr, u64 value)
{
	unsigned reg = msr - MSR_X2APIC_BASE;

	switch (msr) {
	case MSR_TSC_DEADLINE: lapic_write_deadline(l, value); return true;
	case MSR_APIC_BASE: return write_base(l, value);
	default: break;
	}
	if (!lapic_is_x2apic(l) || reg >= REG_COUNT || !(regs[reg].access & WRMSR) ||
		(value & ~regs[reg].allowed))
		return false;
	reg_write(l, reg, value);
	return true;
}
