/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The glossary of addresses. Kinds do not mix: passing the wrong one does not compile.
 *
 *   gva  guest-virtual   what a guest instruction uses
 *   gpa  guest-physical  what the guest's page tables yield
 *   hva  host-virtual    a pointer in the hypervisor (no type of its own: it is a C pointer)
 *   hpa  host-physical   what the machine's memory answers to
 *   gfn, hfn             frame numbers: gpa >> 12, hpa >> 12
 *
 * Physical memory is visible to the hypervisor at one linear offset, the direct map:
 *
 *   hva = DIRECT_MAP_BASE + hpa
 *
 * Unit tests are built with -DDIRECT_MAP_BASE=0ul, so that an hpa is a host pointer there.
 */
#ifndef HV_MEM_ADDR_H
#define HV_MEM_ADDR_H

#include "hv/lib/util.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#ifndef DIRECT_MAP_BASE
#define DIRECT_MAP_BASE 0xffff800000000000ul
#endif

typedef struct {
	u64 v;
} gva_t;

typedef struct {
	u64 v;
} gpa_t;

typedef struct {
	u64 v;
} hpa_t;

typedef struct {
	u64 v;
} gfn_t;

typedef struct {
	u64 v;
} hfn_t;

#define GVA(x) ((gva_t){ (x) })
#define GPA(x) ((gpa_t){ (x) })
#define HPA(x) ((hpa_t){ (x) })
#define GFN(x) ((gfn_t){ (x) })
#define HFN(x) ((hfn_t){ (x) })

static inline gfn_t gpa_to_gfn(gpa_t a)
{
	return GFN(a.v >> PAGE_SHIFT);
}

static inline gpa_t gfn_to_gpa(gfn_t f)
{
	return GPA(f.v << PAGE_SHIFT);
}

static inline hfn_t hpa_to_hfn(hpa_t a)
{
	return HFN(a.v >> PAGE_SHIFT);
}

static inline hpa_t hfn_to_hpa(hfn_t f)
{
	return HPA(f.v << PAGE_SHIFT);
}

/* Only for memory that the direct map covers: RAM and ACPI tables, never MMIO. */
static inline void *hpa_to_hva(hpa_t a)
{
	return (void *)(a.v + DIRECT_MAP_BASE);
}

/* Only for pointers into the direct map, not for the hypervisor's image (see image_to_hpa()). */
static inline hpa_t hva_to_hpa(const void *p)
{
	return HPA((u64)p - DIRECT_MAP_BASE);
}

#endif
