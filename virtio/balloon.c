/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtio-balloon. Lists of pages are worked through in slices, so that a driver that sends long
 * ones still takes its interrupts, and sorted, so that neighbours are one run. What is given up is
 * collected and taken all at once, before the driver is told: that costs one pass over the VM's
 * mappings, where they are shadow tables, and not one for each page.
 */
#include "virtio/balloon.h"

#include "hv/lib/string.h"
#include "hv/mem/page.h"
#include "hv/mmu/ram.h"
#include "virtio/spec.h"

#define INFLATE	   0u
#define DEFLATE	   1u
#define STATS	   2u
#define REPORT	   4u
#define QUEUES	   5u
#define QUEUE_SIZE 128u
#define CLASS_CODE 0x00ff00u /* "other": there is no class for it */

#define FEATURES                                                                                   \
	(VIRTIO_BALLOON_F_MUST_TELL_HOST | VIRTIO_BALLOON_F_STATS_VQ | VIRTIO_BALLOON_F_REPORTING)

#define LIST_MAX      256u /* pages looked at together */
#define SLICE_PAGES   1024u
#define LIST_COST     256u /* of pages taken all at once, few or many */
#define CHUNK_COST    64u  /* of a 2 MB piece of a report, whose end costs as a list does */
#define RETRY_HZ      10u  /* for memory that there is not */
#define STATS_AT_ONCE 16u
#define MS_PER_SECOND 1000u

#define ORDER page_order(sizeof(struct virtio_balloon))

/* A queue of lists, and how far we are in the one that was popped. */
struct work {
	struct vq_chain chain;
	struct vq_cursor rest; /* lists of pages */
	unsigned segment;      /* reports: which, and how far in it */
	u64 offset;
	bool busy;
	unsigned queue; /* that it came from */
	u32 page[LIST_MAX];
	unsigned pages, done; /* in page[] */
};

struct virtio_balloon {
	struct virtio_dev dev;
	struct work inflate, deflate, report;
	struct vq_chain stats; /* the driver's buffer, kept until the next figures are wanted */
	bool has_stats;
	struct guestmem *gm;
	struct mmu *mmu;
	struct ram_release release; /* empty but while a list is worked on */
	struct timerq *timers;
	struct timer retry, next_stats, next_step;
	struct balloon_plan plan;
	unsigned step;
	bool started;
	u64 start; /* of the plan */
	u64 asked; /* when, for the target */
	struct balloon_counters count;
};

static struct virtio_balloon *balloon_of(struct virtio_dev *d)
{
	return container_of(d, struct virtio_balloon, dev);
}

static void arm(struct virtio_balloon *b, struct timer *t, u64 ticks)
{
	timer_arm(b->timers, t, timerq_now(b->timers) + ticks);
}

/* ---- lists of pages ---- */

/* Kernels hand out pages in runs, upwards or downwards. */
static void sort(u32 *page, unsigned n)
{
	for (unsigned i = 0; page[0] > page[n - 1] && i < n / 2; i++) {
		u32 value = page[i];

		page[i] = page[n - 1 - i];
		page[n - 1 - i] = value;
	}
	for (unsigned i = 1; i < n; i++) {
		u32 value = page[i];
		unsigned at = i;

		for (; at && page[at - 1] > value; at--)
			page[at] = page[at - 1];
		page[at] = value;
	}
}

/* The next pages of the list. False: there are none, or its memory is gone. */
static bool next_pages(struct work *w)
{
	unsigned n = (unsigned)MIN(w->rest.left / sizeof(w->page[0]), (u64)LIST_MAX);

	w->pages = 0;
	w->done = 0;
	if (!n || vq_read(&w->rest, w->page, n * sizeof(w->page[0])) != OK)
		return false;
	sort(w->page, n);
	w->pages = n;
	return true;
}

/* How many pages from w->done on follow each other; a page named twice ends the run. */
static unsigned run_length(const struct work *w)
{
	unsigned n = 1;

	while (w->done + n < w->pages && w->page[w->done + n] == w->page[w->done] + n)
		n++;
	return n;
}

static gpa_t run_start(const struct work *w)
{
	return GPA((u64)w->page[w->done] << VIRTIO_BALLOON_PFN_SHIFT);
}

