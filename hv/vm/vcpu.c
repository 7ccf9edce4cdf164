/* SPDX-License-Identifier: BSD-2-Clause */
/* Exceptions for a vcpu, and what is said when one cannot go on. */
#include <stdarg.h>

#include "hv/cpu/regs.h"
#include "hv/ctl/crash.h"
#include "hv/ctl/log.h"
#include "hv/ctl/trace.h"
#include "hv/lib/printf.h"
#include "hv/vm/look.h"
#include "hv/vm/vm.h"

/* "Interrupt 8—Double Fault Exception (#DF)": classes of exceptions. */
enum exception_class {
	BENIGN,
	CONTRIBUTORY,
	PAGE_FAULT,
	DOUBLE_FAULT
};

static enum exception_class classify(const struct event *e)
{
	if (e->type != EVENT_EXCEPTION)
		return BENIGN;
	switch (e->vector) {
	case VEC_DE:
	case VEC_TS:
	case VEC_NP:
	case VEC_SS:
	case VEC_GP:
	case VEC_CP: return CONTRIBUTORY;
	case VEC_PF: return PAGE_FAULT;
	case VEC_DF: return DOUBLE_FAULT;
	default: return BENIGN;
	}
}

void vcpu_inject_exception(struct vcpu *v, u8 vector, bool has_error, u32 error)
{
	struct event next = {
		.type = EVENT_EXCEPTION, .vector = vector, .has_error = has_error, .error = error
	};
	enum exception_class first = v->work & WORK_EVENT ? classify(&v->event) : BENIGN;
	enum exception_class second = classify(&next);

	if (first == DOUBLE_FAULT && second != BENIGN) {
		log_info("%s: triple fault: exception %u while delivering #DF", v->vm->cfg.name,
			vector);
		crash_report(v, "a triple fault");
		vm_end(v->vm, VM_END_TRIPLE, 0);
		return;
	}
	if ((first == CONTRIBUTORY && second == CONTRIBUTORY) ||
		(first == PAGE_FAULT && second != BENIGN))
		next = (struct event){
			.type = EVENT_EXCEPTION, .vector = VEC_DF, .has_error = true
		};
	v->event = next;
	vcpu_work_set(v, WORK_EVENT);
}

void vcpu_inject_gp(struct vcpu *v)
{
	vcpu_inject_exception(v, VEC_GP, true, 0);
}

void vcpu_inject_ud(struct vcpu *v)
{
	vcpu_inject_exception(v, VEC_UD, false, 0);
}

void vcpu_inject_pf(struct vcpu *v, u64 cr2, u32 error)
{
	v->ops->set_cr2(v, cr2);
	vcpu_inject_exception(v, VEC_PF, true, error);
}

void vcpu_crash(struct vcpu *v, const char *fmt, ...)
{
	u8 bytes[INSN_MAX];
	char text[3 * INSN_MAX + 1] = "";
	size_t n = look_read(v, look_rip(v), bytes, sizeof(bytes));
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(v->vm->end_why, sizeof(v->vm->end_why), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < n; i++)
		snprintf(text + 3 * i, 4, " %02x", bytes[i]);
	log_err("%s: crashed: %s", v->vm->cfg.name, v->vm->end_why);
	log_err("  bytes at rip:%s", n ? text : " (not readable)");
	v->ops->dump(v);
	trace_print(v);
	crash_report(v, v->vm->end_why);
	vm_end(v->vm, VM_END_CRASH, 0);
}
