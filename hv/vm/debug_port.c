/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stub's place: a serial port on one side, a VM on the other. It works as a task on the VM's
 * CPU, between slices, where registers and memory can be reached.
 *
 *   receive interrupt (CPU 0) --.
 *   a vcpu has stopped ----------+-- debug_poke() --> task: all held? gdb_stopped()
 *   the VM has come or gone ----'                           bytes? gdb_receive()
 */
#include "hv/ctl/log.h"
#include "hv/mem/page.h"
#include "hv/vm/debug_priv.h"
#include "hv/vm/look.h"

static struct debug *the_debug; /* NULL: nobody is to be debugged */

/* ---- what the stub asks for ---- */

static struct vcpu *attend(struct debug *d, unsigned thread)
{
	struct vcpu *v = d->vm->vcpu[thread];

	sched_attend(v);
	return v;
}

static unsigned threads(void *ctx)
{
	struct debug *d = ctx;

	return d->vm ? d->vm->vcpus : 1;
}

static const char *state(void *ctx, unsigned thread)
{
	unsigned long now = ((struct debug *)ctx)->vm->vcpu[thread]->work;

	if (now & WORK_PARKED)
		return "waits for a start-up IPI";
	return now & WORK_HALTED ? "halted" : "running";
}

static void read_reg(void *ctx, unsigned thread, enum gdb_reg r, u8 *value)
{
	debug_read_reg(attend(ctx, thread), r, value);
}

static bool write_reg(void *ctx, unsigned thread, enum gdb_reg r, const u8 *value)
{
	return debug_write_reg(attend(ctx, thread), r, value);
}

static size_t read(void *ctx, unsigned thread, u64 address, u8 *buf, size_t len)
{
	return look_read(attend(ctx, thread), GVA(address), buf, len);
}

static bool write(void *ctx, unsigned thread, u64 address, const u8 *buf, size_t len)
{
	return look_write(attend(ctx, thread), GVA(address), buf, len) == len;
}

static enum gdb_result insert(void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len)
{
	return debug_insert(ctx, attend(ctx, thread), p, address, len);
}

static enum gdb_result remove(void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len)
{
	return debug_remove(ctx, attend(ctx, thread), p, address, len);
}

static void clear(void *ctx)
{
	debug_clear(ctx);
}

static void resume(void *ctx, const enum gdb_action *action)
{
	debug_resume(ctx, action);
}

static void stop(void *ctx)
{
	static const struct gdb_event asked = { .why = GDB_WHY_ASKED };
	struct debug *d = ctx;

	if (d->vm)
		debug_stop(d, &asked);
}

static void kill(void *ctx)
{
	struct debug *d = ctx;

	vm_end(d->vm, VM_END_POWEROFF, 0);
}

static void send(void *ctx, const u8 *buf, size_t len)
{
	struct debug *d = ctx;

	uart_write(d->port, buf, len, false);
}

static const struct gdb_ops ops = {
	.threads = threads,
	.state = state,
	.read_reg = read_reg,
	.write_reg = write_reg,
	.read = read,
	.write = write,
	.insert = insert,
	.remove = remove,
	.clear = clear,
	.resume = resume,
	.stop = stop,
	.kill = kill,
	.send = send,
};

/* ---- the task ---- */

void debug_poke(struct debug *d)
{
	if (!__atomic_exchange_n(&d->posted, 1, __ATOMIC_SEQ_CST))
		task_post(&d->task, d->cpu);
}

static void do_task(struct task *t)
{
	struct debug *d = container_of(t, struct debug, task);
	u8 buf[256];
	size_t n;

	__atomic_store_n(&d->posted, 0, __ATOMIC_SEQ_CST);
	if (d->stopping && vm_held(d->vm)) {
		d->stopping = false;
		gdb_stopped(&d->gdb, &d->event);
	} else if (d->stopping) {
		debug_poke(d);
	}
	while (d->begun && (n = uart_read(d->port, buf, sizeof(buf))))
		gdb_receive(&d->gdb, buf, n);
}

/* From the receive interrupt, on the boot CPU. What comes before there is a VM waits in the port's
 * ring. */
static void on_input(void *ctx)
{
	struct debug *d = ctx;

	if (__atomic_load_n(&d->begun, __ATOMIC_ACQUIRE))
		debug_poke(d);
}

/* ---- a VM comes and goes ---- */

void debug_init(struct uart *port)
{
	the_debug = page_alloc(page_order(sizeof(*the_debug)), PAGE_HV);
	if (!the_debug) {
		log_err("gdb: no memory for a debugger's stub");
		return;
	}
	the_debug->port = port;
	task_init(&the_debug->task, do_task);
	gdb_init(&the_debug->gdb, &ops, the_debug);
	uart_on_input(port, on_input, the_debug);
}

bool debug_wants(const struct vm *vm)
{
	return the_debug && !the_debug->begun && vm->first;
}

void debug_attach(struct vm *vm)
{
	struct debug *d = the_debug;

	if (!debug_wants(vm))
		return;
	d->vm = vm;
	d->cpu = vm->cpu;
	vm->debug = d;
	for (unsigned i = 0; i < vm->vcpus; i++)
		d->vcpu[i].held = true;
	vm_hold(vm);
	__atomic_store_n(&d->begun, true, __ATOMIC_RELEASE);
	log_machine("@gdb {\"vm\":\"%s\"}", vm->cfg.name);
	debug_poke(d);
}

void debug_detach(struct vm *vm)
{
	struct debug *d = vm->debug;

	if (!d)
		return;
	vm->debug = NULL;
	d->vm = NULL;
	d->stopping = false;
	gdb_ended(&d->gdb, vm->end == VM_END_CRASH || vm->end == VM_END_TRIPLE);
}
