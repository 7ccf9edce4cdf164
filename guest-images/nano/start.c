/* SPDX-License-Identifier: BSD-2-Clause */
/* From the boot loader's information to the measurements, and switching the machine off. */
#include "hv/cpu/acpi.h"
#include "hv/ctl/log.h"
#include "guest-images/nano/start.h"
#include "tests/guest/lib/lib.h"

#define ENTRY_MAGIC  0x2badb002u
#define INFO_MEMORY  BIT(0)
#define INFO_CMDLINE BIT(2)
#define CMDLINE_MAX  1024
#define MAPPED_BYTES (4 * 1024 * MB) /* entry.S */

#define COM1		0x3f8
#define COM_DIVISOR	0
#define COM_INTERRUPTS	1
#define COM_FIFO	2
#define COM_LINE	3
#define COM_MODEM	4
#define LINE_8N1	0x03
#define LINE_DIVISOR	0x80
#define DIVISOR_115200	1
#define FIFO_ON_EMPTY	0x07
#define MODEM_DTR_RTS	0x03
#define PM1_SCI_EN	BIT(0)
#define PM1_SLP_TYP(t)	((t) << 10)
#define PM1_SLP_TYP_ALL PM1_SLP_TYP(7u)
#define PM1_SLP_EN	BIT(13)
#define ACPI_TRIES	1000000u

/* The information, as far as it matters: "Boot information format". */
struct info {
	u32 flags;
	u32 mem_lower, mem_upper; /* KB */
	u32 boot_device, cmdline;
};

static char cmdline[CMDLINE_MAX];

void nano_start(u32 magic, u32 info);

/* What the parser of the ACPI tables has to say. */
void log_write(enum log_level level, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say("%s", line);
}

static const void *identity(hpa_t pa, u64 len)
{
	u64 start = pa.v;

	return start && start + len <= MAPPED_BYTES ? (const void *)start : NULL;
}

static void sleep_write(u16 port, u8 typ)
{
	u16 keep = inw(port) & (u16) ~(PM1_SLP_TYP_ALL | PM1_SLP_EN);

	outw(port, (u16)(keep | PM1_SLP_TYP(typ & 7u) | PM1_SLP_EN));
}

void switch_off(void)
{
	struct acpi_info acpi = { 0 };

	if (acpi_parse(&acpi, NULL, 0, identity) || !acpi.s5_found || !acpi.pm1a_control)
		fail("the ACPI tables do not say how this machine is switched off (PM1a control at "
		     "0x%x)",
			acpi.pm1a_control);
	if (acpi.smi_command && acpi.acpi_enable && !(inw(acpi.pm1a_control) & PM1_SCI_EN)) {
		outb(acpi.smi_command, acpi.acpi_enable);
		for (unsigned i = 0; i < ACPI_TRIES && !(inw(acpi.pm1a_control) & PM1_SCI_EN); i++)
			cpu_relax();
	}
	sleep_write(acpi.pm1a_control, acpi.s5_typ_a);
	if (acpi.pm1b_control)
		sleep_write(acpi.pm1b_control, acpi.s5_typ_b);
	cpu_halt_forever();
}

/* Natively nobody else has. */
static void serial_init(void)
{
	outb(COM1 + COM_INTERRUPTS, 0);
	outb(COM1 + COM_LINE, LINE_DIVISOR);
	outb(COM1 + COM_DIVISOR, DIVISOR_115200);
	outb(COM1 + COM_DIVISOR + 1, 0);
	outb(COM1 + COM_LINE, LINE_8N1);
	outb(COM1 + COM_FIFO, FIFO_ON_EMPTY);
	outb(COM1 + COM_MODEM, MODEM_DTR_RTS);
}

/* Called by entry.S; memory behind 1 MB is counted from there. */
void nano_start(u32 magic, u32 info)
{
	const struct info *i = (const struct info *)(u64)info;

	serial_init();
	if (magic != ENTRY_MAGIC || !(i->flags & INFO_MEMORY)) {
		say("FAIL not booted by a multiboot loader that tells the memory");
		cpu_halt_forever();
	}
	if (i->flags & INFO_CMDLINE)
		snprintf(cmdline, sizeof(cmdline), "%s", (const char *)(u64)i->cmdline);
	guest_start(cmdline, i->mem_upper * KB + MB, 0);
}
