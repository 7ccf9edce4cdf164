/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's control of a vcpu: from gdb's packets on one side to exits, traps and debug
 * registers on the other. The processor is a mock, memory and page tables are real.
 *
 * Sources: hv/vm/debug.c hv/vm/debug_points.c hv/vm/debug_regs.c hv/vm/debug_port.c
 * hv/vm/look.c hv/cpu/timer.c hv/ctl/gdb.c hv/ctl/gdb_commands.c
 * hv/ctl/gdb_regs.c hv/mmu/walk.c hv/mem/guestmem.c hv/mem/guestmem_loose.c hv/dev/bus.c
 */
#include <stdio.h>

#include "tests/unit/vcpu_machine.h"

#include "hv/ctl/gdb.h"
#include "hv/cpu/cpu.h"
#include "hv/cpu/percpu.h"
#include "hv/mem/page.h"
#include "hv/vm/debug_priv.h"

#define BREAKPOINT 0xcc /* the byte of INT3 */

/* ---- what is around it ---- */

static struct {
	char in[4096], out[8192];
	size_t in_len, in_at, out_len;
	void (*input)(void *ctx);
	void *ctx;
} line;

static struct task *posted;
static unsigned holds;
static u64 live[LIVE_KERNEL_GS_BASE + 1];
static u8 fxsave[512];
static struct {
	bool has_step, step, int3, debug_regs;
} traps;
static enum vm_end ended_by;

void uart_on_input(struct uart *u, void (*fn)(void *ctx), void *ctx)
{
	(void)u;
	line.input = fn;
	line.ctx = ctx;
}

size_t uart_read(struct uart *u, u8 *buf, size_t len)
{
	(void)u;
	len = MIN(len, line.in_len - line.in_at);
	memcpy(buf, line.in + line.in_at, len);
	line.in_at += len;
	return len;
}

void uart_write(struct uart *u, const u8 *buf, size_t len, bool now)
{
	(void)u;
	(void)now;
	assert_true(line.out_len + len < sizeof(line.out));
	memcpy(line.out + line.out_len, buf, len);
	line.out_len += len;
	line.out[line.out_len] = 0;
}

void task_post(struct task *t, struct percpu *on)
{
	(void)on;
	assert_null(posted);
	posted = t;
}

void sched_hold(struct vcpu *c)
{
	assert_ptr_equal(c, &v);
	holds++;
}

void sched_release(struct vcpu *c)
{
	assert_ptr_equal(c, &v);
	assert_int_equal(holds, 1);
	holds--;
}

void sched_attend(struct vcpu *c)
{
	assert_ptr_equal(c, &v);
	assert_int_equal(holds, 1); /* registers are looked at while it stands still */
}

void vm_hold(struct vm *m)
{
	sched_hold(m->vcpu[0]);
}

bool vm_held(struct vm *m)
{
	(void)m;
	return holds != 0;
}

void vm_end(struct vm *m, enum vm_end why, u8 status)
{
	(void)status;
	m->end = why;
	ended_by = why;
}

u64 platform_get_cr8(struct platform *p, unsigned index)
{
	(void)p;
	(void)index;
	return 7;
}

static u64 get_live(struct vcpu *c, enum vcpu_live r)
{
	(void)c;
	return live[r];
}

static void set_live(struct vcpu *c, enum vcpu_live r, u64 value)
{
	(void)c;
	assert_true(r <= LIVE_DR6);
	live[r] = value;
}

static bool set_traps(struct vcpu *c, bool step, bool int3, bool debug_regs)
{
	(void)c;
	traps.step = step && traps.has_step;
	traps.int3 = int3;
	traps.debug_regs = debug_regs;
	return !step || traps.has_step;
}

static u8 *get_fxsave(struct vcpu *c)
{
	(void)c;
	return fxsave;
}

static void put_fxsave(struct vcpu *c)
{
	(void)c;
}

static void set_segment(struct vcpu *c, enum seg s, const struct segment *in)
{
	(void)c;
	cpu.seg[s] = *in;
}

static struct cpu_ops ops;
static struct percpu here;

static u64 real_time(const struct timerq *q)
{
	(void)q;
	return rdtsc();
}

