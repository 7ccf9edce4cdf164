/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual platform: puts the devices of one VM together. This file is wiring and nothing else:
 * which ports and addresses lead to which device, and where each interrupt goes.
 */
#include "hv/dev/platform.h"

#include "hv/dev/acpi.h"
#include "hv/dev/i8042.h"
#include "hv/dev/ioapic.h"
#include "hv/dev/lapic.h"
#include "hv/dev/layout.h"
#include "hv/dev/msix.h"
#include "hv/dev/pci.h"
#include "hv/dev/pic.h"
#include "hv/dev/pit.h"
#include "hv/dev/pm.h"
#include "hv/dev/reset.h"
#include "hv/dev/rtc.h"
#include "hv/dev/testdev.h"
#include "hv/dev/uart.h"
#include "hv/dev/wakeup.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

#define PIC_IRQ_PIT 0u /* the one ISA line whose GSI has another number */
#define GSI_KBD	    1
#define BSP	    0
#define LINT0	    0

/* SDM "Local Vector Table"; 82093AA "Redirection Table" */
#define ENTRY_MODE_SHIFT 8
#define ENTRY_MODE_MASK	 7u
#define ENTRY_MASKED	 BIT(16)

struct platform {
	struct platform_config cfg;
	struct platform_host host;
	struct timerq *tq;
	struct guestmem *gm;
	unsigned current; /* the vcpu whose access is being served */

	struct bus pio, mmio;
	struct lapic lapic[PLATFORM_MAX_VCPUS];
	struct ioapic ioapic;
	struct pic pic;
	struct pit pit;
	struct rtc rtc;
	struct uart uart;
	struct i8042 i8042;
	struct reset reset;
	struct pm pm;
	struct pci_host pci;
	struct wakeup wakeup;
	struct testdev testdev;
	struct debug_exit debug_exit;
};

#define PLATFORM_ORDER 2
static_assert(sizeof(struct platform) <= PAGE_SIZE << PLATFORM_ORDER, "one allocation holds all");

/* ---- interrupts ---- */

/* GSI 2 is the PIC's IRQ 0; IRQ 2 is the cascade, and IOAPIC pin 0 has no device. */
void platform_set_gsi(struct platform *p, unsigned gsi, bool level)
{
	ioapic_set_irq(&p->ioapic, gsi, level);
	if (gsi == LAYOUT_GSI_PIT)
		pic_set_irq(&p->pic, PIC_IRQ_PIT, level);
	else if (gsi != PIC_IRQ_PIT)
		pic_set_irq(&p->pic, gsi, level);
}

static void set_gsi(void *ctx, unsigned gsi, bool level)
{
	platform_set_gsi(ctx, gsi, level);
}

void platform_msi(struct platform *p, u64 address, u32 data)
{
	struct apic_msg m;

	if (apic_msg_from_msi(address, data, &m))
		apic_send(p->lapic, p->cfg.vcpus, &m);
}

static void msi(void *ctx, u64 address, u32 data)
{
	platform_msi(ctx, address, data);
}

static void pit_irq(void *ctx, bool level)
{
	platform_set_gsi(ctx, LAYOUT_GSI_PIT, level);
}

static void rtc_irq(void *ctx, bool level)
{
	platform_set_gsi(ctx, LAYOUT_GSI_RTC, level);
}

static bool extint_pending(const struct platform *p, unsigned vcpu)
{
	return vcpu == BSP && pic_output(&p->pic) && lapic_accepts_extint(&p->lapic[BSP]);
}

/* The PIC's output or LINT0's mode has changed. */
static void recheck_extint(struct platform *p)
{
	if (extint_pending(p, BSP))
		p->host.kick(p->host.ctx, BSP);
}

static void pic_output_changed(void *ctx, bool level)
{
	struct platform *p = ctx;

	lapic_set_lint(&p->lapic[BSP], LINT0, level);
	recheck_extint(p);
}

static bool ioapic_send(void *ctx, const struct apic_msg *m)
{
	struct platform *p = ctx;

	return apic_send(p->lapic, p->cfg.vcpus, m);
}

static void lapic_kick(void *ctx, unsigned index)
{
	struct platform *p = ctx;

	p->host.kick(p->host.ctx, index);
}

static void lapic_nmi(void *ctx, unsigned index)
{
	struct platform *p = ctx;

	p->host.nmi(p->host.ctx, index);
}

static void lapic_init_signal(void *ctx, unsigned index)
{
	struct platform *p = ctx;

	lapic_reset(&p->lapic[index], LAPIC_INIT);
	p->host.init(p->host.ctx, index);
}

static void lapic_sipi(void *ctx, unsigned index, u8 vector)
{
	struct platform *p = ctx;

	p->host.sipi(p->host.ctx, index, vector);
}

