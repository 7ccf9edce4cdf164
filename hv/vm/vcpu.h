/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU and the seam to what runs it. The run loop (run.c) is:
 *
 *   until the slice is over:
 *       do the work that is pending (events, timers, INIT, reset)
 *       kind = ops->run(vcpu, &exit)        entry, guest, exit
 *       charge the ticks to the guest and to the handler of this kind
 *       the handler of this kind
 */
#ifndef HV_VM_VCPU_H
#define HV_VM_VCPU_H

#include "hv/cpu/timer.h"
#include "hv/emul/emul.h"
#include "hv/vm/exit.h"
#include "hv/vm/fetch.h"
#include "hv/vm/regs.h"
#include "hv/vm/sched.h"
#include "hv/vm/task.h"

struct vm;
struct vcpu;
struct trace;
struct last_exit;
struct cpuid_table;

/* Registers that the provider keeps; the general ones (but RSP) are in vcpu->gpr. */
enum vcpu_reg {
	VREG_RSP,
	VREG_RIP,
	VREG_RFLAGS,
	VREG_CR0,
	VREG_CR3,
	VREG_CR4,
	VREG_EFER,
	VREG_DR7,
	VREG_PAT,
	VREG_SYSENTER_CS,
	VREG_SYSENTER_ESP,
	VREG_SYSENTER_EIP,
	VREG_DEBUGCTL,
	VREG_TSC_OFFSET,
	VREG_PENDING_DEBUG, /* traps due before the next instruction, by bits of DR6 */
	VREG_COUNT,
};

/* Registers that stay in the processor across exits, as long as the vcpu's state is there. */
enum vcpu_live {
	LIVE_DR0,
	LIVE_DR1,
	LIVE_DR2,
	LIVE_DR3,
	LIVE_DR6,
	LIVE_CR2,
	LIVE_KERNEL_GS_BASE,
};

/* What decides how any instruction executes and how its addresses are translated. */
struct vcpu_context {
	u64 rsp, rip, rflags, cr0, cr3, cr4, efer;
	u32 cs_ar, ss_ar; /* access rights */
};

/* The little of it that an instruction needs which is known already. */
struct vcpu_position {
	u64 rip, rflags, cr3;
	bool is_64; /* 64-bit mode */
};

enum event_type {
	EVENT_IRQ,
	EVENT_NMI,
	EVENT_EXCEPTION,
	EVENT_SOFT_INT,	      /* INT n; only as an event that an exit cut short */
	EVENT_SOFT_EXCEPTION, /* INT3, INTO */
	EVENT_PRIV_SOFT,      /* INT1 */
};

struct event {
	enum event_type type;
	u8 vector;
	u8 length; /* of the instruction, for the software ones */
	bool has_error;
	u32 error;
};

/* Reasons to look before the next entry; bits of vcpu->work. */
#define WORK_IRQ     BIT(0)  /* the platform's interrupt state changed */
#define WORK_NMI     BIT(1)  /* an NMI is pending */
#define WORK_EVENT   BIT(2)  /* vcpu->event is to be injected */
#define WORK_INIT    BIT(3)  /* INIT arrived */
#define WORK_RESCHED BIT(4)  /* the slice is over: another vcpu may run */
#define WORK_END     BIT(5)  /* the VM is over or is to be reset */
#define WORK_INPUT   BIT(6)  /* bytes for the guest's console may have arrived */
#define WORK_HALTED  BIT(7)  /* in HLT: wait for an event instead of entering */
#define WORK_SIPI    BIT(8)  /* a start-up IPI, or what stands for one: vcpu->start_at */
#define WORK_PARKED  BIT(9)  /* after INIT: heeds a start-up IPI, and nothing else */
#define WORK_DEBUG   BIT(10) /* a debugger's step: each exit is looked at by the run loop */
#define WORK_DEAF    BIT(11) /* with WORK_HALTED: only another vcpu of its VM can wake it */
#define WORK_TIMERS  BIT(10) /* of a shared VM: vcpu_set_alarm() */

