/* SPDX-License-Identifier: BSD-2-Clause */
/* A medium put to the test at boot: whether its driver and its controller keep what is written. */
#ifndef HV_BLK_TRIAL_H
#define HV_BLK_TRIAL_H

#include "hv/blk/blk.h"

/*
 * Overwrites all of the medium, flushes, reads it back and compares, with several requests of many
 * lengths under way, and waits by HLT. salt: what distinguishes this trial from the one before.
 * NULL: all is there; otherwise what went wrong, in words. One at a time.
 */
const char *blk_trial(struct blk_backend *b, u64 salt);

#endif
