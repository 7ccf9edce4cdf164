/* SPDX-License-Identifier: BSD-2-Clause */
/* The boot modules, for whoever creates virtual machines. */
#ifndef HV_BOOT_MODULES_H
#define HV_BOOT_MODULES_H

#include "hv/boot/mb2.h"

/* The module with that name, or NULL. */
const struct boot_module *boot_module_find(const char *name);
unsigned boot_module_count(void);
const struct boot_module *boot_module_at(unsigned index); /* index < boot_module_count() */

#endif
