/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical I/O APICs (82093AA data sheet, "APIC Registers") and the silencing of the 8259s. */
#include "hv/drv/ioapic.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/ctl/log.h"
#include "hv/mem/hostmap.h"

#define IOAPIC_INDEX  0x00 /* byte offsets of the two windows */
#define IOAPIC_DATA   0x10
#define IOAPIC_LENGTH 0x20
#define REG_VERSION   0x01
#define REG_REDIR(n)  (0x10u + 2u * (n))
#define REDIR_MASKED  BIT(16)
#define REDIR_LEVEL   BIT(15)
#define REDIR_LOW     BIT(13)
#define REDIR_DEST    24 /* in the high half */
#define APIC_ID_8BIT  0xff

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xa0
#define PIC2_DATA    0xa1
#define ICW1_INIT    0x11
#define ICW4_8086    0x01
#define PIC_CASCADE  2

static struct {
	volatile u32 *regs;
	u32 gsi_base, lines;
} ioapics[ACPI_IOAPICS_MAX];
static unsigned count;

static u32 reg_read(volatile u32 *regs, u32 index)
{
	regs[IOAPIC_INDEX / 4] = index;
	return regs[IOAPIC_DATA / 4];
}

static void reg_write(volatile u32 *regs, u32 index, u32 value)
{
	regs[IOAPIC_INDEX / 4] = index;
	regs[IOAPIC_DATA / 4] = value;
}

/* Moves the 8259s' vectors away from the exceptions, then masks every line. */
static void pic_silence(void)
{
	static const struct {
		u16 port;
		u8 value;
	} seq[] = {
		{ PIC1_COMMAND, ICW1_INIT },
		{ PIC2_COMMAND, ICW1_INIT },
		{ PIC1_DATA, VECTOR_PIC_FIRST },
		{ PIC2_DATA, VECTOR_PIC_FIRST + 8 },
		{ PIC1_DATA, 1 << PIC_CASCADE },
		{ PIC2_DATA, PIC_CASCADE },
		{ PIC1_DATA, ICW4_8086 },
		{ PIC2_DATA, ICW4_8086 },
		{ PIC1_DATA, 0xff },
		{ PIC2_DATA, 0xff },
	};

	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		outb(seq[i].port, seq[i].value);
}

void ioapic_setup(const struct acpi_info *acpi)
{
	pic_silence();
	for (unsigned i = 0; i < acpi->ioapics; i++) {
		volatile u32 *regs = mmio_map(acpi->ioapic[i].base, IOAPIC_LENGTH);
		u32 lines = (reg_read(regs, REG_VERSION) >> 16 & 0xff) + 1;

		for (u32 n = 0; n < lines; n++)
			reg_write(regs, REG_REDIR(n), REDIR_MASKED);
		ioapics[count].regs = regs;
		ioapics[count].gsi_base = acpi->ioapic[i].gsi_base;
		ioapics[count].lines = lines;
		count++;
		log_debug("I/O APIC at %lx: GSI %u-%u", acpi->ioapic[i].base.v,
			acpi->ioapic[i].gsi_base, acpi->ioapic[i].gsi_base + lines - 1);
	}
}

enum status ioapic_route(u32 gsi, u8 vector, u32 apic_id, bool level, bool active_low)
{
	if (apic_id > APIC_ID_8BIT)
		return ERR_NOTSUP;
	for (unsigned i = 0; i < count; i++) {
		u32 n = gsi - ioapics[i].gsi_base;

		if (gsi < ioapics[i].gsi_base || n >= ioapics[i].lines)
			continue;
		reg_write(ioapics[i].regs, REG_REDIR(n) + 1, apic_id << REDIR_DEST);
		reg_write(ioapics[i].regs, REG_REDIR(n),
			(u32)(vector | (level ? REDIR_LEVEL : 0) | (active_low ? REDIR_LOW : 0)));
		return OK;
	}
	return ERR_NOENT;
}
