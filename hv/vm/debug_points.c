/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Breakpoints and watchpoints. A soft one is an INT3 in guest memory, where the guest can see it. A
 * hard one takes debug registers: while there is one, all of them are the debugger's, and the guest
 * reads and writes copies, which are in force again when the last is gone.
 * Source: Intel SDM, chapter "Debug, Branch Profile, TSC...", section "Debug Registers".
 */
#include "hv/cpu/regs.h"
#include "hv/vm/debug_priv.h"
#include "hv/vm/look.h"

#define INT3	    0xccu
#define LEN_MAX	    8u
#define DR7_ENABLE  2u	/* bits for each breakpoint: local, global */
#define DR7_GLOBAL  2ul /* the second of them */
#define DR7_FIELDS  16u /* where the fields begin, of 4 bits: R/W, LEN */
#define DR7_LEN	    2u	/* LEN's place in them */
#define DR7_ALLOWED (GENMASK(31, 16) | GENMASK(13, 13) | GENMASK(11, 0))
#define DR6_WRITE   (DR6_B | DR6_BD | DR6_BS | DR6_BT)

/* "Debug Control Register (DR7)": R/W by kind, LEN by length. */
static const u8 condition[GDB_POINTS] = {
	[GDB_BREAK_HARD] = 0, [GDB_WATCH_WRITE] = 1, [GDB_WATCH_ACCESS] = 3
};
static const u8 len_field[LEN_MAX + 1] = { [1] = 0, [2] = 1, [4] = 3, [8] = 2 };

/* ---- in memory ---- */

static bool translate(struct vcpu *v, u64 address, gpa_t *gpa)
{
	struct walk_regs r;
	struct walk w;

	look_regs(v, &r);
	if (guest_walk(&v->vm->mem, &r, GVA(address), WALK_PEEK, &w) != WALK_OK)
		return false;
	*gpa = w.gpa;
	return true;
}

static struct debug_soft *find_soft(struct debug *d, u64 address)
{
	for (unsigned i = 0; i < DEBUG_SOFT; i++)
		if (d->soft[i].used && d->soft[i].address == address)
			return &d->soft[i];
	return NULL;
}

bool debug_has_soft(const struct debug *d)
{
	for (unsigned i = 0; i < DEBUG_SOFT; i++)
		if (d->soft[i].used)
			return true;
	return false;
}

/* One that stands in the same memory under another address is one as well. */
bool debug_is_soft(const struct debug *d, struct vcpu *v, u64 address)
{
	gpa_t gpa;

	if (!translate(v, address, &gpa))
		return false;
	for (unsigned i = 0; i < DEBUG_SOFT; i++)
		if (d->soft[i].used && d->soft[i].gpa.v == gpa.v)
			return true;
	return false;
}

static enum gdb_result insert_soft(struct debug *d, struct vcpu *v, u64 address)
{
	static const u8 int3 = INT3;
	struct debug_soft new = { .address = address, .used = true };

	if (find_soft(d, address))
		return GDB_DONE;
	for (unsigned i = 0; i < DEBUG_SOFT; i++) {
		if (d->soft[i].used)
			continue;
		if (!translate(v, address, &new.gpa) ||
			guest_read(&d->vm->mem, new.gpa, &new.old, 1) != OK ||
			guest_write(&d->vm->mem, new.gpa, &int3, 1) != OK)
			return GDB_FAILED;
		d->soft[i] = new;
		return GDB_DONE;
	}
	return GDB_FAILED;
}

/* What the guest has written there since stays. */
static enum gdb_result remove_soft(struct debug *d, struct debug_soft *s)
{
	u8 now;

	if (!s)
		return GDB_DONE;
	s->used = false;
	if (guest_read(&d->vm->mem, s->gpa, &now, 1) != OK)
		return GDB_FAILED;
	if (now != INT3)
		return GDB_DONE;
	return guest_write(&d->vm->mem, s->gpa, &s->old, 1) == OK ? GDB_DONE : GDB_FAILED;
}

/* ---- in debug registers ---- */

/* The largest piece at the beginning of a range that one register can watch. */
static unsigned piece(enum gdb_point p, u64 address, u64 len)
{
	unsigned n = LEN_MAX;

	if (p == GDB_BREAK_HARD)
		return 1;
	while (n > len || !IS_ALIGNED(address, n))
		n /= 2;
	return n;
}

static struct debug_hard *find_hard(struct debug *d, const struct debug_hard *h)
{
	for (unsigned i = 0; i < DEBUG_HARD; i++) {
		struct debug_hard *x = &d->hard[i];

		if (x->used == h->used &&
			(!h->used || (x->kind == h->kind && x->address == h->address &&
					     x->len == h->len)))
			return x;
	}
	return NULL;
}

static void remove_hard(struct debug *d, enum gdb_point p, u64 address, u64 len)
{
	while (len) {
		struct debug_hard h = { p, address, piece(p, address, len), true };
		struct debug_hard *found = find_hard(d, &h);

		if (found)
			found->used = false;
		address += h.len;
		len -= h.len;
	}
}

static enum gdb_result insert_hard(struct debug *d, enum gdb_point p, u64 address, u64 len)
{
	static const struct debug_hard unused;
	u64 done = 0;

	while (done < len) {
		u64 at = address + done;
		struct debug_hard h = { p, at, piece(p, at, len - done), true };
		struct debug_hard *slot = find_hard(d, &h);

		if (!slot)
			slot = find_hard(d, &unused);
		if (!slot) {
			remove_hard(d, p, address, done);
			return GDB_FAILED;
		}
		*slot = h;
		done += h.len;
	}
	return GDB_DONE;
}