/* With nothing but these a vcpu has nothing to do. */
#define WORK_REST (WORK_HALTED | WORK_PARKED | WORK_DEAF)

struct exit_count {
	u64 count;
	u64 ticks;	       /* in the hypervisor, from exit to the next entry */
	u64 vmreads, vmwrites; /* in that time; 0 but in a build that counts them */
};

/* What of a guest's translations is dropped: those of one linear address, those that are not
 * global, all. */
enum tlb_scope {
	TLB_ADDRESS,
	TLB_NON_GLOBAL,
	TLB_ALL
};

/* What a provider of CPU virtualization can do. One const instance a provider. */
struct cpu_ops {
	const char *name;
	/* CPUID_LACKS_*: what a guest cannot have, with this kind of MMU. */
	unsigned (*lacks)(bool two_level);
	enum status (*create)(struct vcpu *v);
	void (*destroy)(struct vcpu *v);
	/* Nothing of the vcpu stays in this CPU: another may destroy it, or load it. */
	void (*unload)(struct vcpu *v);
	/* All registers, as a boot protocol says; this vcpu's state is the CPU's after it. */
	void (*load)(struct vcpu *v, const struct vcpu_state *s);
	/* What the processor holds of this vcpu, to memory, and back: between the two other vcpus
	 * may run on this CPU, and of the functions below only flush_tlb may be called. stranger:
	 * the last one here was of another VM, which must not be noticed. */
	void (*switch_out)(struct vcpu *v);
	void (*switch_in)(struct vcpu *v, bool stranger);
	enum exit_kind (*run)(struct vcpu *v, struct vcpu_exit *e);
	void (*skip)(struct vcpu *v); /* RIP past the instruction that exited; ends STI and MOV SS
					 blocking; TF traps */
	void (*retire)(struct vcpu *v, u64 rip,
		u64 rflags); /* the same for an instruction that was emulated: its RIP and RFLAGS */
	u64 (*get)(struct vcpu *v, enum vcpu_reg r);
	void (*set)(struct vcpu *v, enum vcpu_reg r, u64 value);
	void (*get_context)(struct vcpu *v, struct vcpu_context *out); /* in one call */
	void (*get_position)(struct vcpu *v, struct vcpu_position *out);
	void (*get_segment)(struct vcpu *v, enum seg s, struct segment *out);
	void (*set_segment)(struct vcpu *v, enum seg s, const struct segment *in);
	void (*get_table)(struct vcpu *v, bool idt, struct table_reg *out);
	void (*set_table)(struct vcpu *v, bool idt, const struct table_reg *in);
	bool (*can_inject)(struct vcpu *v,
		enum event_type
			t); /* IRQ: IF and no blocking; NMI: not blocked; and no event under way */
	void (*inject)(struct vcpu *v, const struct event *e); /* at the next entry */
	void (*want_window)(struct vcpu *v, enum event_type t,
		bool on); /* exit (EXIT_WINDOW, with work set) when it can be injected */
	void (*pass_msr)(struct vcpu *v, u32 msr, bool read, bool write);
	void (*set_cr2)(struct vcpu *v, u64 value);
	void (*set_xcr0)(struct vcpu *v, u64 value);		/* already checked */
	void (*get_pdptes)(struct vcpu *v, u64 pdpte[4]);	/* with PAE paging on */
	void (*set_pdptes)(struct vcpu *v, const u64 pdpte[4]); /* after a change of CR0, CR3 or CR4
								   that loads them (PAE paging) */
	/* For an MMU that is not two-level: the tables to run with from the next entry on, and what
	 * this CPU has cached of them. */
	void (*set_root)(struct vcpu *v, hpa_t root);
	/* Whether the page faults that struct mmu_view excepts take no exit: at first they do. */
	void (*set_fault_filter)(struct vcpu *v, bool on);
	/* Values that the guest may load into CR3 without an exit, and the processor's CR3 with
	 * them; after that, get(VREG_CR3) is the one loaded last. Those beyond what the processor
	 * has room for are ignored. */
	void (*set_cr3_targets)(struct vcpu *v, const u64 *value, unsigned count);
	/* Bits of CR0 that this vcpu cannot do without, in an MMU of its kind: PE, PG. */
	u64 (*cr0_needed)(struct vcpu *v);
	void (*flush_tlb)(struct vcpu *v, enum tlb_scope scope, gva_t gva);
	/* For a debugger, until the next call or load(): an exit after each instruction
	 * (EXIT_STEP), for INT3, for accesses to debug registers (EXIT_DR). False, and no such
	 * exit: the processor has none for each instruction. */
	bool (*set_traps)(struct vcpu *v, bool step, bool int3, bool debug_regs);
	/* For DR0 to DR3 and DR6: set as well. */
	u64 (*get_live)(struct vcpu *v, enum vcpu_live r);
	void (*set_live)(struct vcpu *v, enum vcpu_live r, u64 value);
	/* The vector registers in memory: the first 512 bytes of an XSAVE area, as FXSAVE has them,
	 * good until the guest is entered; and to the processor from there. */
	u8 *(*get_fxsave)(struct vcpu *v);
	void (*put_fxsave)(struct vcpu *v);
	void (*dump)(struct vcpu *v); /* registers and control state to the log */
	/* One of the fields that the provider keeps for the processor, by an index from 0 on; false
	 * behind the last. A field that this processor does not have has no name (NULL). */
	bool (*field)(struct vcpu *v, unsigned index, const char **name, u64 *value);
	void (*trace)(
		const struct vcpu *v); /* v->trace has come or gone: records exits, or does not */
	/* For one that was entered at least once. */
	void (*last_exit)(const struct vcpu *v, struct last_exit *last);
};