static void lapic_send(void *ctx, const struct apic_msg *m)
{
	struct platform *p = ctx;

	apic_send(p->lapic, p->cfg.vcpus, m);
}

static void lapic_eoi(void *ctx, u8 vector)
{
	struct platform *p = ctx;

	ioapic_eoi(&p->ioapic, vector);
}

static const struct lapic_host lapic_host = {
	.kick = lapic_kick,
	.nmi = lapic_nmi,
	.init = lapic_init_signal,
	.sipi = lapic_sipi,
	.send = lapic_send,
	.eoi = lapic_eoi,
};

/*
 * Which vector the PIC will give is known only from the INTA cycle, so an ExtINT is announced as
 * PLATFORM_EXTINT. It comes before what the local APIC has, as it bypasses the APIC's priorities.
 */
int platform_irq_pending(struct platform *p, unsigned vcpu)
{
	if (extint_pending(p, vcpu))
		return PLATFORM_EXTINT;
	return lapic_pending(&p->lapic[vcpu]);
}

int platform_irq_ack(struct platform *p, unsigned vcpu)
{
	if (extint_pending(p, vcpu))
		return pic_ack(&p->pic);
	return lapic_ack(&p->lapic[vcpu]);
}

/* ---- the local APIC's registers ---- */

void platform_set_current(struct platform *p, unsigned vcpu)
{
	p->current = vcpu;
}

static u64 lapic_page_read(void *dev, u64 offset, unsigned size)
{
	struct platform *p = dev;

	return lapic_ops.read(&p->lapic[p->current], offset, size);
}

static void lapic_page_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct platform *p = dev;

	lapic_ops.write(&p->lapic[p->current], offset, size, value);
	recheck_extint(p);
}

/* All local APICs share one address: the vcpu that accesses it reaches its own. */
static const struct io_ops lapic_page_io = { .read = lapic_page_read, .write = lapic_page_write };

u64 platform_get_cr8(struct platform *p, unsigned vcpu)
{
	return lapic_get_cr8(&p->lapic[vcpu]);
}

void platform_set_cr8(struct platform *p, unsigned vcpu, u64 value)
{
	lapic_set_cr8(&p->lapic[vcpu], value);
}

bool platform_apic_rdmsr(struct platform *p, unsigned vcpu, u32 msr, u64 *value)
{
	return lapic_rdmsr(&p->lapic[vcpu], msr, value);
}

bool platform_apic_wrmsr(struct platform *p, unsigned vcpu, u32 msr, u64 value)
{
	bool ok = lapic_wrmsr(&p->lapic[vcpu], msr, value);

	recheck_extint(p);
	return ok;
}

bool platform_apic_enabled(struct platform *p, unsigned vcpu)
{
	return lapic_enabled(&p->lapic[vcpu]);
}

void platform_set_tsc_offset(struct platform *p, unsigned vcpu, u64 offset)
{
	lapic_set_tsc_offset(&p->lapic[vcpu], offset);
}

/* ---- the end of the VM ---- */

static void request_reset(void *ctx)
{
	struct platform *p = ctx;

	p->host.end(p->host.ctx, VM_END_RESET, 0);
}

static void request_power_off(void *ctx)
{
	struct platform *p = ctx;

	p->host.end(p->host.ctx, VM_END_POWEROFF, 0);
}

static void request_exit(void *ctx, u8 status)
{
	struct platform *p = ctx;

	p->host.end(p->host.ctx, VM_END_EXIT, status);
}

/* ---- the outside ---- */

static void console_out(void *ctx, const u8 *buf, size_t len)
{
	struct platform *p = ctx;

	p->host.console_out(p->host.ctx, buf, len);
}

size_t platform_console_in(struct platform *p, const u8 *buf, size_t len)
{
	return uart_receive(&p->uart, buf, len);
}

static bool wake(void *ctx, u32 apic_id, u64 rip)
{
	struct platform *p = ctx;

	if (apic_id == BSP || apic_id >= p->cfg.vcpus)
		return false;
	p->host.wake(p->host.ctx, apic_id, rip);
	return true;
}

static void drop_page(void *ctx, gpa_t page)
{
	struct platform *p = ctx;

	p->host.drop_page(p->host.ctx, page);
}

void platform_power_button(struct platform *p)
{
	pm_power_button(&p->pm);
}

gpa_t platform_rsdp(struct platform *p)
{
	(void)p;
	return GPA(ACPI_RSDP);
}

struct bus *platform_pio(struct platform *p)
{
	return &p->pio;
}

struct bus *platform_mmio(struct platform *p)
{
	return &p->mmio;
}

struct pci_host *platform_pci(struct platform *p)
{
	return &p->pci;
}

