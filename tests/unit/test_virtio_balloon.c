/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon over EPT and the real page allocator: what is given back is unmapped and free, and
 * zeros when it comes again; 2 MB mappings split and join; drivers that lie; memory that runs out;
 * the plan, statistics, reports.
 *
 * Sources: virtio/balloon.c virtio/pci.c virtio/device.c virtio/queue.c virtio/chain.c
 * hv/cpu/timer.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/mem/page.c hv/mem/pt.c hv/mem/mtrr.c
 * hv/lib/bittree.c hv/mmu/ram.c ept/ept.c ept/format.c hv/dev/pci.c hv/dev/msix.c hv/dev/reset.c
 * hv/dev/bus.c
 */
#include "tests/unit/clock.h"
#include "tests/unit/virtio_bus.h"

#include <stdio.h>
#include <sys/mman.h>

#include <linux/virtio_balloon.h>

#include "ept/ept.h"
#include "ept/format.h"
#include "hv/mmu/ram.h"
#include "hv/vm/vm.h"
#include "tests/unit/destroy.h"
#include "virtio/balloon.h"

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SIZE	   16
#define HZ	   1000000000ul
#define ARENA	   (32 * MB)
#define ARENA_END  (ARENA - MB) /* tables lie beyond the last whole 2 MB, as in a machine */
#define LIST	   0x90000ul	/* where the driver has its lists of pages */
#define CHUNK	   (4 * MB)	/* a chunk without rings in it */
#define RING_PAGE  0x10000ul
#define PFN(gpa)   ((u32)((gpa) >> PAGE_SHIFT))
#define ALL_CAPS                                                                                   \
	(EPT_CAP_EXEC_ONLY | EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_1G |               \
		EPT_CAP_INVEPT | EPT_CAP_AD | EPT_CAP_INVEPT_SINGLE | EPT_CAP_INVEPT_ALL)

enum {
	INFLATE,
	DEFLATE,
	STATS,
	HINTS,
	REPORTS,
	QUEUES
};

static struct {
	struct virtio_balloon *balloon;
	struct driver d[QUEUES];
	struct timerq timers;
	struct vm vm;
	struct vcpu vcpu;
	unsigned flushes;
	void *hog[PAGE_ORDER_MAX + 1][64];
} t;

static u8 *arena;
static u64 meta[ARENA / PAGE_SIZE];
static void invept(u64 eptp)
{
	(void)eptp;
	t.flushes++;
}

static const struct ept_hw hw = { .invept_single = invept };

static int map_arena(void **state)
{
	u8 *m = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	if (m == MAP_FAILED)
		return -1;
	arena = (u8 *)ALIGN_UP((u64)m, ARENA);
	return 0;
}

static int setup(void **state)
{
	static const struct balloon_plan plan = {
		.step = { { 2 * MB, 1 }, { 4 * MB, 2 }, { 0, 10 } }, .steps = 3
	};

	(void)state;
	memset(&t, 0, sizeof(t));
	memset(arena, 0xee, ARENA);
	page_init(meta, hva_to_hpa(arena), hva_to_hpa(arena + ARENA_END));
	page_add(hva_to_hpa(arena), hva_to_hpa(arena + ARENA_END));
	host_pages_begin();
	gm = (struct guestmem){ 0 };
	clock_now = 5 * HZ;
	timerq_init(&t.timers, HZ, now);
	t.vcpu.vm = &t.vm;
	if (guestmem_add(&gm, GPA(0), RAM_SIZE) || ept_init(ALL_CAPS, 48, true, &hw))
		return -1;
	t.vm.mem = gm;
	if (ept_mmu_ops.create(&t.vm, &t.vm.mmu) || mmu_map_ram(t.vm.mmu, &gm))
		return -1;
	t.flushes = 0;
	return virtio_balloon_create(&t.balloon, "vm", true, &gm, t.vm.mmu, &t.timers, &plan) ||
	       bus_with(virtio_balloon_dev(t.balloon));
}