struct vcpu {
	u64 gpr[16]; /* enum gpr; [RSP] is not kept here. First: the entry code addresses it from
			the top. */
	unsigned long work; /* WORK_*: read once per exit; 0 is the fast path. Other CPUs set bits:
			       vcpu_post(). */
	struct timerq *timers; /* of the physical CPU; its head is never later than `heartbeat` */
	u32 entry_tsc;	     /* low halves of the TSC at the last entry and exit: neither a stay */
	u32 exit_tsc;	     /* in the guest nor one in the hypervisor lasts 2^32 ticks */
	u32 timer_shift;     /* for the provider: TSC ticks to timer ticks, */
	u32 timer_field;     /* and where they are written */
	enum exit_kind kind; /* of the last exit: the account that its ticks go to */
	bool handled;	     /* the quick path dealt with the exit, but work is pending */
	u64 guest_ticks;     /* in the guest, all entries */
	u64 idle_ticks;	     /* in HLT, the physical CPU given up */
	u64 left_tsc;	     /* TSC at the end of the last slice */
	struct exit_count exits[EXIT_KINDS];
	struct trace *trace; /* its last exits; NULL: they are not recorded */

	const struct cpu_ops *ops;
	void *arch; /* the provider's own (vmx: struct vmx_vcpu) */
	struct vm *vm;
	struct mmu *mmu; /* its VM's, or its own part of it (mmu_ops.add) */
	unsigned index;	 /* = initial APIC ID */
	unsigned order;	 /* of the allocation that this struct lies in */
	struct sched_vcpu sched;
	struct task errand; /* on its CPU, for whoever makes it and takes it apart */
	u64 start_at;	    /* with WORK_SIPI: number of a page, in real mode; or an address, */
	bool start_in_64;   /* in 64-bit mode */
	bool nmi_waits;	    /* an NMI is pending, and the window for it is asked for */
	struct event event; /* with WORK_EVENT */
	const struct cpuid_table *cpuid;
	struct timer heartbeat; /* ends an entry now and then, for what needs no deadline */
	u64 xcr0;
	u64 pdpte[4]; /* PAE paging: the registers that CR3 loads */
	u64 tsc_adjust;
	u64 tsc_lag; /* of vm->clock: what of `lost` is in VREG_TSC_OFFSET */
	u64 msr_misc_enable, msr_mtrr_def, msr_mtrr_fix[11];
	u64 msr_mtrr_var[16]; /* base and mask by turns */
	u64 msr_kvm_clock;    /* as written: gpa of the vcpu's clock page, bit 0 = on */
	u64 msr_kvm_steal;    /* the same of its steal time, */
	u64 steal_base;	      /* which counts from these sched.wait_ticks on, */
	u32 steal_version;    /* and how often it was written, twice */
	struct fetch_cache fetched;
};

