/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic and its flags ("Status Flags"). Carries are taken from the operands and the result:
 * the carry out of each bit of x + y = r is (x & y) | ((x | y) & ~r), the borrow of x - y = r is
 * (~x & y) | ((~x | y) & r). Where the manual leaves a flag undefined it keeps its value, or gets
 * the one that the formula gives.
 */
#include "hv/cpu/regs.h"
#include "hv/emul/exec.h"

#define FLAGS_SZP   (RFLAGS_SF | RFLAGS_ZF | RFLAGS_PF)
#define FLAGS_ARITH (FLAGS_SZP | RFLAGS_CF | RFLAGS_AF | RFLAGS_OF)

/* The bits mask of the flags become value, the others stay. */
static void set_flags(struct alu *a, u64 mask, u64 value)
{
	a->out = (a->in & ~mask) | (value & mask);
}

static u64 flag_if(bool on, u64 flag)
{
	return on ? flag : 0;
}

/* r is already cut to size. PF: the low byte has an even number of ones. */
static u64 flags_szp(u64 r, unsigned size)
{
	const u32 even_nibbles = 0x9669; /* bit n: n has an even number of ones */
	bool parity = (even_nibbles >> ((r ^ (r >> 4)) & 0xf)) & 1;

	return flag_if(r & size_sign(size), RFLAGS_SF) | flag_if(r == 0, RFLAGS_ZF) |
	       flag_if(parity, RFLAGS_PF);
}

static u64 add(struct alu *a, u64 x, u64 y, u64 carry_in, u64 mask)
{
	u64 r = (x + y + carry_in) & size_mask(a->size);
	u64 carries = (x & y) | ((x | y) & ~r), sign = size_sign(a->size);

	set_flags(a, mask,
		flags_szp(r, a->size) | flag_if(carries & sign, RFLAGS_CF) |
			flag_if(carries & BIT(3), RFLAGS_AF) |
			flag_if((x ^ r) & (y ^ r) & sign, RFLAGS_OF));
	return r;
}

static u64 subtract(struct alu *a, u64 x, u64 y, u64 borrow_in, u64 mask)
{
	u64 r = (x - y - borrow_in) & size_mask(a->size);
	u64 borrows = (~x & y) | ((~x | y) & r), sign = size_sign(a->size);

	set_flags(a, mask,
		flags_szp(r, a->size) | flag_if(borrows & sign, RFLAGS_CF) |
			flag_if(borrows & BIT(3), RFLAGS_AF) |
			flag_if((x ^ y) & (x ^ r) & sign, RFLAGS_OF));
	return r;
}

static u64 logic(struct alu *a, u64 r)
{
	set_flags(a, FLAGS_ARITH, flags_szp(r, a->size));
	return r;
}

u64 alu_add(struct alu *a, u64 dst)
{
	return add(a, dst, a->src, 0, FLAGS_ARITH);
}

u64 alu_adc(struct alu *a, u64 dst)
{
	return add(a, dst, a->src, a->in & RFLAGS_CF, FLAGS_ARITH);
}

u64 alu_sub(struct alu *a, u64 dst)
{
	return subtract(a, dst, a->src, 0, FLAGS_ARITH);
}

u64 alu_sbb(struct alu *a, u64 dst)
{
	return subtract(a, dst, a->src, a->in & RFLAGS_CF, FLAGS_ARITH);
}

u64 alu_or(struct alu *a, u64 dst)
{
	return logic(a, dst | a->src);
}

u64 alu_and(struct alu *a, u64 dst)
{
	return logic(a, dst & a->src);
}

u64 alu_xor(struct alu *a, u64 dst)
{
	return logic(a, dst ^ a->src);
}

u64 alu_inc(struct alu *a, u64 dst)
{
	return add(a, dst, 1, 0, FLAGS_ARITH & ~RFLAGS_CF);
}

u64 alu_dec(struct alu *a, u64 dst)
{
	return subtract(a, dst, 1, 0, FLAGS_ARITH & ~RFLAGS_CF);
}

u64 alu_neg(struct alu *a, u64 dst)
{
	return subtract(a, 0, dst, 0, FLAGS_ARITH);
}

u64 alu_not(struct alu *a, u64 dst)
{
	a->out = a->in;
	return ~dst & size_mask(a->size);
}

/* Shift counts are taken modulo 32, or 64 for 8-byte operands; a count of 0 leaves the flags. */
static unsigned shift_count(struct alu *a)
{
	a->out = a->in;
	return (unsigned)a->src & (a->size == 8 ? 63u : 31u);
}

u64 alu_shl(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a), bits = 8 * a->size;
	u64 r, sign = size_sign(a->size);
	bool carry;

	if (count == 0)
		return dst;
	r = (dst << count) & size_mask(a->size);
	carry = count <= bits && ((dst >> (bits - count)) & 1);
	set_flags(a, FLAGS_SZP | RFLAGS_CF | RFLAGS_OF,
		flags_szp(r, a->size) | flag_if(carry, RFLAGS_CF) |
			flag_if(!!(r & sign) != carry, RFLAGS_OF));
	return r;
}

