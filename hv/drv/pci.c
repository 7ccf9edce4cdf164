/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration space through its two ports ("Configuration Mechanism #1"), and what is found
 * there. */
#include "hv/drv/pci.h"

#include <linux/pci_regs.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define CONFIG_ENABLE  BIT(31)
#define CONFIG_SIZE    256u
#define SLOTS	       32u
#define FUNCTIONS      8u
#define BUSES	       256u
#define NO_VENDOR      0xffffu
#define CLASS_BRIDGE   0x0604u /* class and subclass: PCI to PCI */
#define MULTI_FUNCTION 0x80u   /* of the header type */
#define CAPS_MAX       48u     /* as many as 192 bytes hold */
#define MSI_ADDRESS    0xfee00000u
#define MSI_DEST_SHIFT 12
#define APIC_ID_8BIT   0xffu

static void select(const struct pci_function *f, unsigned offset)
{
	f->ports->out32(CONFIG_ADDRESS, (u32)CONFIG_ENABLE | (u32)f->bus << 16 |
						(u32)f->slot << 11 | (u32)f->function << 8 |
						(offset & (CONFIG_SIZE - 4)));
}

u32 pci_fn_read(const struct pci_function *f, unsigned offset, unsigned size)
{
	u16 data = (u16)(CONFIG_DATA + (offset & 3));

	select(f, offset);
	if (size == 1)
		return f->ports->in8(data);
	return size == 2 ? f->ports->in16(data) : f->ports->in32(data);
}

void pci_fn_write(const struct pci_function *f, unsigned offset, unsigned size, u32 value)
{
	u16 data = (u16)(CONFIG_DATA + (offset & 3));

	select(f, offset);
	if (size == 1)
		f->ports->out8(data, (u8)value);
	else if (size == 2)
		f->ports->out16(data, (u16)value);
	else
		f->ports->out32(data, value);
}

/* ---- what is there ---- */

struct walk {
	void (*fn)(const struct pci_function *f, void *ctx);
	void *ctx;
	u8 todo[BUSES]; /* buses to look at, each once */
	unsigned todos;
	bool seen[BUSES];
};

static void add_bus(struct walk *w, u8 bus)
{
	if (w->seen[bus])
		return;
	w->seen[bus] = true;
	w->todo[w->todos++] = bus;
}

/* False: there is no such function. */
static bool look(struct walk *w, struct pci_function *f)
{
	u32 id = pci_fn_read(f, PCI_VENDOR_ID, 4);

	if ((id & NO_VENDOR) == NO_VENDOR)
		return false;
	f->vendor = (u16)id;
	f->device = (u16)(id >> 16);
	f->class_code = pci_fn_read(f, PCI_CLASS_REVISION, 4) >> 8;
	if (f->class_code >> 8 == CLASS_BRIDGE)
		add_bus(w, (u8)pci_fn_read(f, PCI_SECONDARY_BUS, 1));
	w->fn(f, w->ctx);
	return true;
}

static void look_at_slot(struct walk *w, struct pci_function f)
{
	bool many;

	if (!look(w, &f))
		return;
	many = pci_fn_read(&f, PCI_HEADER_TYPE, 1) & MULTI_FUNCTION;
	for (unsigned i = 1; many && i < FUNCTIONS; i++) {
		f.function = (u8)i;
		look(w, &f);
	}
}

void pci_for_each(const struct port_ops *ports, void (*fn)(const struct pci_function *f, void *ctx),
	void *ctx)
{
	struct walk w = { .fn = fn, .ctx = ctx };

	add_bus(&w, 0);
	for (unsigned i = 0; i < w.todos; i++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			look_at_slot(
				&w, (struct pci_function){
					    .ports = ports, .bus = w.todo[i], .slot = (u8)slot });
}

/* ---- one function ---- */

static u32 read_bar(const struct pci_function *f, unsigned bar)
{
	return pci_fn_read(f, PCI_BASE_ADDRESS_0 + bar * 4, 4);
}

bool pci_fn_io_bar(const struct pci_function *f, unsigned bar, u16 *port)
{
	u32 v = read_bar(f, bar);

	*port = (u16)(v & PCI_BASE_ADDRESS_IO_MASK);
	return (v & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_IO && *port;
}

bool pci_fn_mem_bar(const struct pci_function *f, unsigned bar, hpa_t *address)
{
	u32 v = read_bar(f, bar);
	u64 a = v & (u32)PCI_BASE_ADDRESS_MEM_MASK;

	if (v & PCI_BASE_ADDRESS_SPACE_IO)
		return false;
	if ((v & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64)
		a |= (u64)read_bar(f, bar + 1) << 32;
	*address = HPA(a);
	return a != 0;
}

void pci_fn_enable(const struct pci_function *f, u16 bits)
{
	pci_fn_write(f, PCI_COMMAND, 2, pci_fn_read(f, PCI_COMMAND, 2) | bits);
}

unsigned pci_fn_capability(const struct pci_function *f, u8 id)
{
	unsigned at;

	if (!(pci_fn_read(f, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	at = pci_fn_read(f, PCI_CAPABILITY_LIST, 1) & ~3u;
	for (unsigned i = 0; at >= PCI_STD_HEADER_SIZEOF && i < CAPS_MAX; i++) {
		if (pci_fn_read(f, at + PCI_CAP_LIST_ID, 1) == id)
			return at;
		at = pci_fn_read(f, at + PCI_CAP_LIST_NEXT, 1) & ~3u;
	}
	return 0;
}

enum status pci_fn_msi(const struct pci_function *f, u8 vector, u32 apic_id)
{
	unsigned cap = pci_fn_capability(f, PCI_CAP_ID_MSI);
	u32 flags;

	if (!cap || apic_id > APIC_ID_8BIT)
		return ERR_NOENT;
	flags = pci_fn_read(f, cap + PCI_MSI_FLAGS, 2);
	pci_fn_write(f, cap + PCI_MSI_ADDRESS_LO, 4, MSI_ADDRESS | apic_id << MSI_DEST_SHIFT);
	if (flags & PCI_MSI_FLAGS_64BIT) {
		pci_fn_write(f, cap + PCI_MSI_ADDRESS_HI, 4, 0);
		pci_fn_write(f, cap + PCI_MSI_DATA_64, 2, vector);
	} else {
		pci_fn_write(f, cap + PCI_MSI_DATA_32, 2, vector);
	}
	flags = (flags & ~(u32)PCI_MSI_FLAGS_QSIZE) | PCI_MSI_FLAGS_ENABLE;
	pci_fn_write(f, cap + PCI_MSI_FLAGS, 2, flags);
	pci_fn_enable(f, PCI_COMMAND_INTX_DISABLE);
	return OK;
}
