/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that is given back and taken again, over the real page allocator, against a model:
 * a number for each page, which it holds in its first word, 0 once it was given back. An input is a
 * list of operations: give, report, take, touch, write, somebody else's allocations. Checked: each
 * page reads as the model says, the MMU maps what guest memory has and nothing else, nothing leaks.
 *
 * Sources: hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/mem/page.c hv/mmu/ram.c hv/mem/mtrr.c
 * hv/lib/bittree.c
 */
#include <string.h>
#include <sys/mman.h>

#include "hv/mem/page.h"
#include "hv/mmu/ram.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/destroy.h"

#define ARENA  (16 * MB)
#define MEM    (8 * MB)
#define PAGES  (MEM / PAGE_SIZE)
#define OTHERS 64

static struct guestmem gm;
static u64 model[PAGES];
static hpa_t mapped[PAGES]; /* by the MMU; 0: not */
static u64 next_number;

static enum status map(
	struct mmu *mmu, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, enum memtype type)
{
	(void)mmu, (void)rwx, (void)type;
	for (u64 at = 0; at < len; at += PAGE_SIZE)
		mapped[(gpa.v + at) / PAGE_SIZE] = HPA(hpa.v + at);
	return OK;
}

static enum status unmap(
	struct mmu *mmu, const struct mmu_range *range, unsigned ranges, unsigned *done)
{
	(void)mmu;
	for (*done = 0; *done < ranges; range++, ++*done)
		for (u64 at = 0; at < range->len; at += PAGE_SIZE)
			mapped[(range->gpa.v + at) / PAGE_SIZE] = HPA(0);
	return OK;
}

static const struct mmu_ops ops = { .map = map, .unmap = unmap };
static struct mmu mmu = { .ops = &ops };
static struct ram_release list = { .mmu = &mmu, .gm = &gm };

/* What is mapped is where guest memory has it, before anybody looks for the page. */
static void check_mappings(void)
{
	hpa_t hpa;

	for (u64 i = 0; i < PAGES; i++) {
		if (!mapped[i].v)
			continue;
		CHECK(guestmem_has(&gm, GPA(i * PAGE_SIZE)));
		CHECK(guest_gpa_to_hpa(&gm, GPA(i * PAGE_SIZE), &hpa) == OK &&
			hpa.v == mapped[i].v);
	}
}

static void check_page(u64 i)
{
	u64 word, last;

	/* No memory is a good answer, for a page that was given back. */
	if (guest_read(&gm, GPA(i * PAGE_SIZE), &word, sizeof(word)) != OK) {
		CHECK(!model[i]);
		return;
	}
	CHECK(word == model[i]);
	CHECK(guest_read(&gm, GPA((i + 1) * PAGE_SIZE - 8), &last, sizeof(last)) == OK);
	CHECK(last == word);
}

static void write_page(u64 i)
{
	u64 word = ++next_number;

	if (guest_write(&gm, GPA(i * PAGE_SIZE), &word, sizeof(word)) != OK) {
		CHECK(!model[i]);
		return;
	}
	CHECK(guest_write(&gm, GPA((i + 1) * PAGE_SIZE - 8), &word, sizeof(word)) == OK);
	model[i] = word;
}

/* A list of three runs, which may overlap. */
static void release(u64 first, u64 n)
{
	n = MIN(n, PAGES - first);
	ram_release_add(&list, GPA(first * PAGE_SIZE), n * PAGE_SIZE);
	ram_release_add(&list, GPA(first / 2 * PAGE_SIZE), n / 2 * PAGE_SIZE);
	ram_release_add(&list, GPA((first + n - 1) * PAGE_SIZE), PAGE_SIZE);
	(void)ram_release_all(&list);
	for (u64 i = first / 2; i < first + n; i++) {
		/* It stays where there was no memory for the list of its chunk's pages. */
		if (!guestmem_has(&gm, GPA(i * PAGE_SIZE)))
			model[i] = 0;
	}
}

static void other(struct stream *in, void **page, u8 *order)
{
	unsigned i = byte(in) % OTHERS;

	if (page[i]) {
		page_free(page[i], order[i], PAGE_HV);
		page[i] = NULL;
		return;
	}
	order[i] = byte(in) % 12;
	page[i] = page_alloc(order[i], PAGE_HV);
	if (page[i])
		memset(page[i], 0xaa, PAGE_SIZE << order[i]);
}

static void run(struct stream *in)
{
	void *page[OTHERS] = { NULL };
	u8 order[OTHERS];

	while (in->left) {
		u8 what = byte(in) % 8;
		u64 first = (byte(in) | (u64)byte(in) << 8) % PAGES, n = byte(in) + 1u;

		switch (what) {
		case 0: release(first, n); break;
		case 1: release(first & ~511ul, 512); break;
		case 2: release(first, n * 8); break;
		case 3:
			mmu_restore_ram(&mmu, &gm, GPA(first * PAGE_SIZE),
				MIN(n, PAGES - first) * PAGE_SIZE);
			break;
		case 4:
			mmu_restore_ram(
				&mmu, &gm, GPA((first & ~511ul) * PAGE_SIZE), 512 * PAGE_SIZE);
			break;
		case 5: write_page(first); break;
		case 6: check_page(first); break;
		default: other(in, page, order);
		}
		check_mappings();
	}
	for (unsigned i = 0; i < OTHERS; i++)
		if (page[i])
			page_free(page[i], order[i], PAGE_HV);
	for (u64 i = 0; i < PAGES; i++)
		check_page(i);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static u64 meta[ARENA / PAGE_SIZE];
	static u8 *arena;
	struct stream in = { data, MIN(size, 400ul) };
	struct page_stats before, after;

	if (!arena) {
		u8 *p = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

		CHECK(p != MAP_FAILED);
		arena = (u8 *)ALIGN_UP((u64)p, ARENA);
	}
	page_init(meta, hva_to_hpa(arena), hva_to_hpa(arena + ARENA));
	page_add(hva_to_hpa(arena), hva_to_hpa(arena + ARENA));
	page_stats(&before);
	memset(model, 0, sizeof(model));
	memset(mapped, 0, sizeof(mapped));
	gm = (struct guestmem){ 0 };
	CHECK(guestmem_add(&gm, GPA(0), MEM) == OK);
	CHECK(mmu_map_ram(&mmu, &gm) == OK);
	for (u64 i = 0; i < PAGES; i += 37)
		write_page(i);
	run(&in);
	guestmem_destroy(&gm);
	page_stats(&after);
	CHECK(!memcmp(&before, &after, sizeof(after)));
	return 0;
}
