/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform as a whole: every range answers where docs/platform.md says, interrupts reach the
 * vcpu along each of the three ways, the VM ends by each of its ports, a reset brings the start
 * back, nothing leaks.
 *
 * Sources: hv/dev/platform.c hv/dev/acpi.c hv/dev/bus.c hv/dev/i8042.c hv/dev/ioapic.c
 * hv/dev/lapic.c hv/dev/lapic_bus.c hv/dev/lapic_regs.c hv/dev/lapic_timer.c hv/dev/msix.c
 * hv/dev/pci.c hv/dev/pic.c hv/dev/pit.c hv/dev/pm.c hv/dev/reset.c hv/dev/rtc.c hv/dev/testdev.c
 * hv/dev/uart.c hv/dev/wakeup.c hv/cpu/timer.c hv/mem/guestmem.c hv/mem/guestmem_loose.c
 * build/hv/dev/dsdt.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hv/cpu/regs.h"
#include "hv/ctl/log.h"
#include "hv/dev/layout.h"
#include "hv/dev/platform.h"
#include "hv/mem/page.h"
#include "tests/unit/destroy.h"
#include "tests/unit/host.h"

#define TSC_HZ 1000000000ul
#define VCPUS  2

#define LAPIC_ID    (LAYOUT_LAPIC + 0x20)
#define LAPIC_EOI   (LAYOUT_LAPIC + 0xb0)
#define LAPIC_SVR   (LAYOUT_LAPIC + 0xf0)
#define LAPIC_ICRL  (LAYOUT_LAPIC + 0x300)
#define LAPIC_ICRH  (LAYOUT_LAPIC + 0x310)
#define LAPIC_LINT0 (LAYOUT_LAPIC + 0x350)

static u64 now;
static struct {
	struct platform *p;
	struct guestmem gm;
	struct timerq tq;
	unsigned kicks[VCPUS], nmis, inits, sipis, ends, drops;
	unsigned started;
	u8 sipi_vector, status;
	u64 woken_at;
	enum vm_end why;
	u8 out[64];
	size_t out_len;
	u64 dropped;
} f;

static u64 clock_now(const struct timerq *q)
{
	(void)q;
	return now;
}

static u64 wallclock(void)
{
	return 1700000000;
}

static void kick(void *ctx, unsigned vcpu)
{
	assert_ptr_equal(ctx, &f);
	f.kicks[vcpu]++;
}

static void nmi(void *ctx, unsigned vcpu)
{
	(void)ctx, (void)vcpu;
	f.nmis++;
}

static void init_signal(void *ctx, unsigned vcpu)
{
	(void)ctx;
	f.started = vcpu;
	f.inits++;
}

static void sipi(void *ctx, unsigned vcpu, u8 vector)
{
	(void)ctx;
	f.started = vcpu;
	f.sipis++;
	f.sipi_vector = vector;
}

static void wake(void *ctx, unsigned vcpu, u64 rip)
{
	(void)ctx;
	f.started = vcpu;
	f.woken_at = rip;
}

static void end(void *ctx, enum vm_end why, u8 status)
{
	assert_ptr_equal(ctx, &f);
	f.ends++;
	f.why = why;
	f.status = status;
}

static void console_out(void *ctx, const u8 *buf, size_t len)
{
	(void)ctx;
	assert_true(f.out_len + len <= sizeof(f.out));
	memcpy(f.out + f.out_len, buf, len);
	f.out_len += len;
}

static void drop_page(void *ctx, gpa_t page)
{
	(void)ctx;
	f.drops++;
	f.dropped = page.v;
}

static const struct platform_host host = {
	.ctx = &f,
	.kick = kick,
	.nmi = nmi,
	.init = init_signal,
	.sipi = sipi,
	.wake = wake,
	.end = end,
	.console_out = console_out,
	.drop_page = drop_page,
};

static const struct platform_config full = {
	.vcpus = VCPUS,
	.mem = 4 * MB,
	.tsc_hz = TSC_HZ,
	.testdev = true,
	.debug_exit = true,
	.wallclock = wallclock,
};

static void create(const struct platform_config *cfg)
{
	memset(&f, 0, sizeof(f));
	now = TSC_HZ;
	timerq_init(&f.tq, TSC_HZ, clock_now);
	assert_int_equal(guestmem_add(&f.gm, GPA(0), 4 * MB), OK);
	assert_int_equal(platform_create(&f.p, cfg, &host, &f.tq, &f.gm), OK);
}

