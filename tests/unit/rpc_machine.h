/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A serial port for hv/ctl/rpc.c, for its tests on the host.
 *
 * Sources: hv/ctl/rpc.c hv/ctl/json.c hv/ctl/answer.c hv/ctl/out.c hv/ctl/command.c hv/ctl/table.c
 * hv/ctl/log.c
 */
#ifndef TESTS_UNIT_RPC_MACHINE_H
#define TESTS_UNIT_RPC_MACHINE_H

#include "hv/ctl/json.h"
#include "hv/ctl/rpc.h"
#include "tests/unit/ctl_machine.h"

static struct {
	const u8 *in; /* bytes that have arrived */
	size_t in_len;
	char out[65536]; /* lines that were written */
	size_t out_len;
	void (*event)(const struct vm *vm);
} rm;

void vms_on_event(void (*fn)(const struct vm *vm))
{
	rm.event = fn;
}

const char *vm_end_name(enum vm_end why)
{
	return why == VM_END_CRASH ? "crash" : "poweroff";
}

bool monitor_run_console(struct call *c)
{
	return call_fail(c, "this is no console");
}

static size_t port_read(void *ctx, u8 *buf, size_t len)
{
	size_t n = MIN(len, rm.in_len);

	(void)ctx;
	memcpy(buf, rm.in, n);
	rm.in += n;
	rm.in_len -= n;
	return n;
}

static void port_write(void *ctx, const char *line, size_t len)
{
	(void)ctx;
	if (len >= sizeof(rm.out) - rm.out_len)
		rm.out_len = 0;
	memcpy(rm.out + rm.out_len, line, len);
	rm.out_len += len;
	rm.out[rm.out_len] = '\0';
}

/* Bytes arrive, and are dealt with as far as can be. */
static void arrive(const void *bytes, size_t len)
{
	rm.in = bytes;
	rm.in_len = len;
	rpc_input();
	run_tasks();
}

static void rpc_machine_start(void)
{
	static const struct rpc_port port = { .read = port_read, .write = port_write };

	memset(&rm, 0, sizeof(rm));
	memset(&cm, 0, sizeof(cm));
	rpc_start(&port);
}

#endif
