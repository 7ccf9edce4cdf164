/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vcpu's registers by the numbers that gdb has for them. Its state is in the processor. What the
 * machine derives from other registers, or what decides how its tables are read, is shown and not
 * changed: selectors, control registers, EFER.
 */
#include "hv/cpu/cpu.h"
#include "hv/cpu/regs.h"
#include "hv/lib/string.h"
#include "hv/vm/debug_priv.h"

/* "FXSAVE Area" */
#define FX_FCW	     0u
#define FX_FSW	     2u
#define FX_FTW	     4u
#define FX_FOP	     6u
#define FX_FIP	     8u
#define FX_FDP	     16u
#define FX_MXCSR     24u
#define FX_MXCSR_MAX 28u /* the bits of it that may be set; 0: those of below */
#define FX_ST	     32u
#define FX_XMM	     160u
#define FX_SLOT	     16u /* bytes from one register to the next */
#define MXCSR_MAX    0xffbfu
#define FOP_MAX	     0x7ffu
#define TAG_EMPTY    3u /* of two bits a register; 0: it holds something */

/* RFLAGS bits that a debugger may change. */
#define RFLAGS_FREE                                                                                \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |       \
		RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

static const u8 gpr_of[] = { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP };
static const u8 seg_of[] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };

static_assert(GDB_RSP - GDB_RAX + 1 == ARRAY_SIZE(gpr_of), "gdb's order of the first eight");
static_assert(GDB_GS - GDB_CS + 1 == ARRAY_SIZE(seg_of), "gdb's order of segments");

static bool is_in(enum gdb_reg r, enum gdb_reg first, enum gdb_reg last)
{
	return r >= first && r <= last;
}

static unsigned gpr_number(enum gdb_reg r)
{
	return r >= GDB_R8 ? R8 + (unsigned)(r - GDB_R8) : gpr_of[r];
}

static u64 seg_base(struct vcpu *v, enum seg s)
{
	struct segment seg;

	v->ops->get_segment(v, s, &seg);
	return seg.base;
}

static u64 selector(struct vcpu *v, enum seg s)
{
	struct segment seg;

	v->ops->get_segment(v, s, &seg);
	return seg.selector;
}

/* ---- x87 and SSE ---- */

static u64 field(const u8 *fx, unsigned at, unsigned size)
{
	u64 value = 0;

	memcpy(&value, fx + at, size);
	return value;
}

/* The full tag word, as far as the state holds it: a register is empty, or is not. */
static u64 tag_word(const u8 *fx)
{
	u64 tags = 0;

	for (unsigned i = 0; i < 8; i++)
		if (!(fx[FX_FTW] & BIT(i)))
			tags |= (u64)TAG_EMPTY << (2 * i);
	return tags;
}

static u64 x87_value(const u8 *fx, enum gdb_reg r)
{
	switch (r) {
	case GDB_FCTRL: return field(fx, FX_FCW, 2);
	case GDB_FSTAT: return field(fx, FX_FSW, 2);
	case GDB_FTAG: return tag_word(fx);
	case GDB_FIOFF: return field(fx, FX_FIP, 4);
	case GDB_FOOFF: return field(fx, FX_FDP, 4);
	case GDB_FOP: return field(fx, FX_FOP, 2) & FOP_MAX;
	case GDB_MXCSR: return field(fx, FX_MXCSR, 4);
	default: return 0; /* segments of the pointers: not kept in 64-bit mode */
	}
}

/* Where the register is in the FXSAVE image as it is; NULL: it is not. */
static u8 *vector_place(u8 *fx, enum gdb_reg r)
{
	if (is_in(r, GDB_ST0, GDB_ST7))
		return fx + FX_ST + (unsigned)(r - GDB_ST0) * FX_SLOT;
	if (is_in(r, GDB_XMM0, GDB_XMM15))
		return fx + FX_XMM + (unsigned)(r - GDB_XMM0) * FX_SLOT;
	return NULL;
}