static void unhog(void)
{
	for (unsigned o = 0; o <= PAGE_ORDER_MAX; o++)
		for (unsigned i = 0; i < ARRAY_SIZE(t.hog[o]); i++)
			if (t.hog[o][i]) {
				page_free(t.hog[o][i], o, PAGE_HV);
				t.hog[o][i] = NULL;
			}
}

/* Nobody has memory any more, until unhog(). */
static void hog(void)
{
	for (unsigned o = PAGE_ORDER_MAX + 1; o-- > 0;)
		for (unsigned i = 0; i < ARRAY_SIZE(t.hog[o]); i++) {
			t.hog[o][i] = page_alloc(o, PAGE_HV);
			if (!t.hog[o][i])
				break;
			memset(t.hog[o][i], 0x77, PAGE_SIZE << o);
		}
}

static int teardown(void **state)
{
	(void)state;
	unhog();
	virtio_balloon_destroy(t.balloon);
	mmu_destroy(t.vm.mmu);
	guestmem_destroy(&gm);
	return t.timers.next != TIMER_NEVER || !host_pages_are_back() ? -1 : 0;
}

static void pass(u64 ticks)
{
	clock_now += ticks;
	timerq_run(&t.timers);
}

static void start(void)
{
	negotiate(offered());
	start_queues(t.d, QUEUES, SIZE, true);
}

static const struct balloon_counters *counters(void)
{
	return virtio_balloon_counters(t.balloon);
}

static u16 send_at(unsigned queue, u64 at, u32 len)
{
	struct buf b = { at, len, queue >= HINTS };
	u16 id = drv_add(&t.d[queue], &b, 1);

	kick((u16)queue);
	return id;
}

static u16 send_list(unsigned queue, const u32 *list, unsigned n)
{
	memcpy(ram(LIST), list, n * sizeof(*list));
	return send_at(queue, LIST, (u32)(n * sizeof(*list)));
}

/* n pages from gpa on, by lists of 256 as Linux sends them. */
static void send_pages(unsigned queue, u64 gpa, unsigned n)
{
	u32 list[256];
	u16 id;
	u32 len;

	for (unsigned done = 0, k; done < n; done += k) {
		k = MIN(n - done, 256u);
		for (unsigned i = 0; i < k; i++)
			list[i] = PFN(gpa) + done + i;
		send_list(queue, list, k);
		for (unsigned tries = 0; !drv_get(&t.d[queue], &id, &len); tries++) {
			assert_in_range(tries, 0, 100);
			pass(HZ / 1000);
		}
		assert_int_equal(len, 0);
	}
}

static void expect_done(unsigned queue)
{
	u16 id;
	u32 len;

	assert_true(drv_get(&t.d[queue], &id, &len));
}

static void expect_waiting(unsigned queue)
{
	u16 id;
	u32 len;

	assert_false(drv_get(&t.d[queue], &id, &len));
}

/* Where the processor's walk for gpa ends. */
static u64 walk(u64 gpa, unsigned *level)
{
	struct mmu_view view;
	u64 *table, e;

	ept_mmu_ops.view(&t.vcpu, &view);
	table = hpa_to_hva(HPA(view.root & EPTE_ADDR));
	for (*level = 4;; --*level) {
		e = table[gpa >> PT_SHIFT(*level) & (PT_ENTRIES - 1)];
		if (!pt_ept.present(e) || pt_ept.is_leaf(e, *level))
			return e;
		table = hpa_to_hva(HPA(e & EPTE_ADDR));
	}
}

static bool mapped(u64 gpa)
{
	unsigned level;

	return pt_ept.present(walk(gpa, &level));
}

static unsigned map_level(u64 gpa)
{
	unsigned level;

	assert_true(pt_ept.present(walk(gpa, &level)));
	return level;
}

/* A guest's access: through the entry if there is one, or the violation first. */
static u8 *touch(u64 gpa)
{
	struct mmu_fault f = { .gpa = GPA(gpa), .access = MMU_R | MMU_W };
	unsigned level;
	u64 e;

	if (!mapped(gpa))
		assert_int_equal(ept_mmu_ops.fault(&t.vcpu, &f), MMU_DONE);
	e = walk(gpa, &level);
	return (u8 *)hpa_to_hva(pt_ept.address(e, level)) + gpa % PT_SPAN(level);
}

