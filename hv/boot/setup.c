/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of the boot sequence. */
#include "hv/boot/setup.h"

#include <linux/pci_regs.h>

#include "hv/blk/physical.h"
#include "hv/blk/trial.h"
#include "hv/boot/modules.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/irq.h"
#include "hv/cpu/irq_init.h"
#include "hv/cpu/lapic.h"
#include "hv/cpu/percpu.h"
#include "hv/cpu/smp.h"
#include "hv/cpu/tsc.h"
#include "hv/cpu/tsc_step.h"
#include "hv/ctl/monitor.h"
#include "hv/ctl/rpc.h"
#include "hv/drv/ahci.h"
#include "hv/drv/e1000.h"
#include "hv/drv/ata.h"
#include "hv/drv/console.h"
#include "hv/drv/power.h"
#include "hv/drv/uart.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/mem/hostmap.h"
#include "hv/mem/page.h"
#include "hv/vm/debug.h"

#define LOW_MEMORY     (1 * MB)
#define EARLY_MAP_END  (4 * GB) /* what entry.S maps */
#define MEMORY_MIN     (32 * MB)
#define BOOT_INFO_MAX  (1 * MB)
#define LONGEST_WORD   40
#define TRY_DISK_MAX   120
#define LOG_KEPT_ORDER 1u /* 8 KB of the log's last lines */
#define COM3	       2

extern u8 __image_start[], __image_end[], __early_start[], __early_end[];

static struct boot_info boot;
static struct uart *log_port, *ctl_port;
static bool want_monitor;

void boot_stop(const char *why)
{
	machine_off(1, why);
}

/* ---- boot information ---- */

const struct boot_module *boot_module_find(const char *name)
{
	for (unsigned i = 0; i < boot.modules; i++)
		if (!strcmp(boot.module[i].name, name))
			return &boot.module[i];
	return NULL;
}

unsigned boot_module_count(void)
{
	return boot.modules;
}

const struct boot_module *boot_module_at(unsigned index)
{
	return &boot.module[index];
}

static void log_to_port(const char *line, size_t len, bool now)
{
	uart_write(log_port, (const u8 *)line, len, now);
}

static struct uart *choose(enum port_choice c, struct uart *const com[2])
{
	return c == PORT_NONE ? NULL : com[c == PORT_COM2];
}

void setup_ports(const struct options *opt)
{
	static struct uart *com[2];
	static bool opened;

	for (unsigned i = 0; !opened && i < ARRAY_SIZE(com); i++)
		com[i] = uart_open(i);
	opened = true;
	log_port = choose(opt->log, com);
	log_set_sink(log_port ? log_to_port : NULL);
	log_level = opt->loglevel;
	console_init(choose(opt->console, com));
	ctl_port = choose(opt->ctl, com);
	want_monitor = opt->monitor;
}

/* ---- the monitor ---- */

static size_t ctl_read(void *ctx, u8 *buf, size_t len)
{
	(void)ctx;
	return uart_read(ctl_port, buf, len);
}

static void ctl_write(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	uart_write(ctl_port, (const u8 *)line, len, false);
}

static void ctl_input(void *ctx)
{
	(void)ctx;
	rpc_input();
}

void setup_monitor(void)
{
	static const struct rpc_port port = { .read = ctl_read, .write = ctl_write };
	char *log = NULL;

	if (want_monitor || ctl_port)
		log = page_alloc(LOG_KEPT_ORDER, PAGE_HV);
	if (log)
		log_keep(log, PAGE_SIZE << LOG_KEPT_ORDER);
	if (want_monitor)
		monitor_start();
	if (ctl_port) {
		rpc_start(&port);
		uart_on_input(ctl_port, ctl_input, NULL);
	}
}

void setup_debugger(const struct options *opt)
{
	struct uart *port = opt->gdb ? uart_open(COM3) : NULL;

	if (port)
		debug_init(port);
	else if (opt->gdb)
		log_err("gdb: there is no COM3, and nobody is debugged");
}

/* The boot loader's information must not reach past what may be read; its size comes first. */
static hpa_t info_at;
static u32 info_size;

