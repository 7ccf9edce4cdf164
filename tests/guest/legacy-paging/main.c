/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From 64-bit mode to protected mode with no paging, with 32-bit tables (4 MB pages, PSE-36, and
 * with PSE off) and with PAE tables, and back each time. In each of them a list of accesses is made
 * by 32-bit code, whose faults, error codes, values and flags are compared with what the manual's
 * chapters "32-Bit Paging" and "PAE Paging" say; PDPTEs count from the load of CR3 on.
 */
#include "tests/guest/lib/paging.h"

#define SEL_CODE64 0x08u
#define SEL_CODE32 0x18u
#define DATA	   (8 * MB) /* page n of it starts with its number */
#define DATA_PAGES 16u
#define VA	   0x80000000u /* what the tables under test map */
#define RW	   (PTE_P | PTE_W)
#define LARGE_32   (4 * MB)
#define PSE36_BIT  BIT(13) /* address bit 32 of a 4 MB page */
#define NONE	   (-1)
#define OPS_MAX	   64u

enum op_kind {
	READ,
	WRITE,
	INVLPG,
	LOAD_CR3
};

/* As the 32-bit code knows it. */
struct op {
	u32 kind, address, value;
	s32 vector;
	u32 error, cr2, got;
	u32 spare;
};
static_assert(sizeof(struct op) == 32, "the code steps by 32 bytes");

/* What the 32-bit code needs to know. */
struct {
	u32 ops, count, cr3, cr4, cr0;
	u32 saved_cr3, saved_cr4, saved_cr0;
} legacy;

static struct op ops[OPS_MAX];
static unsigned count;
static struct {
	s64 vector;
	u64 error, value;
	const char *what;
} wanted[OPS_MAX];

static u64 gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff };
static u64 idt32[32];
struct descriptor_ptr legacy_idt = { sizeof(idt32) - 1, (u64)idt32 }, legacy_old_idt;
u64 legacy_rsp;

__asm__("	.pushsection .text\n"
	"	.code64\n"
	"legacy_enter:\n" /* on a stack below 4 GB */
	"	push %rbx\n"
	"	push %rbp\n"
	"	mov %rsp, legacy_rsp\n"
	"	sidt legacy_old_idt\n"
	"	mov %cr3, %rax\n"
	"	mov %eax, legacy + 20\n"
	"	mov %cr4, %rax\n"
	"	mov %eax, legacy + 24\n"
	"	mov %cr0, %rax\n"
	"	mov %eax, legacy + 28\n"
	"	push $0x18\n"
	"	push $1f\n"
	"	lretq\n"
	"	.code32\n"
	"1:	mov %cr0, %eax\n"
	"	and $0x7fffffff, %eax\n"
	"	mov %eax, %cr0\n" /* paging off: IA-32e mode ends */
	"	mov $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	and $0xfffffeff, %eax\n"
	"	wrmsr\n" /* LME off */
	"	lidt legacy_idt\n"
	"	mov legacy + 12, %eax\n"
	"	mov %eax, %cr4\n"
	"	mov legacy + 8, %eax\n"
	"	mov %eax, %cr3\n"
	"	mov legacy + 16, %eax\n"
	"	mov %eax, %cr0\n"
	"	mov legacy, %esi\n"
	"	mov legacy + 4, %edi\n"
	"2:	movl $-1, 12(%esi)\n"
	"	mov 4(%esi), %ebx\n"
	"	mov 8(%esi), %ecx\n"
	"	cmpl $1, (%esi)\n"
	"	je 4f\n"
	"	ja 5f\n"
	"	mov (%ebx), %edx\n"
	"	mov %edx, 24(%esi)\n"
	"	jmp legacy_next\n"
	"4:	mov %ecx, (%ebx)\n"
	"	jmp legacy_next\n"
	"5:	cmpl $2, (%esi)\n"
	"	je 6f\n"
	"	mov %cr3, %eax\n"
	"	mov %eax, %cr3\n"
	"	jmp legacy_next\n"
	"6:	invlpg (%ebx)\n"
	"legacy_next:\n"
	"	add $32, %esi\n"
	"	dec %edi\n"
	"	jnz 2b\n"
	"	mov %cr0, %eax\n"
	"	and $0x7fffffff, %eax\n"
	"	mov %eax, %cr0\n"
	"	mov legacy + 24, %eax\n"
	"	mov %eax, %cr4\n"
	"	mov legacy + 20, %eax\n"
	"	mov %eax, %cr3\n"
	"	mov $0xc0000080, %ecx\n"
	"	rdmsr\n"
	"	or $0x100, %eax\n"
	"	wrmsr\n"
	"	mov legacy + 28, %eax\n"
	"	mov %eax, %cr0\n"
	"	ljmp $0x08, $7f\n"
	"	.code64\n"
	"7:	mov legacy_rsp, %rsp\n"
	"	lidt legacy_old_idt\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	"	.code32\n"
	"legacy_page_fault:\n"
	"	pop %eax\n"
	"	mov %eax, 16(%esi)\n"
	"	mov %cr2, %eax\n"
	"	mov %eax, 20(%esi)\n"
	"	movl $14, 12(%esi)\n"
	"	movl $legacy_next, (%esp)\n"
	"	iret\n"
	"legacy_unexpected:\n" /* fails the test */
	"	mov $1, %al\n"
	"	out %al, $0xf4\n"
	"	hlt\n"
	"	.code64\n"
	"	.popsection\n");