static int attach(void **state)
{
	setup(state);
	memset(&line, 0, sizeof(line));
	memset(live, 0, sizeof(live));
	memset(fxsave, 0, sizeof(fxsave));
	posted = NULL;
	holds = 0;
	ended_by = VM_END_NONE;
	traps.has_step = true;
	ops = cpu_ops;
	ops.set_segment = set_segment;
	ops.get_live = get_live;
	ops.set_live = set_live;
	ops.set_traps = set_traps;
	ops.get_fxsave = get_fxsave;
	ops.put_fxsave = put_fxsave;
	v.ops = &ops;
	vm.vcpu[0] = &v;
	vm.vcpus = 1;
	vm.first = true;
	memset(&here, 0, sizeof(here));
	timerq_init(&here.timers, 1000000000, real_time);
	vm.cpu = &here;
	debug_init(NULL);
	vm.timers = &here.timers;
	debug_attach(&vm);
	assert_non_null(vm.debug);
	assert_int_equal(holds, 1);
	return 0;
}

static int leave(void **state)
{
	page_free(line.ctx, page_order(sizeof(struct debug)), PAGE_HV);
	return teardown(state);
}

#define DEBUG(name) cmocka_unit_test_setup_teardown(name, attach, leave)

static void do_task(void)
{
	while (posted) {
		struct task *t = posted;

		posted = NULL;
		t->run(t);
	}
}

/* What is said to a packet, without frames. */
static const char *ask(const char *body)
{
	static char reply[8192];
	u8 sum = 0;

	for (const char *p = body; *p; p++)
		sum = (u8)(sum + (u8)*p);
	line.in_len = (size_t)sprintf(line.in, "$%s#%02x", body, sum);
	line.in_at = line.out_len = 0;
	line.out[0] = 0;
	line.input(line.ctx);
	do_task();
	if (line.out_len < 6)
		return line.out_len == 1 ? "none" : "";
	snprintf(reply, sizeof(reply), "%.*s", (int)line.out_len - 5, line.out + 2);
	return reply;
}

static const char *ask_at(const char *format, u64 address)
{
	char body[64];

	snprintf(body, sizeof(body), format, address);
	return ask(body);
}

/* What the run loop does before an entry. False: it may not. */
static bool enter(void)
{
	if (!debug_may_enter(&v))
		return false;
	debug_enter(&v);
	return true;
}

/* The vcpu has come to a stop: what is said then. */
static const char *stopped(void)
{
	assert_int_equal(holds, 1);
	assert_false(debug_may_enter(&v));
	line.out_len = 0;
	line.out[0] = 0;
	do_task();
	return line.out;
}

static bool exception(u8 vector, u64 qualification, u64 *left)
{
	struct exit_exception x = { .vector = vector, .qualification = qualification, .length = 1 };
	bool ours = debug_exception(&v, &x);

	if (left)
		*left = x.qualification;
	return ours;
}

static u8 byte_at(u64 va)
{
	u8 b;

	assert_int_equal(guest_read(&vm.mem, GPA(frame_of(va)), &b, 1), OK);
	return b;
}

/* ---- tests ---- */

static void test_stands_still_at_first(void **state)
{
	(void)state;
	assert_false(debug_may_enter(&v));
	assert_memory_equal(ask("?"), "T05", 3);
	assert_string_equal(ask("qfThreadInfo"), "m1");
	assert_string_equal(ask("c"), "none");
	assert_int_equal(holds, 0);
	assert_true(enter());
	assert_false(traps.step || traps.int3 || traps.debug_regs);
	/* Ctrl-C */
	line.in_len = 1;
	line.in_at = 0;
	line.in[0] = 3;
	line.input(line.ctx);
	do_task();
	assert_non_null(strstr(line.out, "$T02"));
	assert_int_equal(holds, 1);
	assert_false(debug_may_enter(&v));
}

static void test_only_the_first_vm(void **state)
{
	struct vm other = { 0 };

	(void)state;
	debug_attach(&other);
	assert_null(other.debug);
	debug_detach(&other);
}

