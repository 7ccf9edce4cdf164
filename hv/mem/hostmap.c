/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's own page tables; hostmap.h has the drawing. */
#include "hv/mem/hostmap.h"
#include "hv/cpu/cpu.h"
#include "hv/ctl/log.h"
#include "hv/lib/spinlock.h"
#include "hv/mem/pt.h"

#define PT_RX (PT_G)
#define PT_R  (PT_G | PT_NX)
#define PT_RW (PT_W | PT_G | PT_NX)

#define FIRMWARE_MAX	    (16 * MB)
#define CPUID_X1_EDX_1G	    BIT(26)
#define CPUID_ADDRESS_SIZES 0x80000008u
#define CPUID_EXTENDED	    0x80000001u

extern u8 __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
	__data_end[], __boot_stack_guard[], __image_start[];

static struct pt host;
static struct spinlock lock; /* of host and the two cursors */
static u64 mmio_next = MMIO_BASE, stack_next = STACK_BASE;

static enum status map_direct(const struct memmap *m)
{
	enum status s = OK;

	for (unsigned i = 0; s == OK && i < m->n; i++)
		s = pt_map(&host, DIRECT_MAP_BASE + m->r[i].start, HPA(m->r[i].start),
			m->r[i].end - m->r[i].start, PT_RW);
	return s;
}

/* One section of the image; its alias in the direct map is not writable unless the section is. */
static enum status map_section(const u8 *start, const u8 *end, u64 attr)
{
	hpa_t pa = image_to_hpa(start);
	u64 len = (u64)(end - start);
	enum status s = pt_map(&host, (u64)start, pa, len, attr);

	if (s == OK && !(attr & PT_W))
		s = pt_map(&host, DIRECT_MAP_BASE + pa.v, pa, len, PT_R);
	return s;
}

static enum status map_image(void)
{
	enum status s = map_section(__text_start, __text_end, PT_RX);

	if (s == OK)
		s = map_section(__rodata_start, __rodata_end, PT_R);
	if (s == OK)
		s = map_section(__data_start, __data_end, PT_RW);
	if (s == OK)
		s = pt_unmap(&host, (u64)__boot_stack_guard, PAGE_SIZE);
	return s;
}

enum status hostmap_init(const struct memmap *ram, const struct memmap *firmware)
{
	bool has_1g = cpuid_checked(CPUID_EXTENDED, 0).edx & CPUID_X1_EDX_1G;
	enum status s = pt_init(&host, &pt_x86, has_1g ? 3 : 2, PAGE_HV);

	if (s == OK)
		s = map_direct(ram);
	if (s == OK)
		s = map_direct(firmware);
	if (s == OK)
		s = map_image();
	if (s == OK)
		write_cr3(hostmap_root().v);
	return s;
}

hpa_t hostmap_root(void)
{
	return hva_to_hpa(host.root);
}

u64 hostmap_image_bytes(void)
{
	return (u64)__data_end - (u64)__image_start;
}

void hostmap_flush(void)
{
	u64 cr4 = read_cr4();

	/* Changing CR4.PGE drops global translations too. */
	write_cr4(cr4 & ~CR4_PGE);
	write_cr4(cr4);
}

void *mmio_map(hpa_t pa, u64 len)
{
	u64 start = ALIGN_DOWN(pa.v, PAGE_SIZE), bytes = ALIGN_UP(pa.v + len, PAGE_SIZE) - start;
	u64 va;

	spin_lock(&lock);
	va = mmio_next;
	mmio_next += bytes;
	if (pt_map(&host, va, HPA(start), bytes, PT_RW | PT_UC) != OK)
		panic("no memory to map the device at %lx", pa.v);
	spin_unlock(&lock);
	return (void *)(va + (pa.v - start));
}

static bool mapped(u64 va)
{
	struct pt_entry e;

	pt_lookup(&host, va, &e, NULL);
	return e.present;
}

const void *hostmap_firmware(hpa_t pa, u64 len)
{
	u64 limit = 1ul << MAX(cpuid_checked(CPUID_ADDRESS_SIZES, 0).eax & 0xff, 36u);
	u64 end = pa.v + len;

	if (len > FIRMWARE_MAX || end < pa.v || end > limit)
		return NULL;
	for (u64 at = ALIGN_DOWN(pa.v, PAGE_SIZE); at < end; at += PAGE_SIZE)
		if (!mapped(DIRECT_MAP_BASE + at) &&
			pt_map(&host, DIRECT_MAP_BASE + at, HPA(at), PAGE_SIZE, PT_R) != OK)
			return NULL;
	return hpa_to_hva(pa);
}

u8 *stack_alloc(unsigned pages)
{
	u64 va;
	u8 *top = NULL;

	spin_lock(&lock);
	va = stack_next + PAGE_SIZE;
	for (unsigned i = 0; i < pages; i++) {
		void *page = page_alloc(PAGE_ORDER_4K, PAGE_HV);

		if (!page ||
			pt_map(&host, va + i * PAGE_SIZE, hva_to_hpa(page), PAGE_SIZE, PT_RW) != OK)
			goto out;
	}
	stack_next = va + pages * PAGE_SIZE;
	top = (u8 *)stack_next;
out:
	spin_unlock(&lock);
	return top;
}

enum status hostmap_low_code(hpa_t page)
{
	return pt_map(&host, page.v, page, PAGE_SIZE, 0);
}

void hostmap_low_code_end(hpa_t page)
{
	if (pt_unmap(&host, page.v, PAGE_SIZE) != OK)
		panic("cannot unmap the page that starts processors");
	pt_free_retired(&host);
}
