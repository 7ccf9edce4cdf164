/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory's one door. Everything that the hypervisor reads or writes in a guest's memory
 * goes through here, by copy; nothing else turns a gpa into a pointer.
 *
 * Guest-physical RAM is a list of slots; each slot is backed by chunks of 2 MB, so that a gpa is
 * translated in a bounded number of steps whatever the size of the VM:
 *
 *   gpa -> slot (at most GUESTMEM_SLOTS) -> chunk[(gpa - slot.base) / 2 MB] -> hpa
 *
 * A VM can give pages back (guestmem_release()). A chunk that has lost some is loose: its pages are
 * then found one by one. What was given back is still RAM, which the VM may use again: whoever
 * touches such a page finds a new one, of zeros.
 */
#ifndef HV_MEM_GUESTMEM_H
#define HV_MEM_GUESTMEM_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define GUESTMEM_SLOTS 8
#define GUESTMEM_CHUNK (2 * MB)
#define GUESTMEM_LOOSE BIT(0)

struct guestmem_slot {
	gpa_t base; /* 2 MB aligned */
	u64 size;   /* bytes, a multiple of 2 MB */
	/* size / 2 MB entries, each the start of 2 MB of host memory; or, with GUESTMEM_LOOSE, the
	 * address of the list of its pages, or of nothing where it was given back as a whole */
	hpa_t *chunk;
	u8 *order; /* for each chunk: the order of the block that starts there, 0 inside a block */
};

struct guestmem {
	struct guestmem_slot slot[GUESTMEM_SLOTS];
	unsigned slots;
	gpa_t hole_start, hole_end; /* inside the slots, but not RAM; see guestmem_hole() */
	u64 moved;		    /* how often a page got another place, or none */
	u64 destroyed;		    /* chunks of the last slot that are gone */
	/*
	 * The bell: told of each write through this door, after it was made, since shadow tables
	 * follow from what the guest's tables hold. NULL where nobody needs to know.
	 */
	void (*written)(void *ctx, gpa_t gpa, u64 len);
	void *written_ctx;
};

/* Copies len bytes; the range may cross chunks and adjacent slots. ERR_RANGE, and nothing copied,
 * if any byte is not RAM. */
enum status guest_read(const struct guestmem *gm, gpa_t gpa, void *dst, size_t len) __must_check;
enum status guest_write(
	const struct guestmem *gm, gpa_t gpa, const void *src, size_t len) __must_check;
enum status guest_zero(const struct guestmem *gm, gpa_t gpa, size_t len) __must_check;

/*
 * guest_cmpxchg(): atomically replaces the size (1, 2, 4, 8) bytes at gpa by new if they equal
 * *old; *old receives what was there. gpa must be aligned to size. For guest page-table A/D bits
 * and emulated LOCK instructions.
 */
enum status guest_cmpxchg(
	const struct guestmem *gm, gpa_t gpa, u64 *old, u64 new_val, unsigned size) __must_check;

/*
 * guest_load(), guest_store(): one access of 1, 2, 4 or 8 bytes that another processor sees as a
 * whole; gpa must be aligned to size (ERR_INVAL). For words that two sides share, such as ring
 * indices.
 */
enum status guest_load(
	const struct guestmem *gm, gpa_t gpa, u64 *value, unsigned size) __must_check;
enum status guest_store(
	const struct guestmem *gm, gpa_t gpa, u64 value, unsigned size) __must_check;

/* guest_gpa_to_hpa(): where one byte of guest RAM lives; ERR_RANGE if it is not RAM. For building
 * EPT and shadow tables. */
enum status guest_gpa_to_hpa(const struct guestmem *gm, gpa_t gpa, hpa_t *hpa) __must_check;

/* The slot of gpa; NULL if it is not RAM. Inline, as is what follows: page-table walks are made of
 * it. */
static inline const struct guestmem_slot *guest_slot(const struct guestmem *gm, gpa_t gpa)
{
	if (unlikely(gpa.v < gm->hole_end.v) && gpa.v >= gm->hole_start.v)
		return NULL;
	for (unsigned i = 0; i < gm->slots; i++)
		if (gpa.v - gm->slot[i].base.v < gm->slot[i].size)
			return &gm->slot[i];
	return NULL;
}

/* The byte at this offset of a slot, where its chunk is loose; NULL: no memory for its page. */
void *guest_at_loose(const struct guestmem_slot *s, u64 offset);