static bool write_vector(struct vcpu *v, enum gdb_reg r, const u8 *value)
{
	u8 *fx = v->ops->get_fxsave(v), *place = vector_place(fx, r);
	u64 allowed = field(fx, FX_MXCSR_MAX, 4), n = 0;

	if (place) {
		memcpy(place, value, gdb_reg_size(r));
	} else if (r == GDB_FCTRL) {
		memcpy(fx + FX_FCW, value, 2);
	} else if (r == GDB_MXCSR) {
		memcpy(&n, value, 4);
		if (n & ~(allowed ? allowed : MXCSR_MAX))
			return false;
		memcpy(fx + FX_MXCSR, value, 4);
	} else {
		return false;
	}
	v->ops->put_fxsave(v);
	return true;
}

/* ---- all of them ---- */

static u64 value_of(struct vcpu *v, enum gdb_reg r)
{
	if (r == GDB_RSP)
		return v->ops->get(v, VREG_RSP);
	if (r < GDB_RIP)
		return v->gpr[gpr_number(r)];
	if (is_in(r, GDB_CS, GDB_GS))
		return selector(v, (enum seg)seg_of[r - GDB_CS]);
	switch (r) {
	case GDB_RIP: return v->ops->get(v, VREG_RIP);
	case GDB_EFLAGS: return v->ops->get(v, VREG_RFLAGS);
	case GDB_FS_BASE: return seg_base(v, SEG_FS);
	case GDB_GS_BASE: return seg_base(v, SEG_GS);
	case GDB_KERNEL_GS_BASE: return v->ops->get_live(v, LIVE_KERNEL_GS_BASE);
	case GDB_CR0: return v->ops->get(v, VREG_CR0);
	case GDB_CR2: return v->ops->get_live(v, LIVE_CR2);
	case GDB_CR3: return v->ops->get(v, VREG_CR3);
	case GDB_CR4: return v->ops->get(v, VREG_CR4);
	case GDB_CR8: return platform_get_cr8(v->vm->platform, v->index);
	case GDB_EFER: return v->ops->get(v, VREG_EFER);
	default: return x87_value(v->ops->get_fxsave(v), r);
	}
}

void debug_read_reg(struct vcpu *v, enum gdb_reg r, u8 *value)
{
	u64 n;

	if (is_in(r, GDB_ST0, GDB_ST7) || is_in(r, GDB_XMM0, GDB_XMM15)) {
		memcpy(value, vector_place(v->ops->get_fxsave(v), r), gdb_reg_size(r));
		return;
	}
	n = value_of(v, r);
	memcpy(value, &n, gdb_reg_size(r));
}

static bool set_base(struct vcpu *v, enum seg s, u64 base)
{
	struct segment seg;

	if (!is_canonical(base))
		return false;
	v->ops->get_segment(v, s, &seg);
	seg.base = base;
	v->ops->set_segment(v, s, &seg);
	return true;
}

static bool set_rflags(struct vcpu *v, u64 value)
{
	u64 old = v->ops->get(v, VREG_RFLAGS);

	if ((old ^ value) & ~RFLAGS_FREE)
		return false;
	v->ops->set(v, VREG_RFLAGS, value);
	return true;
}

/* An address that is not canonical could not be entered with. */
static bool set_rip(struct vcpu *v, u64 value)
{
	if (!is_canonical(value))
		return false;
	v->ops->set(v, VREG_RIP, value);
	return true;
}

bool debug_write_reg(struct vcpu *v, enum gdb_reg r, const u8 *value)
{
	u64 n = 0;

	memcpy(&n, value, MIN(gdb_reg_size(r), sizeof(n)));
	if (r == GDB_RSP)
		v->ops->set(v, VREG_RSP, n);
	else if (r < GDB_RIP)
		v->gpr[gpr_number(r)] = n;
	else if (r == GDB_RIP)
		return set_rip(v, n);
	else if (r == GDB_EFLAGS)
		return set_rflags(v, n);
	else if (r == GDB_FS_BASE || r == GDB_GS_BASE)
		return set_base(v, r == GDB_FS_BASE ? SEG_FS : SEG_GS, n);
	else
		return write_vector(v, r, value);
	return true;
}
