/* SPDX-License-Identifier: BSD-2-Clause */
/* Hexadecimal digits, in either case. */
#ifndef HV_LIB_HEX_H
#define HV_LIB_HEX_H

/* The digit's value; -1 for what is none, whatever its value. */
static inline int hex_digit(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
