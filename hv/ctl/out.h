/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A command's answer, written once and rendered as text for people or as a JSON object. It consists
 * of fields, and of tables, groups and narrations, which have a name and do not nest:
 *
 *                     text                             JSON
 *   field             key: value                       "key":value
 *   table of rows     a header, and columns            "key":[{"a":1,"b":2},{"a":3,"b":4}]
 *   group             name value  name value           "key":{"a":1,"b":2}
 *   narration         its lines                        "key":["...","..."]
 *
 * What does not fit in the buffer, where it cannot grow, makes the answer `full`, and worthless.
 */
#ifndef HV_CTL_OUT_H
#define HV_CTL_OUT_H

#include "hv/lib/util.h"

#define OUT_HEADER_MAX 160u
#define OUT_COLUMNS    12u

struct out {
	char *buf; /* a string, always */
	size_t size, len;
	bool json, full;
	bool comma; /* JSON: something stands before */
	/* NULL, or moves what is in buf to where there is more room; false: there is none. */
	bool (*grow)(struct out *o);
	void *ctx; /* for grow() */
	enum {
		OUT_FIELDS,
		OUT_TABLE,
		OUT_GROUP,
		OUT_LINES
	} in;
	/* Text: */
	size_t begin;		     /* of the table or group */
	unsigned rows;		     /* so far */
	unsigned cells, per_line;    /* of a group */
	char header[OUT_HEADER_MAX]; /* the names of a table's columns */
	size_t header_len;
};

/* size: at least 16 bytes. It does not grow unless the caller says how. */
void out_init(struct out *o, char *buf, size_t size, bool json);
/* The last thing. False: the answer is full. */
bool out_finish(struct out *o) __must_check;

/* Fields, cells of a row, or members of a group. Numbers beyond 2^53 are out_hex(). */
void out_text(struct out *o, const char *key, const char *fmt, ...) __printf(3, 4);
void out_number(struct out *o, const char *key, u64 value);
void out_hex(struct out *o, const char *key, u64 value);
void out_flag(struct out *o, const char *key, bool value);

/* Each row has the same cells, in the same order. */
void out_table(struct out *o, const char *key);
void out_row(struct out *o);
void out_row_end(struct out *o);
void out_table_end(struct out *o);

/* per_line: members in a line of text. */
void out_group(struct out *o, const char *key, unsigned per_line);
void out_group_end(struct out *o);

void out_lines(struct out *o, const char *key);
void out_line(struct out *o, const char *fmt, ...) __printf(2, 3);
void out_lines_end(struct out *o);

#endif
