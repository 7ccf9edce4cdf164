/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own address space, one for all CPUs:
 *
 *   0xffff8000_0000_0000  direct map: all RAM and the ACPI areas, read-write, never executable;
 *                         the image's code and constants are read-only here too
 *   0xffffc000_0000_0000  MMIO windows, uncached, handed out by mmio_map()
 *   0xffffd000_0000_0000  stacks, each between unmapped guard pages
 *   0xffffffff_8000_0000  the image at its physical address: code RX, constants R, data RW
 *
 * Nothing is both writable and executable, and nothing is mapped at low addresses (but for the
 * page that starts the other processors, while it does).
 */
#ifndef HV_MEM_HOSTMAP_H
#define HV_MEM_HOSTMAP_H

#include "hv/boot/memmap.h"
#include "hv/lib/status.h"
#include "hv/mem/addr.h"

#define IMAGE_BASE 0xffffffff80000000ul
#define MMIO_BASE  0xffffc00000000000ul
#define STACK_BASE 0xffffd00000000000ul

/* Builds the tables and loads CR3. ram: all usable memory; firmware: ACPI areas. ERR_NOMEM. */
enum status hostmap_init(const struct memmap *ram, const struct memmap *firmware) __must_check;

/* CR3 for every CPU (and for the VMCS host-state area). */
hpa_t hostmap_root(void);

/* An uncached read-write window on a device's registers; any alignment. It stays for good. Panics
 * when memory is exhausted. */
void *mmio_map(hpa_t pa, u64 len);

/*
 * hostmap_firmware(): len readable bytes of physical memory at pa, wherever firmware put them;
 * mapped read-only at its place in the direct map if it is not there yet. NULL if it cannot be.
 */
const void *hostmap_firmware(hpa_t pa, u64 len);

/* A stack of `pages` pages with a guard page on both sides; returns its top, or NULL when memory is
 * exhausted. */
u8 *stack_alloc(unsigned pages);

/* Maps one page of code at its physical address (for starting the other processors), and takes it
 * away again on all CPUs' behalf (TLBs: each CPU calls hostmap_flush()). */
enum status hostmap_low_code(hpa_t page) __must_check;
void hostmap_low_code_end(hpa_t page);
void hostmap_flush(void); /* this CPU's TLB, global pages included */

/* Bytes of the image in memory, stacks and static data included. */
u64 hostmap_image_bytes(void);

/* Physical address of something in the image (a static variable, a function). */
static inline hpa_t image_to_hpa(const void *p)
{
	return HPA((u64)p - IMAGE_BASE);
}

#endif