static int setup(void **state)
{
	(void)state;
	create(&full);
	return 0;
}

static int teardown(void **state)
{
	struct page_stats stats;

	(void)state;
	platform_destroy(f.p);
	guestmem_destroy(&f.gm);
	assert_int_equal(f.tq.next, TIMER_NEVER);
	page_stats(&stats);
	assert_int_equal(stats.used[PAGE_HV], 0);
	assert_int_equal(stats.used[PAGE_GUEST], 0);
	return 0;
}

static u64 in(u64 port, unsigned size)
{
	return bus_read(platform_pio(f.p), port, size);
}

static void out(u64 port, unsigned size, u64 value)
{
	bus_write(platform_pio(f.p), port, size, value);
}

static u32 mmio(u64 gpa)
{
	return (u32)bus_read(platform_mmio(f.p), gpa, 4);
}

static void set_mmio(u64 gpa, u32 value)
{
	bus_write(platform_mmio(f.p), gpa, 4, value);
}

static void redirect(unsigned pin, u64 entry)
{
	set_mmio(LAYOUT_IOAPIC, 0x10 + pin * 2);
	set_mmio(LAYOUT_IOAPIC + 0x10, (u32)entry);
	set_mmio(LAYOUT_IOAPIC, 0x11 + pin * 2);
	set_mmio(LAYOUT_IOAPIC + 0x10, (u32)(entry >> 32));
}

/* The PIC as firmware sets it up: vectors 0x20 and 0x28, all but the given lines masked. */
static void start_pic(u16 unmasked)
{
	out(0x20, 1, 0x11);
	out(0x21, 1, 0x20);
	out(0x21, 1, 0x04);
	out(0x21, 1, 0x01);
	out(0xa0, 1, 0x11);
	out(0xa1, 1, 0x28);
	out(0xa1, 1, 0x02);
	out(0xa1, 1, 0x01);
	out(0x21, 1, (u8) ~(unmasked | 4));
	out(0xa1, 1, (u8)(~unmasked >> 8));
}

/* ---- the address map ---- */