void legacy_enter(void);
extern const char legacy_page_fault[], legacy_unexpected[];

static u64 gate32(const char *code)
{
	u64 at = (u64)code;

	return (at & 0xffff) | (u64)SEL_CODE32 << 16 | 0x8eul << 40 | (at >> 16) << 48;
}

/* ---- lists of accesses ---- */

static void add(enum op_kind kind, u64 address, u64 value, s64 vector, u64 error, const char *what)
{
	check(count < OPS_MAX, "too many accesses");
	ops[count] = (struct op){ .kind = kind, .address = (u32)address, .value = (u32)value };
	wanted[count].vector = vector;
	wanted[count].error = error;
	wanted[count].value = value;
	wanted[count++].what = what;
}

static void reads(u64 address, u64 value, const char *what)
{
	add(READ, address, value, NONE, 0, what);
}

static void writes(u64 address, u64 value, const char *what)
{
	add(WRITE, address, value, NONE, 0, what);
}

static void faults(enum op_kind kind, u64 address, u64 error, const char *what)
{
	add(kind, address, 0, VEC_PF, error, what);
}

static void invalidates(u64 address)
{
	add(INVLPG, address, 0, NONE, 0, "INVLPG");
}

static void run(const char *mode, u64 cr0, u64 cr3, u64 cr4)
{
	legacy.ops = (u32)(u64)ops;
	legacy.count = count;
	legacy.cr0 = (u32)((read_cr0() & ~(CR0_PG | CR0_WP)) | cr0);
	legacy.cr3 = (u32)cr3;
	legacy.cr4 = (u32)cr4;
	legacy_enter();
	for (unsigned i = 0; i < count; i++) {
		const struct op *o = &ops[i];

		check_eq((s64)o->vector, wanted[i].vector, "%s, %s (access %u): exception", mode,
			wanted[i].what, i);
		if (o->vector == VEC_PF) {
			check_eq(o->error, wanted[i].error, "%s, %s (access %u): error code", mode,
				wanted[i].what, i);
			check_eq(o->cr2, o->address, "%s, %s: CR2", mode, wanted[i].what);
		} else if (o->kind == READ) {
			check_eq(o->got, wanted[i].value, "%s, %s (access %u): value", mode,
				wanted[i].what, i);
		}
	}
	count = 0;
}

/* ---- the modes ---- */

