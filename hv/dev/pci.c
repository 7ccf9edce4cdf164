/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI bus 0. Configuration space is bytes with a mask of what the guest may change; all that a
 * write can set in motion follows from comparing the bytes before and after.
 */
#include "hv/dev/pci.h"

#include <linux/pci_regs.h>

#include "hv/dev/layout.h"
#include "hv/dev/msix.h"
#include "hv/lib/string.h"

/* CONFIG_ADDRESS (PCI 3.0, "Software Generation of Configuration Transactions") */
#define ADDRESS_ENABLE	    BIT(31)
#define ADDRESS_BUS_SHIFT   16
#define ADDRESS_DEVFN_SHIFT 8
#define ADDRESS_REGISTER    0xfcu
#define ADDRESS_WRITABLE    0x80fffffcu
#define ADDRESS_PORTS	    4
#define RESET_OFFSET	    (RESET_CONTROL_PORT - PCI_CONFIG_PORT)

#define ECAM_DEVFN_SHIFT 12
#define ECAM_REGISTER	 0xfffu
#define DEVFN_FUNCTIONS	 8
#define DWORD		 4u

#define COMMAND_WRITABLE                                                                           \
	(PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE)
#define CLASS_SHIFT 8
#define CAP_ALIGN   4u
#define BAR_BYTES   4u
#define LOG_BURST   5

/*
 * The host bridge. An Intel bridge is what the x86 code of kernels expects to find when it checks
 * that configuration accesses work; this id is the one that the Cloud Hypervisor project uses for
 * its virtual bridge: no chipset quirk, AGP or EDAC driver of Linux binds to it, where 8086:1237
 * (440FX) and 8086:29C0 (Q35) each have some.
 */
static const struct pci_id bridge_id = {
	.vendor = 0x8086,
	.device = 0x0d57,
	.class_code = 0x060000,
};

u16 pci_config16(const struct pci_dev *d, unsigned offset)
{
	u16 value;

	memcpy(&value, &d->config[offset], sizeof(value));
	return value;
}

u32 pci_config32(const struct pci_dev *d, unsigned offset)
{
	u32 value;

	memcpy(&value, &d->config[offset], sizeof(value));
	return value;
}

void pci_set_config16(struct pci_dev *d, unsigned offset, u16 value)
{
	memcpy(&d->config[offset], &value, sizeof(value));
}

void pci_set_config32(struct pci_dev *d, unsigned offset, u32 value)
{
	memcpy(&d->config[offset], &value, sizeof(value));
}

