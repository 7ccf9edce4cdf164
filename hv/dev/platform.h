/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtual platform of one VM: all devices, their buses, and the wires between them.
 *
 *   device --platform_set_gsi()--> PIC --LINT0/ExtINT--> LAPIC --> vcpu
 *                             \--> IOAPIC --message--> LAPIC --> vcpu
 *   device --platform_msi()-----------------message--> LAPIC --> vcpu
 *
 * The platform knows nothing of vcpus; it calls out through struct platform_host. Guest-physical
 * addresses of everything are in hv/dev/layout.h.
 */
#ifndef HV_DEV_PLATFORM_H
#define HV_DEV_PLATFORM_H

#include "hv/cpu/timer.h"
#include "hv/dev/bus.h"
#include "hv/lib/status.h"
#include "hv/mem/guestmem.h"

#define PLATFORM_MAX_VCPUS 16

enum vm_end {
	VM_END_NONE,	 /* runs */
	VM_END_POWEROFF, /* ACPI S5 or power-off by a device */
	VM_END_RESET,	 /* i8042, 0xCF9, ACPI reset register: the VM starts again */
	VM_END_HALT,   /* all vcpus halted for good: HLT with IF=0 and no NMI, INIT or SMI source */
	VM_END_TRIPLE, /* triple fault */
	VM_END_EXIT,   /* debug-exit port; the status goes with it */
	VM_END_CRASH,  /* the hypervisor gave up on it: unknown instruction, broken state */
	VM_END_DESTROYED, /* somebody asked the hypervisor for it */
};

/* What the platform asks of its VM; all calls come on the CPU that runs the VM. */
struct platform_host {
	void *ctx;
	void (*kick)(void *ctx, unsigned vcpu);		   /* interrupt state changed: look at
							      platform_irq_pending() before the next entry */
	void (*nmi)(void *ctx, unsigned vcpu);		   /* NMI arrived */
	void (*init)(void *ctx, unsigned vcpu);		   /* INIT arrived */
	void (*sipi)(void *ctx, unsigned vcpu, u8 vector); /* start-up IPI arrived */
	void (*wake)(void *ctx, unsigned vcpu, u64 rip); /* it is to start there, in 64-bit mode */
	void (*end)(void *ctx, enum vm_end why, u8 status); /* the VM is over */
	void (*console_out)(
		void *ctx, const u8 *buf, size_t len); /* bytes the guest wrote to COM1 */
	void (*drop_page)(void *ctx, gpa_t page); /* test device: forget the host mapping of this
						     page (it comes back on the next access) */
};

struct platform_config {
	unsigned vcpus;
	u64 mem; /* bytes of guest RAM */
	u64 tsc_hz;
	bool mailbox;		/* vcpus but the first start by it, and not by start-up IPIs */
	bool testdev;		/* ports 0xE0.., 0x2000.., MMIO 0xFF000000 */
	bool debug_exit;	/* port 0xF4 */
	u64 (*wallclock)(void); /* seconds since 1970, for the RTC */
	/* Where the timer of that local APIC goes; NULL: to the queue of all other devices. */
	struct timerq *(*apic_timers)(void *ctx, unsigned vcpu);
};

struct platform;
struct pci_host;

/*
 * Creates the devices and their ACPI tables (written into guest memory). ERR_NOMEM; ERR_INVAL: no
 * vcpu or more than PLATFORM_MAX_VCPUS; ERR_RANGE: no RAM where the tables go. Nothing is kept
 * then.
 */
enum status platform_create(struct platform **out, const struct platform_config *cfg,
	const struct platform_host *host, struct timerq *tq, struct guestmem *gm) __must_check;
void platform_destroy(struct platform *p);
void platform_reset(struct platform *p); /* all devices to their power-on state */

/* The two buses, for the I/O and MMIO exits. */
struct bus *platform_pio(struct platform *p);
struct bus *platform_mmio(struct platform *p);

/* The PCI bus, for devices that others make; they must be gone, or unused, when the platform is
 * destroyed. Slot 0 is the host bridge's. */
struct pci_host *platform_pci(struct platform *p);

/* Sets the level of a global system interrupt line (0..23: IOAPIC pin; 0..15 also PIC, with 0 wired
 * as on a PC: PIT is GSI 2 / IRQ 0). */
void platform_set_gsi(struct platform *p, unsigned gsi, bool level);
/* A message-signalled interrupt: address and data as PCI MSI has them. */
void platform_msi(struct platform *p, u64 address, u32 data);
/* Bytes typed at the guest's COM1; returns how many were taken (the rest again later). */
size_t platform_console_in(struct platform *p, const u8 *buf, size_t len);
void platform_power_button(struct platform *p);

/* The vcpu whose port and MMIO accesses come next: local APICs share an address. Call when it is
 * scheduled in. */
void platform_set_current(struct platform *p, unsigned vcpu);

/* An interrupt of the PIC is pending; which one, only platform_irq_ack() finds out, as on a PC. */
#define PLATFORM_EXTINT 256

/*
 * The highest-priority interrupt vector that vcpu could take now, PLATFORM_EXTINT, or -1. Does not
 * look at RFLAGS.IF. platform_irq_ack() accepts it (IRR -> ISR, or the PIC's INTA cycle) and
 * returns the vector, 0..255; it is the spurious vector if the request has gone.
 */
int platform_irq_pending(struct platform *p, unsigned vcpu);
int platform_irq_ack(struct platform *p, unsigned vcpu);

/* CR8 and the LAPIC's MSRs (IA32_APIC_BASE, IA32_TSC_DEADLINE, 0x800-0x8FF). False: the guest gets
 * #GP. */
u64 platform_get_cr8(struct platform *p, unsigned vcpu);
void platform_set_cr8(struct platform *p, unsigned vcpu, u64 value);
bool platform_apic_rdmsr(struct platform *p, unsigned vcpu, u32 msr, u64 *value);
bool platform_apic_wrmsr(struct platform *p, unsigned vcpu, u32 msr, u64 value);
/* False while IA32_APIC_BASE.EN is 0: CPUID must then not show an APIC. */
bool platform_apic_enabled(struct platform *p, unsigned vcpu);
/* The guest's TSC is the host's plus offset (modulo 2^64): moves a pending TSC deadline. */
void platform_set_tsc_offset(struct platform *p, unsigned vcpu, u64 offset);

/* True if some device could still wake a halted vcpu whose RFLAGS.IF is if_flag (NMI, INIT
 * included). */
bool platform_can_wake(struct platform *p, unsigned vcpu, bool if_flag);

/* gpa of the RSDP, for boot protocols that pass it. */
gpa_t platform_rsdp(struct platform *p);

#endif
