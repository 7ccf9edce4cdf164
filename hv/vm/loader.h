/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest loaders: put an image into guest memory as its boot protocol says, and yield the state of
 * the first vcpu. One file a protocol; a table tries them in order when the VM file says "auto".
 *
 *   linux64    Linux bzImage, 64-bit entry ("Linux/x86 boot protocol", 64-bit boot protocol)
 *   pvh        ELF with XEN_ELFNOTE_PHYS32_ENTRY
 *   multiboot  multiboot 1 header, 32-bit entry
 *   elf        flat 64-bit ELF of our own test guests: paging on, first 4 GB identity mapped,
 * CS/DS/SS flat, RDI = gpa of the command line (zero-terminated), RSI = bytes of RAM, RDX = gpa of
 * the RSDP, RSP undefined, interrupts off
 */
#ifndef HV_VM_LOADER_H
#define HV_VM_LOADER_H

#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"
#include "hv/vm/regs.h"

#define LOADER_CMDLINE_MAX 2047
#define LOADER_MODULES_MAX 32
#define LOADER_ERR_MAX	   200

struct blob { /* bytes in the hypervisor's memory, hostile */
	const u8 *data;
	size_t size;
	const char *args; /* the module's own command line (multiboot, PVH modules), "" if none */
};

struct load_request {
	const struct guestmem *gm;
	u64 mem; /* bytes of guest RAM, laid out as hv/dev/layout.h says */
	gpa_t rsdp;
	struct blob kernel;
	struct blob initrd; /* size 0: none */
	struct blob module[LOADER_MODULES_MAX];
	unsigned modules;
	const char *cmdline; /* at most LOADER_CMDLINE_MAX characters */
};

struct loader {
	const char *name;
	bool (*probe)(const struct blob *kernel); /* does it look like one of ours? */
	/* On failure, err (LOADER_ERR_MAX bytes) holds one sentence that says what was found and
	 * what was expected. */
	enum status (*load)(const struct load_request *req, struct vcpu_state *state, char *err);
};

extern const struct loader loader_linux64, loader_pvh, loader_multiboot, loader_elf;

/* boot: "auto" or a loader's name. */
enum status load_image(const char *boot, const struct load_request *req, struct vcpu_state *state,
	char *err) __must_check;

#endif