/* A redirection entry or LVT register (the fields lie alike) that gets through RFLAGS.IF = 0. */
static bool beats_if(u64 entry)
{
	unsigned mode = entry >> ENTRY_MODE_SHIFT & ENTRY_MODE_MASK;

	return !(entry & ENTRY_MASKED) &&
	       (mode == APIC_NMI || mode == APIC_INIT || mode == APIC_SMI);
}

/*
 * With IF set anything can wake a vcpu: the console and the power button are always there. With IF
 * clear only what arrives as NMI, INIT or SMI: an unmasked IOAPIC entry of such a mode whose line
 * has a device, or the PIC's output through a LINT0 in NMI mode. (IPIs: the caller knows which
 * vcpus still run.)
 */
bool platform_can_wake(struct platform *p, unsigned vcpu, bool if_flag)
{
	if (if_flag)
		return true;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		if (beats_if(p->ioapic.redir[pin]))
			return true;
	return vcpu == BSP && beats_if(p->lapic[BSP].lvt[LVT_LINT0]);
}

/* ---- the address map ---- */

enum range_when {
	ALWAYS,
	MAILBOX,
	TESTDEV,
	DEBUG_EXIT
};

struct range {
	u64 base, len;
	const struct io_ops *ops;
	size_t dev; /* offset of the device in struct platform */
	const char *name;
	enum range_when when;
};

#define DEV(member) offsetof(struct platform, member)

static const struct range ports[] = {
	{ PIC_MASTER_PORT, PIC_PORTS, &pic_master_ops, DEV(pic), "pic", ALWAYS },
	{ PIT_PORT, PIT_PORTS, &pit_ops, DEV(pit), "pit", ALWAYS },
	{ I8042_DATA_PORT, 1, &i8042_data_io, DEV(i8042), "i8042", ALWAYS },
	{ PIT_PORT61, 1, &pit_port61_ops, DEV(pit), "port61", ALWAYS },
	{ I8042_COMMAND_PORT, 1, &i8042_command_io, DEV(i8042), "i8042", ALWAYS },
	{ RTC_PORT, RTC_PORTS, &rtc_ops, DEV(rtc), "rtc", ALWAYS },
	{ RESET_PORT_A, RESET_PORT_A_PORTS, &reset_port_a_io, DEV(reset), "port92", ALWAYS },
	{ PIC_SLAVE_PORT, PIC_PORTS, &pic_slave_ops, DEV(pic), "pic", ALWAYS },
	{ TESTDEV_LATCH_PORT, TESTDEV_LATCHES, &testdev_latch_io, DEV(testdev), "testdev",
		TESTDEV },
	{ DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS, &debug_exit_io, DEV(debug_exit), "debugexit",
		DEBUG_EXIT },
	{ UART_COM1_PORT, UART_PORTS, &uart_io, DEV(uart), "com1", ALWAYS },
	{ PIC_ELCR_PORT, PIC_ELCR_PORTS, &pic_elcr_ops, DEV(pic), "elcr", ALWAYS },
	{ LAYOUT_PM_BASE, PM_PORTS, &pm_io, DEV(pm), "pm", ALWAYS },
	{ PCI_CONFIG_PORT, PCI_CONFIG_PORTS, &pci_port_io, DEV(pci), "pci", ALWAYS },
	{ TESTDEV_LINE_PORT, TESTDEV_LINES, &testdev_line_io, DEV(testdev), "testdev", TESTDEV },
};

static const struct range mmios[] = {
	{ LAYOUT_ECAM, LAYOUT_ECAM_SIZE, &pci_ecam_io, DEV(pci), "ecam", ALWAYS },
	{ LAYOUT_IOAPIC, IOAPIC_MMIO_SIZE, &ioapic_ops, DEV(ioapic), "ioapic", ALWAYS },
	{ LAYOUT_WAKEUP, WAKEUP_SIZE, &wakeup_io, DEV(wakeup), "wakeup", MAILBOX },
	{ LAYOUT_LAPIC, LAPIC_MMIO_SIZE, &lapic_page_io, 0, "lapic", ALWAYS },
	{ LAYOUT_TESTDEV, LAYOUT_TESTDEV_SIZE, &testdev_storage_io, DEV(testdev), "testdev",
		TESTDEV },
};

static bool present(const struct platform *p, enum range_when when)
{
	switch (when) {
	case MAILBOX: return p->cfg.mailbox;
	case TESTDEV: return p->cfg.testdev;
	case DEBUG_EXIT: return p->cfg.debug_exit;
	default: return true;
	}
}

static void claim(struct platform *p, struct bus *bus, const struct range *table, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct range *r = &table[i];

		if (present(p, r->when) &&
			bus_add(bus, r->base, r->len, r->ops, (char *)p + r->dev, r->name))
			BUG("platform: range %s at 0x%lx is taken", r->name, r->base);
	}
}

/* ---- from power-on to the end ---- */