static void test_soft_breakpoint(void **state)
{
	(void)state;
	code_at(CODE + 5, "\x90", 1);
	ask("qSupported:swbreak+;hwbreak+");
	assert_string_equal(ask_at("Z0,%lx,1", CODE + 5), "OK");
	assert_string_equal(ask_at("Z0,%lx,1", CODE + 5), "OK");
	assert_int_equal(byte_at(CODE + 5), BREAKPOINT);
	assert_string_equal(ask_at("Z0,%lx,1", CODE - PAGE_SIZE), "E03"); /* not mapped */
	ask("c");
	assert_true(enter());
	assert_true(traps.int3);
	/* Elsewhere: the guest's own. */
	cpu.reg[VREG_RIP] = CODE + 4;
	assert_true(exception(VEC_BP, 0, NULL));
	assert_true(v.work & WORK_EVENT);
	assert_int_equal(v.event.type, EVENT_SOFT_EXCEPTION);
	assert_int_equal(v.event.vector, VEC_BP);
	assert_int_equal(v.event.length, 1);
	assert_int_equal(holds, 0);
	v.work = 0;
	cpu.reg[VREG_RIP] = CODE + 5;
	assert_true(exception(VEC_BP, 0, NULL));
	assert_int_equal(v.work & WORK_EVENT, 0);
	assert_non_null(strstr(stopped(), "$T05swbreak:;"));
	assert_string_equal(ask_at("z0,%lx,1", CODE + 5), "OK");
	assert_int_equal(byte_at(CODE + 5), 0x90);
	assert_string_equal(ask_at("z0,%lx,1", CODE + 5), "OK");
	/* What the guest has written over it stays. */
	ask_at("Z0,%lx,1", CODE + 6);
	code_at(CODE + 6, "\x55", 1);
	ask_at("z0,%lx,1", CODE + 6);
	assert_int_equal(byte_at(CODE + 6), 0x55);
}

static void test_many_soft_breakpoints(void **state)
{
	unsigned n = 0;

	(void)state;
	while (n < 1000 && !strcmp(ask_at("Z0,%lx,1", CODE + n), "OK"))
		n++;
	assert_in_range(n, 64, 999);
	assert_string_equal(ask_at("z0,%lx,1", CODE), "OK");
	assert_string_equal(ask_at("Z0,%lx,1", CODE + n), "OK");
	/* All are gone with gdb. */
	assert_string_equal(ask("D"), "OK");
	for (unsigned i = 0; i <= n; i++)
		assert_int_equal(byte_at(CODE + i), 0);
}

static void test_step(void **state)
{
	(void)state;
	v.work = WORK_IRQ;
	ask("vCont;s:1");
	assert_true(debug_may_enter(&v));
	assert_int_equal(debug_withheld(&v), WORK_IRQ);
	debug_enter(&v);
	assert_true(traps.step);
	assert_true(v.work & WORK_DEBUG);
	/* An exit that did nothing is no step. */
	debug_exited(&v, false);
	assert_int_equal(holds, 0);
	assert_true(enter());
	debug_stepped(&v, 0);
	assert_memory_equal(stopped(), "$T0506:", 7);
	assert_false(v.work & WORK_DEBUG);
	/* When it goes on for good, interrupts come in, and there is no trap. */
	ask("c");
	assert_true(debug_may_enter(&v));
	assert_int_equal(debug_withheld(&v), 0);
	debug_enter(&v);
	assert_false(traps.step);
	assert_false(v.work & WORK_DEBUG);
}

static void test_step_that_an_exit_completes(void **state)
{
	(void)state;
	ask("s");
	assert_true(enter());
	debug_exited(&v, true);
	assert_memory_equal(stopped(), "$T05", 4);
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_RIP] += 3; /* emulated */
	debug_exited(&v, false);
	assert_memory_equal(stopped(), "$T05", 4);
	ask("s");
	assert_true(enter());
	v.gpr[RCX]--; /* an iteration of REP */
	debug_exited(&v, false);
	assert_memory_equal(stopped(), "$T05", 4);
}

static void test_step_in_hlt(void **state)
{
	(void)state;
	v.work = WORK_HALTED | WORK_IRQ;
	ask("s");
	assert_int_equal(debug_withheld(&v), 0);
}