/* ---- both ---- */

static enum gdb_result check(enum gdb_point p, u64 *len)
{
	if (p == GDB_WATCH_READ)
		return GDB_UNSUPPORTED;
	if (p == GDB_BREAK_HARD)
		*len = 1; /* the instruction's does not matter */
	return p == GDB_BREAK_SOFT || (*len && *len <= DEBUG_HARD * LEN_MAX) ? GDB_DONE
									     : GDB_FAILED;
}

enum gdb_result debug_insert(
	struct debug *d, struct vcpu *v, enum gdb_point p, u64 address, u64 len)
{
	enum gdb_result r = check(p, &len);

	if (r != GDB_DONE)
		return r;
	return p == GDB_BREAK_SOFT ? insert_soft(d, v, address) : insert_hard(d, p, address, len);
}

enum gdb_result debug_remove(
	struct debug *d, struct vcpu *v, enum gdb_point p, u64 address, u64 len)
{
	enum gdb_result r = check(p, &len);

	(void)v;
	if (r == GDB_DONE && p == GDB_BREAK_SOFT)
		r = remove_soft(d, find_soft(d, address));
	else if (r == GDB_DONE)
		remove_hard(d, p, address, len);
	return r;
}

void debug_clear(struct debug *d)
{
	for (unsigned i = 0; i < DEBUG_SOFT; i++)
		if (d->soft[i].used)
			(void)remove_soft(d, &d->soft[i]);
	for (unsigned i = 0; i < DEBUG_HARD; i++)
		d->hard[i].used = false;
}

/* ---- the processor's registers ---- */

static void write_drs(struct vcpu *v, const u64 dr[DEBUG_HARD])
{
	for (unsigned i = 0; i < DEBUG_HARD; i++)
		v->ops->set_live(v, LIVE_DR0 + i, dr[i]);
}

static void put_guests_away(struct vcpu *v, struct debug_vcpu *d)
{
	for (unsigned i = 0; i < DEBUG_HARD; i++)
		d->dr[i] = v->ops->get_live(v, LIVE_DR0 + i);
	d->dr7 = v->ops->get(v, VREG_DR7);
	d->own_dr = true;
}

void debug_load_dr(struct vcpu *v)
{
	const struct debug_hard *h = v->vm->debug->hard;
	struct debug_vcpu *d = debug_of(v);
	u64 dr[DEBUG_HARD] = { 0 }, dr7 = DR7_INIT;

	for (unsigned i = 0; i < DEBUG_HARD; i++) {
		if (!h[i].used)
			continue;
		dr[i] = h[i].address;
		dr7 |= DR7_GLOBAL << (i * DR7_ENABLE);
		dr7 |= (u64)(condition[h[i].kind] | len_field[h[i].len] << DR7_LEN)
		       << (DR7_FIELDS + 4 * i);
	}
	if (dr7 != DR7_INIT && !d->own_dr)
		put_guests_away(v, d);
	if (!d->own_dr)
		return;
	d->own_dr = dr7 != DR7_INIT;
	write_drs(v, d->own_dr ? dr : d->dr);
	v->ops->set(v, VREG_DR7, d->own_dr ? dr7 : d->dr7);
}

u64 debug_hits(const struct vcpu *v, u64 dr6, struct gdb_event *e)
{
	static const enum gdb_why whys[GDB_POINTS] = {
		[GDB_BREAK_HARD] = GDB_WHY_BREAK_HARD,
		[GDB_WATCH_WRITE] = GDB_WHY_WATCH_WRITE,
		[GDB_WATCH_ACCESS] = GDB_WHY_WATCH_ACCESS,
	};

	if (!debug_of(v)->own_dr)
		return 0;
	for (unsigned i = 0; i < DEBUG_HARD; i++) {
		const struct debug_hard *h = &v->vm->debug->hard[i];

		/* The bits of registers that are not enabled may be set as well. */
		if (!(dr6 & BIT(i)) || !h->used)
			continue;
		e->why = whys[h->kind];
		e->address = h->address;
	}
	return dr6 & DR6_B;
}

bool debug_has_hard_at(const struct debug *d, u64 address)
{
	for (unsigned i = 0; i < DEBUG_HARD; i++)
		if (d->hard[i].used && d->hard[i].kind == GDB_BREAK_HARD &&
			d->hard[i].address == address)
			return true;
	return false;
}

/* ---- the guest's registers ---- */

/* DR4 and DR5 are other names of DR6 and DR7; where they are not, the guest had #UD. */
u64 debug_read_dr(struct vcpu *v, unsigned dr)
{
	if (dr < DEBUG_HARD)
		return debug_of(v)->dr[dr];
	return dr & 1 ? debug_of(v)->dr7 : v->ops->get_live(v, LIVE_DR6);
}

bool debug_write_dr(struct vcpu *v, unsigned dr, u64 value)
{
	if (dr < DEBUG_HARD) {
		debug_of(v)->dr[dr] = value;
		return true;
	}
	if (value >> 32)
		return false;
	if (dr & 1)
		debug_of(v)->dr7 = (value & DR7_ALLOWED) | DR7_INIT;
	else
		v->ops->set_live(v, LIVE_DR6, (value & DR6_WRITE) | DR6_INIT);
	return true;
}