bool pci_bus_master(const struct pci_dev *d)
{
	return pci_config16(d, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

/* ---- BARs ---- */

static unsigned bar_offset(unsigned index)
{
	return PCI_BASE_ADDRESS_0 + index * BAR_BYTES;
}

static u64 bar_address(const struct pci_dev *d, unsigned index)
{
	u64 low = pci_config32(d, bar_offset(index));

	if (d->bar[index].kind == PCI_BAR_IO)
		return low & PCI_BASE_ADDRESS_IO_MASK;
	low &= PCI_BASE_ADDRESS_MEM_MASK;
	if (d->bar[index].kind == PCI_BAR_MEM64)
		low |= (u64)pci_config32(d, bar_offset(index + 1)) << 32;
	return low;
}

static void bar_set_address(struct pci_dev *d, unsigned index, u64 address)
{
	unsigned offset = bar_offset(index);
	u32 type = pci_config32(d, offset) & (u32)(d->bar[index].size - 1);

	pci_set_config32(d, offset, (u32)address | type);
	if (d->bar[index].kind == PCI_BAR_MEM64)
		pci_set_config32(d, offset + BAR_BYTES, (u32)(address >> 32));
}

static struct bus *bar_bus(const struct pci_dev *d, const struct pci_bar *b)
{
	return b->kind == PCI_BAR_IO ? d->host->pio : d->host->mmio;
}

/* Does the command register let this kind of BAR decode? */
static bool bar_enabled(const struct pci_dev *d, const struct pci_bar *b)
{
	u16 command = pci_config16(d, PCI_COMMAND);

	switch (b->kind) {
	case PCI_BAR_IO: return command & PCI_COMMAND_IO;
	case PCI_BAR_MEM32:
	case PCI_BAR_MEM64: return command & PCI_COMMAND_MEMORY;
	default: return false;
	}
}

static bool bar_in_window(const struct pci_bar *b, u64 address)
{
	u64 start = b->kind == PCI_BAR_IO ? PCI_IO_START : LAYOUT_PCI_MMIO;
	u64 end = b->kind == PCI_BAR_IO ? PCI_IO_END : LAYOUT_PCI_MMIO_END;

	return address >= start && address < end && b->size <= end - address;
}

static void bar_unmap(struct pci_dev *d, struct pci_bar *b)
{
	if (b->mapped)
		bus_remove(bar_bus(d, b), b->base);
	b->mapped = false;
}

static void bar_map(struct pci_dev *d, unsigned index)
{
	struct pci_bar *b = &d->bar[index];
	u64 address = bar_address(d, index);

	if (b->mapped || !bar_enabled(d, b))
		return;
	b->mapped = bar_in_window(b, address) &&
		    bus_add(bar_bus(d, b), address, b->size, b->ops, b->dev, d->name) == OK;
	b->base = address;
	if (!b->mapped)
		log_guest(&d->host->rl, LOG_WARN,
			"pci %s: BAR %u at 0x%lx + 0x%lx decodes nothing there", d->name, index,
			address, b->size);
}

/*
 * Brings the buses in line with all BARs: first those that have moved or gone let go, of every
 * device, then all that are wanted are claimed, so that two BARs can change places.
 */
static void remap(struct pci_host *h)
{
	for (unsigned s = 0; s < PCI_SLOTS; s++)
		for (unsigned i = 0; h->dev[s] && i < PCI_BARS; i++) {
			struct pci_bar *b = &h->dev[s]->bar[i];

			if (!bar_enabled(h->dev[s], b) || bar_address(h->dev[s], i) != b->base)
				bar_unmap(h->dev[s], b);
		}
	for (unsigned s = 0; s < PCI_SLOTS; s++)
		for (unsigned i = 0; h->dev[s] && i < PCI_BARS; i++)
			bar_map(h->dev[s], i);
}

/* ---- INTx ---- */

static void update_intx(struct pci_dev *d)
{
	struct pci_host *h = d->host;
	unsigned line = d->slot % PCI_INTX_LINES;
	u16 status = pci_config16(d, PCI_STATUS) & (u16)~PCI_STATUS_INTERRUPT;
	bool disabled = pci_config16(d, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	u32 before = h->intx[line];

	pci_set_config16(d, PCI_STATUS, status | (d->intx ? PCI_STATUS_INTERRUPT : 0));
	if (d->intx && !disabled)
		h->intx[line] |= 1u << d->slot;
	else
		h->intx[line] &= ~(1u << d->slot);
	if (!before != !h->intx[line])
		h->set_gsi(h->ctx, PCI_INTX_GSI + line, h->intx[line] != 0);
}

void pci_set_intx(struct pci_dev *d, bool level)
{
	if (d->intx == level)
		return;
	d->intx = level;
	update_intx(d);
}

/* ---- configuration accesses ---- */

static bool overlaps(unsigned offset, unsigned size, unsigned from, unsigned len)
{
	return offset < from + len && from < offset + size;
}

static void config_write(struct pci_dev *d, unsigned offset, unsigned size, u64 value)
{
	for (unsigned i = 0; i < size; i++) {
		u8 mask = d->writable[offset + i];
		u8 byte = (u8)(value >> (i * BITS_PER_BYTE));

		d->config[offset + i] = (u8)((d->config[offset + i] & ~mask) | (byte & mask));
	}
	if (overlaps(offset, size, PCI_COMMAND, sizeof(u16)) ||
		overlaps(offset, size, PCI_BASE_ADDRESS_0, PCI_BARS * BAR_BYTES))
		remap(d->host);
	if (overlaps(offset, size, PCI_COMMAND, sizeof(u16)))
		update_intx(d);
	if (d->msix)
		msix_config_written(d->msix);
	if (d->written)
		d->written(d, offset, size);
}

/* NULL: nobody there, or beyond the 256 bytes that our devices have. The access stays within a
 * dword. */
static struct pci_dev *config_target(const struct pci_host *h, unsigned devfn, unsigned offset)
{
	if (devfn % DEVFN_FUNCTIONS || offset >= PCI_CONFIG_SIZE)
		return NULL;
	return h->dev[devfn / DEVFN_FUNCTIONS];
}

static u64 config_read(struct pci_dev *d, unsigned offset, unsigned size)
{
	u64 value = ~0ul;

	if (d && d->reading)
		d->reading(d, offset, size);
	if (d)
		memcpy(&value, &d->config[offset], size);
	return value;
}

static u64 port_read(void *dev, u64 offset, unsigned size)
{
	const struct pci_host *h = dev;
	unsigned reg = (h->address & ADDRESS_REGISTER) + (unsigned)offset % ADDRESS_PORTS;
	unsigned devfn = h->address >> ADDRESS_DEVFN_SHIFT & 0xff;

	if (offset == RESET_OFFSET && size == 1)
		return reset_control_read(h->reset);
	if (offset < ADDRESS_PORTS)
		return offset == 0 && size == DWORD ? h->address : ~0ul;
	if (!(h->address & ADDRESS_ENABLE) || (h->address >> ADDRESS_BUS_SHIFT & 0xff))
		return ~0ul;
	return config_read(config_target(h, devfn, reg), reg, size);
}

static void port_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pci_host *h = dev;
	unsigned reg = (h->address & ADDRESS_REGISTER) + (unsigned)offset % ADDRESS_PORTS;
	unsigned devfn = h->address >> ADDRESS_DEVFN_SHIFT & 0xff;
	struct pci_dev *d = config_target(h, devfn, reg);

	if (offset == RESET_OFFSET && size == 1)
		reset_control_write(h->reset, (u8)value);
	else if (offset == 0 && size == DWORD)
		h->address = (u32)value & ADDRESS_WRITABLE;
	else if (offset >= ADDRESS_PORTS && d && (h->address & ADDRESS_ENABLE) &&
		 !(h->address >> ADDRESS_BUS_SHIFT & 0xff))
		config_write(d, reg, size, value);
}

/* Accesses to ECAM that leave their dword become bytes. */
static bool leaves_dword(u64 offset, unsigned size)
{
	return offset % DWORD + size > DWORD;
}

static u64 ecam_read(void *dev, u64 offset, unsigned size)
{
	const struct pci_host *h = dev;
	unsigned reg = offset & ECAM_REGISTER;
	u64 value = 0;

	if (!leaves_dword(offset, size))
		return config_read(
			config_target(h, (unsigned)(offset >> ECAM_DEVFN_SHIFT), reg), reg, size);
	for (unsigned i = 0; i < size; i++)
		value |= (ecam_read(dev, offset + i, 1) & 0xff) << (i * BITS_PER_BYTE);
	return value;
}

static void ecam_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct pci_host *h = dev;
	unsigned reg = offset & ECAM_REGISTER;
	struct pci_dev *d = config_target(h, (unsigned)(offset >> ECAM_DEVFN_SHIFT), reg);

	if (leaves_dword(offset, size)) {
		for (unsigned i = 0; i < size; i++)
			ecam_write(dev, offset + i, 1, value >> (i * BITS_PER_BYTE));
		return;
	}
	if (d)
		config_write(d, reg, size, value);
}

const struct io_ops pci_port_io = { .read = port_read, .write = port_write };
const struct io_ops pci_ecam_io = { .read = ecam_read, .write = ecam_write };

/* ---- devices ---- */

void pci_dev_init(struct pci_dev *d, const char *name, const struct pci_id *id)
{
	memset(d, 0, sizeof(*d));
	d->name = name;
	pci_set_config16(d, PCI_VENDOR_ID, id->vendor);
	pci_set_config16(d, PCI_DEVICE_ID, id->device);
	pci_set_config32(d, PCI_CLASS_REVISION, id->class_code << CLASS_SHIFT | id->revision);
	pci_set_config16(d, PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_set_config16(d, PCI_SUBSYSTEM_ID, id->subsystem);
	d->config[PCI_INTERRUPT_PIN] = id->intx;
	d->writable[PCI_COMMAND] = COMMAND_WRITABLE & 0xff;
	d->writable[PCI_COMMAND + 1] = COMMAND_WRITABLE >> BITS_PER_BYTE;
	d->writable[PCI_CACHE_LINE_SIZE] = 0xff;
	d->writable[PCI_INTERRUPT_LINE] = 0xff;
	d->cap_last = PCI_CAPABILITY_LIST;
	d->cap_end = PCI_STD_HEADER_SIZEOF;
}

static const u32 bar_type[] = {
	[PCI_BAR_IO] = PCI_BASE_ADDRESS_SPACE_IO,
	[PCI_BAR_MEM32] = PCI_BASE_ADDRESS_MEM_TYPE_32,
	[PCI_BAR_MEM64] = PCI_BASE_ADDRESS_MEM_TYPE_64,
};

void pci_dev_bar(struct pci_dev *d, unsigned index, enum pci_bar_kind kind, u64 size,
	const struct io_ops *ops, void *dev)
{
	u32 mask = ~(u32)(size - 1);
	unsigned offset = bar_offset(index);

	ASSERT(IS_POW2(size) && size <= GB && index + (kind == PCI_BAR_MEM64) < PCI_BARS);
	d->bar[index] = (struct pci_bar){ .kind = kind, .size = size, .ops = ops, .dev = dev };
	pci_set_config32(d, offset, bar_type[kind]);
	memcpy(&d->writable[offset], &mask, sizeof(mask));
	if (kind == PCI_BAR_MEM64)
		memset(&d->writable[offset + BAR_BYTES], 0xff, BAR_BYTES);
}

unsigned pci_dev_capability(struct pci_dev *d, u8 id, unsigned len)
{
	unsigned offset = d->cap_end;

	ASSERT(len >= PCI_CAP_SIZEOF && offset + len <= PCI_CONFIG_SIZE);
	pci_set_config16(d, PCI_STATUS, pci_config16(d, PCI_STATUS) | PCI_STATUS_CAP_LIST);
	d->config[d->cap_last] = (u8)offset;
	d->config[offset + PCI_CAP_LIST_ID] = id;
	d->cap_last = offset + PCI_CAP_LIST_NEXT;
	d->cap_end = ALIGN_UP(offset + len, CAP_ALIGN);
	return offset;
}

/* Chooses where the BARs are at power-on: in order of slots, each aligned to its size. */
static enum status find_homes(struct pci_host *h, struct pci_dev *d)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &d->bar[i];
		u64 *next = b->kind == PCI_BAR_IO ? &h->next_io : &h->next_mem;

		if (b->kind == PCI_BAR_NONE)
			continue;
		b->home = ALIGN_UP(*next, MAX(b->size, b->kind == PCI_BAR_IO ? 1ul : PAGE_SIZE));
		if (!bar_in_window(b, b->home))
			return ERR_RANGE;
		*next = b->home + b->size;
	}
	return OK;
}

