/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYSCALL from level 3, to a kernel that does nothing but SYSRET. The loop stands in a page of
 * level 3 and is entered and left as a whole. (Adams and Agesen)
 */
#include "guest-images/nano/nano.h"
#include "tests/guest/lib/ring.h"

#define COUNT	 200u
#define RING_VA	 0x20000000000ul /* of ring.c's code, in tables of its own */
#define USER_VA	 (RING_VA + PAGE_BYTES)
#define LOOP_MAX 16u

extern const char nano_sysret[], nano_user_loop[], nano_user_loop_end[], nano_user_empty[],
	nano_user_empty_end[];
__asm__("	.text\n"
	"nano_user_loop:\n"
	"1:	syscall\n"
	"	dec %rdi\n"
	"	jnz 1b\n"
	"	int $0x41\n"
	"nano_user_loop_end:\n"
	"nano_user_empty:\n"
	"1:	dec %rdi\n"
	"	jnz 1b\n"
	"	int $0x41\n"
	"nano_user_empty_end:\n"
	"	.balign 16\n"
	"nano_sysret:\n"
	"	sysretq\n");

static const char *set_up(void)
{
	u8 *page = (u8 *)new_page();

	ring_init(RING_VA);
	map_page(USER_VA, (u64)page, PTE_P | PTE_U);
	memcpy(page, nano_user_loop, (size_t)(nano_user_loop_end - nano_user_loop));
	memcpy(page + LOOP_MAX, nano_user_empty, (size_t)(nano_user_empty_end - nano_user_empty));
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (u64)SEL_SYSRET << 48 | 8ul << 32);
	wrmsr(MSR_LSTAR, (u64)nano_sysret);
	wrmsr(MSR_FMASK, 0);
	return NULL;
}

static void run(const struct operation *o)
{
	ring_run(USER_VA, o->count);
}

static void run_empty(const struct operation *o)
{
	ring_run(USER_VA + LOOP_MAX, o->count);
}

static const struct operation table[] = {
	{ "syscall", 0, COUNT, set_up, NULL, run, run_empty },
};
const struct operations system_calls = { table, ARRAY_SIZE(table) };