static void test_step_by_trap_flag(void **state)
{
	(void)state;
	traps.has_step = false;
	ask("s");
	assert_true(enter());
	assert_true(cpu.reg[VREG_RFLAGS] & RFLAGS_TF);
	assert_true(exception(VEC_DB, DR6_BS, NULL));
	assert_memory_equal(stopped(), "$T05", 4);
	assert_false(cpu.reg[VREG_RFLAGS] & RFLAGS_TF);
	/* An exit completed it, and left the trap behind. */
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_PENDING_DEBUG] = DR6_BS;
	debug_exited(&v, true);
	stopped();
	assert_false(cpu.reg[VREG_RFLAGS] & RFLAGS_TF);
	assert_int_equal(cpu.reg[VREG_PENDING_DEBUG], 0);
	/* An interrupt has put the flags away, and its handler has an exit. */
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_RFLAGS] &= ~RFLAGS_TF;
	cpu.reg[VREG_RIP] += 100;
	debug_exited(&v, true);
	assert_int_equal(holds, 0);
	cpu.reg[VREG_RFLAGS] |= RFLAGS_TF;
	assert_true(exception(VEC_DB, DR6_BS, NULL));
	stopped();
	/* PUSHF would show it. */
	code_at(CODE + 64, "\x9c", 1);
	cpu.reg[VREG_RIP] = CODE + 64;
	put(frame_of(DATA + 0x800), 0x302);
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_RIP]++;
	assert_true(exception(VEC_DB, DR6_BS, NULL));
	stopped();
	assert_int_equal(get64(frame_of(DATA + 0x800)), 0x202);
	/* Stopped in a handler: the flag that it returns to is nobody's. */
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_RFLAGS] &= ~RFLAGS_TF;
	line.in_at = 0;
	line.in_len = 1;
	line.in[0] = 3;
	line.input(line.ctx);
	do_task();
	assert_false(debug_may_enter(&v));
	ask("c");
	assert_true(enter());
	cpu.reg[VREG_RFLAGS] |= RFLAGS_TF;
	assert_true(exception(VEC_DB, DR6_BS, NULL));
	assert_int_equal(holds, 0);
	assert_false(cpu.reg[VREG_RFLAGS] & RFLAGS_TF);
	assert_false(exception(VEC_DB, DR6_BS, NULL)); /* the next is the guest's */
	ask("?");
	line.in_at = 0;
	line.input(line.ctx);
	do_task();
	/* The guest steps as well: its trap is its own. */
	cpu.reg[VREG_RFLAGS] |= RFLAGS_TF;
	ask("s");
	assert_true(enter());
	assert_false(exception(VEC_DB, DR6_BS, NULL));
	stopped();
	assert_true(cpu.reg[VREG_RFLAGS] & RFLAGS_TF);
}

static void test_hard_breakpoint(void **state)
{
	u64 left;

	(void)state;
	ask("qSupported:swbreak+;hwbreak+");
	live[LIVE_DR0 + 1] = 0x1234;
	cpu.reg[VREG_DR7] = DR7_INIT | 1;
	assert_string_equal(ask_at("Z1,%lx,1", CODE + 8), "OK");
	ask("c");
	assert_true(enter());
	assert_true(traps.debug_regs);
	assert_int_equal(live[LIVE_DR0], CODE + 8);
	assert_int_equal(cpu.reg[VREG_DR7], DR7_INIT | 2);
	/* The guest has what it had. */
	assert_int_equal(debug_read_dr(&v, 1), 0x1234);
	assert_int_equal(debug_read_dr(&v, 7), DR7_INIT | 1);
	assert_true(debug_write_dr(&v, 2, 0x5678));
	assert_true(debug_write_dr(&v, 7, DR7_INIT | 0xd000));
	assert_false(debug_write_dr(&v, 7, 1ul << 32));
	assert_false(debug_write_dr(&v, 6, 1ul << 32));
	assert_true(debug_write_dr(&v, 6, 0x4001));
	assert_int_equal(debug_read_dr(&v, 4), DR6_INIT | 0x4001);
	/* A trap of its own besides stays its own. */
	cpu.reg[VREG_RIP] = CODE + 8;
	assert_false(exception(VEC_DB, 1 | DR6_BS, &left));
	assert_int_equal(left, DR6_BS);
	assert_non_null(strstr(stopped(), "$T05hwbreak:;"));
	/* From here on it goes, once. */
	ask("c");
	assert_true(enter());
	assert_true(cpu.reg[VREG_RFLAGS] & RFLAGS_RF);
	cpu.reg[VREG_RFLAGS] = RFLAGS_R1;
	assert_true(enter());
	assert_false(cpu.reg[VREG_RFLAGS] & RFLAGS_RF);
	assert_true(exception(VEC_DB, 1, NULL));
	stopped();
	/* With the last one, the registers are the guest's again. */
	assert_string_equal(ask_at("z1,%lx,1", CODE + 8), "OK");
	ask("c");
	assert_true(enter());
	assert_false(traps.debug_regs);
	assert_int_equal(live[LIVE_DR0], 0);
	assert_int_equal(live[LIVE_DR0 + 2], 0x5678);
	assert_int_equal(cpu.reg[VREG_DR7], DR7_INIT);
	assert_false(exception(VEC_DB, 1, &left));
	assert_int_equal(left, 1);
}

