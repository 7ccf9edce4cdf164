/* SPDX-License-Identifier: BSD-2-Clause */
#include "hv/dev/ioapic.h"
#include "hv/lib/string.h"

#define REG_ID	    0
#define REG_VERSION 1
#define REG_ARB	    2
#define REG_REDIR   0x10
#define VERSION	    (0x20u | (IOAPIC_PINS - 1) << 16)
#define ID_VALID    0x0f000000u

#define OFF_SELECT   0x00
#define OFF_WINDOW   0x10
#define OFF_EOI	     0x40
#define WINDOW_BYTES 4

/* "I/O Redirection Table Registers" */
#define REDIR_VECTOR	 0xffu
#define REDIR_MODE_SHIFT 8
#define REDIR_MODE_MASK	 7u
#define REDIR_LOGICAL	 BIT(11)
#define REDIR_STATUS	 BIT(12) /* always 0: idle */
#define REDIR_IRR	 BIT(14)
#define REDIR_LEVEL	 BIT(15)
#define REDIR_MASKED	 BIT(16)
#define REDIR_DEST_SHIFT 56
#define REDIR_RO	 (REDIR_STATUS | REDIR_IRR)
#define REDIR_WRITABLE	 ((0x1fffful | GENMASK(63, REDIR_DEST_SHIFT)) & ~REDIR_RO)

static enum apic_delivery mode_of(u64 entry)
{
	return (enum apic_delivery)(entry >> REDIR_MODE_SHIFT & REDIR_MODE_MASK);
}

/* "Delivery Mode": NMI and the like are edges, even if programmed as a level. */
static bool is_level(u64 entry)
{
	enum apic_delivery mode = mode_of(entry);

	return (entry & REDIR_LEVEL) && (mode == APIC_FIXED || mode == APIC_LOWEST);
}

static void deliver(struct ioapic *io, unsigned pin)
{
	u64 e = io->redir[pin];
	struct apic_msg m = {
		.dest = (u32)(e >> REDIR_DEST_SHIFT),
		.vector = e & REDIR_VECTOR,
		.mode = mode_of(e),
		.logical = (e & REDIR_LOGICAL) != 0,
		.level = is_level(e),
	};

	if (!apic_mode_is_reserved(m.mode) && io->send(io->ctx, &m) && m.level)
		io->redir[pin] |= REDIR_IRR;
}

/* A level that is high, unmasked and not under way goes out. */
static void look_at_level(struct ioapic *io, unsigned pin)
{
	u64 e = io->redir[pin];

	if (is_level(e) && !(e & (REDIR_MASKED | REDIR_IRR)) && (io->lines & BIT(pin)))
		deliver(io, pin);
}

void ioapic_set_irq(struct ioapic *io, unsigned pin, bool level)
{
	bool rising;

	if (pin >= IOAPIC_PINS)
		return;
	rising = level && !(io->lines & BIT(pin));
	if (level)
		io->lines |= (u32)BIT(pin);
	else
		io->lines &= ~(u32)BIT(pin);
	if (is_level(io->redir[pin]))
		look_at_level(io, pin);
	else if (rising && !(io->redir[pin] & REDIR_MASKED))
		deliver(io, pin);
}

void ioapic_eoi(struct ioapic *io, u8 vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		if ((io->redir[pin] & REDIR_VECTOR) != vector || !(io->redir[pin] & REDIR_IRR))
			continue;
		io->redir[pin] &= ~REDIR_IRR;
		look_at_level(io, pin);
	}
}

static void write_redir(struct ioapic *io, unsigned pin, bool high, u32 value)
{
	u64 e = io->redir[pin], ro = e & REDIR_RO;

	if (high)
		e = (u32)e | (u64)value << 32;
	else
		e = (e & ~0xfffffffful) | value;
	e = (e & REDIR_WRITABLE) | ro;
	/* Remote IRR means nothing for an edge; switching to edge and back is how old kernels clear
	 * it. */
	if (!is_level(e))
		e &= ~REDIR_IRR;
	io->redir[pin] = e;
	look_at_level(io, pin);
}

static u32 reg_read(const struct ioapic *io, unsigned reg)
{
	unsigned pin = (reg - REG_REDIR) / 2;

	switch (reg) {
	case REG_ID:
	case REG_ARB: return io->id;
	case REG_VERSION: return VERSION;
	default: break;
	}
	if (reg < REG_REDIR || pin >= IOAPIC_PINS)
		return 0;
	return (u32)(reg & 1 ? io->redir[pin] >> 32 : io->redir[pin]);
}

static void reg_write(struct ioapic *io, unsigned reg, u32 value)
{
	unsigned pin = (reg - REG_REDIR) / 2;

	if (reg == REG_ID)
		io->id = value & ID_VALID;
	else if (reg >= REG_REDIR && pin < IOAPIC_PINS)
		write_redir(io, pin, reg & 1, value);
}

static u64 mmio_read(void *dev, u64 offset, unsigned size)
{
	struct ioapic *io = dev;

	(void)size;
	switch (offset) {
	case OFF_SELECT: return io->index;
	case OFF_WINDOW: return reg_read(io, io->index);
	default: return 0;
	}
}

static void mmio_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct ioapic *io = dev;

	switch (offset) {
	case OFF_SELECT: io->index = (u8)value; break;
	case OFF_WINDOW:
		if (size == WINDOW_BYTES)
			reg_write(io, io->index, (u32)value);
		break;
	case OFF_EOI: ioapic_eoi(io, (u8)value); break;
	default: break;
	}
}

const struct io_ops ioapic_ops = { .read = mmio_read, .write = mmio_write };

void ioapic_reset(struct ioapic *io)
{
	for (unsigned i = 0; i < IOAPIC_PINS; i++)
		io->redir[i] = REDIR_MASKED;
	io->index = 0;
	io->id = 0;
}

void ioapic_init(struct ioapic *io, bool (*send)(void *ctx, const struct apic_msg *m), void *ctx)
{
	memset(io, 0, sizeof(*io));
	io->send = send;
	io->ctx = ctx;
	ioapic_reset(io);
}