static void complain(struct virtio_balloon *b, u64 pages, gpa_t near)
{
	if (!pages)
		return;
	b->count.wrong += pages;
	virtio_complain(
		&b->dev, "of the pages at 0x%lx that it gives it does not have %lu", near.v, pages);
}

/* The whole list. */
static bool inflate(struct virtio_balloon *b, struct work *w, unsigned *budget)
{
	gpa_t first = run_start(w);
	u64 got;

	for (unsigned run; w->done < w->pages; w->done += run) {
		run = run_length(w);
		ram_release_add(&b->release, run_start(w), run * PAGE_SIZE);
	}
	got = ram_release_all(&b->release) / PAGE_SIZE;
	b->count.inflated += got;
	complain(b, w->pages - got, first);
	virtio_spend(budget, LIST_COST);
	return true;
}

/* One run. False: there is no memory; what was done of the run is not done again. */
static bool deflate(struct virtio_balloon *b, struct work *w, unsigned *budget)
{
	unsigned run = run_length(w);
	struct mmu_restored r = mmu_restore_ram(b->mmu, b->gm, run_start(w), run * PAGE_SIZE);

	b->count.deflated += r.bytes / PAGE_SIZE;
	b->count.joined += r.joined;
	b->count.copied += r.copied;
	if (r.out_of_memory)
		return false;
	w->done += run;
	virtio_spend(budget, run);
	return true;
}

enum progress {
	IDLE,	/* the queue is empty */
	MORE,	/* there may be more: the slice is over */
	BLOCKED /* there is no memory */
};

static enum progress work_list(struct virtio_balloon *b, struct work *w, unsigned *budget,
	bool (*do_some)(struct virtio_balloon *b, struct work *w, unsigned *budget))
{
	while (w->done < w->pages || next_pages(w)) {
		if (!*budget)
			return MORE;
		if (!do_some(b, w, budget))
			return BLOCKED;
	}
	return IDLE;
}

/* ---- reports ---- */

/* The whole pages of [at, at + len). */
static void take_free(struct virtio_balloon *b, u64 at, u64 len)
{
	u64 first = ALIGN_UP(at, PAGE_SIZE), end = (at + len) & PAGE_MASK;

	if (first < end)
		ram_release_add(&b->release, GPA(first), end - first);
}

static void take_chunk(struct virtio_balloon *b, struct work *w)
{
	const struct vq_seg *s = &w->chain.seg[w->segment];
	u64 at = s->gpa.v + w->offset;
	u64 len = MIN(s->len - w->offset, GUESTMEM_CHUNK - at % GUESTMEM_CHUNK);

	take_free(b, at, len);
	w->offset += len;
	if (w->offset == s->len) {
		w->segment++;
		w->offset = 0;
	}
}

static enum progress work_report(struct virtio_balloon *b, struct work *w, unsigned *budget)
{
	while (w->segment < w->chain.segs && *budget) {
		take_chunk(b, w);
		virtio_spend(budget, CHUNK_COST);
	}
	b->count.reported += ram_release_all(&b->release) / PAGE_SIZE;
	virtio_spend(budget, LIST_COST);
	return w->segment < w->chain.segs ? MORE : IDLE;
}

/* ---- queues ---- */

static bool start_work(struct virtqueue *q, struct work *w, unsigned queue)
{
	if (!vq_pop(q, &w->chain))
		return false;
	w->queue = queue;
	w->rest = vq_readable(&w->chain);
	w->segment = 0;
	w->offset = 0;
	w->pages = 0;
	w->done = 0;
	w->busy = true;
	return true;
}

static struct work *work_of(struct virtio_balloon *b, unsigned queue)
{
	return queue == INFLATE ? &b->inflate : queue == DEFLATE ? &b->deflate : &b->report;
}

static enum progress work_on(
	struct virtio_balloon *b, unsigned queue, struct work *w, unsigned *budget)
{
	if (queue == INFLATE)
		return work_list(b, w, budget, inflate);
	return queue == DEFLATE ? work_list(b, w, budget, deflate) : work_report(b, w, budget);
}

static enum progress slice(struct virtio_balloon *b, unsigned queue, unsigned *budget)
{
	struct virtqueue *q = virtio_vq(&b->dev, queue);
	struct work *w = work_of(b, queue);