static void no_paging(void)
{
	reads(DATA + PAGE_BYTES, 1, "memory");
	writes(DATA + 8, 77, "memory");
	reads(DATA + 8, 77, "memory");
	reads(guest_ram + MB, ~0u, "past memory");
	run("no paging", 0, 0, 0);
	check_eq(*(u32 *)(DATA + 8), 77, "what was written with paging off");
}

static void pse(void)
{
	u32 *root = (u32 *)new_page(), *table = (u32 *)new_page();

	for (u32 i = 0; i < guest_ram / LARGE_32; i++)
		root[i] = i * (u32)LARGE_32 | RW | PTE_PS;
	root[VA >> 22] = (u32)(u64)table | RW;
	root[(VA >> 22) + 1] = (u32)(DATA | RW | PTE_PS | PSE36_BIT);
	root[(VA >> 22) + 2] = (u32)(DATA | PTE_P | PTE_PS);
	root[(VA >> 22) + 3] = (u32)(DATA | RW | PTE_PS | BIT(21));
	table[0] = DATA | RW;
	table[600] = (DATA + PAGE_BYTES) | PTE_P;
	table[1023] = (DATA + 2 * PAGE_BYTES) | RW;
	reads(VA, 0, "a small page");
	reads(VA + 600 * PAGE_BYTES, 1, "the second half of a table");
	reads(VA + 1023 * PAGE_BYTES, 2, "the last entry");
	faults(READ, VA + PAGE_BYTES, 0, "not present");
	faults(WRITE, VA + 600 * PAGE_BYTES, PF_P | PF_W, "read-only");
	writes(VA + 1023 * PAGE_BYTES + 4, 78, "a small page");
	writes((u64)&table[600], (DATA + 3 * PAGE_BYTES) | RW, "the table");
	invalidates(VA + 600 * PAGE_BYTES);
	reads(VA + 600 * PAGE_BYTES, 3, "another page");
	writes((u64)&table[1], (DATA + 4 * PAGE_BYTES) | RW, "the table");
	reads(VA + PAGE_BYTES, 4, "an entry that became present");
	reads(VA + LARGE_32, ~0u, "PSE-36, past memory");
	reads(VA + 2 * LARGE_32 + 5 * PAGE_BYTES, 5, "a large page");
	faults(WRITE, VA + 2 * LARGE_32, PF_P | PF_W, "a large page, read-only");
	faults(READ, VA + 3 * LARGE_32, PF_P | PF_RSVD, "a reserved bit");
	writes((u64)&root[VA >> 22], DATA | RW | PTE_PS, "the directory");
	invalidates(VA + 600 * PAGE_BYTES);
	reads(VA + 6 * PAGE_BYTES, 6, "a large page in a table's place");
	run("32-bit paging", CR0_PG | CR0_WP, (u64)root, CR4_PSE);
	check_eq(table[1023] & (PTE_A | PTE_D), PTE_A | PTE_D, "flags of a page written");
	check_eq(table[1] & (PTE_A | PTE_D), PTE_A, "flags of a page read");
	check_eq(root[(VA >> 22) + 2] & (PTE_A | PTE_D), PTE_A, "flags of a large page read");
	check_eq(root[(VA >> 22) + 3] & PTE_A, 0, "flags of an entry with a reserved bit");
}

/* PS is ignored: the entry names a table. */
static void no_pse(void)
{
	u32 *root = (u32 *)new_page(), *tables[4];

	for (u32 i = 0; i < ARRAY_SIZE(tables); i++) {
		tables[i] = (u32 *)new_page();
		root[i] = (u32)(u64)tables[i] | RW | PTE_PS;
		for (u32 k = 0; k < 1024; k++)
			tables[i][k] = (i * (u32)LARGE_32 + k * (u32)PAGE_BYTES) | RW;
	}
	reads(DATA + 7 * PAGE_BYTES, 7, "a small page");
	faults(READ, VA, 0, "not present");
	writes(DATA + 8, 79, "a small page");
	run("32-bit paging without PSE", CR0_PG | CR0_WP, (u64)root, 0);
	check_eq(*(u32 *)(DATA + 8), 79, "what was written");
}

