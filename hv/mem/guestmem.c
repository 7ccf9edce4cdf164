/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory: slots of 2 MB chunks, and the only code that follows a gpa into them.
 *
 * Every access is cut into pieces that lie in one chunk; locate() finds one piece. A range is
 * checked as a whole before the first byte is copied. All sums are formed so that a hostile gpa or
 * length cannot wrap: lengths are compared with what is left, never added to an address.
 *
 * Chunks that are not whole are in guestmem_loose.c.
 */
#include "hv/ctl/log.h"
#include "hv/lib/string.h"
#include "hv/mem/guestmem.h"
#include "hv/mem/guestmem_loose.h"
#include "hv/mem/page.h"

static bool in_hole(const struct guestmem *gm, u64 gpa)
{
	return gpa >= gm->hole_start.v && gpa < gm->hole_end.v;
}

/* Where gpa lives in the host, and how many bytes follow there; 0 if it is not RAM, or was given
 * back and there is no memory to have it again. */
static inline u64 locate(const struct guestmem *gm, u64 gpa, hpa_t *hpa)
{
	const struct guestmem_slot *s = guest_slot(gm, GPA(gpa));

	if (unlikely(!s)) {
		*hpa = HPA(0);
		return 0;
	}

	u64 offset = gpa - s->base.v;
	hpa_t chunk = s->chunk[offset / GUESTMEM_CHUNK];
	u64 left = GUESTMEM_CHUNK - offset % GUESTMEM_CHUNK;

	if (unlikely(chunk.v & GUESTMEM_LOOSE))
		left = loose_locate(
			&s->chunk[offset / GUESTMEM_CHUNK], offset % GUESTMEM_CHUNK, hpa);
	else
		*hpa = HPA(chunk.v + offset % GUESTMEM_CHUNK);
	if (gpa < gm->hole_start.v)
		left = MIN(left, gm->hole_start.v - gpa);
	return left;
}

bool guest_is_ram(const struct guestmem *gm, gpa_t gpa, u64 len)
{
	while (len) {
		const struct guestmem_slot *s = guest_slot(gm, gpa);

		if (!s)
			return false;

		u64 left = s->size - (gpa.v - s->base.v);

		if (gpa.v < gm->hole_start.v)
			left = MIN(left, gm->hole_start.v - gpa.v);
		if (left >= len)
			return true;
		gpa.v += left;
		len -= left;
	}
	return true;
}

enum status guest_gpa_to_hpa(const struct guestmem *gm, gpa_t gpa, hpa_t *hpa)
{
	return locate(gm, gpa.v, hpa) ? OK : ERR_RANGE;
}

/* memcpy(), but in as few instructions as can be for the sizes that instructions have. */
static inline void copy(void *dst, const void *src, size_t len)
{
	switch (len) {
	case 1: __builtin_memcpy(dst, src, 1); break;
	case 2: __builtin_memcpy(dst, src, 2); break;
	case 4: __builtin_memcpy(dst, src, 4); break;
	case 8: __builtin_memcpy(dst, src, 8); break;
	default: memcpy(dst, src, len);
	}
}

/* Nearly all accesses are short and lie in one chunk. */

enum status guest_read(const struct guestmem *gm, gpa_t gpa, void *dst, size_t len)
{
	u8 *to = dst;
	hpa_t hpa;
	u64 left = locate(gm, gpa.v, &hpa);

	if (likely(left >= len)) {
		copy(dst, hpa_to_hva(hpa), len);
		return OK;
	}
	if (!left || !guest_is_ram(gm, gpa, len))
		return ERR_RANGE;
	while (len) {
		u64 n = MIN(locate(gm, gpa.v, &hpa), len);

		if (unlikely(!n))
			return ERR_RANGE;
		memcpy(to, hpa_to_hva(hpa), n);
		to += n;
		gpa.v += n;
		len -= n;
	}
	return OK;
}

enum status guest_write(const struct guestmem *gm, gpa_t gpa, const void *src, size_t len)
{
	const u8 *from = src;
	hpa_t hpa;
	u64 left = locate(gm, gpa.v, &hpa);

	if (likely(left >= len)) {
		copy(hpa_to_hva(hpa), src, len);
		guest_written(gm, gpa, len);
		return OK;
	}
	if (!left || !guest_is_ram(gm, gpa, len))
		return ERR_RANGE;
	for (u64 done = 0; done < len;) {
		u64 n = MIN(locate(gm, gpa.v + done, &hpa), len - done);

		if (unlikely(!n))
			return ERR_RANGE;
		memcpy(hpa_to_hva(hpa), from + done, n);
		done += n;
	}
	guest_written(gm, gpa, len);
	return OK;
}

enum status guest_zero(const struct guestmem *gm, gpa_t gpa, size_t len)
{
	hpa_t hpa;

