/* SPDX-License-Identifier: BSD-2-Clause */
/* What unit tests may look at and turn in host.c. */
#ifndef TESTS_UNIT_HOST_H
#define TESTS_UNIT_HOST_H

#include <setjmp.h>
#include "hv/lib/util.h"

extern char host_last_log[512]; /* the last line logged, or the message of panic() */
extern jmp_buf *host_panic_jmp; /* when set, panic() jumps here instead of aborting */
extern u64 host_pages_hidden;	/* that page_stats() does not call free */
extern u64 host_page_limit;	/* pages of one owner that page_alloc() hands out before it fails */

/* For a test's setup and teardown: all pages may be had; and are as many in use, of each owner, as
 * were then? */
void host_pages_begin(void);
bool host_pages_are_back(void);

#endif