void setup_boot_info(u32 info, struct options *opt)
{
	const char *why;

	info_at = HPA(info);
	info_size = *(const u32 *)hpa_to_hva(info_at);
	if (mb2_parse(hpa_to_hva(info_at), MIN(BOOT_INFO_MAX, EARLY_MAP_END - info), &boot, &why) !=
		OK)
		boot_stop(why);
	options_parse(opt, boot.cmdline);
	setup_ports(opt);
	if (opt->bad)
		log_warn("command line: \"%.*s\" is not understood",
			MIN((int)opt->bad_len, LONGEST_WORD), opt->bad);
}

/* ---- memory ---- */

static void reserve(struct memmap *m, u64 start, u64 end)
{
	if (memmap_remove(m, ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(end, PAGE_SIZE)) != OK)
		boot_stop("the memory map has too many ranges");
}

/* All RAM but what holds something already. */
static void find_free(struct memmap *m)
{
	*m = boot.ram;
	reserve(m, image_to_hpa(__image_start).v, image_to_hpa(__image_end).v);
	reserve(m, info_at.v, info_at.v + info_size);
	for (unsigned i = 0; i < boot.modules; i++)
		reserve(m, boot.module[i].start.v, boot.module[i].start.v + boot.module[i].size);
}

static struct memmap free, low; /* low: the same with the first megabyte */

/*
 * To the end of memory: a VM's frames have low numbers, and those of the machine that have the same
 * are worth something under shadow paging (shadow_root.c).
 */
static void move_modules(void)
{
	find_free(&free);
	for (unsigned i = 0; i < boot.modules; i++) {
		struct boot_module *m = &boot.module[i];
		u64 at = memmap_find_last(&free, m->size, PAGE_SIZE, LOW_MEMORY, EARLY_MAP_END);

		if (!m->size || at <= m->start.v)
			continue;
		memcpy(hpa_to_hva(HPA(at)), boot_module_data(m), m->size);
		m->start = HPA(at);
		reserve(&free, at, at + m->size);
	}
	find_free(&free);
}

/* Gives the part of the set that lies in [from, to) to the allocator. */
static void give(const struct memmap *m, u64 from, u64 to)
{
	for (unsigned i = 0; i < m->n; i++) {
		u64 start = MAX(m->r[i].start, from), end = MIN(m->r[i].end, to);

		if (start < end)
			page_add(HPA(start), HPA(end));
	}
}

void setup_memory(void)
{
	u64 top, meta, bytes;

	for (unsigned i = 0; i < boot.modules; i++)
		if (boot.module[i].size &&
			!memmap_contains(&boot.ram, ALIGN_DOWN(boot.module[i].start.v, PAGE_SIZE),
				boot.module[i].start.v + boot.module[i].size))
			boot_stop("a module from the boot loader does not lie in memory");
	move_modules();
	low = free;
	/* The first megabyte is left alone, but for one page while processors start: firmware uses
	 * it. */
	reserve(&free, 0, LOW_MEMORY);
	if (memmap_total(&free) < MEMORY_MIN)
		boot_stop("too little memory: at least 32 MB must be free");
	top = boot.ram.r[boot.ram.n - 1].end;
	bytes = ALIGN_UP(page_meta_size(HPA(LOW_MEMORY), HPA(top)), PAGE_SIZE);
	meta = memmap_find_last(&free, bytes, PAGE_SIZE, LOW_MEMORY, EARLY_MAP_END);
	if (!meta)
		boot_stop("no room for the page allocator's table");
	reserve(&free, meta, meta + bytes);
	page_init(hpa_to_hva(HPA(meta)), HPA(LOW_MEMORY), HPA(top));
	/* Until the real tables are loaded, only the first 4 GB can be reached. */
	give(&free, 0, EARLY_MAP_END);
	if (hostmap_init(&boot.ram, &boot.firmware) != OK)
		boot_stop("no memory for page tables");
	give(&free, EARLY_MAP_END, ~0ul);
	page_add(image_to_hpa(__early_start), image_to_hpa(__early_end));
}

/* ---- the machine ---- */

static u64 timerq_tsc(const struct timerq *q)
{
	(void)q;
	return rdtsc();
}

