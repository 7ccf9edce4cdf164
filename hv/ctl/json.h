/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader of JSON (RFC 8259) for short texts from outside: no allocation, no recursion, a bounded
 * number of values. A text becomes an array of values in the order in which they begin, each with
 * its place in the text; members of an object stand as name, value, name, value.
 *
 *   {"a":[1,2]}   ->   object, string a, array, number 1, number 2
 */
#ifndef HV_CTL_JSON_H
#define HV_CTL_JSON_H

#include "hv/lib/status.h"
#include "hv/lib/util.h"

#define JSON_VALUES_MAX 64u
#define JSON_DEPTH_MAX	8u

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING, /* without its quotes; escapes are still there */
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	enum json_type type;
	u16 start, end; /* in the text; of a container, with its brackets */
	u16 next;	/* the value that follows it and all that is in it */
};

struct json {
	const char *text;
	struct json_value value[JSON_VALUES_MAX]; /* the first is the whole */
	unsigned values;
	const char *error; /* what was wrong, and where (an offset) */
	unsigned at;
};

/*
 * json_parse(): one value, with nothing but blanks around it. len: at most 65,535. ERR_INVAL: it is
 * none, ERR_RANGE: it has too many values or is too deep; error says why. text must stay.
 */
enum status json_parse(struct json *j, const char *text, size_t len) __must_check;

/* The member of an object with that name (which has no escapes); NULL if it has none, or o is no
 * object. Of several, the first. */
const struct json_value *json_get(
	const struct json *j, const struct json_value *o, const char *name);

/* Is v a string, or in an object a name, of just this text? */
bool json_is(const struct json *j, const struct json_value *v, const char *text);

/* A string without its escapes, or the digits of a number, terminated. False: v is neither, it does
 * not fit, or it has a NUL or a character beyond ASCII. */
bool json_text(const struct json *j, const struct json_value *v, char *buf, size_t size);

#endif
