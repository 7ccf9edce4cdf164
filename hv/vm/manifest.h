/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The description of a VM as the hypervisor gets it: a flat text module, one "key=value" a line,
 * '#' starts a comment. Checked on the host when it was made, and here again.
 *
 *   name=linux        at most 31 characters of [A-Za-z0-9_.-]
 *   boot=auto         auto | linux64 | pvh | multiboot | elf
 *   kernel=vm0.kernel name of a boot module (multiboot2 module string, first word)
 *   initrd=vm0.initrd
 *   module=NAME ARGS  any number, up to LOADER_MODULES_MAX
 *   append=TEXT       the guest's command line, up to 2047 characters
 *   mem=256M          suffix K, M, G; a multiple of 2 MB, at least 4 MB
 *   vcpus=1
 *   mmu=auto          auto | ept | shadow | direct; auto: EPT where the processor has it
 *   shadow=oos        oos | sync | vtlb: when shadow tables follow the guest's (docs/shadow.md)
 *   shadow_pages=0    at most so many shadow pages; 0: as suits the guest's memory
 *   shadow_filter=yes yes | no: faults that are the guest's own go to it without an exit
 *   shadow_prefetch=yes  yes | no: a fault fills the neighbours too
 *   shadow_install=yes   yes | no: a trapped write to a table fills in the entry it is about
 *   shadow_targets=yes   yes | no: CR3 loads without an exit, where the root lies in its place
 *   shadow_audit=no   yes | no | 100: compare all of it with the guest's tables at each flush, or
 *                     at one of so many
 *   io=virtio         virtio | emulated
 *   disk=NAME         a boot module as a disk, written to in memory only; or "blank:64M", zeros of
 *                     that size; or of the physical machine: "part:NAME" and "uuid:UUID", a
 *                     partition, and "disk:0", a whole disk. " ro" behind it: read-only. Up to 8,
 *                     in the order of their slots
 *   rng=no            yes | no: a source of random bytes
 *   console=uart      uart | virtio: where what is typed goes, once a driver is there
 *   console_size=80x24  columns and rows of the terminal; without it nobody knows
 *   net=none          none | switch | uplink: a network card on the hypervisor's switch; or on the
 *                     one that leads out through the machine's network card
 *   balloon=128M@5 0@20  what the VM is asked to give back of its memory: so much from so many
 *                     seconds on after its driver came; a size alone: at once. Up to 8, in order
 *   virtio=pci        pci | mmio: where virtio devices are: on the PCI bus, or at places in memory
 *                     that the ACPI tables name
 *   rings=packed      packed | split: the virtqueues that virtio devices offer; packed: both
 *   testdev=no        yes | no
 *   debugexit=no      yes | no (port 0xF4; testdev=yes implies it)
 *   kvmclock=no       yes | no: the KVM paravirtual interface at CPUID 0x40000100
 *   time=real         real | virtual: whether its clocks run on while its vcpus wait for a CPU
 *   ple=yes           yes | no: a vcpu that spins, in a VM of several, gives its CPU up
 *   counters=no       yes | no: the VM's exits by kind, for itself to read, at CPUID 0x40000020
 *   weight=100        1 to 10000: of a CPU that is wanted by several, this VM's vcpus get so much
 *   cap=0             0 to 1600: at most so many percent of a CPU for all its vcpus; 0: none
 *   pin=any           any | 0 to 63: the CPU that it runs on; any: the one with the least weight
 *   repeat=1          1 to 1000000: how often it is created, run and destroyed, if all goes well
 *   reboot=yes        yes | no: "no" ends the VM where the guest asks for a reset
 */
#ifndef HV_VM_MANIFEST_H
#define HV_VM_MANIFEST_H

#include "hv/blk/physical.h"
#include "hv/lib/status.h"
#include "hv/mmu/shadow.h"
#include "hv/vm/loader.h"

#define MANIFEST_NAME_MAX  31
#define MANIFEST_DISKS_MAX 8
#define BALLOON_STEPS_MAX  8

enum vm_mmu {
	VM_MMU_EPT,
	VM_MMU_SHADOW,
	VM_MMU_DIRECT,
	VM_MMU_KINDS,
	VM_MMU_AUTO = VM_MMU_KINDS
};
enum vm_io {
	VM_IO_VIRTIO,
	VM_IO_EMULATED,
	VM_IO_KINDS
};

enum vm_net {
	VM_NET_NONE,
	VM_NET_SWITCH,
	VM_NET_UPLINK
};

struct manifest_module {
	char name[MANIFEST_NAME_MAX + 1];
	char args[256];
};

enum manifest_disk_kind {
	DISK_IS_MODULE,
	DISK_IS_BLANK,
	DISK_IS_PHYSICAL,
};

struct manifest_disk {
	enum manifest_disk_kind kind;
	char module[MANIFEST_NAME_MAX + 1];
	u64 size; /* of a blank one, in bytes */
	struct physical_name physical;
	bool read_only;
};

struct balloon_plan {
	struct balloon_step {
		u64 bytes;
		u64 seconds; /* not before those of the step before it */
	} step[BALLOON_STEPS_MAX];
	unsigned steps; /* 0: no balloon */
};

struct manifest {
	char name[MANIFEST_NAME_MAX + 1];
	char boot[16];
	char kernel[MANIFEST_NAME_MAX + 1];
	char initrd[MANIFEST_NAME_MAX + 1]; /* "" if none */
	struct manifest_module module[LOADER_MODULES_MAX];
	unsigned modules;
	char append[LOADER_CMDLINE_MAX + 1];
	u64 mem;
	unsigned vcpus;
	enum vm_mmu mmu;
	struct shadow_config shadow;
	enum vm_io io;
	struct manifest_disk disk[MANIFEST_DISKS_MAX];
	unsigned disks;
	struct balloon_plan balloon;
	enum vm_net net;
	u16 columns, rows; /* of the console; 0: not known */
	bool rng, virtio_console, virtio_mmio, packed_rings;
	bool testdev, debugexit, kvmclock, counters, reboot;
	bool virtual_time, ple;
	unsigned weight, cap, pin, repeat;
	bool pinned;
};

/* text need not be terminated. On failure, err (LOADER_ERR_MAX bytes) names the line, the key and
 * what would be valid. */
enum status manifest_parse(
	const char *text, size_t len, struct manifest *out, char *err) __must_check;

#endif