static void test_watchpoints(void **state)
{
	char want[64];

	(void)state;
	/* 7 bytes at an odd address take 3 registers: 1, 2, 4. */
	assert_string_equal(ask_at("Z2,%lx,7", DATA + 1), "OK");
	assert_string_equal(ask_at("Z4,%lx,8", DATA + 8), "OK");
	assert_string_equal(ask_at("Z2,%lx,1", DATA + 32), "E03");
	assert_string_equal(ask_at("Z3,%lx,1", DATA + 32), "");
	assert_string_equal(ask_at("Z2,%lx,0", DATA + 32), "E03");
	assert_string_equal(ask_at("Z2,%lx,ffffffffffffffff", DATA + 32), "E03");
	ask("c");
	assert_true(enter());
	assert_int_equal(live[LIVE_DR0], DATA + 1);
	assert_int_equal(live[LIVE_DR0 + 1], DATA + 2);
	assert_int_equal(live[LIVE_DR0 + 2], DATA + 4);
	assert_int_equal(live[LIVE_DR3], DATA + 8);
	/* R/W and LEN: 1 and 0, 1 and 1, 1 and 3, 3 and 2. */
	assert_int_equal(cpu.reg[VREG_DR7], DR7_INIT | 0xaa | 0xbd510000);
	assert_true(exception(VEC_DB, 4, NULL));
	snprintf(want, sizeof(want), "$T05watch:%lx;", DATA + 4);
	assert_memory_equal(stopped(), want, strlen(want));
	/* One that a step comes upon is not lost. */
	ask("s");
	assert_true(enter());
	cpu.reg[VREG_PENDING_DEBUG] = 8 | BIT(12);
	debug_stepped(&v, 8 | BIT(12));
	assert_int_equal(cpu.reg[VREG_PENDING_DEBUG], 0);
	snprintf(want, sizeof(want), "$T05awatch:%lx;", DATA + 8);
	assert_memory_equal(stopped(), want, strlen(want));
	/* What did not fit has left nothing behind. */
	assert_string_equal(ask_at("z4,%lx,8", DATA + 8), "OK");
	assert_string_equal(ask_at("Z2,%lx,3", DATA + 33), "E03");
	assert_string_equal(ask_at("Z2,%lx,2", DATA + 34), "OK");
	assert_string_equal(ask_at("z2,%lx,7", DATA + 1), "OK");
	assert_string_equal(ask_at("z2,%lx,2", DATA + 34), "OK");
	ask("c");
	assert_true(enter());
	assert_false(traps.debug_regs);
}

static void test_registers(void **state)
{
	(void)state;
	cpu.reg[VREG_RSP] = 0x1122334455667788;
	v.gpr[RBX] = 0xb;
	v.gpr[R9] = 0x9;
	cpu.seg[SEG_DS].selector = 0x18;
	live[LIVE_CR2] = 0xc2;
	fxsave[4] = 0x81; /* x87 registers 0 and 7 hold something */
	fxsave[32 + 16] = 0x51;
	fxsave[160 + 15 * 16] = 0x5f;
	assert_string_equal(ask("p7"), "8877665544332211");
	assert_string_equal(ask("p1"), "0b00000000000000");
	assert_string_equal(ask("p9"), "0900000000000000");
	assert_string_equal(ask("p14"), "18000000"); /* DS */
	assert_string_equal(ask("p19"), "51000000000000000000");
	assert_string_equal(ask("p22"), "fc3f0000"); /* tags */
	assert_string_equal(ask("p37"), "5f000000000000000000000000000000");
	assert_string_equal(ask("p3d"), "c200000000000000");
	assert_string_equal(ask("p40"), "0700000000000000"); /* CR8 */
	assert_string_equal(ask("P7=0100000000000000"), "OK");
	assert_int_equal(cpu.reg[VREG_RSP], 1);
	assert_string_equal(ask("P3=0200000000000000"), "OK");
	assert_int_equal(v.gpr[RDX], 2);
	assert_string_equal(ask("P10=0000000000700000"), "OK");
	assert_string_equal(ask("P10=0000000000000100"), "E03"); /* not canonical */
	assert_int_equal(cpu.reg[VREG_RIP], 0x700000000000);
}

