/* SPDX-License-Identifier: BSD-2-Clause */
/* The console, the traps and a few devices, for test guests. */
#include <stdarg.h>

#include "tests/guest/lib/lib.h"

#define COM1	   0x3f8
#define COM1_LSR   (COM1 + 5)
#define LSR_DR	   BIT(0)
#define LSR_THRE   BIT(5)
#define LINE_MAX   1024
#define DEBUG_EXIT 0xf4
#define STUB_BYTES 16ul /* as stubs.S aligns them */

const char *guest_cmdline;
u64 guest_ram, guest_rsdp;
struct caught caught;
u64 resume_rip;

struct __packed gate {
	u16 offset0, selector;
	u8 ist, type;
	u16 offset1;
	u32 offset2, zero;
};
static_assert(sizeof(struct gate) == 16, "gate layout");

extern char stubs[], image_end[];
static struct gate idt[256];
static handler_t handlers[256];
static u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };
static u8 *next_free;

static void put_char(char c)
{
	while (!(inb(COM1_LSR) & LSR_THRE))
		cpu_relax();
	outb(COM1, (u8)c);
}

static void put(const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			put_char('\r');
		put_char(*s);
	}
}

void say(const char *fmt, ...)
{
	char line[LINE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	put(line);
	put("\n");
}

int typed(void)
{
	return inb(COM1_LSR) & LSR_DR ? inb(COM1) : -1;
}

/* Where there is no such port, a triple fault ends the machine and is not mistaken for success. */
static __noreturn void leave(u8 value)
{
	const struct descriptor_ptr nothing = { 0, 0 };

	outb(DEBUG_EXIT, value);
	lidt(&nothing);
	__asm__ volatile("int3");
	__builtin_unreachable();
}

void pass(void)
{
	put("PASS\n");
	leave(0);
}

void skip(const char *why)
{
	say("SKIP %s", why);
	leave(2);
}

void fail(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say("FAIL %s", line);
	leave(1);
}

void guest_trap(struct frame *f);

void guest_trap(struct frame *f)
{
	if (handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	if (f->vector >= 32 || !resume_rip)
		fail("unexpected vector %lu, error 0x%lx, rip 0x%lx, cr2 0x%lx", f->vector,
			f->error, f->rip, read_cr2());
	caught = (struct caught){ (int)f->vector, f->error, read_cr2(), f->rip, f->rflags };
	f->rip = resume_rip;
	f->rflags &= ~RFLAGS_TF;
	resume_rip = 0;
}

void on_vector(unsigned vector, handler_t fn)
{
	handlers[vector] = fn;
}

void gate_present(unsigned vector, bool present)
{
	idt[vector].type = present ? 0x8e : 0x0e;
}

void gate_user(unsigned vector)
{
	idt[vector].type = 0xee;
}

static const char *find_word(const char *key)
{
	size_t n = strlen(key);

	for (const char *p = guest_cmdline; *p; p++)
		if ((p == guest_cmdline || p[-1] == ' ') && !strncmp(p, key, n))
			return p + n;
	return NULL;
}

bool cmdline_has(const char *word)
{
	const char *end = find_word(word);

	return end && (!*end || *end == ' ');
}

const char *cmdline_text(const char *key)
{
	const char *p = find_word(key);

	return p && *p == '=' ? p + 1 : NULL;
}

u64 cmdline_number(const char *key, u64 otherwise)
{
	const char *p = cmdline_text(key);
	u64 n = 0;

	if (!p)
		return otherwise;
	for (; *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (u64)(*p - '0');
	return n;
}

void gate_to(unsigned vector, const void *code)
{
	u64 a = code ? (u64)code : (u64)stubs + STUB_BYTES * vector;

	idt[vector] = (struct gate){ (u16)a, 8, 0, 0x8e, (u16)(a >> 16), (u32)(a >> 32), 0 };
}

void guest_tables(void)
{
	struct descriptor_ptr p = { sizeof(gdt) - 1, (u64)gdt };

	lgdt(&p);
	__asm__ volatile("push $8; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov $16, %%eax; mov "
			 "%%eax, %%ss; "
			 "mov %%eax, %%ds; mov %%eax, %%es" ::
				 : "rax", "memory");
	p = (struct descriptor_ptr){ sizeof(idt) - 1, (u64)idt };
	lidt(&p);
}

void guest_start(const char *cmdline, u64 ram, u64 rsdp)
{
	guest_cmdline = cmdline;
	guest_ram = ram;
	guest_rsdp = rsdp;
	/* The boot protocol's own tables lie somewhere in low memory: stay clear of them. */
	next_free = (u8 *)ALIGN_UP((u64)image_end, 2 * MB) + 2 * MB;
	for (unsigned i = 0; i < ARRAY_SIZE(idt); i++)
		gate_to(i, NULL);
	guest_tables();
	pic_mask_all();
	test_main();
	fail("test_main() returned");
}

u32 apic_read(enum apic_reg r)
{
	return mmio_read(LAYOUT_LAPIC + r);
}

void apic_write(enum apic_reg r, u32 value)
{
	mmio_write(LAYOUT_LAPIC + r, value);
}

void apic_enable(void)
{
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void pic_mask_all(void)
{
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

void ioapic_write(unsigned reg, u32 value)
{
	mmio_write(LAYOUT_IOAPIC, reg);
	mmio_write(LAYOUT_IOAPIC + 0x10, value);
}

u32 ioapic_read(unsigned reg)
{
	mmio_write(LAYOUT_IOAPIC, reg);
	return mmio_read(LAYOUT_IOAPIC + 0x10);
}

u64 tsc_per_second(void)
{
	return cpuid(0x40000010, 0).eax * 1000ul;
}

bool wait_for(volatile unsigned *flag, u64 ticks)
{
	u64 end = rdtsc() + ticks;

	sti();
	while (!*flag && rdtsc() < end)
		__asm__ volatile("pause");
	irq_disable();
	return *flag != 0;
}

u64 *new_page(void)
{
	u8 *p = next_free;

	next_free += PAGE_BYTES;
	memset(p, 0, PAGE_BYTES);
	return (u64 *)p;
}

u64 *map_page(u64 va, u64 pa, u64 bits)
{
	u64 *table = (u64 *)(read_cr3() & ~0xffful);

	for (unsigned shift = 39; shift > 12; shift -= 9) {
		u64 *e = &table[(va >> shift) & 511];

		if (!(*e & 1))
			*e = (u64)new_page() | 7;
		table = (u64 *)(*e & 0x000ffffffffff000ul);
	}
	table[(va >> 12) & 511] = pa | bits;
	invlpg(va);
	return &table[(va >> 12) & 511];
}
