/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device's interrupt output. Devices drive a wire and know nothing of what hangs on its other
 * end.
 */
#ifndef HV_DEV_WIRE_H
#define HV_DEV_WIRE_H

#include "hv/lib/util.h"

struct wire {
	void (*set)(void *ctx, unsigned line, bool level); /* called only when the level changes */
	void *ctx;
	unsigned line;
	bool level;
};

static inline void wire_set(struct wire *w, bool level)
{
	if (w->level == level)
		return;
	w->level = level;
	w->set(w->ctx, w->line, level);
}

#endif