static void test_what_cannot_be_written(void **state)
{
	(void)state;
	assert_string_equal(ask("P11=d7020000"), "OK");	 /* RFLAGS: all that is a program's */
	assert_string_equal(ask("P11=02000200"), "E03"); /* VM */
	assert_string_equal(ask("P11=00000000"), "E03"); /* bit 1 */
	assert_string_equal(ask("P12=08000000"), "E03"); /* CS */
	assert_string_equal(ask("P3b=0000000000000080"), "E03"); /* k_gs_base */
	assert_string_equal(ask("P3c=0100000000000000"), "E03"); /* CR0 */
	assert_string_equal(ask("P39=0000000000000010"), "E03"); /* FS base, not canonical */
	assert_string_equal(ask("P3a=0000123400000000"), "OK");
	assert_int_equal(cpu.seg[SEG_GS].base, 0x34120000);
	assert_string_equal(ask("P38=801f0000"), "OK"); /* MXCSR */
	assert_string_equal(ask("P38=80000100"), "E03");
	assert_string_equal(ask("P28=000102030405060708090a0b0c0d0e0f"), "OK");
	assert_int_equal(fxsave[160 + 15], 15);
}

static void test_memory(void **state)
{
	(void)state;
	code_at(DATA + PAGE_SIZE - 1, "\xab\xcd", 2);
	map(DATA + PAGE_SIZE, frame_of(DATA + PAGE_SIZE) | P); /* neither written nor a program's */
	assert_string_equal(ask_at("m%lx,2", DATA + PAGE_SIZE - 1), "abcd");
	assert_string_equal(ask_at("M%lx,2:1234", DATA + PAGE_SIZE - 1), "OK");
	assert_int_equal(byte_at(DATA + PAGE_SIZE), 0x34);
	assert_int_equal(get64(PT + ((DATA + PAGE_SIZE) >> 12 & 511) * 8) & (A | D), 0);
	map(DATA + PAGE_SIZE, 0);
	assert_string_equal(ask_at("m%lx,2", DATA + PAGE_SIZE - 1), "12");
	assert_string_equal(ask_at("M%lx,2:1234", DATA + PAGE_SIZE - 1), "E03");
	assert_string_equal(ask_at("m%lx,2", DATA + PAGE_SIZE), "E02");
	assert_string_equal(ask_at("m%lx,2", DEV), "E02"); /* no memory */
}

static void test_reset(void **state)
{
	(void)state;
	live[LIVE_DR0] = 0x1234;
	ask_at("Z1,%lx,1", CODE);
	ask("c");
	assert_true(enter());
	live[LIVE_DR0] = 0;
	cpu.reg[VREG_DR7] = DR7_INIT;
	debug_loaded(&v);
	assert_true(enter());
	assert_int_equal(live[LIVE_DR0], CODE);
	assert_int_equal(debug_read_dr(&v, 0), 0);
}

static void test_ends(void **state)
{
	(void)state;
	ask("c");
	line.out_len = 0;
	vm.end = VM_END_POWEROFF;
	debug_detach(&vm);
	assert_null(vm.debug);
	assert_string_equal(line.out, "$W00#b7");
	assert_string_equal(ask("g"), "E04");
}

static void test_crash_and_kill(void **state)
{
	(void)state;
	ask("k");
	assert_int_equal(ended_by, VM_END_POWEROFF);
	vm.end = VM_END_TRIPLE;
	debug_detach(&vm);
	assert_string_equal(ask("?"), "X06");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEBUG(test_stands_still_at_first),
		DEBUG(test_only_the_first_vm),
		DEBUG(test_soft_breakpoint),
		DEBUG(test_many_soft_breakpoints),
		DEBUG(test_step),
		DEBUG(test_step_that_an_exit_completes),
		DEBUG(test_step_in_hlt),
		DEBUG(test_step_by_trap_flag),
		DEBUG(test_hard_breakpoint),
		DEBUG(test_watchpoints),
		DEBUG(test_registers),
		DEBUG(test_what_cannot_be_written),
		DEBUG(test_memory),
		DEBUG(test_reset),
		DEBUG(test_ends),
		DEBUG(test_crash_and_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