/* Queues an exception for the next entry; if one is queued already, merges them as "Interrupt 8 -
 * Double Fault" says (or triple-faults). */
void vcpu_inject_exception(struct vcpu *v, u8 vector, bool has_error, u32 error);
void vcpu_inject_gp(struct vcpu *v); /* #GP(0) */
void vcpu_inject_ud(struct vcpu *v);
void vcpu_inject_pf(struct vcpu *v, u64 cr2, u32 error);

/* The guest did something we cannot carry on from: logs the reason, registers and instruction
 * bytes, ends the VM alone. */
void vcpu_crash(struct vcpu *v, const char *fmt, ...) __printf(2, 3);

/* Bits of v->work, from the CPU that the vcpu is on; vcpu_post() is for all others as well. */
static inline void vcpu_work_set(struct vcpu *v, unsigned long work)
{
	__atomic_fetch_or(&v->work, work, __ATOMIC_SEQ_CST);
}

static inline void vcpu_work_clear(struct vcpu *v, unsigned long work)
{
	__atomic_fetch_and(&v->work, ~work, __ATOMIC_SEQ_CST);
}

/* Why a slice is over; SLICE_ON: it is not. */
enum vcpu_slice {
	SLICE_ON,
	SLICE_HALTED,	 /* in HLT, and nothing is pending */
	SLICE_PREEMPTED, /* it could run on */
	SLICE_OVER,	 /* vm->end is set */
};

/* vcpu_load(): the state that the VM is to begin with; all vcpus but the first then wait for a
 * start-up IPI. vcpu_run(): the run loop, for a slice. For the scheduler, which sees to it that the
 * vcpu's state is in the processor. */
void vcpu_load(struct vcpu *v, const struct vcpu_state *s);
enum vcpu_slice vcpu_run(struct vcpu *v);

/*
 * vcpu_emulate(): fetches, decodes and executes the instruction at RIP, with its memory and port
 * accesses going to guest memory or to the platform's buses; injects what faults. hint: the memory
 * exit that it is for, whose translation need not be repeated, or NULL. False, with RIP where it
 * was, if the instruction is unknown or the guest's tables lead out of its memory; nothing was
 * changed but by iterations of REP that were complete. (hv/vm/emulate.c)
 */
bool vcpu_emulate(struct vcpu *v, const struct mmu_fault *hint) __must_check;

/* vcpu_emulate_write(): the same for a supervisor's write to RAM at f->gva and f->gpa that the
 * guest allows; false, with nothing changed, where it takes vcpu_emulate(). (hv/vm/emulate_write.c)
 */
bool vcpu_emulate_write(struct vcpu *v, const struct mmu_fault *f) __must_check;

/*
 * INIT and start-up IPIs (hv/vm/startup.c). vcpu_signal_init(), vcpu_signal_sipi(): one was sent to
 * v, by whomever; vcpu_signal_wake(): whatever it does, it is to begin there in 64-bit mode.
 * vcpu_startup(): v heeds what has come; false: it waits for a start-up IPI.
 */
void vcpu_signal_init(struct vcpu *v);
void vcpu_signal_sipi(struct vcpu *v, u8 vector);
void vcpu_signal_wake(struct vcpu *v, u64 rip);
bool vcpu_startup(struct vcpu *v) __must_check;

/* vcpu_memory_exit(): what is done about EXIT_MEMORY; f is filled in by the way. (hv/vm/exits.c) */
void vcpu_memory_exit(struct vcpu *v, struct mmu_fault *f);

#endif
