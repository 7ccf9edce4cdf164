/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the stub share: a packet that is read, and a reply that is written. */
#ifndef HV_CTL_GDB_PRIV_H
#define HV_CTL_GDB_PRIV_H

#include "hv/ctl/gdb.h"

/* What is left of a packet. */
struct gdb_in {
	const u8 *p, *end;
};

/* Each takes what it names off the packet, or returns false and takes an undefined part of it. */
bool gdb_take(struct gdb_in *in, char c);
bool gdb_take_text(struct gdb_in *in, const char *text);
bool gdb_take_number(struct gdb_in *in, u64 *n); /* hexadecimal, 1 to 16 digits */
bool gdb_take_hex(struct gdb_in *in, u8 *bytes, size_t len);

static inline size_t gdb_left(const struct gdb_in *in)
{
	return (size_t)(in->end - in->p);
}

/* The reply grows by these; what is beyond its size is dropped. */
void gdb_put(struct gdb *g, u8 c);
void gdb_put_text(struct gdb *g, const char *s);
void gdb_put_number(struct gdb *g, u64 n); /* hexadecimal, without leading zeros */
void gdb_put_hex(struct gdb *g, const u8 *bytes, size_t len);
size_t gdb_room(const struct gdb *g);
/* gdb_reply(): an empty reply is begun. gdb_send(): it goes. */
void gdb_reply(struct gdb *g);
void gdb_send(struct gdb *g);

/* gdb_commands.c: carries out a packet and replies, if there is a reply. */
void gdb_command(struct gdb *g, const u8 *packet, size_t len);
void gdb_put_stop(struct gdb *g); /* why the target stands still */

/* gdb_regs.c: the target description, [offset, offset + len) of it; true: there is more. */
bool gdb_put_description(struct gdb *g, u64 offset, u64 len);

#endif