/* What firmware leaves behind: BARs placed and decoding, the interrupt line noted. */
static void dev_power_on(struct pci_dev *d)
{
	u16 command = 0;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &d->bar[i];

		if (b->kind == PCI_BAR_NONE)
			continue;
		command |= b->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY;
		bar_set_address(d, i, b->home);
	}
	pci_set_config16(d, PCI_COMMAND, command);
	d->config[PCI_CACHE_LINE_SIZE] = 0;
	if (d->config[PCI_INTERRUPT_PIN])
		d->config[PCI_INTERRUPT_LINE] = (u8)(PCI_INTX_GSI + d->slot % PCI_INTX_LINES);
	d->intx = false;
	update_intx(d);
	if (d->msix)
		msix_reset(d->msix);
}

enum status pci_attach(struct pci_host *h, struct pci_dev *d, unsigned slot)
{
	enum status st;

	if (slot >= PCI_SLOTS)
		return ERR_RANGE;
	if (h->dev[slot])
		return ERR_EXIST;
	st = find_homes(h, d);
	if (st)
		return st;
	d->host = h;
	d->slot = slot;
	h->dev[slot] = d;
	dev_power_on(d);
	remap(h);
	return OK;
}

void pci_reset(struct pci_host *h)
{
	h->address = 0;
	for (unsigned s = 0; s < PCI_SLOTS; s++)
		if (h->dev[s])
			dev_power_on(h->dev[s]);
	remap(h);
}

void pci_init(struct pci_host *h, struct bus *pio, struct bus *mmio, struct reset *reset,
	void (*set_gsi)(void *ctx, unsigned gsi, bool level),
	void (*msi)(void *ctx, u64 address, u32 data), void *ctx)
{
	memset(h, 0, sizeof(*h));
	h->pio = pio;
	h->mmio = mmio;
	h->reset = reset;
	h->set_gsi = set_gsi;
	h->msi = msi;
	h->ctx = ctx;
	h->next_mem = LAYOUT_PCI_MMIO;
	h->next_io = PCI_IO_HOME;
	h->rl = (struct ratelimit)RATELIMIT(LOG_BURST);
	pci_dev_init(&h->bridge, "host-bridge", &bridge_id);
	h->bridge.host = h;
	h->dev[0] = &h->bridge;
}