static void pae(void)
{
	u64 *root = new_page(), *low = new_page(), *pd = new_page(), *table = new_page();

	for (u64 i = 0; i < guest_ram / LARGE_BYTES; i++)
		low[i] = i * LARGE_BYTES | RW | PTE_PS;
	root[0] = (u64)low | PTE_P;
	root[2] = (u64)pd | PTE_P;
	pd[0] = (u64)table | RW;
	pd[1] = DATA | RW | PTE_PS;
	pd[511] = (u64)table | PTE_P;
	table[0] = DATA | RW;
	table[1] = (DATA + PAGE_BYTES) | PTE_P;
	table[2] = (DATA + 2 * PAGE_BYTES) | RW | PTE_RSVD;
	table[511] = (DATA + 3 * PAGE_BYTES) | RW;
	reads(VA + PAGE_BYTES, 1, "a small page");
	reads(VA + 511 * PAGE_BYTES, 3, "the last entry");
	reads(VA + LARGE_BYTES + 9 * PAGE_BYTES, 9, "a large page");
	reads(VA + 511 * LARGE_BYTES + 511 * PAGE_BYTES, 3, "the same table");
	faults(WRITE, VA + 511 * LARGE_BYTES, PF_P | PF_W, "the same table, read-only");
	writes(VA + 4, 80, "a small page");
	faults(READ, VA + 3 * PAGE_BYTES, 0, "not present");
	faults(WRITE, VA + PAGE_BYTES, PF_P | PF_W, "read-only");
	faults(READ, VA + 2 * PAGE_BYTES, PF_P | PF_RSVD, "a reserved bit");
	faults(READ, VA + GB, 0, "no PDPTE");
	/* PDPTEs in memory: nobody looks at them until CR3 is loaded. */
	writes((u64)&root[2], 0, "a PDPTE");
	writes((u64)&root[3], (u64)pd | PTE_P, "a PDPTE");
	invalidates(VA + PAGE_BYTES);
	reads(VA + PAGE_BYTES, 1, "by the old PDPTE");
	faults(READ, VA + GB + PAGE_BYTES, 0, "by a PDPTE not loaded");
	add(LOAD_CR3, 0, 0, NONE, 0, "CR3");
	faults(READ, VA + PAGE_BYTES, 0, "by a PDPTE that is gone");
	reads(VA + GB + PAGE_BYTES, 1, "by the new PDPTE");
	writes((u64)&table[1], (DATA + 4 * PAGE_BYTES) | RW, "the table");
	invalidates(VA + GB + PAGE_BYTES);
	reads(VA + GB + PAGE_BYTES, 4, "another page");
	run("PAE paging", CR0_PG | CR0_WP, (u64)root, CR4_PAE);
	check_eq(table[0] & (PTE_A | PTE_D), PTE_A | PTE_D, "flags of a page written");
	check_eq(table[511] & (PTE_A | PTE_D), PTE_A, "flags of a page read");
	check_eq(table[2] & PTE_A, 0, "flags of an entry with a reserved bit");
	check_eq(root[3], (u64)pd | PTE_P, "a PDPTE has no accessed flag");
}

void test_main(void)
{
	struct descriptor_ptr p = { sizeof(gdt) - 1, (u64)gdt };

	lgdt(&p);
	for (unsigned i = 0; i < ARRAY_SIZE(idt32); i++)
		idt32[i] = gate32(i == VEC_PF ? legacy_page_fault : legacy_unexpected);
	for (u32 i = 0; i < DATA_PAGES; i++)
		*(u32 *)(DATA + i * PAGE_BYTES) = i;
	for (unsigned round = 0; round < 2; round++) {
		no_paging();
		pse();
		no_pse();
		pae();
	}
	pass();
}
