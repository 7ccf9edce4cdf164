/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a function that can fail returns. The caller must look at it.
 *
 * Four reactions to an error, chosen by who is at fault:
 *   status       the caller can do something about it
 *   fault/crash  the guest did it: inject a fault, or vm_crash() that VM alone
 *   BUG()        isolation is in doubt: stop the machine, always compiled in
 *   ASSERT()     to find our own mistakes earlier; may be compiled out
 */
#ifndef HV_LIB_STATUS_H
#define HV_LIB_STATUS_H

enum status {
	OK = 0,
	ERR_NOMEM,   /* no page, no slot left */
	ERR_INVAL,   /* malformed input */
	ERR_RANGE,   /* an address or a length outside what it must lie in */
	ERR_EXIST,   /* overlaps something that is there */
	ERR_NOENT,   /* no such thing */
	ERR_NOTSUP,  /* well-formed, but not something we or the CPU can do */
	ERR_TIMEOUT, /* the hardware did not answer */
};

#endif