/* guest_place(): where gpa is, up to the end of its 4 KB page, to be written in place; NULL if it
 * is not RAM. It is good as long as gm->moved stays. guest_written() is told of what was written,
 * after it. */
static inline void *guest_place(const struct guestmem *gm, gpa_t gpa)
{
	const struct guestmem_slot *s = guest_slot(gm, gpa);
	u64 offset;

	if (unlikely(!s))
		return NULL;
	offset = gpa.v - s->base.v;
	if (unlikely(s->chunk[offset / GUESTMEM_CHUNK].v & GUESTMEM_LOOSE))
		return guest_at_loose(s, offset);
	return hpa_to_hva(HPA(s->chunk[offset / GUESTMEM_CHUNK].v + offset % GUESTMEM_CHUNK));
}

static inline void guest_written(const struct guestmem *gm, gpa_t gpa, u64 len)
{
	if (unlikely(gm->written) && len)
		gm->written(gm->written_ctx, gpa, len);
}

/* guest_at(): gpa, to be read in place up to the end of its 4 KB page, as a page-table walker does;
 * NULL if it is not RAM. What is read there may change at any time; where it is does not, as long
 * as gm->moved does not. */
static inline const void *guest_at(const struct guestmem *gm, gpa_t gpa)
{
	return guest_place(gm, gpa);
}

/* guest_page(): the 4 KB page that gpa lies in, for the same use. */
static inline const void *guest_page(const struct guestmem *gm, gpa_t gpa)
{
	return guest_at(gm, GPA(gpa.v & PAGE_MASK));
}

/* True if all of [gpa, gpa + len) is RAM; len 0 is true; a range that wraps is false. */
bool guest_is_ram(const struct guestmem *gm, gpa_t gpa, u64 len);

/*
 * guestmem_add(): allocates size bytes (rounded up to 2 MB) of zeroed memory as a slot at base.
 * ERR_EXIST if it overlaps a slot, ERR_NOMEM (nothing kept) if memory runs out.
 */
enum status guestmem_add(struct guestmem *gm, gpa_t base, u64 size) __must_check;

/*
 * guestmem_hole(): declares [start, end), page-aligned, not to be RAM although a slot spans it: the
 * PC's hole below 1 MB, which no slot border can follow since slots are made of 2 MB chunks. There
 * is one hole; a second call moves it.
 */
void guestmem_hole(struct guestmem *gm, gpa_t start, gpa_t end);

/*
 * guestmem_run(): the run of RAM that starts at gpa, or at the first RAM above it: contiguous in
 * guest- and host-physical memory and as long as it gets. False if there is none.
 */
struct guestmem_run {
	gpa_t gpa;
	hpa_t hpa;
	u64 len;
};

bool guestmem_run(const struct guestmem *gm, gpa_t gpa, struct guestmem_run *run);

/*
 * guestmem_release(): gives the page, or with GUESTMEM_CHUNK as len the whole aligned chunk, back
 * to the allocator; it must not be mapped any more. ERR_RANGE: not (all) RAM; ERR_EXIST: (part of)
 * it was given back before; ERR_NOMEM: no memory to note what is left of the chunk.
 */
enum status guestmem_release(struct guestmem *gm, gpa_t gpa, u64 len) __must_check;

/* Is there memory behind the page, which is RAM? */
bool guestmem_has(const struct guestmem *gm, gpa_t gpa);

/* Are the 2 MB around gpa all RAM, and one block of host memory? */
bool guestmem_is_whole(const struct guestmem *gm, gpa_t gpa);

/*
 * guestmem_restore(): there is memory behind the page again: the frame that it had before, if that
 * is free, or else another; zeros. ERR_RANGE: not RAM; ERR_NOMEM.
 */
enum status guestmem_restore(struct guestmem *gm, gpa_t gpa) __must_check;

/*
 * guestmem_join(): if the chunk of gpa is loose and has all its pages, it becomes one block of host
 * memory again: where it is, or by a copy (*copied). unmap() is called before the copy: from then
 * on nothing may write to it by another way. False: it has not, or there is no such block.
 */
bool guestmem_join(struct guestmem *gm, gpa_t gpa, void (*unmap)(void *ctx, gpa_t chunk), void *ctx,
	bool *copied) __must_check;

/* Bytes given back and not in use again. */
u64 guestmem_released(const struct guestmem *gm);

/* Frees all memory, PAGE_FREE_STEP pages a call. Nothing may map it any more. True: it was the
 * last, and gm is empty; before it, gm is of no use. */
bool guestmem_destroy_step(struct guestmem *gm) __must_check;

#endif