static struct wire gsi_wire(struct platform *p, unsigned gsi)
{
	return (struct wire){ .set = set_gsi, .ctx = p, .line = gsi };
}

static struct timerq *apic_timers(struct platform *p, unsigned vcpu)
{
	return p->cfg.apic_timers ? p->cfg.apic_timers(p->host.ctx, vcpu) : p->tq;
}

static void init_interrupts(struct platform *p)
{
	pic_init(&p->pic, pic_output_changed, p);
	ioapic_init(&p->ioapic, ioapic_send, p);
	for (unsigned i = 0; i < p->cfg.vcpus; i++)
		lapic_init(&p->lapic[i], i, i == BSP, apic_timers(p, i), &lapic_host, p);
	lapic_virtual_wire(&p->lapic[BSP]);
}

static void init_devices(struct platform *p)
{
	struct wire com1 = gsi_wire(p, LAYOUT_GSI_COM1), kbd = gsi_wire(p, GSI_KBD);
	struct wire sci = gsi_wire(p, LAYOUT_GSI_SCI);
	u64 low_mem = MIN(p->cfg.mem, LAYOUT_LOW_MAX);
	struct rtc_config rtc = {
		.wallclock = p->cfg.wallclock,
		.low_mem = low_mem,
		.high_mem = p->cfg.mem - low_mem,
	};

	pit_init(&p->pit, p->tq, pit_irq, p);
	rtc_init(&p->rtc, p->tq, &rtc, rtc_irq, p);
	uart_init(&p->uart, p->tq, &com1, console_out, p);
	i8042_init(&p->i8042, &kbd, request_reset, p);
	reset_init(&p->reset, request_reset, p);
	pm_init(&p->pm, p->tq, &sci, request_power_off, p);
	pci_init(&p->pci, &p->pio, &p->mmio, &p->reset, set_gsi, msi, p);
	wakeup_init(&p->wakeup, wake, p);
	p->debug_exit = (struct debug_exit){ .end = request_exit, .ctx = p };
}

/* What firmware leaves in memory. */
static enum status put_tables(struct platform *p)
{
	enum status st = acpi_build(p->gm, p->cfg.vcpus, p->cfg.mailbox);

	return st || !p->cfg.mailbox ? st : wakeup_put_tables(p->gm);
}

void platform_destroy(struct platform *p)
{
	for (unsigned i = 0; i < p->cfg.vcpus; i++)
		timer_cancel(p->lapic[i].tq, &p->lapic[i].timer);
	timer_cancel(p->tq, &p->pit.timer);
	timer_cancel(p->tq, &p->rtc.update);
	timer_cancel(p->tq, &p->rtc.periodic);
	uart_destroy(&p->uart);
	pm_destroy(&p->pm);
	testdev_destroy(&p->testdev);
	page_free(p, PLATFORM_ORDER, PAGE_HV);
}

enum status platform_create(struct platform **out, const struct platform_config *cfg,
	const struct platform_host *host, struct timerq *tq, struct guestmem *gm)
{
	struct platform *p;
	enum status st = OK;

	if (!cfg->vcpus || cfg->vcpus > PLATFORM_MAX_VCPUS)
		return ERR_INVAL;
	p = page_alloc(PLATFORM_ORDER, PAGE_HV);
	if (!p)
		return ERR_NOMEM;
	p->cfg = *cfg;
	p->host = *host;
	p->tq = tq;
	p->gm = gm;
	init_interrupts(p);
	init_devices(p);
	if (cfg->testdev)
		st = testdev_init(&p->testdev, drop_page, set_gsi, p);
	if (!st)
		st = put_tables(p);
	if (st) {
		platform_destroy(p);
		return st;
	}
	claim(p, &p->pio, ports, ARRAY_SIZE(ports));
	claim(p, &p->mmio, mmios, ARRAY_SIZE(mmios));
	*out = p;
	return OK;
}

/* The tables lie in RAM, where the guest may have overwritten them. */
void platform_reset(struct platform *p)
{
	enum status st = put_tables(p);

	BUG_ON(st); /* it worked when the platform was created */
	uart_reset(&p->uart);
	i8042_reset(&p->i8042);
	reset_reset(&p->reset);
	pm_reset(&p->pm);
	pci_reset(&p->pci);
	pit_reset(&p->pit);
	rtc_reset(&p->rtc);
	wakeup_reset(&p->wakeup);
	if (p->cfg.testdev)
		testdev_reset(&p->testdev);
	pic_reset(&p->pic);
	ioapic_reset(&p->ioapic);
	for (unsigned i = 0; i < p->cfg.vcpus; i++)
		lapic_reset(&p->lapic[i], LAPIC_POWER_UP);
	lapic_virtual_wire(&p->lapic[BSP]);
	p->current = BSP;
}
