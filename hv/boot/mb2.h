/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the boot loader hands over (Multiboot2, "Boot information format"), parsed once into our own
 * words. The information structure is bounds-checked tag by tag.
 */
#ifndef HV_BOOT_MB2_H
#define HV_BOOT_MB2_H

#include "hv/boot/memmap.h"
#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define MB2_BOOT_MAGIC	 0x36d76289u
#define BOOT_MODULES_MAX 256
#define BOOT_RSDP_MAX	 64

struct boot_module {
	const char *name; /* first word of the module's string */
	const char *args; /* the rest, without leading blanks; "" if none */
	u64 size;	  /* bytes */
	hpa_t start;
};

/* Its bytes in the direct map; NULL when there are none. */
static inline const void *boot_module_data(const struct boot_module *m)
{
	return m->size ? hpa_to_hva(m->start) : NULL;
}

struct boot_info {
	const char *cmdline; /* "" if none */
	struct boot_module module[BOOT_MODULES_MAX];
	unsigned modules;
	struct memmap
		ram; /* usable, page-aligned inwards, reserved things taken away by the caller */
	struct memmap firmware; /* ACPI tables and NVS, page-aligned outwards */
	u8 rsdp[BOOT_RSDP_MAX]; /* copy of the RSDP; the newer kind where both are given */
	u64 rsdp_len;		/* 0: none given */
};

/*
 * mb2_parse(): info is the structure, of which `max` bytes may be read. Strings are cut in place
 * (a module's name is terminated by a zero), so info is written to and must live on.
 * ERR_INVAL with a sentence in *why.
 */
enum status mb2_parse(void *info, u64 max, struct boot_info *out, const char **why) __must_check;

#endif
