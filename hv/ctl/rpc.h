/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor for programs: JSON-RPC 2.0 on a serial port, one object a line. The methods are the
 * commands of hv/ctl/command.h, the parameters their arguments by name:
 *
 *   {"jsonrpc":"2.0","id":1,"method":"regs","params":{"vm":"a","vcpu":0}}
 *   {"jsonrpc":"2.0","id":1,"result":{...}}
 *   {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"VM is missing: regs VM [VCPU]"}}
 *
 * After the method "subscribe", events come as notifications:
 *
 *   {"jsonrpc":"2.0","method":"event","params":{"event":"started","vm":"a"}}
 *   {"jsonrpc":"2.0","method":"event","params":{"event":"stopped","vm":"a","end":"crash",...}}
 *
 * One request is dealt with at a time; those that follow wait in the port. What comes is not
 * trusted: a line has RPC_LINE_MAX bytes at most, and nothing is kept of a longer one.
 */
#ifndef HV_CTL_RPC_H
#define HV_CTL_RPC_H

#include "hv/lib/util.h"

#define RPC_LINE_MAX 2048u

#define RPC_PARSE_ERROR	     (-32700)
#define RPC_INVALID_REQUEST  (-32600)
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS   (-32602)
#define RPC_FAILED	     (-32000) /* the command was understood, and could not be done */

/* Where lines go: a whole one, with its newline, at a time. Any CPU. */
struct rpc_port {
	size_t (*read)(void *ctx, u8 *buf, size_t len);
	void (*write)(void *ctx, const char *line, size_t len);
	void *ctx;
};

/* Once, on the boot CPU. port must live on. */
void rpc_start(const struct rpc_port *port);

/* Bytes have arrived. Boot CPU; interrupt handlers may call it. */
void rpc_input(void);

#endif
