/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a front end of the monitor has the answer to a call: pages, and twice as many whenever they
 * are full, so that it may be about as many VMs as there are.
 */
#ifndef HV_CTL_ANSWER_H
#define HV_CTL_ANSWER_H

#include "hv/ctl/out.h"
#include "hv/lib/status.h"

struct answer {
	char *text; /* NULL: there is none */
	unsigned order;
};

/*
 * answer_begin(): o is what comes behind `before` in text, with room for so many bytes of the front
 * end's behind it. ERR_NOMEM: nothing was begun. answer_drop(): text and o are of no use any more.
 */
enum status answer_begin(
	struct answer *a, struct out *o, const char *before, size_t behind, bool json) __must_check;
void answer_drop(struct answer *a);

#endif
