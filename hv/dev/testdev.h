/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that exist for guest tests only, off unless the VM file asks. QEMU's pc-testdev is the
 * model of the first, isa-debug-exit of the second.
 *
 *   ports 0xE0-0xE7      latches: each byte reads as what was last written there
 *   port  0xE4, 4 bytes  (also) drops the host mapping of the guest page at that address
 *   ports 0x2000-0x2017  set interrupt line 0-23 to whether the value is non-zero
 *   MMIO  0xFF000000     64 KB of plain storage, each access an exit
 *   port  0xF4           ends the VM with status (value << 1) | 1
 */
#ifndef HV_DEV_TESTDEV_H
#define HV_DEV_TESTDEV_H

#include "hv/dev/bus.h"
#include "hv/dev/layout.h"
#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define TESTDEV_LATCH_PORT 0xe0
#define TESTDEV_LATCHES	   8
#define TESTDEV_LINE_PORT  0x2000
#define TESTDEV_LINES	   24
#define DEBUG_EXIT_PORT	   0xf4
#define DEBUG_EXIT_PORTS   1

struct testdev {
	u8 latch[TESTDEV_LATCHES];
	bool line[TESTDEV_LINES];
	u8 *storage; /* LAYOUT_TESTDEV_SIZE bytes */
	void (*drop_page)(void *ctx, gpa_t page);
	void (*set_line)(void *ctx, unsigned line, bool level);
	void *ctx;
};

extern const struct io_ops testdev_latch_io, testdev_line_io; /* ports */
extern const struct io_ops testdev_storage_io;		      /* MMIO */

/* ERR_NOMEM: no room for the storage. */
enum status testdev_init(struct testdev *t, void (*drop_page)(void *ctx, gpa_t page),
	void (*set_line)(void *ctx, unsigned line, bool level), void *ctx) __must_check;
void testdev_reset(struct testdev *t); /* all zero, all lines low */
void testdev_destroy(struct testdev *t);

struct debug_exit {
	void (*end)(void *ctx, u8 status);
	void *ctx;
};

extern const struct io_ops debug_exit_io; /* DEBUG_EXIT_PORTS ports; dev is a struct debug_exit */

#endif
