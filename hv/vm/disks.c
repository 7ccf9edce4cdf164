/* SPDX-License-Identifier: BSD-2-Clause */
/* The back ends of a VM's disks, by the kind that its description names. */
#include "hv/vm/disks.h"

#include "hv/blk/ramdisk.h"
#include "hv/boot/modules.h"
#include "hv/lib/printf.h"

static enum status open_ram(
	const struct manifest_disk *d, unsigned index, struct blk_backend **out, char *err)
{
	const struct boot_module *m = NULL;
	char id[BLK_ID_MAX + 1];
	enum status s;

	if (d->kind == DISK_IS_MODULE) {
		m = boot_module_find(d->module);
		if (!m) {
			snprintf(err, LOADER_ERR_MAX, "there is no boot module \"%s\"", d->module);
			return ERR_NOENT;
		}
	}
	snprintf(id, sizeof(id), "disk%u", index);
	if (m)
		s = ramdisk_create(out, boot_module_data(m), m->size, m->size, d->read_only, id);
	else
		s = ramdisk_create(out, NULL, 0, d->size, d->read_only, id);
	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "disk %u: it is empty, or too large for memory",
			index);
	return s;
}

enum status vm_open_disk(const struct vm *vm, unsigned index, struct blk_backend **out, char *err)
{
	const struct manifest_disk *d = &vm->cfg.disk[index];
	const char *why;
	enum status s;

	if (d->kind != DISK_IS_PHYSICAL)
		return open_ram(d, index, out, err);
	s = physical_open(out, &d->physical, d->read_only, &why);
	if (s != OK)
		snprintf(err, LOADER_ERR_MAX, "disk %u: %s", index, why);
	return s;
}
