/* SPDX-License-Identifier: BSD-2-Clause */
/* MSI-X: messages sent when they may be, kept as pending bits when they may not. */
#include "hv/dev/msix.h"

#include <linux/pci_regs.h>

#include "hv/lib/string.h"

#define TABLE_BYTES(m) ((m)->vectors * sizeof(struct msix_entry))
#define WORD	       4u

static_assert(sizeof(struct msix_entry) == PCI_MSIX_ENTRY_SIZE, "as the guest sees it");
static_assert(MSIX_VECTORS_MAX * sizeof(struct msix_entry) <= MSIX_PBA_OFFSET, "table before PBA");

bool msix_enabled(const struct msix *m)
{
	return pci_config16(m->dev, m->cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE;
}

static bool masked(const struct msix *m, unsigned vector)
{
	return !m->live || (m->entry[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT);
}

static void send(struct msix *m, unsigned vector)
{
	const struct msix_entry *e = &m->entry[vector];
	struct pci_host *h = m->dev->host;

	h->msi(h->ctx, (u64)e->address_high << 32 | e->address_low, e->data);
}

void msix_fire(struct msix *m, unsigned vector)
{
	if (vector >= m->vectors || !msix_enabled(m))
		return;
	if (masked(m, vector))
		m->pending |= BIT(vector);
	else
		send(m, vector);
}

/* Sends what was held back and no longer is. */
static void send_pending(struct msix *m)
{
	for (unsigned v = 0; v < m->vectors; v++)
		if ((m->pending & BIT(v)) && !masked(m, v)) {
			m->pending &= ~BIT(v);
			send(m, v);
		}
}

void msix_config_written(struct msix *m)
{
	u16 flags = pci_config16(m->dev, m->cap + PCI_MSIX_FLAGS);

	m->live = (flags & PCI_MSIX_FLAGS_ENABLE) && !(flags & PCI_MSIX_FLAGS_MASKALL) &&
		  pci_bus_master(m->dev);
	if (!(flags & PCI_MSIX_FLAGS_ENABLE))
		m->pending = 0;
	send_pending(m);
}

static u64 table_read(void *dev, u64 offset, unsigned size)
{
	const struct msix *m = dev;
	u64 value = 0;

	if (offset + size <= TABLE_BYTES(m))
		memcpy(&value, (const u8 *)m->entry + offset, size);
	else if (offset >= MSIX_PBA_OFFSET && offset + size <= MSIX_PBA_OFFSET + sizeof(m->pending))
		memcpy(&value, (const u8 *)&m->pending + (offset - MSIX_PBA_OFFSET), size);
	return value;
}

/* Only aligned 4- and 8-byte accesses are defined; the pending bits are read-only. */
static void table_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct msix *m = dev;

	if (size < WORD || offset % size || offset + size > TABLE_BYTES(m))
		return;
	memcpy((u8 *)m->entry + offset, &value, size);
	m->entry[offset / sizeof(struct msix_entry)].control &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
	send_pending(m);
}

static const struct io_ops table_io = { .read = table_read, .write = table_write };

void msix_reset(struct msix *m)
{
	u16 flags = pci_config16(m->dev, m->cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE;

	pci_set_config16(m->dev, m->cap + PCI_MSIX_FLAGS, flags);
	m->live = false;
	m->pending = 0;
	memset(m->entry, 0, sizeof(m->entry));
	for (unsigned v = 0; v < m->vectors; v++)
		m->entry[v].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

void msix_init(struct msix *m, struct pci_dev *d, unsigned bar, unsigned vectors)
{
	ASSERT(vectors >= 1 && vectors <= MSIX_VECTORS_MAX);
	memset(m, 0, sizeof(*m));
	m->dev = d;
	m->vectors = vectors;
	m->cap = pci_dev_capability(d, PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF);
	pci_set_config16(d, m->cap + PCI_MSIX_FLAGS, (u16)(vectors - 1));
	pci_set_config32(d, m->cap + PCI_MSIX_TABLE, bar);
	pci_set_config32(d, m->cap + PCI_MSIX_PBA, (u32)MSIX_PBA_OFFSET | bar);
	d->writable[m->cap + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> BITS_PER_BYTE;
	pci_dev_bar(d, bar, PCI_BAR_MEM32, MSIX_BAR_SIZE, &table_io, m);
	d->msix = m;
	msix_reset(m);
}
