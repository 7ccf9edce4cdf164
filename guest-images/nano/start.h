/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUEST_IMAGES_NANO_START_H
#define GUEST_IMAGES_NANO_START_H

#include "hv/lib/util.h"

/* By ACPI S5; a machine that has none fails. */
__noreturn void switch_off(void);

#endif