static u64 guest_pages(void)
{
	struct page_stats s;

	page_stats(&s);
	return s.used[PAGE_GUEST];
}

/* ---- inflation, deflation ---- */

static void a_page_is_not_the_vms_any_more(void **state)
{
	u64 before = guest_pages();
	u8 *was;

	(void)state;
	start();
	was = ram(CHUNK + 0x5000);
	memset(was, 0x5a, PAGE_SIZE);
	memset(ram(CHUNK + 0x6000), 0x6b, PAGE_SIZE);
	assert_int_equal(map_level(CHUNK), 2);
	send_pages(INFLATE, CHUNK + 0x5000, 1);
	assert_false(mapped(CHUNK + 0x5000));
	assert_true(t.flushes > 0);
	assert_int_equal(guest_pages(), before - 1);
	assert_int_equal(counters()->inflated, 1);
	/* its neighbours are untouched, in pages now */
	assert_int_equal(map_level(CHUNK + 0x6000), 1);
	assert_int_equal(*touch(CHUNK + 0x6fff), 0x6b);
	/* whoever has it next finds zeros */
	assert_ptr_equal(page_alloc_at(hpa_to_hfn(hva_to_hpa(was)), PAGE_HV), was);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(was[i], 0);
	page_free(was, 0, PAGE_HV);
}

static void two_mb_split_and_join(void **state)
{
	u64 before = guest_pages(), moved = gm.moved;
	void *home = ram(CHUNK);
	struct page_stats s1, s2;

	(void)state;
	start();
	page_stats(&s1);
	send_pages(INFLATE, CHUNK, 512);
	assert_int_equal(guest_pages(), before - 512);
	assert_true(gm.moved > moved);
	assert_int_equal(guestmem_released(&gm), 2 * MB);
	send_pages(DEFLATE, CHUNK, 511);
	assert_int_equal(map_level(CHUNK), 1);
	assert_false(mapped(CHUNK + 2 * MB - PAGE_SIZE));
	assert_int_equal(counters()->joined, 0);
	send_pages(DEFLATE, CHUNK + 2 * MB - PAGE_SIZE, 1);
	assert_int_equal(map_level(CHUNK), 2);
	assert_int_equal(counters()->joined, 1);
	assert_int_equal(counters()->copied, 0);
	assert_ptr_equal(ram(CHUNK), home);
	assert_int_equal(guest_pages(), before);
	page_stats(&s2);
	assert_memory_equal(&s1, &s2, sizeof(s1)); /* the split table and the list are gone */
	assert_int_equal(*touch(CHUNK + 12345), 0);
}

/* Somebody else has the frame now: 2 MB are joined by a copy, and keep what is in them. */
static void join_by_a_copy(void **state)
{
	void *taken, *home = ram(CHUNK);
	u64 flushes;

	(void)state;
	start();
	memset(ram(CHUNK), 0x11, 2 * MB);
	send_pages(INFLATE, CHUNK + 0x7000, 1);
	taken = page_alloc_at(HFN((hva_to_hpa(home).v >> PAGE_SHIFT) + 7), PAGE_HV);
	assert_non_null(taken);
	memset(taken, 0x99, PAGE_SIZE);
	flushes = t.flushes;
	send_pages(DEFLATE, CHUNK + 0x7000, 1);
	assert_true(t.flushes > flushes);
	assert_int_equal(counters()->copied, 1);
	assert_int_equal(map_level(CHUNK), 2);
	assert_ptr_not_equal(ram(CHUNK), home);
	assert_ptr_equal(touch(CHUNK), ram(CHUNK));
	for (u64 at = 0; at < 2 * MB; at++)
		assert_int_equal(((u8 *)ram(CHUNK))[at], at / PAGE_SIZE == 7 ? 0 : 0x11);
	page_free(taken, 0, PAGE_HV);
}