u64 alu_shr(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a);
	u64 r;

	if (count == 0)
		return dst;
	r = dst >> count;
	set_flags(a, FLAGS_SZP | RFLAGS_CF | RFLAGS_OF,
		flags_szp(r, a->size) | flag_if((dst >> (count - 1)) & 1, RFLAGS_CF) |
			flag_if(dst & size_sign(a->size), RFLAGS_OF));
	return r;
}

u64 alu_sar(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a);
	s64 v = (s64)sign_extend(dst, a->size);
	u64 r;

	if (count == 0)
		return dst;
	r = (u64)(v >> count) & size_mask(a->size);
	set_flags(a, FLAGS_SZP | RFLAGS_CF | RFLAGS_OF,
		flags_szp(r, a->size) | flag_if((v >> (count - 1)) & 1, RFLAGS_CF));
	return r;
}

/* OF after a left rotation by one: the top bit changed; after a right one: the two top bits differ.
 */
static void left_flags(struct alu *a, u64 r, bool carry)
{
	set_flags(a, RFLAGS_CF | RFLAGS_OF,
		flag_if(carry, RFLAGS_CF) |
			flag_if(!!(r & size_sign(a->size)) != carry, RFLAGS_OF));
}

static void right_flags(struct alu *a, u64 r, bool carry)
{
	set_flags(a, RFLAGS_CF | RFLAGS_OF,
		flag_if(carry, RFLAGS_CF) |
			flag_if((r ^ (r << 1)) & size_sign(a->size), RFLAGS_OF));
}

static u64 rotate_left(u64 v, unsigned count, unsigned size)
{
	unsigned bits = 8 * size;

	count %= bits;
	return count ? ((v << count) | (v >> (bits - count))) & size_mask(size) : v;
}

u64 alu_rol(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a);
	u64 r = rotate_left(dst, count, a->size);

	if (count)
		left_flags(a, r, r & 1);
	return r;
}

u64 alu_ror(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a), bits = 8 * a->size;
	u64 r = rotate_left(dst, bits - count % bits, a->size);

	if (count)
		right_flags(a, r, r & size_sign(a->size));
	return r;
}

/* Through the carry, bit by bit: these are rare, and a loop is easy to check against the manual. */
u64 alu_rcl(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a);
	bool carry = a->in & RFLAGS_CF, out;
	u64 r = dst;

	if (count == 0)
		return dst;
	while (count--) {
		out = r & size_sign(a->size);
		r = ((r << 1) | carry) & size_mask(a->size);
		carry = out;
	}
	left_flags(a, r, carry);
	return r;
}

u64 alu_rcr(struct alu *a, u64 dst)
{
	unsigned count = shift_count(a);
	bool carry = a->in & RFLAGS_CF, out;
	u64 r = dst;

	if (count == 0)
		return dst;
	while (count--) {
		out = r & 1;
		r = (r >> 1) | (carry ? size_sign(a->size) : 0);
		carry = out;
	}
	right_flags(a, r, carry);
	return r;
}

/* The bit family: src is the number of a bit within the operand; CF is its old value. */
u64 alu_bt(struct alu *a, u64 dst)
{
	set_flags(a, RFLAGS_CF, flag_if((dst >> a->src) & 1, RFLAGS_CF));
	return dst;
}

u64 alu_bts(struct alu *a, u64 dst)
{
	return alu_bt(a, dst) | BIT(a->src);
}

u64 alu_btr(struct alu *a, u64 dst)
{
	return alu_bt(a, dst) & ~BIT(a->src);
}

u64 alu_btc(struct alu *a, u64 dst)
{
	return alu_bt(a, dst) ^ BIT(a->src);
}

u64 alu_xchg(struct alu *a, u64 dst)
{
	(void)dst;
	a->out = a->in;
	return a->src;
}

u64 alu_cmpxchg(struct alu *a, u64 dst)
{
	subtract(a, a->acc, dst, 0, FLAGS_ARITH);
	return a->acc == dst ? a->src : dst;
}

u64 alu_cmpxchg8b(struct alu *a, u64 dst)
{
	set_flags(a, RFLAGS_ZF, flag_if(a->acc == dst, RFLAGS_ZF));
	return a->acc == dst ? a->src : dst;
}

bool alu_condition(unsigned cc, u64 rflags)
{
	bool sf = rflags & RFLAGS_SF, of = rflags & RFLAGS_OF;
	bool result = false;

	switch ((cc >> 1) & 7) {
	case 0: result = of; break;
	case 1: result = rflags & RFLAGS_CF; break;
	case 2: result = rflags & RFLAGS_ZF; break;
	case 3: result = rflags & (RFLAGS_CF | RFLAGS_ZF); break;
	case 4: result = sf; break;
	case 5: result = rflags & RFLAGS_PF; break;
	case 6: result = sf != of; break;
	case 7: result = (rflags & RFLAGS_ZF) || sf != of; break;
	}
	return result != (cc & 1);
}