	if (!guest_is_ram(gm, gpa, len))
		return ERR_RANGE;
	for (u64 done = 0; done < len;) {
		u64 n = MIN(locate(gm, gpa.v + done, &hpa), len - done);

		if (unlikely(!n))
			return ERR_RANGE;
		memset(hpa_to_hva(hpa), 0, n);
		done += n;
	}
	guest_written(gm, gpa, len);
	return OK;
}

/* Where an aligned word lies: it cannot cross a chunk. */
static enum status locate_word(const struct guestmem *gm, gpa_t gpa, unsigned size, void **p)
{
	hpa_t hpa;

	if (!IS_POW2(size) || size > sizeof(u64) || !IS_ALIGNED(gpa.v, size))
		return ERR_INVAL;
	if (!locate(gm, gpa.v, &hpa))
		return ERR_RANGE;
	*p = hpa_to_hva(hpa);
	return OK;
}

/* One compare-and-exchange on a word of the given type at p; old and new_val are 64-bit. */
#define CMPXCHG(type, p, old, new_val)                                                             \
	do {                                                                                       \
		type _expected = (type) * (old);                                                   \
		__atomic_compare_exchange_n((type *)(p), &_expected, (type)(new_val), false,       \
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                                       \
		*(old) = _expected;                                                                \
	} while (0)

enum status guest_cmpxchg(
	const struct guestmem *gm, gpa_t gpa, u64 *old, u64 new_val, unsigned size)
{
	u64 expected = *old;
	void *p;
	enum status s = locate_word(gm, gpa, size, &p);

	if (s != OK)
		return s;
	switch (size) {
	case 1: CMPXCHG(u8, p, old, new_val); break;
	case 2: CMPXCHG(u16, p, old, new_val); break;
	case 4: CMPXCHG(u32, p, old, new_val); break;
	default: CMPXCHG(u64, p, old, new_val);
	}
	if (*old == expected)
		guest_written(gm, gpa, size);
	return OK;
}

enum status guest_load(const struct guestmem *gm, gpa_t gpa, u64 *value, unsigned size)
{
	void *p;
	enum status s = locate_word(gm, gpa, size, &p);

	if (s != OK)
		return s;
	switch (size) {
	case 1: *value = __atomic_load_n((u8 *)p, __ATOMIC_ACQUIRE); break;
	case 2: *value = __atomic_load_n((u16 *)p, __ATOMIC_ACQUIRE); break;
	case 4: *value = __atomic_load_n((u32 *)p, __ATOMIC_ACQUIRE); break;
	default: *value = __atomic_load_n((u64 *)p, __ATOMIC_ACQUIRE);
	}
	return OK;
}

enum status guest_store(const struct guestmem *gm, gpa_t gpa, u64 value, unsigned size)
{
	void *p;
	enum status s = locate_word(gm, gpa, size, &p);

	if (s != OK)
		return s;
	switch (size) {
	case 1: __atomic_store_n((u8 *)p, (u8)value, __ATOMIC_RELEASE); break;
	case 2: __atomic_store_n((u16 *)p, (u16)value, __ATOMIC_RELEASE); break;
	case 4: __atomic_store_n((u32 *)p, (u32)value, __ATOMIC_RELEASE); break;
	default: __atomic_store_n((u64 *)p, value, __ATOMIC_RELEASE);
	}
	guest_written(gm, gpa, size);
	return OK;
}

void guestmem_hole(struct guestmem *gm, gpa_t start, gpa_t end)
{
	BUG_ON(!IS_ALIGNED(start.v | end.v, PAGE_SIZE) || start.v > end.v);
	gm->hole_start = start;
	gm->hole_end = end;
}

#define NO_RAM (~0ul) /* no slot reaches this address */

/* The lowest gpa >= from that is RAM, or NO_RAM. */
static u64 next_ram(const struct guestmem *gm, u64 from)
{
	u64 lowest = NO_RAM;

	for (unsigned i = 0; i < gm->slots; i++) {
		const struct guestmem_slot *s = &gm->slot[i];
		u64 first = MAX(s->base.v, from);

		if (in_hole(gm, first))
			first = gm->hole_end.v;
		if (first - s->base.v < s->size)
			lowest = MIN(lowest, first);
	}
	return lowest;
}

bool guestmem_run(const struct guestmem *gm, gpa_t gpa, struct guestmem_run *run)
{
	hpa_t hpa;
	u64 start = next_ram(gm, gpa.v), len, more;

	if (start == NO_RAM)
		return false;
	len = locate(gm, start, &hpa);
	*run = (struct guestmem_run){ .gpa = GPA(start), .hpa = hpa };
	/* A slot never ends at 2^64 (see guestmem_add()), so that start + len does not wrap. */
	while ((more = locate(gm, start + len, &hpa)) && hpa.v == run->hpa.v + len)
		len += more;
	run->len = len;
	return true;
}

/* Order of the pages that hold both arrays of a slot of so many chunks. */
static unsigned arrays_order(u64 chunks)
{
	u64 bytes = chunks * (sizeof(hpa_t) + sizeof(u8));
	unsigned order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

/* How many blocks that were, at most. */
static u64 chunk_free(struct guestmem_slot *s, u64 i)
{
	if (s->chunk[i].v & GUESTMEM_LOOSE) {
		loose_free(s->chunk[i]);
		return GUESTMEM_CHUNK / PAGE_SIZE;
	}
	if (s->order[i])
		page_free(hpa_to_hva(s->chunk[i]), s->order[i], PAGE_GUEST);
	return 1;
}

/* Frees some chunks, from *i on. True: and then there were none left, and the slot is gone. */
static bool slot_free_step(struct guestmem_slot *s, u64 *i)
{
	u64 chunks = s->size / GUESTMEM_CHUNK;

	for (u64 blocks = 0; *i < chunks && blocks < PAGE_FREE_STEP; ++*i)
		blocks += chunk_free(s, *i);
	if (*i < chunks)
		return false;
	page_free(s->chunk, arrays_order(chunks), PAGE_HV);
	*s = (struct guestmem_slot){ 0 };
	*i = 0;
	return true;
}

/*
 * A block for chunks, of *order or less; NULL: none is left. One that a single large page maps is
 * worth a look at all of memory; else the highest chunks will do.
 */
static void *block_for_chunks(unsigned *order)
{
	void *block = *order == PAGE_ORDER_1G ? page_alloc(*order, PAGE_GUEST) : NULL;

	return block ? block : page_alloc_upto(order, PAGE_ORDER_2M, PAGE_GUEST);
}

/*
 * Fills chunks from index `first` on with one block: the largest that is left to fill and that
 * keeps gpa and hpa congruent, so that it can be mapped with one large page. Returns the number of
 * chunks filled; 0 when memory has run out.
 */
static u64 slot_fill(struct guestmem_slot *s, u64 first)
{
	u64 left = s->size / GUESTMEM_CHUNK - first;
	u64 gpa = s->base.v + first * GUESTMEM_CHUNK;
	unsigned order = PAGE_ORDER_MAX;
	void *block;

	while (!IS_ALIGNED(gpa, PAGE_SIZE << order) || PAGE_SIZE << order > left * GUESTMEM_CHUNK)
		order--;
	block = block_for_chunks(&order);
	if (!block)
		return 0;

	u64 n = 1ul << (order - PAGE_ORDER_2M);

	s->order[first] = (u8)order;
	for (u64 i = 0; i < n; i++)
		s->chunk[first + i] = HPA(hva_to_hpa(block).v + i * GUESTMEM_CHUNK);
	return n;
}

static bool overlaps(const struct guestmem *gm, u64 base, u64 size)
{
	for (unsigned i = 0; i < gm->slots; i++) {
		const struct guestmem_slot *s = &gm->slot[i];

		/* Neither range wraps. */
		if (base < s->base.v + s->size && s->base.v < base + size)
			return true;
	}
	return false;
}

enum status guestmem_add(struct guestmem *gm, gpa_t base, u64 size)
{
	struct guestmem_slot *s = &gm->slot[gm->slots];
	u64 chunks, done, n;

	if (!size || !IS_ALIGNED(base.v, GUESTMEM_CHUNK))
		return ERR_INVAL;
	if (size > ~0ul - GUESTMEM_CHUNK)
		return ERR_RANGE;
	size = ALIGN_UP(size, GUESTMEM_CHUNK);
	if (size >= ~0ul - base.v)
		return ERR_RANGE;
	if (overlaps(gm, base.v, size))
		return ERR_EXIST;
	chunks = size / GUESTMEM_CHUNK;
	if (gm->slots == GUESTMEM_SLOTS || arrays_order(chunks) > PAGE_ORDER_MAX)
		return ERR_NOMEM;

	*s = (struct guestmem_slot){ .base = base, .size = size };
	s->chunk = page_alloc(arrays_order(chunks), PAGE_HV);
	if (!s->chunk)
		return ERR_NOMEM;
	s->order = (u8 *)(s->chunk + chunks);
	for (done = 0; done < chunks; done += n) {
		n = slot_fill(s, done);
		if (!n) {
			while (!slot_free_step(s, &gm->destroyed))
				;
			return ERR_NOMEM;
		}
	}
	gm->slots++;
	return OK;
}

bool guestmem_destroy_step(struct guestmem *gm)
{
	if (gm->slots && slot_free_step(&gm->slot[gm->slots - 1], &gm->destroyed))
		gm->slots--;
	if (gm->slots)
		return false;
	*gm = (struct guestmem){ 0 };
	return true;
}
