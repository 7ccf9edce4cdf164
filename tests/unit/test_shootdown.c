/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The protocol by which mappings are taken away from several processors (hv/mmu/shootdown.h), in
 * every interleaving of two processors that take a page away, one page each, and one that does not,
 * whose guest uses both and enters twice; a taker's has used the page before, and enters once more
 * after. The functions are those of the hypervisor; memory is a model in which each processor has a
 * buffer of stores that others do not see yet, as x86 has ("Memory Ordering in P6 and More Recent
 * Processor Families"), and a TLB that it may fill at each access. An interleaving is wrong if the
 * guest reaches a page that its taker has freed. So that it is known to find what is wrong, it also
 * looks at versions of the protocol with one part broken.
 *
 * A VM on one processor, whose vcpu enters without a look at the generation, is a case of its own.
 *
 * Sources:
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>
#include <sanitizer/asan_interface.h>

#include "hv/lib/util.h"

static void model_store(void *at, size_t size, u64 value);
static u64 model_load(const void *at, size_t size);

#define SHOOTDOWN_STORE(at, value) model_store(at, sizeof(*(at)), value)
#define SHOOTDOWN_LOAD(at)	   ((__typeof__(*(at)))model_load(at, sizeof(*(at))))
#include "hv/mmu/shootdown.h"

enum {
	TAKER0,
	TAKER1,
	GUEST,
	ACTORS
};
#define PAGES	    2
#define ENTRIES	    2
#define BUFFER_MAX  4
#define STACK_BYTES (256 * KB)
#define DEPTH_MAX   256
#define SEEN_BITS   22

enum fault {
	NONE,
	ENTERS_WITHOUT_FENCE,
	ANNOUNCES_WITHOUT_FENCE,
	LOOKS_BEFORE_IT_IS_INSIDE,
	DOES_NOT_WAIT,
	ANNOUNCES_FIRST,
	DOES_NOT_FLUSH,
	DOES_NOT_FLUSH_HERE, /* harm on one processor, where no entry looks at the generation */
	FAULTS
};

enum spread {
	ON_SEVERAL,
	ON_ONE /* the first taker's */
};

/* What the processors share, in memory. */
static struct {
	u64 generation;
	struct shootdown shootdown[ACTORS];
	u8 present[PAGES];
	bool locked;
	bool freed[PAGES];
} mem;

struct pending {
	void *at;
	size_t size;
	u64 value;
};

static struct actor {
	ucontext_t context;
	u8 *stack;
	struct pending buffer[BUFFER_MAX];
	unsigned buffered;
	bool (*may_go_on)(const struct actor *a); /* what it waits for; NULL: nothing */
	unsigned waits_for;			  /* is_outside(): who is to be */
	bool done;
	bool tlb[PAGES];
	u64 history; /* of all that it has loaded: with the program, this is where it is */
} actors[ACTORS];

static struct {
	enum fault fault;
	enum spread spread;
	ucontext_t scheduler;
	unsigned self;
	bool wrong;
	/* The choices of this run, and how many there were at each. */
	unsigned choice[DEPTH_MAX], choices[DEPTH_MAX];
	unsigned depth, replayed;
	u64 runs, states;
	u64 *seen;
} m;

/* ---- the processors ---- */

static struct actor *self(void)
{
	return &actors[m.self];
}

/* Something else may happen here. */
static void step(void)
{
	swapcontext(&self()->context, &m.scheduler);
}

static void note(u64 value)
{
	self()->history = (self()->history ^ value) * 0x9e3779b97f4a7c15ul + 1;
}

static void write_memory(const struct pending *p)
{
	memcpy(p->at, &p->value, p->size);
}

static void drain_one(struct actor *a)
{
	write_memory(&a->buffer[0]);
	a->buffered--;
	memmove(a->buffer, a->buffer + 1, a->buffered * sizeof(a->buffer[0]));
}

static void drain(struct actor *a)
{
	while (a->buffered)
		drain_one(a);
}

static void plain_store(void *at, size_t size, u64 value)
{
	struct actor *a = self();

	step();
	assert_true(a->buffered < BUFFER_MAX);
	a->buffer[a->buffered++] = (struct pending){ at, size, value };
	note(2);
}

static void model_store(void *at, size_t size, u64 value)
{
	bool weak = at == &mem.generation ? m.fault == ANNOUNCES_WITHOUT_FENCE
					  : m.fault == ENTERS_WITHOUT_FENCE;

	if (weak) {
		plain_store(at, size, value);
		return;
	}
	step();
	drain(self());
	write_memory(&(struct pending){ at, size, value });
	note(3);
}

static u64 model_load(const void *at, size_t size)
{
	struct actor *a = self();
	u64 value = 0;

	step();
	memcpy(&value, at, size);
	for (unsigned i = 0; i < a->buffered; i++)
		if (a->buffer[i].at == at)
			value = a->buffer[i].value;
	note(value << 4 | 4);
	return value;
}

static void wait_for(bool (*what)(const struct actor *a))
{
	self()->may_go_on = what;
	step();
	self()->may_go_on = NULL;
	note(5);
}

static bool is_unlocked(const struct actor *a)
{
	(void)a;
	return !mem.locked;
}

static bool is_outside(const struct actor *a)
{
	return !mem.shootdown[a->waits_for].inside;
}

/* ---- what they do ---- */

static void flush(void)
{
	memset(self()->tlb, 0, sizeof(self()->tlb));
}

static void everybody_out(void)
{
	for (unsigned who = 0; who < ACTORS; who++) {
		if (who == m.self || !shootdown_is_inside(&mem.shootdown[who]))
			continue;
		self()->waits_for = who;
		wait_for(is_outside);
	}
}

static void take_away(unsigned page)
{
	wait_for(is_unlocked);
	drain(self());
	mem.locked = true;
	if (m.fault == ANNOUNCES_FIRST)
		shootdown_announce(&mem.generation);
	plain_store(&mem.present[page], 1, false);
	if (m.fault != ANNOUNCES_FIRST)
		shootdown_announce(&mem.generation);
	if (m.fault != DOES_NOT_FLUSH_HERE)
		flush();
	if (m.fault != DOES_NOT_WAIT && m.spread != ON_ONE)
		everybody_out();
	step();
	mem.freed[page] = true;
	note(6);
	plain_store(&mem.locked, 1, false);
}

/* The access of an instruction: by the TLB, or by the tables, which it then keeps in the TLB. */
static void use(unsigned page)
{
	bool *cached = &self()->tlb[page];

	if (!*cached && !model_load(&mem.present[page], 1))
		return;
	*cached = true;
	step();
	note(7);
	m.wrong |= mem.freed[page];
}

static bool enter(struct shootdown *s)
{
	bool stale;
	u64 now;

	if (m.fault != LOOKS_BEFORE_IT_IS_INSIDE)
		return shootdown_enter(s, &mem.generation);
	now = SHOOTDOWN_LOAD(&mem.generation);
	SHOOTDOWN_STORE(&s->inside, true);
	stale = now != s->flushed;
	s->flushed = now;
	return stale;
}

static void use_pages(void)
{
	for (unsigned page = 0; page < PAGES; page++)
		if (m.self == GUEST || m.self == page)
			use(page);
}

static void run_guest(void)
{
	struct shootdown *s = &mem.shootdown[m.self];

	if (m.spread == ON_ONE) {
		use_pages();
		return;
	}
	if (enter(s) && m.fault != DOES_NOT_FLUSH)
		flush();
	use_pages();
	shootdown_leave(s);
}

static void take_what_was_used(unsigned page)
{
	self()->tlb[page] = true;
	take_away(page);
	run_guest();
}

static void run_guest_twice(void)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		run_guest();
}

