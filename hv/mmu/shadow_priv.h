/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files of the shadow MMU share; nobody else includes this.
 *
 *   shadow.c        the seam: struct mmu_ops, guest memory, what loads and flushes mean
 *   shadow_root.c   the roots that the processor runs with, and CR3 loads without an exit
 *   shadow_fault.c  page faults, trapped writes to guest tables
 *   shadow_vtlb.c   the virtual TLB's entries
 *   shadow_sync.c   tables that are out of sync
 *   shadow_page.c   shadow pages: the pool, by (frame, role), reclaim
 *   shadow_entry.c  entries: derived from the guest's, and the one writer of them
 *   shadow_refs.c   who points to a frame or to a page
 *   shadow_audit.c  the comparison of everything with everything
 *
 * A shadow page of a guest table has an entry for each of the guest's; it is, at any time that the
 * guest runs, one of these (G is the guest's entry):
 *
 *   0: G is not present. The fault is the guest's own: with the filter it gets it directly.
 *
 *   SPTE_TRAP: nothing is known. Reserved bits are set, so that any use exits, filter or not.
 *
 *   a leaf, of level 1: G is present and accessed, and the permissions are G's, but that W needs
 *   G's dirty flag and a frame that is no table in sync.
 *
 *   a link, of level 2 to 4: to the shadow of the table that G names, with the permissions of G,
 *   or, where G is a large page, to a page that maps its pieces ("direct").
 *
 * So each level carries the permissions of its own guest entry, and the processor combines them as
 * it does the guest's. That is why a table has one shadow, whoever points to it.
 */
#ifndef HV_MMU_SHADOW_PRIV_H
#define HV_MMU_SHADOW_PRIV_H

#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/mem/guestmem.h"
#include "hv/mmu/pat.h"
#include "hv/mmu/shadow.h"
#include "hv/mmu/walk.h"

/* "4-Level Paging": bits of an entry. Bits 9 and 10 are software's. */
#define SPTE_P	  BIT(0)
#define SPTE_W	  BIT(1)
#define SPTE_U	  BIT(2)
#define SPTE_PWT  BIT(3)
#define SPTE_PCD  BIT(4)
#define SPTE_A	  BIT(5)
#define SPTE_D	  BIT(6)
#define SPTE_PAT  BIT(7) /* of a 4 KB page; PS above level 1 */
#define SPTE_G	  BIT(8)
#define SPTE_LINK BIT(9)  /* ours: to a shadow page */
#define SPTE_HELD BIT(10) /* ours: the guest may write to it, but it is a table in sync */
#define SPTE_ADDR GENMASK(50, 12)
#define SPTE_RSVD BIT(51) /* reserved by any processor of less than 52 address bits */
#define SPTE_NX	  BIT(63)
#define SPTE_TRAP (SPTE_P | SPTE_RSVD)
#define SPTE_TYPE (SPTE_PWT | SPTE_PCD | SPTE_PAT) /* of a 4 KB page: an index into the PAT */

#define GPTE_PS	       BIT(7)
#define GPTE_LARGE_PAT BIT(12)

#define SHADOW_ENTRIES 512u
#define SHADOW_LINE    8u /* entries filled at a time: one cache line of the guest's */
#define SHADOW_WORDS   (SHADOW_ENTRIES / 64) /* of a bitmap of entries */
#define SHADOW_SHIFT   9

/* The format of the guest's tables. */
enum shadow_format {
	FORMAT_NONE, /* paging is off: all of it is direct */
	FORMAT_32,
	FORMAT_PAE,
	FORMAT_4LEVEL,
};

/*
 * What a shadow page stands for, besides its frame. A 32-bit table has 1,024 entries of 4 bytes,
 * and each shadow page covers a part of it: half of a page table, a quarter of a page directory.
 */
struct shadow_role {
	u8 level;	     /* 1 to 4: its entries map 4 KB, 2 MB, ... */
	bool direct;	     /* pieces of a large page: entry n maps frame gfn + n * span */
	u16 attr;	     /* direct: SPTE_G | SPTE_PAT | SPTE_PCD | SPTE_PWT of the leaves */
	u32 quadrant : 8;    /* which part of a 32-bit table */
	u32 generation : 24; /* of the VM's when it was made: page_find() and page_get() set it */
};

static_assert(sizeof(struct shadow_role) == sizeof(u64), "roles are compared as a word");

/* Who points to something: 0, one entry, or a chain of nodes (shadow_refs.c). */
typedef u32 refs_t;
/* Names an entry: page number << SHADOW_SHIFT | index. Page number 0 is not used. */
typedef u32 entry_id;

struct spage {
	u64 *table;  /* 512 entries; NULL until it is first used */
	u64 *home;   /* the same, unless it is a root whose place was chosen (shadow_root.c) */
	u32 *target; /* what each is about: of a leaf the gfn, of a link the number of the page */
	u64 gfn;
	struct shadow_role role;
	refs_t parents; /* links to this page */
	u32 next;	/* page in the same hash bucket, or in the free list; 0 ends it */
	u32 used; /* epoch of the last fault that went through it: not reclaimed in the same */
	u64 known[SHADOW_WORDS]; /* a bit for each entry that is not 0 */
	bool in_use;
	bool pieces; /* of a virtual TLB: it has parts of a large page that it spans */
};

/* A frame of guest memory: 8 bytes for each 4 KB. */
struct frame {
	u32 hfn : 28;
	u32 mapped : 1;	  /* there is memory, at hfn */
	u32 writable : 1; /* no ROM */
	u32 table : 1;	  /* shadowed as a table: write-protected, unless... */
	u32 unsync : 1;	  /* ...its shadows, all of level 1, are out of sync */
	refs_t writers;	  /* entries that map it writable */
};

static_assert(sizeof(struct frame) == 8, "one for each page of the guest");

struct frame_range {
	u64 first, count; /* gfns */
	struct frame *frame;
	unsigned order;
};

struct shadow_stats {
	u64 faults, guest_faults, fills, prefetched, device, emulated, wp_emulated;
	u64 table_writes, unsyncs, unshadows;
	u64 cr3_loads, invlpgs, flushes, created, reclaimed, audits;
};

/* A table that is out of sync. */
struct shadow_unsync {
	u64 gfn;
	u64 *seen; /* a page: the table as its shadow follows it; kept for the next when this ends
		    */
};

#define SHADOW_HASH	   1024u
#define SHADOW_UNSYNC_MAX  32u
#define SHADOW_PAE_ENTRIES 4u
#define SHADOW_TARGETS_MAX 4u /* as many CR3-target values as processors have */

struct refs_node {
	entry_id entry;
	u32 depth : 8; /* nodes below it, at most */
	u32 next : 24;
};

struct shadow {
	struct mmu mmu;
	struct vm *vm;
	struct shadow *first, *next; /* of the VM's vcpus; each has one, and they know nothing of
					each other but what is mapped */
	unsigned vcpu;		     /* its number */
	struct guestmem *mem;
	struct shadow_config cfg;
	unsigned order; /* of the allocation that this struct lies in */

	struct walk_regs regs; /* the guest's, but rflags and cpl, which are read when needed */
	enum shadow_format format;
	u64 trap; /* SPTE_TRAP, or 0 where no bit is reserved: then every fault exits */
	u64 pat;  /* the guest's IA32_PAT */
	u64 pat_flags[PAT_ENTRIES]; /* SPTE_TYPE flags for each of its entries: the same type in
				       ours */
	u64 gpte_addr;		    /* bits of a guest entry that are an address */
	u64 rsvd[5][2]; /* reserved bits of a guest entry: by level and whether PS is set */

	u32 root;		    /* page: of level 4; 0 with PAE tables (shadow_root.c) */
	u32 pd[SHADOW_PAE_ENTRIES]; /* pages of level 2, below the four entries of pae_root */
	u64 *pae_root;		    /* below 4 GB */
	struct {
		u64 cr3[SHADOW_TARGETS_MAX];  /* values that the guest may load without an exit */
		u32 page[SHADOW_TARGETS_MAX]; /* their roots */
		unsigned count, hand;
		bool changed; /* the processor has yet to be told */
	} target;
	bool insist; /* the emulator does not know the instruction that writes */
	bool quiet;  /* what the processor was told: nothing is out of sync */
	bool reload; /* a page that is in use as root, or below pae_root, was zapped */
	bool flush;  /* the processor may know entries that are gone */
	bool stale;  /* likewise, but the guest has yet to flush them itself */

	struct spage *page;
	unsigned pages; /* page[1 .. pages - 1] */
	unsigned page_order;
	unsigned chunk_order, chunk_pages; /* their memory comes so many at a time */
	u32 free;			   /* pages never used, or not any more */
	u32 fresh;			   /* page numbers from here on were never used */
	u32 hand;			   /* reclaim goes round */
	u32 in_use;
	u32 generation; /* what was made in another is obsolete: it waits for being zapped */
	u32 obsolete;	/* pages; among those in use */
	u32 sweep;	/* goes round for them */
	u32 destroyed;	/* pages below it are gone: those of a VM that is taken apart */
	u32 reaped;	/* pages since the guest ran last that went with others */
	u32 at_once;	/* no more pages than this are dropped in one go */
	u32 epoch;
	u32 hash[SHADOW_HASH];

	struct refs_node *node;
	unsigned nodes, node_order;
	u32 free_node;

	struct frame_range range[GUESTMEM_SLOTS];
	unsigned ranges;

	struct shadow_unsync unsync[SHADOW_UNSYNC_MAX];
	unsigned unsyncs;

	struct {
		u64 gfn;
		u32 tsc, count;
	} burst; /* trapped writes to one table, one upon the other */

	struct {
		u64 rip, gpr[16], gfn, faults;
		unsigned times;
	} given_up; /* the table that was, last, and for which instruction */
	struct {
		u64 rip, gva, faults;
		u32 error;
	} allowed; /* the last fault after which the access was to go ahead */

	struct {
		u32 flushes, invlpgs;
	} unaudited;
	struct shadow_stats stats;
};

/*
 * The tables are a virtual TLB: nothing of the guest's is shadowed, an entry holds what a walk has
 * yielded, and a flush drops them all. It is a strategy of its own, and what every VM runs on while
 * its CR0.WP is off: then a supervisor may write what the guest's entries forbid, and only an entry
 * that is about one address alone can say so.
 */
static inline bool shadow_is_vtlb(const struct shadow *s)
{
	return s->cfg.strategy == SHADOW_VTLB || (s->regs.cr0 & (CR0_PG | CR0_WP)) == CR0_PG;
}

static inline struct shadow *shadow_of(struct mmu *mmu)
{
	return container_of(mmu, struct shadow, mmu);
}

#define GENERATION_MASK 0xffffffu

static inline bool spage_obsolete(const struct shadow *s, const struct spage *p)
{
	return p->role.generation != (s->generation & GENERATION_MASK);
}

static inline struct spage *page_of(struct shadow *s, entry_id id)
{
	return &s->page[id >> SHADOW_SHIFT];
}

static inline u64 *entry_of(struct shadow *s, entry_id id)
{
	return &page_of(s, id)->table[id & (SHADOW_ENTRIES - 1)];
}

static inline entry_id id_of(const struct shadow *s, const struct spage *p, unsigned index)
{
	return (entry_id)(p - s->page) << SHADOW_SHIFT | index;
}

static inline u32 *target_of(struct shadow *s, entry_id id)
{
	return &page_of(s, id)->target[id & (SHADOW_ENTRIES - 1)];
}

/* The next entry of the page, from `index` on, that is not 0; SHADOW_ENTRIES: none. */
static inline unsigned spage_next(const struct spage *p, unsigned index)
{
	u64 left;

	for (unsigned w = index / 64; w < SHADOW_WORDS; w++) {
		left = p->known[w] & (w == index / 64 ? ~0ul << index % 64 : ~0ul);
		if (left)
			return w * 64 + (unsigned)__builtin_ctzl(left);
	}
	return SHADOW_ENTRIES;
}

/* The loop's body may set entries of the page, this one too. */
#define for_each_known(p, i) for (unsigned i = 0; (i = spage_next(p, i)) < SHADOW_ENTRIES; i++)

/* What is known of a frame, mapped or not; NULL: it lies in no range of this VM's. */
static inline struct frame *shadow_frame_slot(struct shadow *s, u64 gfn)
{
	for (unsigned i = 0; i < s->ranges; i++) {
		const struct frame_range *r = &s->range[i];

		if (gfn - r->first < r->count)
			return &r->frame[gfn - r->first];
	}
	return NULL;
}

/* NULL: not memory of this VM. */
static inline struct frame *shadow_frame(struct shadow *s, u64 gfn)
{
	struct frame *f = shadow_frame_slot(s, gfn);

	return f && f->mapped ? f : NULL;
}

/* Where there is one: of a live leaf, of a table. While a list of frames is unmapped, leaves lead
 * to some that are so no more. */
static inline struct frame *frame_known(struct shadow *s, u64 gfn)
{
	struct frame *f = shadow_frame_slot(s, gfn);

	BUG_ON(!f);
	return f;
}

/* The guest's table, to be read entry by entry; NULL if the frame is not memory any more. */
static inline const void *shadow_table(struct shadow *s, u64 gfn)
{
	const struct frame *f = shadow_frame(s, gfn);

	return f ? hpa_to_hva(hfn_to_hpa(HFN(f->hfn))) : NULL;
}

/* Write-protected: a table that its shadow follows at each write. */
static inline bool frame_in_sync(const struct frame *f)
{
	return f->table && !f->unsync;
}

/* Which entry of a page of this level an address selects. */
static inline unsigned shadow_index(u64 gva, unsigned level)
{
	return (gva >> (PAGE_SHIFT + SHADOW_SHIFT * (level - 1))) & (SHADOW_ENTRIES - 1);
}

static inline u32 *shadow_bucket(struct shadow *s, u64 gfn)
{
	return &s->hash[(gfn ^ gfn >> 10) % SHADOW_HASH];
}

static inline u32 page_of_table(const struct shadow *s, u64 gfn, u32 n)
{
	while (n && (s->page[n].gfn != gfn || s->page[n].role.direct))
		n = s->page[n].next;
	return n;
}

/* Iterates over the pages that shadow a frame as a table; 0 ends it. */
static inline u32 page_first(struct shadow *s, u64 gfn)
{
	return page_of_table(s, gfn, *shadow_bucket(s, gfn));
}

static inline u32 page_next(const struct shadow *s, u32 n)
{
	return page_of_table(s, s->page[n].gfn, s->page[n].next);
}

/* The page that the processor's walk of gva starts in. */
static inline struct spage *shadow_top(struct shadow *s, u64 gva)
{
	return &s->page[s->root ? s->root : s->pd[(gva >> 30) & (SHADOW_PAE_ENTRIES - 1)]];
}

/* A leaf or a link: something that the processor may use. */
static inline bool spte_live(u64 e)
{
	return (e & SPTE_TRAP) == SPTE_P;
}

static inline bool spte_writable_leaf(u64 e)
{
	return (e & (SPTE_TRAP | SPTE_LINK | SPTE_W)) == (SPTE_P | SPTE_W);
}

/* ---- shadow_refs.c ---- */

void refs_init(struct shadow *s);
void refs_add_more(
	struct shadow *s, refs_t *r, entry_id id, void (*drop)(struct shadow *s, entry_id id));
void refs_del_more(struct shadow *s, refs_t *r, entry_id id);

/* Adds id to *r. Bounded: where there is no node left, or the chain is long, drop() is called for
 * entries that are in it already, which must take them out. */
static inline void refs_add(
	struct shadow *s, refs_t *r, entry_id id, void (*drop)(struct shadow *s, entry_id id))
{
	if (likely(!*r))
		*r = id;
	else
		refs_add_more(s, r, id, drop);
}

static inline void refs_del(struct shadow *s, refs_t *r, entry_id id)
{
	if (likely(*r == id))
		*r = 0;
	else
		refs_del_more(s, r, id);
}

void refs_clear(struct shadow *s, refs_t *r);
/* Any one of them; false if there is none. */
bool refs_first(const struct shadow *s, refs_t r, entry_id *id);
bool refs_has(const struct shadow *s, refs_t r, entry_id id);
unsigned refs_count(const struct shadow *s, refs_t r);
/* Calls fn for each, which must not change *r. Stops, and is true, when fn is. */
bool refs_any(struct shadow *s, refs_t r, bool (*fn)(struct shadow *s, entry_id id));

/* ---- shadow_entry.c ---- */

/* The memory type that SPTE_TYPE flags of the guest's mean, in flags for us. */
u64 shadow_type(const struct shadow *s, u64 flags);
/* The one writer of shadow entries. target: of a leaf the gfn, of a link the number of the page. */
void shadow_set(struct shadow *s, entry_id id, u64 value, u32 target);
/* Takes the permission to write from all that map the frame. */
void shadow_protect(struct shadow *s, struct frame *f);
/* The guest's entry, 4 or 8 bytes, that entry `index` of the page stands for. */
u64 shadow_guest_entry(
	const struct shadow *s, const struct spage *p, const void *table, unsigned i);
bool shadow_entry_is_large(const struct shadow *s, u64 g, unsigned level);
/* Present, accessed, no reserved bit set. */
bool shadow_entry_usable(const struct shadow *s, u64 g, unsigned level);
/* The gfn and the role of the page that entry `index`, for guest entry g of level 2 and up, links
 * to. */
u64 shadow_child(
	const struct shadow *s, u64 g, unsigned level, unsigned index, struct shadow_role *role);
/* The link to page `child` with the permissions of guest entry g. */
u64 shadow_link(const struct shadow *s, u64 g, bool large, const struct spage *child);
/* What entry `index` is to be, by the guest's table as it stands. Links only to pages there are. */
u64 shadow_derive(
	struct shadow *s, const struct spage *p, const void *table, unsigned index, u32 *target);
/* Makes it so. */
void shadow_refresh(struct shadow *s, struct spage *p, const void *table, unsigned index);

/*
 * The page of level 1 that the links for gva lead to, and the entry of it; NULL where they end
 * before. *allowed: the flags that all these links have.
 */
struct spage *shadow_lookup(struct shadow *s, u64 gva, unsigned *index, u64 *allowed);

/* ---- shadow_page.c ---- */

enum status pages_init(struct shadow *s);
/* A step of freeing the pool (PAGE_FREE_STEP). True: it was the last. */
bool pages_destroy_step(struct shadow *s) __must_check;
struct spage *page_find(struct shadow *s, u64 gfn, struct shadow_role role);
/* Finds or makes it; pinned for this epoch. NULL: no page can be had. */
struct spage *page_get(struct shadow *s, u64 gfn, struct shadow_role role);
void page_zap(struct shadow *s, struct spage *p);
/* None is found any more; where they are many, they are zapped later, a few at a time. */
void page_zap_all(struct shadow *s);
/* Before the guest runs on: zaps some of those that are obsolete. */
void pages_step(struct shadow *s);
/* The frame was a table, but what shadowed it was obsolete; it is gone now. */
bool page_table_is_past(struct shadow *s, u64 gfn);
/* All pages that shadow the frame as a table go. */
void page_unshadow(struct shadow *s, u64 gfn);
/* shadow_set() for what the guest did; a page that it has taken out of its tables is zapped. */
void page_set_and_reap(struct shadow *s, struct spage *p, unsigned index, u64 value, u32 target);

/* ---- shadow_sync.c ---- */

/* The next entry, from `index` on, for which the guest's is not zero; SHADOW_ENTRIES: none. */
unsigned shadow_next_entry(
	const struct shadow *s, const struct spage *p, const void *table, unsigned index);
/* Leaf tables of the frame go out of sync. False: for lack of memory they do not. */
bool unsync_start(struct shadow *s, u64 gfn);
/* shadow_refresh(), for a page whose table may be out of sync. */
void unsync_refresh(struct shadow *s, struct spage *p, const void *table, unsigned index);
/* What the page follows: the guest's table, or what was seen of it; NULL if that is not memory. */
const void *unsync_followed(struct shadow *s, const struct spage *p);
void unsync_destroy(struct shadow *s);
/* Brings all pages of a frame back, and protects it again. */
void unsync_end(struct shadow *s, u64 gfn);
/* The guest has flushed its TLB: every page follows its table again. */
void unsync_end_all(struct shadow *s);
/* Its page, if the entry of gva was brought up to date; or NULL. */
const struct spage *unsync_invlpg(struct shadow *s, u64 gva);
/* Forgets the frame: it is no table any more. */
void unsync_forget(struct shadow *s, u64 gfn);

/* ---- shadow_vtlb.c ---- */

/* The entry of p that the walk was about, and its neighbours. access: MMU_R, MMU_W or MMU_X. */
void vtlb_fill(
	struct shadow *s, struct spage *p, unsigned index, const struct walk *w, unsigned access);
void vtlb_invlpg(struct shadow *s, u64 gva);

/* ---- shadow_fault.c ---- */

enum mmu_result shadow_fault(struct vcpu *v, struct mmu_fault *f);
/* The hypervisor wrote guest memory: guestmem's bell. */
void shadow_written(void *ctx, gpa_t gpa, u64 len);

/* ---- shadow_root.c ---- */

/* Before anything that looks at the root: which one is the processor on? */
void root_find(struct shadow *s, struct vcpu *v);
/* The shadow's vcpu, if its registers are in this processor; NULL: out of reach, or not made yet.
 */
struct vcpu *vcpu_here(const struct shadow *s);
/* root_find() for vcpu_here(), which is returned; without one the root is the one that we know. */
struct vcpu *root_find_if_here(struct shadow *s);
/* Makes the root that the registers name the one that the processor walks. */
void root_activate(struct shadow *s, struct vcpu *v);
bool root_is(const struct shadow *s, u32 page);
/* A page of level 4 is made, or zapped: its table gets the place of the guest's, or leaves it. */
void root_place(struct shadow *s, struct spage *p);
void root_leave(struct shadow *s, struct spage *p);
/* No CR3 load goes without an exit, before roots are added again. */
void root_forget_targets(struct shadow *s);
void root_settle(struct shadow *s, struct vcpu *v);

/* Before the guest runs on: roots, the processor's TLB and what it may do by itself are made to
 * follow, and what is obsolete goes. */
static inline void shadow_settle(struct shadow *s, struct vcpu *v)
{
	if (unlikely(s->reload || s->flush || s->target.changed || s->quiet != !s->unsyncs ||
		     (s->obsolete | s->reaped)))
		root_settle(s, v);
}

/* ---- shadow.c ---- */

/* RAM that was unmapped, as a test may ask for, comes back when it is used. NULL: it is no RAM. */
struct frame *shadow_map_again(struct shadow *s, u64 gfn);

/* ---- shadow_audit.c ---- */

/* Number of entries, references and flags that are not what they should be; each is logged. */
unsigned shadow_audit(struct shadow *s);
/* The same of one page alone. */
unsigned shadow_audit_page(struct shadow *s, const struct spage *p);

#endif
