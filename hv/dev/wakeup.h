/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The multiprocessor wakeup mailbox, by which processors start in 64-bit mode: for VMs that have no
 * real mode, in which a start-up IPI begins. The kernel finds it in the MADT. It is no memory, so
 * that a command is noticed when it is written.
 * Source: ACPI Specification 6.4, "Multiprocessor Wakeup Structure".
 */
#ifndef HV_DEV_WAKEUP_H
#define HV_DEV_WAKEUP_H

#include "hv/dev/bus.h"
#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"

#define WAKEUP_SIZE 0x1000ul

struct wakeup {
	struct {
		u16 command, reserved;
		u32 apic_id;
		u64 vector;
	} box; /* the part that is the operating system's; behind it nothing is kept */
	/* Starts that processor there; false: there is none to start. */
	bool (*wake)(void *ctx, u32 apic_id, u64 vector);
	void *ctx;
};

void wakeup_init(struct wakeup *w, bool (*wake)(void *ctx, u32 apic_id, u64 vector), void *ctx);
void wakeup_reset(struct wakeup *w);

extern const struct io_ops wakeup_io; /* dev is a struct wakeup */

/* The page tables that such a processor starts with, to LAYOUT_WAKEUP_TABLES: the first gigabyte is
 * mapped as it is. ERR_RANGE: no RAM there. */
enum status wakeup_put_tables(const struct guestmem *gm) __must_check;

#endif