static void life(int who)
{
	if (who == GUEST)
		run_guest_twice();
	else
		take_what_was_used((unsigned)who);
	self()->done = true;
	step();
}

/* ---- every interleaving ---- */

static void begin_life(int who)
{
	struct actor *a = &actors[who];
	u8 *stack = a->stack;

	__asan_unpoison_memory_region(stack, STACK_BYTES);
	memset(a, 0, sizeof(*a));
	a->stack = stack;
	getcontext(&a->context);
	a->context.uc_stack.ss_sp = stack;
	a->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&a->context, (void (*)(void))life, 1, who);
}

static void begin(void)
{
	memset(&mem, 0, sizeof(mem));
	memset(mem.present, 1, sizeof(mem.present));
	m.wrong = false;
	m.depth = 0;
	for (int i = 0; i < ACTORS; i++)
		begin_life(i);
	for (unsigned i = TAKER0 + 1; i < ACTORS; i++)
		actors[i].done = m.spread == ON_ONE;
}

static bool can_step(const struct actor *a)
{
	return !a->done && (!a->may_go_on || a->may_go_on(a));
}

/* Of all that decides how it goes on. */
static u64 state(void)
{
	u64 h = 14695981039346656037ul;
	const u8 *bytes = (const u8 *)&mem;

	for (size_t i = 0; i < sizeof(mem); i++)
		h = (h ^ bytes[i]) * 1099511628211ul;
	for (unsigned i = 0; i < ACTORS; i++) {
		h = (h ^ actors[i].history) * 0x9e3779b97f4a7c15ul;
		h = (h ^ actors[i].buffered ^ (h >> 29)) * 0xbf58476d1ce4e5b9ul;
	}
	return h | 1;
}

