/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the two files of guest memory: a chunk whose entry has GUESTMEM_LOOSE. */
#ifndef HV_MEM_GUESTMEM_LOOSE_H
#define HV_MEM_GUESTMEM_LOOSE_H

#include "hv/mem/guestmem.h"

/* Where the byte at this offset of the chunk is, and how many follow there. A page that is missing
 * comes back; 0: there is no memory for it. Cold, so that accesses are compiled for what is whole.
 */
__attribute__((cold)) u64 loose_locate(hpa_t *chunk, u64 offset, hpa_t *hpa);

/* Frees the pages that it has. */
void loose_free(hpa_t chunk);

#endif
