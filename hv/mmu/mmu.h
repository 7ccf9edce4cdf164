/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest address becomes a host address. The VM core and vmx/ hold a struct mmu and never ask
 * which kind it is: EPT (ept/), shadow tables (hv/mmu/) or direct paging.
 */
#ifndef HV_MMU_MMU_H
#define HV_MMU_MMU_H

#include "hv/lib/status.h"
#include "hv/mem/addr.h"

struct vm;
struct vcpu;
struct mmu;

/* What the CPU provider must load and trap for this kind of MMU. */
struct mmu_view {
	bool two_level;		     /* second-level translation is on, rooted at root */
	u64 root;		     /* EPTP; or the CR3 to run with when !two_level */
	bool trap_paging;	     /* CR3 loads, INVLPG, page faults, CR0/CR4 paging bits exit */
	u32 fault_mask, fault_match; /* of page faults, those with (error & mask) == match exit */
};

/* Memory types as MTRRs, PAT and EPT encode them. */
enum memtype {
	MEMTYPE_UC = 0,
	MEMTYPE_WC = 1,
	MEMTYPE_WT = 4,
	MEMTYPE_WP = 5,
	MEMTYPE_WB = 6
};

#define MMU_R 1u
#define MMU_W 2u
#define MMU_X 4u

/* What a memory exit was about; filled in by the CPU provider. */
struct mmu_fault {
	gpa_t gpa; /* of the access (second-level), when two_level */
	gva_t gva; /* linear address, if gva_valid */
	bool gva_valid;
	bool is_walk;	  /* the access was to a guest page table, during a walk or an A/D update */
	unsigned access;  /* MMU_R, MMU_W, MMU_X */
	unsigned allowed; /* the same, of what the second-level tables have there; 0: nothing */
	bool misconfigured; /* the second-level tables themselves are malformed: our own mistake */
	u32 error;	    /* page-fault error code, when !two_level */
};

enum mmu_result {
	MMU_DONE,   /* mapped: run the instruction again */
	MMU_DEVICE, /* not memory: emulate the instruction */
	MMU_TABLE,  /* a write, to a page table for one, that must be seen: emulate, or give_up() */
	MMU_GUEST,  /* the guest's own fault: inject it, with f->error */
	MMU_FATAL,  /* broken tables or out of memory: the reason was logged, crash the VM */
};

/* One entry of the tables that the processor walks. */
#define MMU_STEPS_MAX 5u

struct mmu_step {
	unsigned level; /* 1: its pages have 4 KB */
	u64 entry;
	bool present, leaf;
	hpa_t hpa;	 /* of the table or page that it leads to, if present */
	unsigned access; /* MMU_R, MMU_W, MMU_X */
};

/* A piece of guest-physical memory, page-aligned. */
struct mmu_range {
	gpa_t gpa;
	u64 len;
};

struct mmu_ops {
	const char *name;
	enum status (*create)(struct vm *vm, struct mmu **out);
	/* For a vcpu but the first: makes v->mmu, if not all share one (then it is NULL). What is
	 * mapped is mapped for it too, and it goes with the VM's. */
	enum status (*add)(struct vcpu *v);
	/* A bounded step (PAGE_FREE_STEP) of freeing all that it consists of. True: it was the
	 * last. After the first, nothing else may be asked of it. */
	bool (*destroy_step)(struct mmu *mmu);
	enum status (*map)(
		struct mmu *mmu, gpa_t gpa, hpa_t hpa, u64 len, unsigned rwx, enum memtype type);
	/*
	 * Takes a list of mappings away, in any order; what is not mapped is passed over. Nothing
	 * leads there any more when it returns, on any CPU: then the memory may be used for
	 * something else. It costs one invalidation, and under shadow paging one search, however
	 * long the list. *done: how many were taken, from the first on; an error is that of the
	 * next, of which a part may be gone.
	 */
	enum status (*unmap)(
		struct mmu *mmu, const struct mmu_range *range, unsigned ranges, unsigned *done);
	/* Fills in what the walk finds: gpa and access where !two_level, error for MMU_GUEST. */
	enum mmu_result (*fault)(struct vcpu *vcpu, struct mmu_fault *f);
	/* After MMU_TABLE: the instruction cannot be emulated; it may be run again as it is. */
	void (*give_up)(struct vcpu *vcpu, const struct mmu_fault *f);
	/* Paging-related register writes; NULL where the hardware does it all. */
	void (*set_cr3)(struct vcpu *vcpu, u64 cr3);
	void (*invlpg)(struct vcpu *vcpu, gva_t gva);
	void (*paging_changed)(struct vcpu *vcpu); /* CR0, CR4, EFER or IA32_PAT changed */
	/* Another vcpu is to have the processor: until resume() the registers of this one cannot be
	 * reached (v->sched.away), though its VM's mappings and memory may change. NULL where the
	 * hardware does it all. */
	void (*suspend)(struct vcpu *vcpu);
	void (*resume)(struct vcpu *vcpu);
	/* After unmap or a permission taken away, before the next entry: what this CPU knows of
	 * the mappings of v->mmu is dropped. Of a VM on several CPUs, without its lock. */
	void (*flush)(struct mmu *mmu);
	void (*view)(struct vcpu *vcpu, struct mmu_view *out);
	/* Prints the walk for gpa in words. */
	void (*describe)(struct mmu *mmu, gpa_t gpa);
	/* The processor's walk for gpa, where two_level, or else for gva, down to the first entry
	 * that is not present: how many entries, at most MMU_STEPS_MAX. */
	unsigned (*walk)(struct vcpu *vcpu, gpa_t gpa, gva_t gva, struct mmu_step *step);
	void (*report)(struct mmu *mmu); /* its counters, to the log; NULL: it has none */
	/*
	 * Compares all that is derived from the guest's tables with what it follows from. The
	 * number of mistakes; the first few are logged. Of the vcpu whose v->mmu it is, which does
	 * not run on another CPU, unless the VM is on several and its lock is held. NULL: nothing
	 * is derived.
	 */
	unsigned (*audit)(struct mmu *mmu);
};

struct mmu {
	const struct mmu_ops *ops;
	/*
	 * Goes up whenever a mapping was taken away or narrowed. map() and unmap() drop the
	 * translations of the CPU that they run on; where the VM runs on others too, narrowed() has
	 * them do the same before it returns (hv/mmu/shootdown.h). NULL: it runs on one.
	 */
	u64 generation;
	void (*narrowed)(void *ctx);
	void *narrowed_ctx;
};

static inline enum status __must_check mmu_unmap(struct mmu *mmu, gpa_t gpa, u64 len)
{
	struct mmu_range range = { gpa, len };
	unsigned done;

	return mmu->ops->unmap(mmu, &range, 1, &done);
}

#endif