static void a_join_without_a_block_waits(void **state)
{
	void *taken, *home = ram(CHUNK), *hogs[64];
	unsigned n = 0;

	(void)state;
	start();
	send_pages(INFLATE, CHUNK + 0x7000, 1);
	taken = page_alloc_at(HFN((hva_to_hpa(home).v >> PAGE_SHIFT) + 7), PAGE_HV);
	while ((hogs[n] = page_alloc(PAGE_ORDER_2M, PAGE_HV)))
		n++;
	send_pages(DEFLATE, CHUNK + 0x7000, 1);
	assert_int_equal(counters()->joined, 0);
	assert_int_equal(map_level(CHUNK), 1);
	assert_int_equal(*touch(CHUNK + 0x7000), 0);
	while (n)
		page_free(hogs[--n], PAGE_ORDER_2M, PAGE_HV);
	page_free(taken, 0, PAGE_HV);
}

/* The answer to a deflation comes when there is memory. */
static void deflation_waits_for_memory(void **state)
{
	u32 list[2] = { PFN(CHUNK), PFN(CHUNK) + 1 };

	(void)state;
	start();
	send_pages(INFLATE, CHUNK, 2);
	hog();
	send_list(DEFLATE, list, 2);
	expect_waiting(DEFLATE);
	pass(HZ);
	expect_waiting(DEFLATE);
	assert_true(counters()->waits >= 2);
	assert_false(virtio_balloon_dev(t.balloon)->queue[DEFLATE].vq.broken);
	unhog();
	pass(HZ);
	expect_done(DEFLATE);
	assert_int_equal(counters()->deflated, 2);
	assert_int_equal(*touch(CHUNK), 0);
}

static void reset_while_it_waits(void **state)
{
	u32 list[1] = { PFN(CHUNK) };

	(void)state;
	start();
	send_pages(INFLATE, CHUNK, 1);
	hog();
	send_list(DEFLATE, list, 1);
	set_status(0);
	unhog();
	pass(HZ);
	assert_int_equal(counters()->deflated, 0);
	start();
	send_pages(DEFLATE, CHUNK, 1);
	assert_int_equal(counters()->deflated, 1);
}

/* Used without having asked for it (a driver may, where it did not promise): a page of zeros. */
static void touched_without_a_word(void **state)
{
	u64 word = 0x1234;

	(void)state;
	start();
	send_pages(INFLATE, CHUNK, 3);
	assert_int_equal(*touch(CHUNK), 0);
	assert_true(mapped(CHUNK));
	assert_int_equal(guest_write(&gm, GPA(CHUNK + PAGE_SIZE), &word, sizeof(word)), OK);
	assert_int_equal(*(u64 *)touch(CHUNK + PAGE_SIZE), 0x1234);
	assert_int_equal(guestmem_released(&gm), PAGE_SIZE);
	/* what it then asks for is there already, and stays */
	send_pages(DEFLATE, CHUNK, 3);
	assert_int_equal(*(u64 *)touch(CHUNK + PAGE_SIZE), 0x1234);
	assert_int_equal(guestmem_released(&gm), 0);
}

/* ...and if there is none, the VM ends, and it alone. */
static void touched_without_memory(void **state)
{
	struct mmu_fault f = { .gpa = GPA(CHUNK), .access = MMU_R };
	u8 byte;

	(void)state;
	start();
	send_pages(INFLATE, CHUNK, 1);
	hog();
	assert_int_equal(ept_mmu_ops.fault(&t.vcpu, &f), MMU_FATAL);
	assert_int_equal(guest_read(&gm, GPA(CHUNK), &byte, 1), ERR_RANGE);
	assert_int_equal(guest_write(&gm, GPA(CHUNK - 1), "abc", 3), ERR_RANGE);
	assert_null(guest_at(&gm, GPA(CHUNK)));
}

/* ---- drivers that lie ---- */