void setup_machine(const struct options *opt)
{
	static struct acpi_info acpi;
	struct percpu *cpu;
	enum status s = acpi_parse(
		&acpi, boot.rsdp_len ? boot.rsdp : NULL, boot.rsdp_len, hostmap_firmware);

	if (s != OK)
		log_warn("no ACPI tables: one processor, no interrupt lines, no power-off");
	smp_init_boot_cpu();
	apic_init(&acpi);
	lapic_init_cpu();
	irq_init(&acpi);
	if (!tsc_init(&acpi))
		boot_stop("neither the ACPI PM timer nor the PIT counts: no clock to measure the "
			  "TSC with");
	power_init(&acpi);
	smp_start_all(&acpi, opt->cpus, &low);
	tsc_step_measure();
	for_each_cpu (cpu)
		timerq_init(&cpu->timers, tsc_hz(), timerq_tsc);
	uart_use_irq_all();
	log_info("%u of %u processors, TSC %lu.%03lu MHz, APIC timer %s", cpu_count(),
		MAX(acpi.cpus + acpi.cpus_dropped, 1u), tsc_hz() / 1000000, tsc_hz() / 1000 % 1000,
		lapic_has_deadline() ? "by TSC deadline" : "one-shot");
}

static void attach_ahci(const struct pci_function *f)
{
	struct ahci_regs regs = ahci_machine_regs;
	void *ctx;
	hpa_t bar;
	u8 vector;

	if (!pci_fn_mem_bar(f, AHCI_BAR, &bar) || !pci_fn_capability(f, PCI_CAP_ID_MSI)) {
		log_warn("ahci: a controller without registers or MSI is left alone");
		return;
	}
	pci_fn_enable(f, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	regs.base = mmio_map(bar, AHCI_REGS_LEN);
	if (ahci_attach(&regs, &this_cpu()->timers, &ctx) != OK) {
		log_warn("ahci: a controller that firmware keeps, or one too many");
		return;
	}
	vector = irq_register_msi(ahci_interrupt, ctx);
	if (!vector || pci_fn_msi(f, vector, cpu_by_index(0)->apic_id) != OK)
		log_warn("ahci: no interrupt for a controller");
}

static void look_for_devices(const struct pci_function *f, void *ctx)
{
	struct timerq *tq = &this_cpu()->timers;

	(void)ctx;
	if (f->class_code == CLASS_AHCI)
		attach_ahci(f);
	else if (!ata_attach(f, tq, irq_register_isa))
		e1000_attach(f, tq, irq_register_isa);
}

void setup_disks(void)
{
	pci_for_each(&machine_ports, look_for_devices, NULL);
	physical_init();
}

void setup_try_disk(const struct options *opt)
{
	struct physical_name name = { .kind = PHYSICAL_NAME };
	char said[TRY_DISK_MAX];
	struct blk_backend *b;
	const char *why = NULL;

	if (!opt->try_disk)
		return;
	memcpy(name.partition, opt->try_disk, opt->try_disk_len);
	if (physical_open(&b, &name, false, &why) == OK) {
		why = blk_trial(b, tsc_now());
		b->ops->destroy(b);
	}
	if (why) {
		snprintf(said, sizeof(said), "part:%s: %s", name.partition, why);
		boot_stop(said);
	}
	log_info("part:%s: written, flushed and read back: all is there", name.partition);
}

void setup_check_guests(void)
{
	for (unsigned i = 0; i < boot.modules; i++)
		log_debug("module %s: %lu bytes at %lx", boot.module[i].name, boot.module[i].size,
			boot.module[i].start.v);
	if (!boot_module_find("vm0.conf"))
		boot_stop("no guest: there is no boot module called vm0.conf");
}

void setup_report(void)
{
	u64 image = hostmap_image_bytes(), top = boot.ram.r[boot.ram.n - 1].end;
	u64 tags = page_meta_size(HPA(LOW_MEMORY), HPA(top));
	struct page_stats st;

	page_stats(&st);
	log_info("memory: %lu MB, %lu MB free; the hypervisor takes %lu KB: "
		 "image %lu, page allocator %lu, tables and data %lu",
		memmap_total(&boot.ram) / MB, st.free * PAGE_SIZE / MB,
		(image + tags + st.used[PAGE_HV] * PAGE_SIZE) / KB, image / KB, tags / KB,
		st.used[PAGE_HV] * PAGE_SIZE / KB);
}