	if (w->busy && w->queue != queue)
		return MORE; /* a second queue for reports */
	while (w->busy || start_work(q, w, queue)) {
		enum progress p = work_on(b, queue, w, budget);

		if (p != IDLE)
			return p;
		w->busy = false;
		vq_push(q, &w->chain);
		if (!*budget)
			return MORE;
		virtio_spend(budget, 1); /* an empty list is work too */
	}
	return *budget ? IDLE : MORE;
}

/* Works until the queue is empty, or for a slice; the rest follows later. */
static void serve(struct virtio_balloon *b, unsigned queue)
{
	struct virtqueue *q = virtio_vq(&b->dev, queue);
	unsigned budget = SLICE_PAGES;
	enum progress p;

	do {
		vq_no_kicks(q);
		p = slice(b, queue, &budget);
	} while (p == IDLE && vq_want_kicks(q));
	b->count.waits += p == BLOCKED;
	if (p == MORE)
		virtio_later(&b->dev, queue);
	else if (p == BLOCKED && !timer_armed(&b->retry))
		arm(b, &b->retry, b->timers->hz / RETRY_HZ);
	virtio_signal(&b->dev, queue);
}

/*
 * Where the reporting queue is: it comes behind those that were negotiated, say drivers (Linux up
 * to 6.10 for one); at 4, says the specification. We offer no free-page hints, whose place is 3.
 */
static unsigned role(const struct virtio_balloon *b, unsigned queue)
{
	if (queue < STATS || (queue == STATS && virtio_has(&b->dev, VIRTIO_BALLOON_F_STATS_VQ)))
		return queue;
	return REPORT;
}

static void try_again(struct timer *t)
{
	struct virtio_balloon *b = container_of(t, struct virtio_balloon, retry);

	virtio_notify_all(&b->dev);
}

/* ---- statistics ---- */

/* What the driver says is kept by its tag; what we do not know is passed over. */
static void read_stats(struct virtio_balloon *b)
{
	struct vq_cursor from = vq_readable(&b->stats);
	struct virtio_balloon_stat s;

	for (unsigned i = 0; i < STATS_AT_ONCE && vq_read(&from, &s, sizeof(s)) == OK; i++)
		if (s.tag < BALLOON_TAGS)
			b->count.stats[s.tag] = s.value;
}

static void kick_stats(struct virtio_balloon *b)
{
	struct virtqueue *q = virtio_vq(&b->dev, STATS);

	if (b->has_stats || !vq_pop(q, &b->stats))
		return;
	b->has_stats = true;
	read_stats(b);
	arm(b, &b->next_stats, BALLOON_STATS_SECONDS * b->timers->hz);
}

/* 5.5.6.3: the buffer goes back to the driver, which fills it anew. */
static void ask_for_stats(struct timer *t)
{
	struct virtio_balloon *b = container_of(t, struct virtio_balloon, next_stats);

	b->has_stats = false;
	vq_push(virtio_vq(&b->dev, STATS), &b->stats);
	virtio_signal(&b->dev, STATS);
	kick_stats(b);
}

/* ---- what is asked for ---- */

static struct virtio_balloon_config *config_of(struct virtio_balloon *b)
{
	return (void *)b->dev.config;
}

void virtio_balloon_target(struct virtio_balloon *b, u64 bytes)
{
	b->count.target = bytes / PAGE_SIZE;
	b->asked = timerq_now(b->timers);
	config_of(b)->num_pages = (u32)b->count.target;
	log_info("%s: balloon: %lu MB are asked for", b->dev.vm, bytes / MB);
	virtio_config_changed(&b->dev);
}

/* All steps whose time has come: the last of them stands. */
static void follow_plan(struct timer *t)
{
	struct virtio_balloon *b = container_of(t, struct virtio_balloon, next_step);
	u64 passed = timerq_now(b->timers) - b->start;
	const struct balloon_step *now = NULL;

	while (b->step < b->plan.steps && b->plan.step[b->step].seconds * b->timers->hz <= passed)
		now = &b->plan.step[b->step++];
	if (now)
		virtio_balloon_target(b, now->bytes);
	if (b->step < b->plan.steps)
		timer_arm(b->timers, t, b->start + b->plan.step[b->step].seconds * b->timers->hz);
}

static void start_plan(struct virtio_balloon *b)
{
	if (b->started)
		return;
	b->started = true;
	b->start = timerq_now(b->timers);
	timer_arm(b->timers, &b->next_step, b->start);
}

