/* SPDX-License-Identifier: BSD-2-Clause */
/* The test device and the debug-exit port: what a guest test needs to poke at its hypervisor. */
#include "hv/dev/testdev.h"

#include "hv/dev/wire.h"
#include "hv/lib/string.h"
#include "hv/mem/page.h"

#define LATCH_DROP	4 /* offset of the latch whose 4-byte write drops a page */
#define LATCH_DROP_SIZE 4
#define STORAGE_ORDER	4

static_assert(PAGE_SIZE << STORAGE_ORDER == LAYOUT_TESTDEV_SIZE, "the storage fills its range");

static u64 latch_read(void *dev, u64 offset, unsigned size)
{
	const struct testdev *t = dev;
	u64 value = 0;

	memcpy(&value, &t->latch[offset], size);
	return value;
}

static void latch_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct testdev *t = dev;

	memcpy(&t->latch[offset], &value, size);
	if (offset == LATCH_DROP && size == LATCH_DROP_SIZE)
		t->drop_page(t->ctx, GPA(value & PAGE_MASK));
}

static u64 line_read(void *dev, u64 offset, unsigned size)
{
	const struct testdev *t = dev;

	(void)size;
	return t->line[offset];
}

static void line_set(struct testdev *t, unsigned line, bool level)
{
	if (t->line[line] == level)
		return;
	t->line[line] = level;
	t->set_line(t->ctx, line, level);
}

static void line_write(void *dev, u64 offset, unsigned size, u64 value)
{
	(void)size;
	line_set(dev, (unsigned)offset, value != 0);
}

static u64 storage_read(void *dev, u64 offset, unsigned size)
{
	const struct testdev *t = dev;
	u64 value = 0;

	memcpy(&value, &t->storage[offset], size);
	return value;
}

static void storage_write(void *dev, u64 offset, unsigned size, u64 value)
{
	struct testdev *t = dev;

	memcpy(&t->storage[offset], &value, size);
}

const struct io_ops testdev_latch_io = { .read = latch_read, .write = latch_write };
const struct io_ops testdev_line_io = { .read = line_read, .write = line_write };
const struct io_ops testdev_storage_io = { .read = storage_read, .write = storage_write };

enum status testdev_init(struct testdev *t, void (*drop_page)(void *ctx, gpa_t page),
	void (*set_line)(void *ctx, unsigned line, bool level), void *ctx)
{
	memset(t, 0, sizeof(*t));
	t->storage = page_alloc(STORAGE_ORDER, PAGE_HV);
	if (!t->storage)
		return ERR_NOMEM;
	t->drop_page = drop_page;
	t->set_line = set_line;
	t->ctx = ctx;
	return OK;
}

void testdev_reset(struct testdev *t)
{
	memset(t->latch, 0, sizeof(t->latch));
	memset(t->storage, 0, LAYOUT_TESTDEV_SIZE);
	for (unsigned i = 0; i < TESTDEV_LINES; i++)
		line_set(t, i, false);
}

void testdev_destroy(struct testdev *t)
{
	if (t->storage)
		page_free(t->storage, STORAGE_ORDER, PAGE_HV);
	t->storage = NULL;
}

static u64 debug_exit_read(void *dev, u64 offset, unsigned size)
{
	(void)dev, (void)offset, (void)size;
	return 0;
}

static void debug_exit_write(void *dev, u64 offset, unsigned size, u64 value)
{
	const struct debug_exit *d = dev;

	(void)offset, (void)size;
	d->end(d->ctx, (u8)(value << 1 | 1));
}

const struct io_ops debug_exit_io = { .read = debug_exit_read, .write = debug_exit_write };
