/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts guest RAM into runs of one memory type and maps them; takes it away and gives it again. */
#include "hv/ctl/log.h"
#include "hv/mem/mtrr.h"
#include "hv/mmu/ram.h"

static enum status map_run(struct mmu *mmu, const struct guestmem_run *run)
{
	u64 done = 0;

	while (done < run->len) {
		hpa_t hpa = HPA(run->hpa.v + done);
		u64 len = run->len - done;
		enum memtype type = mtrr_type(hpa, &len);
		enum status st = mmu->ops->map(
			mmu, GPA(run->gpa.v + done), hpa, len, MMU_R | MMU_W | MMU_X, type);

		if (st != OK)
			return st;
		done += len;
	}
	return OK;
}

enum status mmu_map_ram(struct mmu *mmu, const struct guestmem *gm)
{
	struct guestmem_run run = { 0 };
	enum status st = OK;

	while (st == OK && guestmem_run(gm, GPA(run.gpa.v + run.len), &run))
		st = map_run(mmu, &run);
	return st;
}

/* ---- giving back, and taking again ---- */

#define RWX (MMU_R | MMU_W | MMU_X)

/* All that follows works on one 2 MB chunk at a time: [gpa, end) of it. */
static u64 chunk_end(u64 gpa, u64 end)
{
	return MIN((gpa & ~(GUESTMEM_CHUNK - 1)) + GUESTMEM_CHUNK, end);
}

/* Moves *gpa to the next page that the VM has, and returns the bytes that it has from there on. */
static u64 present_run(const struct guestmem *gm, u64 *gpa, u64 end)
{
	u64 at;

	while (*gpa < end && !guestmem_has(gm, GPA(*gpa)))
		*gpa += PAGE_SIZE;
	for (at = *gpa; at < end && guestmem_has(gm, GPA(at));)
		at += PAGE_SIZE;
	return at - *gpa;
}

/* A page that is on the list twice goes once. */
static u64 free_run(struct guestmem *gm, const struct mmu_range *run)
{
	u64 done = 0;

	if (run->len == GUESTMEM_CHUNK && guestmem_release(gm, run->gpa, run->len) == OK)
		return run->len;
	for (u64 at = 0; at < run->len; at += PAGE_SIZE)
		if (guestmem_release(gm, GPA(run->gpa.v + at), PAGE_SIZE) == OK)
			done += PAGE_SIZE;
	return done;
}

/* What cannot be unmapped, for lack of memory for a table, stays. */
static void release_runs(struct ram_release *r)
{
	unsigned done;

	for (unsigned first = 0; first < r->runs; first += done + 1) {
		(void)r->mmu->ops->unmap(r->mmu, &r->run[first], r->runs - first, &done);
		for (unsigned i = first; i < first + done; i++)
			r->bytes += free_run(r->gm, &r->run[i]);
	}
	r->runs = 0;
}

static void add_in_chunk(struct ram_release *r, u64 gpa, u64 end)
{
	u64 len;

	for (; (len = present_run(r->gm, &gpa, end)); gpa += len) {
		if (r->runs == RAM_RELEASE_MAX)
			release_runs(r);
		r->run[r->runs++] = (struct mmu_range){ GPA(gpa), len };
	}
}

void ram_release_add(struct ram_release *r, gpa_t gpa, u64 len)
{
	u64 end = gpa.v + len, next;

	for (u64 at = gpa.v; at < end; at = next) {
		next = chunk_end(at, end);
		if (guest_slot(r->gm, GPA(at)))
			add_in_chunk(r, at, next);
	}
}

u64 ram_release_all(struct ram_release *r)
{
	u64 bytes;

	release_runs(r);
	bytes = r->bytes;
	r->bytes = 0;
	return bytes;
}

static enum status map_one(struct mmu *mmu, const struct guestmem *gm, u64 gpa, u64 len)
{
	u64 same_type = len;
	hpa_t hpa;
	enum memtype type;

	if (guest_gpa_to_hpa(gm, GPA(gpa), &hpa) != OK)
		return ERR_NOMEM;
	type = mtrr_type(hpa, &same_type);
	if (same_type < len)
		return ERR_INVAL; /* in pages, each with its own type */
	return mmu->ops->map(mmu, GPA(gpa), hpa, len, RWX, type);
}

static void unmap_chunk(void *ctx, gpa_t chunk)
{
	struct mmu *mmu = ctx;

	/* It is mapped in pages, so that nothing has to be split. */
	BUG_ON(mmu_unmap(mmu, chunk, GUESTMEM_CHUNK) != OK);
}

/* A page that cannot be mapped now is mapped when it is touched. */
static void map_pages(struct mmu *mmu, const struct guestmem *gm, u64 gpa, u64 end)
{
	for (; gpa < end; gpa += PAGE_SIZE)
		if (guest_is_ram(gm, GPA(gpa), PAGE_SIZE) && guestmem_has(gm, GPA(gpa)) &&
			map_one(mmu, gm, gpa, PAGE_SIZE) != OK)
			return;
}

static void restore_in_chunk(
	struct mmu *mmu, struct guestmem *gm, u64 gpa, u64 end, struct mmu_restored *r)
{
	u64 chunk = gpa & ~(GUESTMEM_CHUNK - 1), before = r->bytes;
	bool copied;

	for (u64 at = gpa; at < end && !r->out_of_memory; at += PAGE_SIZE) {
		if (!guest_slot(gm, GPA(at)) || guestmem_has(gm, GPA(at)))
			continue;
		r->out_of_memory = guestmem_restore(gm, GPA(at)) != OK;
		r->bytes += r->out_of_memory ? 0 : PAGE_SIZE;
	}
	if (r->bytes == before)
		return;
	if (guest_is_ram(gm, GPA(chunk), GUESTMEM_CHUNK) &&
		guestmem_join(gm, GPA(chunk), unmap_chunk, mmu, &copied)) {
		r->joined++;
		r->copied += copied;
		if (map_one(mmu, gm, chunk, GUESTMEM_CHUNK) == OK)
			return;
		gpa = chunk;
		end = chunk + GUESTMEM_CHUNK;
	}
	map_pages(mmu, gm, gpa, end);
}

struct mmu_restored mmu_restore_ram(struct mmu *mmu, struct guestmem *gm, gpa_t gpa, u64 len)
{
	struct mmu_restored r = { 0 };
	u64 end = gpa.v + len, next;

	for (u64 at = gpa.v; at < end && !r.out_of_memory; at = next) {
		next = chunk_end(at, end);
		restore_in_chunk(mmu, gm, at, next, &r);
	}
	return r;
}
