/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The capability MSRs on three rungs of the ladder, the three refusals, and the preflight report.
 *
 * Sources: vmx/caps.c vmx/controls.c vmx/preflight.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hv/ctl/log.h"
#include "tests/unit/vmx_models.h"
#include "vmx/controls.h"
#include "vmx/fields.h"

static char lines[128][400];
static enum log_level levels[128];
static unsigned line_count;

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	assert_true(line_count < ARRAY_SIZE(lines));
	va_start(ap, fmt);
	vsnprintf(lines[line_count], sizeof(lines[0]), fmt, ap);
	va_end(ap);
	levels[line_count++] = level;
}

static bool logged(enum log_level level, const char *text)
{
	for (unsigned i = 0; i < line_count; i++)
		if (levels[i] == level && strcmp(lines[i], text) == 0)
			return true;
	return false;
}

static enum status read_model(const struct model *m, struct vmx_caps *caps, char *err)
{
	model = m;
	model_reads = 0;
	line_count = 0;
	return vmx_caps_read(caps, &model_probe, err);
}

static void sandy_bridge(void **state)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(read_model(&model_sandy_bridge, &c, err), OK);
	assert_int_equal(vmx_caps_revision(&c), 0x10);
	assert_int_equal(vmx_caps_timer_shift(&c), 5);
	assert_int_equal(vmx_caps_cr3_targets(&c), 4);
	assert_int_equal(c.physical_bits, 36);
	assert_int_equal(c.linear_bits, 48);
	assert_int_equal(c.perf_global, 0x70000000f);
	assert_int_equal(c.vmfunc, 0);
	assert_false(c.rtm || c.sgx || c.bus_lock);
	assert_true(c.nx);
	/* The TRUE MSR: CR3-load exiting need not be 1. */
	assert_int_equal(c.word[VMX_PROC].must, 0x04006172);
	assert_true(vmx_caps_may(&c, VMX_PROC2, PROC2_UNRESTRICTED_GUEST));
	assert_false(vmx_caps_may(&c, VMX_PROC2, PROC2_INVPCID));
	assert_int_equal(vmx_preflight(&c, VMX_TWO_LEVEL), 0);
	assert_true(logged(LOG_INFO, "preflight: found    enable EPT"));
	assert_true(logged(LOG_INFO,
		"preflight: missing  1 GB pages in EPT: guest memory is mapped in 2 MB pages: "
		"more TLB misses"));
	assert_true(logged(LOG_INFO,
		"preflight: VMCS revision 0x10, addresses of 36 bits physical, 48 linear, timer "
		"counts every 32 TSC ticks"));
}

static void skylake_x(void **state)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(read_model(&model_skylake_x, &c, err), OK);
	assert_int_equal(c.physical_bits, 46);
	assert_int_equal(c.vmfunc, 1);
	assert_true(c.rtm);
	assert_true(vmx_caps_may(&c, VMX_PROC2, PROC2_XSAVES));
	assert_int_equal(vmx_preflight(&c, VMX_TWO_LEVEL), 0);
	for (unsigned i = 0; i < line_count; i++)
		assert_null(strstr(lines[i], "issing"));
}

static void penryn_has_no_ept(void **state)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(read_model(&model_penryn, &c, err), OK);
	assert_int_equal(vmx_caps_revision(&c), 0xd);
	assert_true(vmx_preflight(&c, VMX_TWO_LEVEL) > 0);
	assert_true(logged(LOG_ERR,
		"preflight: MISSING  enable EPT (needed): guest memory is translated by shadow "
		"tables, which cost exits"));
	assert_true(logged(LOG_ERR,
		"preflight: MISSING  load IA32_EFER (needed): the hypervisor would run with a "
		"guest's IA32_EFER"));
	assert_true(logged(LOG_INFO,
		"preflight: missing  enable VPID: every VM entry and exit empties the TLB"));
	assert_true(logged(LOG_INFO, "preflight: found    virtual NMIs"));
}

/* With shadow paging it is found fit, and told what it pays. */
static void penryn_has_shadow_paging(void **state)
{
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(read_model(&model_penryn, &c, err), OK);
	assert_int_equal(vmx_preflight(&c, VMX_ONE_LEVEL), 0);
	assert_true(logged(LOG_INFO,
		"preflight: missing  activate VMX-preemption timer: the local APIC's timer ends a "
		"guest at a deadline, by an interrupt"));
	assert_true(logged(LOG_INFO, "preflight: found    CR3-load exiting"));
	for (unsigned i = 0; i < line_count; i++) {
		assert_null(strstr(lines[i], "EPT"));
		assert_null(strstr(lines[i], "EFER"));
	}
	line_count = 0;
	c.word[VMX_PROC].may &= ~PROC_INVLPG;
	assert_int_equal(vmx_preflight(&c, VMX_ONE_LEVEL), 1);
	assert_true(logged(LOG_ERR, "preflight: MISSING  INVLPG exiting (needed): the shadow "
				    "tables would not follow INVLPG"));
}