/* The driver has written how much it has given; that is its own affair, and only noted. */
static void balloon_config_written(struct virtio_dev *d)
{
	struct virtio_balloon *b = balloon_of(d);
	u64 before = b->count.actual;

	b->count.actual = config_of(b)->actual;
	if (b->count.actual == before || b->count.actual != b->count.target)
		return;
	b->count.took = (timerq_now(b->timers) - b->asked) * MS_PER_SECOND / b->timers->hz;
	virtio_balloon_report(b);
}

/* ---- */

static void balloon_kick(struct virtio_dev *d, unsigned queue)
{
	struct virtio_balloon *b = balloon_of(d);

	start_plan(b);
	if (role(b, queue) == STATS)
		kick_stats(b);
	else
		serve(b, queue);
}

static void balloon_reset(struct virtio_dev *d)
{
	struct virtio_balloon *b = balloon_of(d);

	timer_cancel(b->timers, &b->retry);
	timer_cancel(b->timers, &b->next_stats);
	timer_cancel(b->timers, &b->next_step);
	b->inflate.busy = b->deflate.busy = b->report.busy = false;
	b->has_stats = false;
	b->started = false;
	b->step = 0;
	b->count.target = 0;
	b->count.actual = 0;
	*config_of(b) = (struct virtio_balloon_config){ 0 };
}

static const struct virtio_ops balloon_ops = {
	.id = VIRTIO_ID_BALLOON,
	.name = "virtio-balloon",
	.class_code = CLASS_CODE,
	.kick = balloon_kick,
	.reset = balloon_reset,
	.config_written = balloon_config_written,
};

void virtio_balloon_report(const struct virtio_balloon *b)
{
	const struct balloon_counters *c = &b->count;
	struct page_stats s;

	page_stats(&s);
	log_machine("@balloon {\"vm\":\"%s\",\"target\":%lu,\"actual\":%lu,\"inflated\":%lu,"
		    "\"deflated\":%lu,\"reported\":%lu,\"wrong\":%lu,\"joined\":%lu,\"copied\":%lu,"
		    "\"waits\":%lu,\"took_ms\":%lu,\"missing\":%lu,\"guest_pages\":%lu,"
		    "\"free\":%lu,\"total\":%lu,\"available\":%lu}",
		b->dev.vm, c->target, c->actual, c->inflated, c->deflated, c->reported, c->wrong,
		c->joined, c->copied, c->waits, c->took, guestmem_released(b->gm) / PAGE_SIZE,
		s.used[PAGE_GUEST], c->stats[VIRTIO_BALLOON_S_FREE],
		c->stats[VIRTIO_BALLOON_S_TOTAL], c->stats[VIRTIO_BALLOON_S_AVAIL]);
}

enum status virtio_balloon_create(struct virtio_balloon **out, const char *vm, bool packed,
	struct guestmem *gm, struct mmu *mmu, struct timerq *timers,
	const struct balloon_plan *plan)
{
	struct virtio_setup setup = { .ops = &balloon_ops,
		.vm = vm,
		.gm = gm,
		.timers = timers,
		.features = FEATURES,
		.packed = packed,
		.queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_balloon_config) };
	struct virtio_balloon *b = page_alloc(ORDER, PAGE_HV);

	if (!b)
		return ERR_NOMEM;
	virtio_init(&b->dev, &setup);
	memset(&b->dev.config_mask[offsetof(struct virtio_balloon_config, actual)], UINT8_MAX,
		sizeof(u32));
	b->gm = gm;
	b->mmu = mmu;
	b->release.gm = gm;
	b->release.mmu = mmu;
	b->timers = timers;
	b->plan = *plan;
	timer_init(&b->retry, try_again);
	timer_init(&b->next_stats, ask_for_stats);
	timer_init(&b->next_step, follow_plan);
	*out = b;
	return OK;
}

struct virtio_dev *virtio_balloon_dev(struct virtio_balloon *b)
{
	return &b->dev;
}

const struct balloon_counters *virtio_balloon_counters(const struct virtio_balloon *b)
{
	return &b->count;
}

void virtio_balloon_destroy(struct virtio_balloon *b)
{
	virtio_reset(&b->dev);
	page_free(b, ORDER, PAGE_HV);
}
