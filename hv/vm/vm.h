/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtual machine: memory, MMU, platform, vcpus, and how it ended. */
#ifndef HV_VM_VM_H
#define HV_VM_VM_H

#include "hv/cpu/timer.h"
#include "hv/dev/platform.h"
#include "hv/mem/guestmem.h"
#include "hv/mmu/mmu.h"
#include "hv/vm/clock.h"
#include "hv/vm/manifest.h"
#include "hv/vm/shared.h"
#include "hv/vm/task.h"
#include "hv/vm/vcpu.h"
#include "hv/vm/vmconsole.h"

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
	void (*reset)(void *io); /* to their power-on state, after the platform */
	/* A vcpu has halted, with nothing pending: what was left for later is done now. NULL: that
	 * is nothing. */
	void (*idle)(void *io);
	/* Asks the guest for so many bytes; tells it the size of its console's terminal. False, or
	 * NULL: there is no such device. */
	bool (*balloon)(void *io, u64 bytes);
	bool (*resize)(void *io, u16 columns, u16 rows);
	void (*report)(const void *io); /* counters to the log */
	void (*destroy)(void *io);	/* before the platform */
};

/* VPIDs are made of it, and 16 bits wide. */
#define VM_ID_MAX (0xffffu / PLATFORM_MAX_VCPUS - 1)

struct vm {
	unsigned id; /* 1..VM_ID_MAX; also the VPID base */
	struct manifest cfg;
	struct list_node node, arrival; /* in the list of VMs, and in that of VMs not begun yet */
	struct percpu *place[PLATFORM_MAX_VCPUS]; /* by vcpu */
	struct percpu *cpu;    /* of the first vcpu: it makes the VM, and takes it apart */
	struct shared *shared; /* NULL: all of it happens on `cpu` */
	unsigned runs_left;    /* of cfg.repeat, this one included */
	unsigned pins;	       /* it is not destroyed before they are taken back */
	bool gone;	       /* from the list */
	bool again;	       /* it is to be made once more */
	struct task burial;
	struct list_node mourners; /* tasks for the boot CPU, when nothing of it is left */
	bool first;		   /* of the descriptions */
	bool shared_console;	   /* there are other VMs */
	bool begun;		   /* its vcpus may be given work */
	bool paused;		   /* by the monitor, with a hold */
	struct guestmem mem;
	struct mmu *mmu;
	void *no_rom; /* a page of ones: the option ROMs that are not there */
	struct platform *platform;
	const struct vm_io_ops *io_ops; /* NULL: there are no devices but the platform's */
	void *io;
	bool fast_strings;     /* of the machine: IA32_MISC_ENABLE bit 0 */
	struct timerq *timers; /* of its devices: its first vcpu's CPU's, or its own clock's */
	struct vm_clock *clock, own_clock; /* NULL: its time is the machine's, and always goes on */
	struct debug *debug;		   /* a debugger's control of it (hv/vm/debug.h), or NULL */
	struct vcpu *vcpu[PLATFORM_MAX_VCPUS];
	unsigned vcpus;
	unsigned running; /* vcpus that the scheduler has */
	struct vcpu_state first_state;
	struct load_request image;
	enum vm_end end;
	u8 end_status;
	char end_why[LOADER_ERR_MAX]; /* for VM_END_CRASH */
	struct vmconsole console;
	bool has_input; /* what is typed is for it */
	u8 input[64];	/* console bytes that the guest's UART had no room for yet */
	size_t input_len;
	unsigned order; /* of the allocation that this struct lies in */
};

/* Each vcpu of a VM in turn. Those that wait for their start (INIT, start-up IPI) are among them.
 */
#define for_each_vcpu(v, vm)                                                                       \
	for (unsigned _n = 0; _n < (vm)->vcpus && ((v) = (vm)->vcpu[_n]) != NULL; _n++)

/* What each VM needs from outside: handed over by hv/boot/main.c, so that hv/ names no provider. */
struct vm_providers {
	const struct cpu_ops *cpu;
	const struct mmu_ops *mmu[VM_MMU_KINDS]; /* by enum vm_mmu; NULL: not to be had */
	const struct vm_io_ops *io[VM_IO_KINDS]; /* by enum vm_io; NULL: not to be had */
};

/* An empty VM, of which the caller fills in cfg, id and cpu; NULL: no memory. */
struct vm *vm_alloc(void);
/* After the last vm_destroy_step(), if it was created; NULL is not allowed. */
void vm_free(struct vm *vm);

/* The rest happens on the VM's CPU, vm->cpu. */

/*
 * vm_create(): makes all that the VM consists of; its images are looked up by name among the boot
 * modules. On failure nothing but the struct is kept, and err (LOADER_ERR_MAX bytes) says why.
 */
enum status vm_create(struct vm *vm, const struct vm_providers *with, char *err) __must_check;
/* A step of taking it apart, but for the struct, short beside a slice however large the VM is.
 * True: it was the last. Its vcpus must not be in a queue. */
bool vm_destroy_step(struct vm *vm) __must_check;

/* Loads its image and lets it run. False: that was its end, and vm->end says why. */
bool vm_start(struct vm *vm) __must_check;
/* The same after a reset: all devices begin anew. */
bool vm_restart(struct vm *vm) __must_check;

/* Ends the VM: the first reason given stands, but for a reset, which VM_END_DESTROYED replaces. Its
 * vcpus stop soon. With its lock, if it has one (hv/vm/shared.h). */
void vm_end(struct vm *vm, enum vm_end why, u8 status);
/* A vcpu has stopped, as vm->end is set; on its CPU. True: it was the last. */
bool vcpu_has_stopped(struct vcpu *v) __must_check;
/* If no vcpu can run unless another wakes it, the VM is at its end. */
void vm_check_halt(struct vm *vm);

const char *vm_end_name(enum vm_end why);

/*
 * To stop a VM, look at it, and let it go on, from any CPU, with the VM pinned (hv/vm/vms.h):
 *
 *   vm = vms_pin(name)
 *   vm_hold(vm)            all its vcpus stop soon; vm_held() says when they have
 *   task_post(t, v->sched.cpu), and in t->run():
 *       sched_attend(v)    v->ops->get(v, ...), set(), ...; vcpu->gpr; vm->mem
 *   vm_release(vm)         they go on
 *   vms_unpin(vm)
 *
 * A task alone, without the hold, sees a vcpu that stands still for as long as the task runs. A VM
 * that is over (vm->end) is not held up; its vcpus can be looked at until it is unpinned. Its time
 * stamp counters and timers go on while it is held.
 */
void vm_hold(struct vm *vm);
void vm_release(struct vm *vm);
bool vm_held(struct vm *vm);

#endif
