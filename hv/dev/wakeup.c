/* SPDX-License-Identifier: BSD-2-Clause */
/* The wakeup mailbox: a command is taken when it is complete. */
#include "hv/dev/wakeup.h"

#include "hv/dev/layout.h"
#include "hv/lib/string.h"

#define COMMAND_NONE 0
#define COMMAND_WAKE 1

/* "4-Level Paging" */
#define PTE_TABLE   0x003ul /* present, writable */
#define PTE_PAGE_2M 0x083ul /* and page size */
#define PT_ENTRIES  512u

static_assert(offsetof(struct wakeup, box.apic_id) == 4 && offsetof(struct wakeup, box.vector) == 8,
	"ACPI: Multiprocessor Wakeup Mailbox Structure");

static u64 mailbox_read(void *dev, u64 offset, unsigned size)
{
	const struct wakeup *w = dev;
	u64 value = 0;

	if (offset + size <= sizeof(w->box))
		memcpy(&value, (const u8 *)&w->box + offset, size);
	return value;
}

static void mailbox_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct wakeup *w = dev;

	if (offset + size > sizeof(w->box))
		return;
	memcpy((u8 *)&w->box + offset, &value, size);
	if (w->box.command == COMMAND_WAKE && w->wake(w->ctx, w->box.apic_id, w->box.vector))
		w->box.command = COMMAND_NONE;
}

const struct io_ops wakeup_io = { .read = mailbox_read, .write = mailbox_write };

void wakeup_reset(struct wakeup *w)
{
	memset(&w->box, 0, sizeof(w->box));
}

void wakeup_init(struct wakeup *w, bool (*wake)(void *ctx, u32 apic_id, u64 vector), void *ctx)
{
	*w = (struct wakeup){ .wake = wake, .ctx = ctx };
}

/* One table of entries: the first is `first`, each of the others is by `step` more; step 0: there
 * is but one. */
static enum status put_table(const struct guestmem *gm, u64 at, u64 first, u64 step)
{
	u64 table[PT_ENTRIES] = { first };

	for (unsigned i = 1; step && i < PT_ENTRIES; i++)
		table[i] = first + i * step;
	return guest_write(gm, GPA(at), table, sizeof(table));
}

enum status wakeup_put_tables(const struct guestmem *gm)
{
	const u64 pml4 = LAYOUT_WAKEUP_TABLES, pdpt = pml4 + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
	enum status s = put_table(gm, pml4, pdpt | PTE_TABLE, 0);

	static_assert(LAYOUT_WAKEUP_TABLES + 3 * PAGE_SIZE <= LAYOUT_FW_END, "three tables");
	if (s == OK)
		s = put_table(gm, pdpt, pd | PTE_TABLE, 0);
	if (s == OK)
		s = put_table(gm, pd, PTE_PAGE_2M, 2 * MB);
	return s;
}
