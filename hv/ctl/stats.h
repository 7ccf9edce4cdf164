/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM cost, as lines of JSON on the log port, each behind the word "@stats": one for the
 * totals, one for each kind of exit that occurred, one for the memory.
 */
#ifndef HV_CTL_STATS_H
#define HV_CTL_STATS_H

struct vm;

void stats_vm(
	const struct vm *vm); /* ticks and exits, once, when it has ended: closes its accounts */
void stats_memory(const struct vm *vm); /* pages, by owner: while the VM lives */

#endif
