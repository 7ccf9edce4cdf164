/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: memory, MMU, platform, vcpus, and how it ended. */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include "hv/cpu/timer.h"
#include "hv/dev/platform.h"
#include "hv/mem/guestmem.h"
#include "hv/mmu/mmu.h"
#include "hv/vm/manifest.h"
#include "hv/vm/vcpu.h"

/*
 * A way of I/O: the devices of a VM beyond its platform. One const instance a kind (enum vm_io).
 */
struct vm_io_ops {
	/* Makes the devices that vm->cfg asks for and attaches them to the platform's buses. On
	 * failure nothing is kept, and err (LOADER_ERR_MAX bytes) says why. */
	enum status (*create)(struct vm *vm, void **out, char *err);
	/* Bytes typed at the console: false if it is not here. *took: for how many there was room.
	 */
	bool (*console_in)(void *io, const u8 *buf, size_t len, size_t *took);
	void (*reset)(void *io);	/* to their power-on state, after the platform */
	void (*report)(const void *io); /* counters to the log */
	void (*destroy)(void *io);	/* before the platform */
};

struct vm {
	unsigned id; /* from 1; also the VPID base */
	struct manifest cfg;
	struct guestmem mem;
	struct mmu *mmu;
	void *no_rom; /* a page of ones: the option ROMs that are not there */
	struct platform *platform;
	const struct vm_io_ops *io_ops; /* NULL: there are no devices but the platform's */
	void *io;
	bool fast_strings;     /* of the machine: IA32_MISC_ENABLE bit 0 */
	struct timerq *timers; /* of the physical CPU that it runs on */
	struct vcpu *vcpu[PLATFORM_MAX_VCPUS];
	unsigned vcpus;
	struct load_request image;
	enum vm_end end;
	u8 end_status;
	char end_why[LOADER_ERR_MAX]; /* for VM_END_CRASH */
	u8 input[64];		      /* console bytes that the guest's UART had no room for yet */
	size_t input_len;
	unsigned order; /* of the allocation that this struct lies in */
};

/* What each VM needs from outside: handed over by hv/boot/main.c, so that hv/ names no provider. */
struct vm_providers {
	const struct cpu_ops *cpu;
	const struct mmu_ops *mmu[VM_MMU_KINDS]; /* by enum vm_mmu; NULL: not to be had */
	const struct vm_io_ops *io[VM_IO_KINDS]; /* by enum vm_io; NULL: not to be had */
};

/* Creates a VM from its manifest; modules are looked up by name among the boot modules. err:
 * LOADER_ERR_MAX bytes. */
enum status vm_create(struct vm **out, const struct manifest *cfg, const struct vm_providers *with,
	char *err) __must_check;
void vm_destroy(struct vm *vm);

/* Runs the VM on this physical CPU until it ends for good: resets start it again, if cfg.reboot. */
void vm_run(struct vm *vm);

/*
 * vm_run_all(): creates, runs and destroys the VMs that the boot modules vm0.conf, vm1.conf, ...
 * describe, one after the other, and reports how each ended. Returns 0 if all ended cleanly, else
 * 1, with the first reason in why (LOADER_ERR_MAX bytes).
 */
int vm_run_all(const struct vm_providers *with, char *why);

/* Ends the VM: the first reason given stands. */
void vm_end(struct vm *vm, enum vm_end why, u8 status);

const char *vm_end_name(enum vm_end why);

#endif
