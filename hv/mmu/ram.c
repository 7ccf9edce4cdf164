/* SPDX-License-Identifier: BSD-2-Clause */
/* Cuts guest RAM into runs of one memory type and maps them. */
#include "hv/mem/mtrr.h"
#include "hv/mmu/ram.h"

static enum status map_run(struct mmu *mmu, const struct guestmem_run *run)
{
	u64 done = 0;

	while (done < run->len) {
		hpa_t hpa = HPA(run->hpa.v + done);
		u64 len = run->len - done;
		enum memtype type = mtrr_type(hpa, &len);
		enum status st = mmu->ops->map(
			mmu, GPA(run->gpa.v + done), hpa, len, MMU_R | MMU_W | MMU_X, type);

		if (st != OK)
			return st;
		done += len;
	}
	return OK;
}

enum status mmu_map_ram(struct mmu *mmu, const struct guestmem *gm)
{
	struct guestmem_run run = { 0 };
	enum status st = OK;

	while (st == OK && guestmem_run(gm, GPA(run.gpa.v + run.len), &run))
		st = map_run(mmu, &run);
	return st;
}