static void every_range_answers(void **state)
{
	static const u16 ports[] = { 0x20, 0x21, 0x40, 0x60, 0x61, 0x64, 0x71, 0x92, 0xa1, 0xe0,
		0xf4, 0x3fd, 0x4d0, 0x604, 0x2000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
		assert_non_null(bus_find(platform_pio(f.p), ports[i]));
	assert_int_equal(in(0x64, 1), 0x14);
	assert_int_equal(in(0x92, 1), 0x02);
	assert_int_equal(in(0x3fd, 1), 0x60);
	assert_int_equal(in(0x604, 2), 1);
	out(0xcf8, 4, 0x80000000);
	assert_int_equal(in(0xcfc, 4), 0x0d578086);
	assert_int_equal(mmio(LAYOUT_ECAM), 0x0d578086);
	set_mmio(LAYOUT_IOAPIC, 1);
	assert_int_equal(mmio(LAYOUT_IOAPIC + 0x10) >> 16, 23);
	assert_int_equal(mmio(LAYOUT_LAPIC + 0x30) & 0xff, 0x14);
	set_mmio(LAYOUT_TESTDEV + 0xfffc, 7);
	assert_int_equal(mmio(LAYOUT_TESTDEV + 0xfffc), 7);
}

static void nobody_elsewhere(void **state)
{
	(void)state;
	out(0x80, 1, 0x42); /* the POST code: swallowed */
	assert_int_equal(in(0x80, 1), 0xff);
	assert_int_equal(in(0x1f7, 1), 0xff);
	assert_int_equal(in(0x2fd, 1), 0xff);
	assert_int_equal(in(0xffff, 4), 0xffffffff);
	assert_int_equal(mmio(0xa0000), 0xffffffff);
	assert_int_equal(mmio(LAYOUT_PCI_MMIO), 0xffffffff);
	assert_int_equal(mmio(LAYOUT_LAPIC + 0x1000), 0xffffffff);
	set_mmio(0xfed00000, 1); /* no HPET */
}

static void test_devices_only_when_asked(void **state)
{
	struct platform_config cfg = full;

	(void)state;
	teardown(NULL);
	cfg.testdev = false;
	cfg.debug_exit = false;
	create(&cfg);
	assert_null(bus_find(platform_pio(f.p), 0xe0));
	assert_null(bus_find(platform_pio(f.p), 0xf4));
	assert_null(bus_find(platform_pio(f.p), 0x2000));
	assert_null(bus_find(platform_mmio(f.p), LAYOUT_TESTDEV));
	out(0xf4, 1, 1);
	assert_int_equal(f.ends, 0);
}

static void tables_are_in_memory(void **state)
{
	char rsdp[8];

	(void)state;
	assert_int_equal(guest_read(&f.gm, platform_rsdp(f.p), rsdp, sizeof(rsdp)), OK);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
}

/* ---- interrupts ---- */

static void through_the_pic(void **state)
{
	(void)state;
	start_pic(BIT(4) | BIT(9));
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	out(0x3fc, 1, 0x08);
	out(0x3f9, 1, 0x02);
	assert_true(f.kicks[0]);
	assert_int_equal(platform_irq_pending(f.p, 0), PLATFORM_EXTINT);
	assert_int_equal(platform_irq_pending(f.p, 1), -1); /* LINT0 of the first vcpu only */
	assert_int_equal(platform_irq_ack(f.p, 0), 0x24);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	out(0x20, 1, 0x20);
	platform_set_gsi(f.p, 9, true); /* the slave */
	assert_int_equal(platform_irq_ack(f.p, 0), 0x29);
}

static void lint0_gates_the_pic(void **state)
{
	(void)state;
	start_pic(BIT(4));
	set_mmio(LAPIC_LINT0, 0x10700); /* masked */
	platform_set_gsi(f.p, 4, true);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	f.kicks[0] = 0;
	set_mmio(LAPIC_LINT0, 0x700);
	assert_true(f.kicks[0]); /* the vcpu must look again */
	assert_int_equal(platform_irq_ack(f.p, 0), 0x24);
}

static void lines_match_between_pic_and_ioapic(void **state)
{
	static const struct {
		unsigned gsi;
		int pic_vector;
	} map[] = { { 0, -1 }, { 1, 0x21 }, { 2, 0x20 }, { 3, 0x23 }, { 8, 0x28 }, { 15, 0x2f },
		{ 16, -1 }, { 23, -1 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		platform_reset(f.p);
		start_pic(0xffff & ~4);
		set_mmio(LAPIC_SVR, 0x1ff);
		platform_set_gsi(f.p, map[i].gsi, false); /* the PIT's output rests high */
		platform_set_gsi(f.p, map[i].gsi, true);
		if (map[i].pic_vector < 0)
			assert_int_equal(platform_irq_pending(f.p, 0), -1);
		else
			assert_int_equal(platform_irq_ack(f.p, 0), map[i].pic_vector);
		platform_set_gsi(f.p, map[i].gsi, false);
		start_pic(0);
		redirect(map[i].gsi, 0x40 + map[i].gsi);
		platform_set_gsi(f.p, map[i].gsi, true);
		assert_int_equal(platform_irq_pending(f.p, 0), 0x40 + (int)map[i].gsi);
		platform_set_gsi(f.p, map[i].gsi, false);
	}
	platform_set_gsi(f.p, 24, true); /* no such line */
	platform_set_gsi(f.p, ~0u, true);
}

static void level_interrupts_come_back(void **state)
{
	(void)state;
	set_mmio(LAPIC_SVR, 0x1ff);
	redirect(10, 0x8000 | 0x51); /* level */
	platform_set_gsi(f.p, 10, true);
	assert_int_equal(platform_irq_ack(f.p, 0), 0x51);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	set_mmio(LAPIC_EOI, 0);
	assert_int_equal(platform_irq_pending(f.p, 0), 0x51);
	assert_int_equal(platform_irq_ack(f.p, 0), 0x51);
	platform_set_gsi(f.p, 10, false);
	set_mmio(LAPIC_EOI, 0);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
}

static void messages(void **state)
{
	(void)state;
	platform_set_current(f.p, 1);
	set_mmio(LAPIC_SVR, 0x1ff);
	platform_msi(f.p, 0xfee01000, 0x61); /* to APIC ID 1 */
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	assert_int_equal(platform_irq_pending(f.p, 1), 0x61);
	platform_msi(f.p, 0xfec01000, 0x62); /* not the APICs' address */
	platform_msi(f.p, 0x1fee01000, 0x62);
	assert_int_equal(platform_irq_ack(f.p, 1), 0x61);
	assert_int_equal(platform_irq_pending(f.p, 1), -1);
	platform_msi(f.p, 0xfee01000, 0x400);
	assert_int_equal(f.nmis, 1);
}

static void each_vcpu_has_its_own_apic(void **state)
{
	u64 base;

	(void)state;
	assert_int_equal(mmio(LAPIC_ID) >> 24, 0);
	platform_set_current(f.p, 1);
	assert_int_equal(mmio(LAPIC_ID) >> 24, 1);
	assert_true(platform_apic_rdmsr(f.p, 0, MSR_APIC_BASE, &base));
	assert_int_equal(base, LAYOUT_LAPIC | APIC_BASE_BSP | APIC_BASE_EN);
	assert_true(platform_apic_rdmsr(f.p, 1, MSR_APIC_BASE, &base));
	assert_int_equal(base, LAYOUT_LAPIC | APIC_BASE_EN);
	assert_true(platform_apic_enabled(f.p, 1));
	assert_true(platform_apic_wrmsr(f.p, 1, MSR_APIC_BASE, LAYOUT_LAPIC));
	assert_false(platform_apic_enabled(f.p, 1));
	assert_true(platform_apic_enabled(f.p, 0));
	platform_set_cr8(f.p, 0, 5);
	assert_int_equal(platform_get_cr8(f.p, 0), 5);
	assert_int_equal(platform_get_cr8(f.p, 1), 0);
}

static void starts_the_other_vcpu(void **state)
{
	(void)state;
	set_mmio(LAPIC_SVR, 0x1ff);
	set_mmio(LAPIC_ICRH, 1u << 24);
	set_mmio(LAPIC_ICRL, 0x4500);
	assert_int_equal(f.inits, 1);
	assert_int_equal(f.started, 1);
	f.started = 0;
	set_mmio(LAPIC_ICRL, 0x4699);
	assert_int_equal(f.sipis, 1);
	assert_int_equal(f.started, 1);
	assert_int_equal(f.sipi_vector, 0x99);
}

#define BOX_COMMAND (LAYOUT_WAKEUP + 0)
#define BOX_APIC_ID (LAYOUT_WAKEUP + 4)
#define BOX_VECTOR  (LAYOUT_WAKEUP + 8)

static void put(u64 gpa, unsigned size, u64 value)
{
	bus_write(platform_mmio(f.p), gpa, size, value);
}

static u64 get(u64 gpa, unsigned size)
{
	return bus_read(platform_mmio(f.p), gpa, size);
}

/* A command is taken when it is written, by a processor that there is; the first one runs. */
static void starts_by_the_mailbox(void **state)
{
	struct platform_config cfg = full;
	u64 entry;

	assert_int_equal(get(BOX_COMMAND, 2), 0xffff); /* there is none unless it is asked for */
	(void)teardown(state);
	cfg.mailbox = true;
	create(&cfg);
	put(BOX_APIC_ID, 4, 1);
	put(BOX_VECTOR, 8, 0x99000);
	assert_int_equal(f.woken_at, 0);
	put(BOX_COMMAND, 2, 1);
	assert_int_equal(f.started, 1);
	assert_int_equal(f.woken_at, 0x99000);
	assert_int_equal(get(BOX_COMMAND, 2), 0);
	f.woken_at = 0;
	for (u32 id = 0; id < 3; id++) {
		put(BOX_APIC_ID, 4, id == 1 ? 0xffffffff : id);
		put(BOX_COMMAND, 2, 1);
		assert_int_equal(f.woken_at, 0);
		assert_int_equal(get(BOX_COMMAND, 2), 1);
		put(BOX_COMMAND, 2, 0);
	}
	put(LAYOUT_WAKEUP + 0x800, 8, ~0ul);
	assert_int_equal(get(LAYOUT_WAKEUP + 0x800, 8), 0);
	put(LAYOUT_WAKEUP + 12, 8, 1); /* not beyond what there is */
	assert_int_equal(get(BOX_VECTOR, 8), 0x99000);
	/* The tables: 1 GB as it is. */
	assert_int_equal(guest_read(&f.gm, GPA(LAYOUT_WAKEUP_TABLES), &entry, 8), OK);
	assert_int_equal(entry, (LAYOUT_WAKEUP_TABLES + PAGE_SIZE) | 3);
	assert_int_equal(
		guest_read(&f.gm, GPA(LAYOUT_WAKEUP_TABLES + 0x2000 + 511 * 8), &entry, 8), OK);
	assert_int_equal(entry, 511 * 2 * MB | 0x83);
}

static void the_pit_ticks(void **state)
{
	(void)state;
	start_pic(BIT(0));
	out(0x43, 1, 0x34);
	out(0x40, 1, 0x9b); /* 11931: 10 ms */
	out(0x40, 1, 0x2e);
	now += TSC_HZ / 50;
	timerq_run(&f.tq);
	assert_int_equal(platform_irq_ack(f.p, 0), 0x20);
}

static void power_button_raises_the_sci(void **state)
{
	(void)state;
	set_mmio(LAPIC_SVR, 0x1ff);
	redirect(9, 0x8000 | 0x59);
	out(0x602, 2, 0x100);
	platform_power_button(f.p);
	assert_int_equal(platform_irq_ack(f.p, 0), 0x59);
	out(0x600, 2, 0x100);
	set_mmio(LAPIC_EOI, 0);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
}

/* ---- halted for good, or not ---- */

static void what_can_wake(void **state)
{
	(void)state;
	assert_true(platform_can_wake(f.p, 0, true));
	assert_false(platform_can_wake(f.p, 0, false));
	redirect(4, 0x400); /* NMI */
	assert_true(platform_can_wake(f.p, 0, false));
	redirect(4, 0x10400); /* masked */
	assert_false(platform_can_wake(f.p, 0, false));
	redirect(4, 0x44); /* fixed */
	assert_false(platform_can_wake(f.p, 0, false));
	set_mmio(LAPIC_LINT0, 0x400); /* the NMI watchdog of old */
	assert_true(platform_can_wake(f.p, 0, false));
	assert_false(platform_can_wake(f.p, 1, false));
}

/* ---- the ways to end ---- */

static void ends(void **state)
{
	static const struct {
		u16 port, size;
		u32 value;
		enum vm_end why;
		u8 status;
	} table[] = {
		{ 0x64, 1, 0xfe, VM_END_RESET, 0 },
		{ 0x92, 1, 0x01, VM_END_RESET, 0 },
		{ 0xcf9, 1, 0x06, VM_END_RESET, 0 },
		{ 0x604, 2, 5 << 10 | 1 << 13, VM_END_POWEROFF, 0 },
		{ 0xf4, 1, 0x10, VM_END_EXIT, 0x21 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
		f.ends = 0;
		out(table[i].port, table[i].size, table[i].value);
		assert_int_equal(f.ends, 1);
		assert_int_equal(f.why, table[i].why);
		assert_int_equal(f.status, table[i].status);
	}
}

static void console(void **state)
{
	u8 buf[20] = "0123456789abcdefghi";

	(void)state;
	out(0x3f8, 1, 'A');
	out(0x3f8, 1, 'B');
	assert_int_equal(f.out_len, 2);
	assert_memory_equal(f.out, "AB", 2);
	out(0x3fa, 1, 0x01);
	assert_int_equal(platform_console_in(f.p, buf, sizeof(buf)), 16);
	assert_int_equal(in(0x3f8, 1), '0');
	assert_int_equal(platform_console_in(f.p, buf + 16, 4), 1);
}

static void test_device_is_wired(void **state)
{
	(void)state;
	out(0xe4, 4, 0x3456);
	assert_int_equal(f.drops, 1);
	assert_int_equal(f.dropped, 0x3000);
	set_mmio(LAPIC_SVR, 0x1ff);
	redirect(14, 0x4e);
	out(0x200e, 1, 1);
	assert_int_equal(platform_irq_ack(f.p, 0), 0x4e);
}

static void reset_brings_the_start_back(void **state)
{
	static const char junk[8] = "garbage";
	char rsdp[8];

	(void)state;
	assert_int_equal(guest_write(&f.gm, platform_rsdp(f.p), junk, sizeof(junk)), OK);
	start_pic(BIT(4));
	out(0x3fc, 1, 0x08);
	out(0x3f9, 1, 0x02);
	set_mmio(LAPIC_SVR, 0x1ff);
	redirect(4, 0x44);
	out(0x2004, 1, 1);
	platform_msi(f.p, 0xfee00000, 0x61);
	platform_set_current(f.p, 1);
	platform_reset(f.p);
	assert_int_equal(platform_irq_pending(f.p, 0), -1);
	assert_int_equal(in(0x3f9, 1), 0);
	assert_int_equal(mmio(LAPIC_ID) >> 24, 0);
	assert_int_equal(mmio(LAPIC_LINT0), 0x700); /* virtual wire, as firmware leaves it */
	set_mmio(LAYOUT_IOAPIC, 0x18);
	assert_true(mmio(LAYOUT_IOAPIC + 0x10) & 0x10000);
	assert_int_equal(guest_read(&f.gm, platform_rsdp(f.p), rsdp, sizeof(rsdp)), OK);
	assert_memory_equal(rsdp, "RSD PTR ", 8);
}

static void creation_fails_cleanly(void **state)
{
	struct platform_config cfg = full;
	struct guestmem none = { 0 };
	struct platform *p = NULL;
	struct page_stats before, after;

	(void)state;
	page_stats(&before);
	cfg.vcpus = 0;
	assert_int_equal(platform_create(&p, &cfg, &host, &f.tq, &f.gm), ERR_INVAL);
	cfg.vcpus = PLATFORM_MAX_VCPUS + 1;
	assert_int_equal(platform_create(&p, &cfg, &host, &f.tq, &f.gm), ERR_INVAL);
	assert_int_equal(platform_create(&p, &full, &host, &f.tq, &none), ERR_RANGE);
	for (host_page_limit = before.used[PAGE_HV]; host_page_limit < before.used[PAGE_HV] + 20;
		host_page_limit++)
		assert_int_equal(platform_create(&p, &full, &host, &f.tq, &f.gm), ERR_NOMEM);
	host_page_limit = ~0ul;
	page_stats(&after);
	assert_int_equal(before.used[PAGE_HV], after.used[PAGE_HV]);
	assert_null(p);
}

/* No access, whatever its address, size and value, brings the platform down. */
static void random_accesses(void **state)
{
	static const u64 bases[] = { LAYOUT_ECAM, LAYOUT_IOAPIC, LAYOUT_LAPIC,
		LAYOUT_TESTDEV + 0xf000, LAYOUT_PCI_MMIO };

	(void)state;
	srand(4);
	log_level = LOG_ERR;
	for (int i = 0; i < 300000; i++) {
		u64 value = (u64)rand() << 33 ^ (u64)rand();
		u64 port = (u64)rand() % 0x700,
		    gpa = bases[(unsigned)rand() % ARRAY_SIZE(bases)] + (u64)rand() % 0x1010;

		f.out_len = 0;
		if (rand() % 16 == 0)
			port = 0x2000 + (u64)rand() % 32;
		platform_set_current(f.p, (unsigned)rand() % VCPUS);
		out(port, 1u << (rand() % 3), value);
		in(port, 1u << (rand() % 3));
		bus_write(platform_mmio(f.p), gpa, 1u << (rand() % 4), value);
		bus_read(platform_mmio(f.p), gpa, 1u << (rand() % 4));
		platform_msi(f.p, 0xfee00000 | (value & 0xfffff), (u32)value);
		for (unsigned v = 0; v < VCPUS; v++)
			if (platform_irq_pending(f.p, v) >= 0)
				assert_in_range(platform_irq_ack(f.p, v), 0, 255);
		now += (u64)rand() % 1000000;
		timerq_run(&f.tq);
		if (i % 10000 == 0)
			platform_reset(f.p);
	}
	log_level = LOG_INFO;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_range_answers),
		TEST(nobody_elsewhere),
		TEST(test_devices_only_when_asked),
		TEST(tables_are_in_memory),
		TEST(through_the_pic),
		TEST(lint0_gates_the_pic),
		TEST(lines_match_between_pic_and_ioapic),
		TEST(level_interrupts_come_back),
		TEST(messages),
		TEST(each_vcpu_has_its_own_apic),
		TEST(starts_the_other_vcpu),
		TEST(starts_by_the_mailbox),
		TEST(the_pit_ticks),
		TEST(power_button_raises_the_sci),
		TEST(what_can_wake),
		TEST(ends),
		TEST(console),
		TEST(test_device_is_wired),
		TEST(reset_brings_the_start_back),
		TEST(creation_fails_cleanly),
		TEST(random_accesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