static void pages_that_it_does_not_have(void **state)
{
	const u32 list[] = { PFN(RAM_SIZE), UINT32_MAX, PFN(RAM_SIZE) - 1, PFN(0xfee00000) };
	u64 before = guest_pages();

	(void)state;
	start();
	send_list(INFLATE, list, ARRAY_SIZE(list));
	expect_done(INFLATE);
	assert_int_equal(counters()->inflated, 1);
	assert_int_equal(counters()->wrong, 3);
	assert_int_equal(guest_pages(), before - 1);
	send_list(DEFLATE, list, ARRAY_SIZE(list));
	expect_done(DEFLATE);
	assert_int_equal(counters()->deflated, 1);
	assert_int_equal(guest_pages(), before);
	assert_int_equal(status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static void pages_in_the_hole(void **state)
{
	(void)state;
	guestmem_hole(&gm, GPA(0xa0000), GPA(0x100000));
	start();
	send_pages(INFLATE, 0x9f000, 3);
	assert_int_equal(counters()->inflated, 1);
	assert_int_equal(counters()->wrong, 2);
	assert_true(mapped(0xa0000));
	send_pages(DEFLATE, 0x9f000, 3);
	assert_int_equal(counters()->deflated, 1);
	/* never joined: the hole's own mapping is in these 2 MB */
	assert_int_equal(counters()->joined, 0);
}

static void the_same_page_twice(void **state)
{
	const u32 list[] = { PFN(CHUNK), PFN(CHUNK), PFN(CHUNK) + 1, PFN(CHUNK) };
	u64 before = guest_pages();

	(void)state;
	start();
	send_list(INFLATE, list, ARRAY_SIZE(list));
	expect_done(INFLATE);
	assert_int_equal(guest_pages(), before - 2);
	assert_int_equal(counters()->wrong, 2);
	send_pages(INFLATE, CHUNK, 2);
	assert_int_equal(guest_pages(), before - 2);
	assert_int_equal(counters()->wrong, 4);
}

/* Its ring is zeros afterwards: that queue is dead, the others and the hypervisor are not. */
static void a_page_of_a_ring(void **state)
{
	(void)state;
	start();
	send_pages(DEFLATE, CHUNK, 1);
	send_list(INFLATE, (u32[]){ PFN(t.d[DEFLATE].desc), PFN(t.d[DEFLATE].driver) }, 2);
	expect_done(INFLATE);
	kick(DEFLATE);
	kick(DEFLATE);
	send_pages(INFLATE, CHUNK, 1);
	assert_int_equal(counters()->inflated, 3);
	start();
	send_pages(DEFLATE, CHUNK, 1);
	assert_int_equal(counters()->deflated, 1);
}

/* The list that is being read is among the pages, and the queue's own ring. */
static void its_own_ring_and_list(void **state)
{
	u32 list[] = { PFN(LIST), PFN(t.d[INFLATE].device), PFN(t.d[INFLATE].driver) };

	(void)state;
	start();
	list[1] = PFN(t.d[INFLATE].device);
	list[2] = PFN(t.d[INFLATE].driver);
	send_list(INFLATE, list, 3);
	assert_int_equal(counters()->inflated, 3);
	kick(INFLATE);
	start();
	send_pages(INFLATE, CHUNK, 1);
	assert_int_equal(counters()->inflated, 4);
}

static void lists_that_make_no_sense(void **state)
{
	(void)state;
	start();
	send_at(INFLATE, LIST, 3); /* not even one page */
	expect_done(INFLATE);
	*(u32 *)ram(LIST) = PFN(CHUNK);
	send_at(INFLATE, LIST, 7); /* one, and three bytes that count for nothing */
	expect_done(INFLATE);
	assert_int_equal(counters()->inflated, 1);
}

/* A long list does not keep the VM from its interrupts. */
static void a_long_list_in_slices(void **state)
{
	u64 len = 64 * KB; /* 16,384 pages, all at the same place */

	(void)state;
	start();
	for (u64 i = 0; i < len / 4; i++)
		*(u32 *)ram(2 * MB + 4 * i) = PFN(CHUNK);
	send_at(INFLATE, 2 * MB, (u32)len);
	expect_waiting(INFLATE);
	assert_in_range(counters()->wrong, 1, 1024);
	for (unsigned i = 0; i < 10; i++)
		pass(HZ / 1000);
	expect_waiting(INFLATE);
	for (unsigned i = 0; i < 10; i++)
		pass(HZ / 1000);
	expect_done(INFLATE);
	assert_int_equal(counters()->wrong, len / 4 - 1);
}

/* ---- reports ---- */

static void reported_memory(void **state)
{
	u64 before = guest_pages();
	u8 *p;

	(void)state;
	start();
	memset(ram(CHUNK), 0x42, 2 * MB);
	send_at(REPORTS, CHUNK, 2 * MB);
	expect_done(REPORTS);
	assert_int_equal(counters()->reported, 512);
	assert_int_equal(guest_pages(), before - 512);
	assert_false(mapped(CHUNK));
	/* used again: 2 MB at once, of zeros */
	p = touch(CHUNK + 5 * PAGE_SIZE);
	assert_int_equal(map_level(CHUNK), 2);
	assert_int_equal(guest_pages(), before);
	for (u64 i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(p[i], 0);
}

static void reported_and_no_block_left(void **state)
{
	void *hogs[64], *page;
	unsigned n = 0;

	(void)state;
	start();
	send_at(REPORTS, CHUNK, 2 * MB);
	expect_done(REPORTS);
	page = page_alloc(0, PAGE_HV);
	while ((hogs[n] = page_alloc(PAGE_ORDER_2M, PAGE_HV)))
		n++;
	assert_int_equal(*touch(CHUNK + 5 * PAGE_SIZE), 0);
	assert_int_equal(map_level(CHUNK + 5 * PAGE_SIZE), 1);
	assert_false(mapped(CHUNK));
	assert_int_equal(guestmem_released(&gm), 511 * PAGE_SIZE);
	while (n)
		page_free(hogs[--n], PAGE_ORDER_2M, PAGE_HV);
	page_free(page, 0, PAGE_HV);
}

/* Drivers that count their queues without gaps have the reports in the fourth. */
static void reports_in_the_other_place(void **state)
{
	(void)state;
	start();
	send_at(HINTS, CHUNK, 2 * MB);
	expect_done(HINTS);
	assert_int_equal(counters()->reported, 512);
}

/* Each costs a search in the shadow tables, however little it reports. */
static void small_reports_in_slices(void **state)
{
	(void)state;
	start();
	for (unsigned i = 0; i < 12; i++) {
		struct buf b = { CHUNK + i * PAGE_SIZE, PAGE_SIZE, true };

		drv_add_indirect(&t.d[REPORTS], &b, 1, 0xa0000 + i * PAGE_SIZE);
	}
	kick(REPORTS);
	assert_in_range(counters()->reported, 1, 4);
	for (unsigned i = 0; i < 4; i++)
		pass(HZ / 1000);
	assert_int_equal(counters()->reported, 12);
}

/* Both at once, each longer than a slice: each is answered where it came from. */
static void reports_in_two_places(void **state)
{
	struct buf b[20];

	(void)state;
	start();
	for (unsigned i = 0; i < 20; i++)
		b[i] = (struct buf){ CHUNK, 2 * MB, true };
	drv_add_indirect(&t.d[HINTS], b, 20, 0xa0000);
	drv_add_indirect(&t.d[REPORTS], b, 20, 0xb0000);
	kick(HINTS);
	kick(REPORTS);
	expect_waiting(HINTS);
	expect_waiting(REPORTS);
	for (unsigned i = 0; i < 10; i++)
		pass(HZ / 1000);
	expect_done(HINTS);
	expect_done(REPORTS);
}

static void pieces_of_pages_are_kept(void **state)
{
	(void)state;
	start();
	memset(ram(CHUNK), 0x42, 4 * PAGE_SIZE);
	send_at(REPORTS, CHUNK + 1, 2 * PAGE_SIZE);
	expect_done(REPORTS);
	assert_int_equal(counters()->reported, 1);
	assert_int_equal(*touch(CHUNK + 1), 0x42);
	assert_int_equal(*touch(CHUNK + PAGE_SIZE), 0);
	assert_int_equal(*touch(CHUNK + 2 * PAGE_SIZE), 0x42);
}

/* ---- statistics, the plan ---- */

static void write_stats(u16 tag, u64 value)
{
	struct virtio_balloon_stat s[2] = { { tag, value }, { 77, 5 } };

	memcpy(ram(LIST), s, sizeof(s));
}

static void statistics(void **state)
{
	(void)state;
	start();
	write_stats(VIRTIO_BALLOON_S_MEMFREE, 1000);
	send_at(STATS, LIST, 2 * sizeof(struct virtio_balloon_stat));
	assert_int_equal(counters()->stats[VIRTIO_BALLOON_S_MEMFREE], 1000);
	expect_waiting(STATS);
	pass(BALLOON_STATS_SECONDS * HZ);
	expect_done(STATS);
	write_stats(VIRTIO_BALLOON_S_MEMFREE, 2000);
	send_at(STATS, LIST, sizeof(struct virtio_balloon_stat) - 1);
	assert_int_equal(counters()->stats[VIRTIO_BALLOON_S_MEMFREE], 1000);
	/* a second buffer before the first came back waits */
	send_at(STATS, LIST, 2 * sizeof(struct virtio_balloon_stat));
	assert_int_equal(counters()->stats[VIRTIO_BALLOON_S_MEMFREE], 1000);
	pass(BALLOON_STATS_SECONDS * HZ);
	assert_int_equal(counters()->stats[VIRTIO_BALLOON_S_MEMFREE], 2000);
}

static u32 asked(void)
{
	return (u32)bus_read(&p.mmio, p.config, 4);
}

static void the_plan(void **state)
{
	(void)state;
	pass(100 * HZ);
	assert_int_equal(asked(), 0);
	start();
	kick(INFLATE);
	pass(HZ / 2);
	assert_int_equal(asked(), 0);
	pass(HZ / 2);
	assert_int_equal(asked(), 512);
	pass(HZ);
	assert_int_equal(asked(), 1024);
	pass(HZ / 4);
	bus_write(&p.mmio, p.config + 4, 4, 1024);
	assert_int_equal(counters()->actual, 1024);
	assert_int_equal(counters()->took, 250);
	bus_write(&p.mmio, p.config, 4, 7); /* not the driver's to write */
	assert_int_equal(asked(), 1024);
	pass(8 * HZ);
	assert_int_equal(asked(), 0);
	set_status(0);
	start();
	kick(INFLATE);
	pass(20 * HZ);
	assert_int_equal(asked(), 0);
}

/* Without statistics their place is that of the reports. */
static void without_statistics(void **state)
{
	(void)state;
	negotiate(offered() & ~BIT(VIRTIO_BALLOON_F_STATS_VQ));
	start_queues(t.d, QUEUES, SIZE, true);
	send_at(STATS, LIST, 64);
	expect_done(STATS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_is_not_the_vms_any_more),
		TEST(two_mb_split_and_join),
		TEST(join_by_a_copy),
		TEST(a_join_without_a_block_waits),
		TEST(deflation_waits_for_memory),
		TEST(reset_while_it_waits),
		TEST(touched_without_a_word),
		TEST(touched_without_memory),
		TEST(pages_that_it_does_not_have),
		TEST(pages_in_the_hole),
		TEST(the_same_page_twice),
		TEST(a_page_of_a_ring),
		TEST(its_own_ring_and_list),
		TEST(lists_that_make_no_sense),
		TEST(a_long_list_in_slices),
		TEST(reported_memory),
		TEST(reported_and_no_block_left),
		TEST(reports_in_the_other_place),
		TEST(small_reports_in_slices),
		TEST(reports_in_two_places),
		TEST(pieces_of_pages_are_kept),
		TEST(statistics),
		TEST(the_plan),
		TEST(without_statistics),
	};

	return cmocka_run_group_tests(tests, map_arena, NULL);
}
