/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A debugger's stub: gdb's remote serial protocol over a stream of bytes, for a target that is a
 * table of functions. It knows neither VMs nor ports, and does no more than it is told by bytes.
 *
 *   bytes --gdb_receive()--> packets (gdb.c) --> commands (gdb_commands.c) --> struct gdb_ops
 *                                                 registers (gdb_regs.c)
 *   gdb_stopped(), gdb_ended() --> a stop reply, if gdb waits for one
 *
 * All threads stop together and are told to go on together ("all-stop mode"); threads are the
 * target's processors, 1 to threads(). While they run, gdb can only ask for a stop: by the byte
 * 0x03, or by beginning anew, as after a lost connection.
 * Source: "Debugging with GDB", appendix "GDB Remote Serial Protocol".
 */
#ifndef HV_CTL_GDB_H
#define HV_CTL_GDB_H

#include "hv/lib/util.h"

#define GDB_PACKET_MAX	4096u /* bytes between '$' and '#', as they are on the line */
#define GDB_THREADS_MAX 16u
#define GDB_REG_MAX	16u /* bytes of the largest register */

/* Registers by gdb's numbers: those of its i386:x86-64 first, then ours. */
enum gdb_reg {
	GDB_RAX,
	GDB_RBX,
	GDB_RCX,
	GDB_RDX,
	GDB_RSI,
	GDB_RDI,
	GDB_RBP,
	GDB_RSP,
	GDB_R8,
	GDB_R15 = GDB_R8 + 7,
	GDB_RIP,
	GDB_EFLAGS,
	GDB_CS,
	GDB_SS,
	GDB_DS,
	GDB_ES,
	GDB_FS,
	GDB_GS,
	GDB_ST0,
	GDB_ST7 = GDB_ST0 + 7,
	GDB_FCTRL,
	GDB_FSTAT,
	GDB_FTAG,
	GDB_FISEG,
	GDB_FIOFF,
	GDB_FOSEG,
	GDB_FOOFF,
	GDB_FOP,
	GDB_XMM0,
	GDB_XMM15 = GDB_XMM0 + 15,
	GDB_MXCSR,
	GDB_FS_BASE,
	GDB_GS_BASE,
	GDB_KERNEL_GS_BASE,
	GDB_CR0,
	GDB_CR2,
	GDB_CR3,
	GDB_CR4,
	GDB_CR8,
	GDB_EFER,
	GDB_REGS,
};

/* Kinds of points, by the numbers of the packets Z and z. */
enum gdb_point {
	GDB_BREAK_SOFT,
	GDB_BREAK_HARD,
	GDB_WATCH_WRITE,
	GDB_WATCH_READ, /* the processor cannot tell it from the next: gdb makes do with that */
	GDB_WATCH_ACCESS,
	GDB_POINTS,
};

enum gdb_result {
	GDB_DONE,
	GDB_FAILED,
	GDB_UNSUPPORTED,
};

enum gdb_why {
	GDB_WHY_STOP, /* a step is done, or it has not begun yet */
	GDB_WHY_ASKED,
	GDB_WHY_BREAK_SOFT,
	GDB_WHY_BREAK_HARD,
	GDB_WHY_WATCH_WRITE,
	GDB_WHY_WATCH_ACCESS,
};

struct gdb_event {
	enum gdb_why why;
	unsigned thread; /* from 0 */
	u64 address;	 /* of a watchpoint */
};

enum gdb_action {
	GDB_STAY,
	GDB_CONTINUE,
	GDB_STEP,
};

/* The target. Threads are numbered from 0 here, and all of them are stopped, but in stop(). */
struct gdb_ops {
	unsigned (*threads)(void *ctx); /* 1 to GDB_THREADS_MAX */
	/* A word on what the processor does, such as "halted", for lists of threads. */
	const char *(*state)(void *ctx, unsigned thread);
	/* gdb_reg_size() bytes, little-endian. write: false if it cannot be changed, or not to
	 * that. */
	void (*read_reg)(void *ctx, unsigned thread, enum gdb_reg r, u8 *value);
	bool (*write_reg)(void *ctx, unsigned thread, enum gdb_reg r, const u8 *value);
	/* Linear addresses, as the thread translates them. read: how many bytes there are. */
	size_t (*read)(void *ctx, unsigned thread, u64 address, u8 *buf, size_t len);
	bool (*write)(void *ctx, unsigned thread, u64 address, const u8 *buf, size_t len);
	/* For all threads, with the address as this one translates it. Inserting what is there and
	 * removing what is not are no errors. */
	enum gdb_result (*insert)(
		void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len);
	enum gdb_result (*remove)(
		void *ctx, unsigned thread, enum gdb_point p, u64 address, u64 len);
	void (*clear)(void *ctx); /* removes all of them */
	/* action[threads()]; not all are GDB_STAY. Later, and not from within, gdb_stopped() or
	 * gdb_ended() is called. */
	void (*resume)(void *ctx, const enum gdb_action *action);
	void (*stop)(void *ctx); /* soon; the same holds. May be called again. */
	void (*kill)(void *ctx); /* the target's end; gdb_ended() may follow */
	void (*send)(void *ctx, const u8 *buf, size_t len);
};

enum gdb_receiving {
	GDB_BETWEEN, /* packets */
	GDB_BODY,
	GDB_SUM_HIGH,
	GDB_SUM_LOW,
};

/* A session. Private to the stub, but for its place. */
struct gdb {
	const struct gdb_ops *ops;
	void *ctx;
	bool running, ended;
	bool waits;		    /* gdb does, for the next stop reply */
	bool held;		    /* the packet in in[] waits for the target to stop */
	bool no_ack;		    /* QStartNoAckMode */
	bool swbreak;		    /* gdb knows the stop reasons swbreak */
	bool hwbreak;		    /* and hwbreak */
	unsigned thread, go_thread; /* of Hg; of Hc, or GDB_THREADS_MAX: all */
	struct gdb_event last;
	u8 code; /* of the end */
	enum gdb_receiving receiving;
	bool escaped, too_long;
	u8 sum, sum_high;
	size_t in_len, out_len;
	u8 in[GDB_PACKET_MAX];	    /* unescaped */
	u8 out[GDB_PACKET_MAX + 4]; /* the last reply, '$' to checksum */
};

/* A session with a target that is stopped. ops and ctx stay valid. */
void gdb_init(struct gdb *g, const struct gdb_ops *ops, void *ctx);

/* Bytes from gdb, any. */
void gdb_receive(struct gdb *g, const u8 *buf, size_t len);

/* All threads have stopped. */
void gdb_stopped(struct gdb *g, const struct gdb_event *e);

/* The target is over: code 0 is a good end. Nothing of ops is called after it but send(). */
void gdb_ended(struct gdb *g, u8 code);

/* True while the target runs, as far as the stub knows. */
static inline bool gdb_is_running(const struct gdb *g)
{
	return g->running;
}

unsigned gdb_reg_size(enum gdb_reg r);

#endif