static void no_vtx(void **state)
{
	struct model m = model_skylake_x;
	struct vmx_caps c, zero = { 0 };
	char err[VMX_ERR_SIZE];

	(void)state;
	m.leaf1_ecx = (u32)~MODEL_VMX;
	assert_int_equal(read_model(&m, &c, err), ERR_NOTSUP);
	assert_string_equal(err,
		"this CPU has no VT-x (CPUID.1:ECX.VMX is 0); if it should have, it is switched "
		"off in the firmware or not passed through by a hypervisor below");
	assert_int_equal(model_reads, 0);
	assert_memory_equal(&c, &zero, sizeof(c));
}

static void locked_off(void **state)
{
	static const u64 locked[] = { FEATURE_CONTROL_LOCK,
		FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_SMX };
	struct model m = model_skylake_x;
	struct vmx_caps c, zero = { 0 };
	char err[VMX_ERR_SIZE], want[VMX_ERR_SIZE];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(locked); i++) {
		model_set(&m, MSR_FEATURE_CONTROL, locked[i]);
		assert_int_equal(read_model(&m, &c, err), ERR_NOTSUP);
		snprintf(want, sizeof(want),
			"VT-x is locked off by the firmware (IA32_FEATURE_CONTROL is 0x%lx); "
			"switch it on in the firmware's set-up",
			locked[i]);
		assert_string_equal(err, want);
		assert_int_equal(model_reads, 1);
		assert_memory_equal(&c, &zero, sizeof(c));
	}
}

static void not_locked(void **state)
{
	struct model m = model_skylake_x;
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	model_set(&m, MSR_FEATURE_CONTROL, 0);
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.feature_control, 0);
}

static void no_true_msrs(void **state)
{
	struct model m = model_sandy_bridge;
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	model_set(&m, MSR_VMX_BASIC, 0x00da040000000010 & ~VMX_BASIC_TRUE_CONTROLS);
	for (unsigned i = 0; i < ARRAY_SIZE(m.msrs); i++)
		if (m.msrs[i].msr >= MSR_VMX_TRUE_PINBASED_CTLS)
			m.msrs[i].msr = 0;
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.word[VMX_PROC].must, 0x0401e172);
	assert_int_equal(vmx_preflight(&c, VMX_TWO_LEVEL), 3);
	assert_true(logged(LOG_ERR,
		"preflight: FORCED   CR3-load exiting (cannot be 0): an exit for each change of "
		"address space, which EPT makes needless"));
}

/* VPIDs that cannot be flushed one by one are of no use. */
static void no_invvpid(void **state)
{
	struct model m = model_sandy_bridge;
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_true(vmx_caps_may(&c, VMX_PROC2, PROC2_VPID));
	model_set(&m, MSR_VMX_EPT_VPID_CAP, c.ept_vpid & ~VPID_CAP_INVVPID_SINGLE);
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_false(vmx_caps_may(&c, VMX_PROC2, PROC2_VPID));
	assert_true(vmx_caps_may(&c, VMX_PROC2, PROC2_EPT));
}

static void odd_address_widths(void **state)
{
	struct model m = model_sandy_bridge;
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	m.addresses = 0xffff;
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.physical_bits, 52);
	assert_int_equal(c.linear_bits, 57);
	m.addresses = 0;
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.linear_bits, 32);
}

static void no_performance_counters(void **state)
{
	struct model m = model_sandy_bridge;
	struct vmx_caps c;
	char err[VMX_ERR_SIZE];

	(void)state;
	m.perfmon_eax = 0;
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.perf_global, 0);
	m.perfmon_eax =
		0xffffff01; /* version 1 has no fixed counters; 255 general ones are absurd */
	assert_int_equal(read_model(&m, &c, err), OK);
	assert_int_equal(c.perf_global, 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sandy_bridge),
		cmocka_unit_test(skylake_x),
		cmocka_unit_test(penryn_has_no_ept),
		cmocka_unit_test(penryn_has_shadow_paging),
		cmocka_unit_test(no_vtx),
		cmocka_unit_test(locked_off),
		cmocka_unit_test(not_locked),
		cmocka_unit_test(no_true_msrs),
		cmocka_unit_test(no_invvpid),
		cmocka_unit_test(odd_address_widths),
		cmocka_unit_test(no_performance_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
