/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VT-x as a provider of CPU virtualization: what hv/boot/main.c calls, and what the files of vmx/
 * share among themselves.
 *
 *   vmx.c     VMX operation on each physical CPU
 *   vcpu.c    the VMCS of a vcpu: created, loaded with a state, its registers
 *   switch.c  the state that no VMCS field holds, from one vcpu to another
 *   exits.c   the exit table: from raw reasons to the project's words
 *   inject.c  events into the guest, windows, events that an exit cut short
 *   lint*.c   why an entry failed, in words
 */
#ifndef VMX_VMX_H
#define VMX_VMX_H

#include "hv/vm/vcpu.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/fields.h"

extern const struct cpu_ops vmx_cpu_ops;

/* Same on all CPUs; filled in by vmx_init() on the first. */
extern struct vmx_caps vmx_caps;
extern struct vmx_controls vmx_controls[VMX_MODES];

/*
 * vmx_init(): reads the capabilities, negotiates the controls. Once, on the boot CPU. On failure
 * err (VMX_ERR_SIZE bytes) holds the one sentence that says what is missing. It is no failure that
 * the CPU has only one of the modes; vmx_has_mode() tells, and vmx_mode_missing() why.
 */
enum status vmx_init(char *err) __must_check;
bool vmx_has_mode(enum vmx_mode mode);
const char *vmx_mode_missing(enum vmx_mode mode);

/* vmx_cpu_enable(): VMXON on this CPU. Run on every CPU after vmx_init(). */
enum status vmx_cpu_enable(void) __must_check;
void vmx_cpu_disable(void); /* VMXOFF: before the machine is switched off */

/* INVEPT for whoever keeps EPT tables (struct ept_hw). */
void vmx_invept_single(u64 eptp);
void vmx_invept_all(void);

#define VMX_LIVE_MSRS 7

/* What no VMCS field holds of a guest, while another one has the processor. */
struct vmx_live {
	u64 cr2, dr[4], dr6;
	u64 msr[VMX_LIVE_MSRS];
	unsigned order;		   /* of the allocation */
	u8 vector[] __aligned(64); /* an XSAVE area, standard format, or an FXSAVE image */
};

struct vmx_vcpu {
	void *vmcs;	/* one page */
	u8 *msr_bitmap; /* one page */
	u8 *io_bitmap;	/* two pages: every port exits */
	u8 *fpu_init;	/* one page: an FXSAVE or XSAVE image with nothing in it */
	struct vmx_live *live;
	bool launched;
	const struct vmx_controls *controls; /* of its mode */
	bool two_level;
	u64 cr3;  /* one-level: as the guest sees it; the processor's is the root of our tables */
	u64 efer; /* as the guest sees it */
	u64 pat;  /* one-level: as the guest wrote it; the machine's stays in force */
	u64 root; /* one-level: what the processor's CR3 is while the guest's is that of above */
	u32 fault_mask, fault_match; /* one-level: page faults that exit, when it is exact */
	bool fault_filter;	     /* ... and it may be: otherwise all exit */
	u16 vpid;
	u32 proc;     /* VMCS_PROC_BASED_CONTROLS as written */
	u32 reason;   /* of the last exit, raw */
	u64 cr0_mask; /* CR0 bits that the guest does not own */
	u64 cr4_mask;
};

static inline struct vmx_vcpu *vmx_of(struct vcpu *v)
{
	return v->arch;
}

/* entry.S */
u64 vmx_enter(struct vcpu *v, bool launched);
extern const char vmx_exit[], vmx_exit_shared[], vmx_exit_traced[];
void vmx_last_exit(const struct vcpu *v, struct last_exit *last); /* cpu_ops.last_exit */
const char *vmx_trace_exit(struct vcpu *v); /* trace.c: called by entry.S, which goes on there */
void vmx_reset_vector_state(const void *area, u64 xcr0);
void vmx_load_sse_state(const void *area);
void vmx_save_vector_state(void *area, u64 xcr0);
void vmx_load_vector_state(const void *area, u64 xcr0);
void vmx_save_sse_state(void *area);
void vmx_xsavec_of_ones(void *area, u64 xcr0);

/* xsavec.c: once, before a guest's registers are on this CPU; and what came of it. */
void vmx_xsavec_try(void);
bool vmx_xsavec_works(void);

/* exits.c */
enum exit_kind vmx_run(struct vcpu *v, struct vcpu_exit *e);
const char *vmx_exit_name(u32 reason);

/* vcpu.c */
void vmx_set_proc(struct vmx_vcpu *x, u32 bit, bool on);
void vmx_cr3_read(struct vcpu *v); /* at an exit for MOV from CR3 */
void vmx_write_sce(u64 efer);
void vmx_dump(struct vcpu *v);
void vmx_prepare_entry(struct vcpu *v);
void vmx_entry_failed(struct vcpu *v, u32 reason);

/* switch.c */
enum status vmx_live_create(struct vcpu *v) __must_check;
void vmx_live_destroy(struct vmx_vcpu *x);
void vmx_live_reset(struct vcpu *v);
void vmx_switch_out(struct vcpu *v);
void vmx_switch_in(struct vcpu *v, bool stranger);
u64 vmx_get_live(struct vcpu *v, enum vcpu_live r);
void vmx_set_live(struct vcpu *v, enum vcpu_live r, u64 value);
u8 *vmx_get_fxsave(struct vcpu *v);
void vmx_put_fxsave(struct vcpu *v);

/* inject.c */
bool vmx_can_inject(struct vcpu *v, enum event_type t);
void vmx_inject(struct vcpu *v, const struct event *e);
void vmx_want_window(struct vcpu *v, enum event_type t, bool on);
void vmx_take_back_event(struct vcpu *v);

#endif