/* True: it has been here before. A table of hashes; two states with one hash would hide one. */
static bool seen_before(void)
{
	u64 h = state(), at = h >> (64 - SEEN_BITS);

	while (m.seen[at] && m.seen[at] != h)
		at = (at + 1) & (BIT(SEEN_BITS) - 1);
	if (m.seen[at])
		return true;
	m.seen[at] = h;
	m.states++;
	assert_true(m.states < BIT(SEEN_BITS) / 2);
	return false;
}

/* Carries out the n-th of the things that can happen; n beyond them: nothing. Their number. */
static unsigned happen(unsigned n)
{
	unsigned i = 0;

	for (unsigned who = 0; who < ACTORS; who++) {
		struct actor *a = &actors[who];

		if (a->buffered && i++ == n)
			drain_one(a);
		if (can_step(a) && i++ == n) {
			m.self = who;
			note(1);
			swapcontext(&m.scheduler, &a->context);
		}
	}
	return i;
}

static unsigned count_choices(void)
{
	unsigned n = 0;

	for (unsigned who = 0; who < ACTORS; who++)
		n += (actors[who].buffered != 0) + can_step(&actors[who]);
	return n;
}

/* One run: as the last ones up to the choice that is new, then the first of each. */
static void run(void)
{
	begin();
	m.runs++;
	for (;;) {
		unsigned n = count_choices();

		if (!n || m.wrong)
			return;
		if (m.depth >= m.replayed) {
			if (seen_before())
				return;
			assert_true(m.depth < DEPTH_MAX);
			m.choice[m.depth] = 0;
			m.choices[m.depth] = n;
			m.replayed = m.depth + 1;
		}
		(void)happen(m.choice[m.depth++]);
	}
}

static bool all_done(void)
{
	for (unsigned i = 0; i < ACTORS; i++)
		if (!actors[i].done)
			return false;
	return true;
}

/* The deepest choice that has not been made in all ways is made in the next. */
static bool next_run(void)
{
	while (m.replayed && m.choice[m.replayed - 1] + 1 == m.choices[m.replayed - 1])
		m.replayed--;
	if (!m.replayed)
		return false;
	m.choice[m.replayed - 1]++;
	return true;
}

/* True: some interleaving reaches a freed page. */
static bool goes_wrong(enum fault fault, enum spread spread)
{
	m.fault = fault;
	m.spread = spread;
	m.replayed = 0;
	m.runs = m.states = 0;
	memset(m.seen, 0, BIT(SEEN_BITS) * sizeof(*m.seen));
	do {
		run();
		if (m.wrong)
			return true;
		/* Nobody waits for ever: that all have stopped is the only end. */
		if (!count_choices())
			assert_true(all_done());
	} while (next_run());
	return false;
}

static int setup(void **unused)
{
	(void)unused;
	m.seen = calloc(BIT(SEEN_BITS), sizeof(*m.seen));
	for (unsigned i = 0; i < ACTORS; i++)
		actors[i].stack = malloc(STACK_BYTES);
	return 0;
}

static int teardown(void **unused)
{
	(void)unused;
	free(m.seen);
	for (unsigned i = 0; i < ACTORS; i++)
		free(actors[i].stack);
	return 0;
}

static void no_interleaving_reaches_a_freed_page(void **unused)
{
	(void)unused;
	assert_false(goes_wrong(NONE, ON_ONE));
	assert_false(goes_wrong(NONE, ON_SEVERAL));
	print_message("%lu states in %lu runs\n", m.states, m.runs);
	assert_true(m.states > 1000);
}

static void each_broken_part_is_found(void **unused)
{
	(void)unused;
	for (enum fault fault = NONE + 1; fault < FAULTS; fault++)
		if (!goes_wrong(fault, fault == DOES_NOT_FLUSH_HERE ? ON_ONE : ON_SEVERAL))
			fail_msg("broken part %u does no harm that is found", fault);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			no_interleaving_reaches_a_freed_page, setup, teardown),
		cmocka_unit_test_setup_teardown(each_broken_part_is_found, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
