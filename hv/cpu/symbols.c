/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for addresses in the code. The table is made from the linked image (scripts/symtab), sorted
 * by address, and linked in by a second link that moves no code.
 */
#include "hv/cpu/traps.h"
#include "hv/mem/hostmap.h"

struct symbol {
	u32 offset; /* from IMAGE_BASE */
	u32 name;   /* index into symtab_names */
};

extern const struct symbol symtab[];
extern const u32 symtab_count;
extern const char symtab_names[];
extern const u8 __text_start[], __text_end[];

struct symbol_hit symbol_at(u64 rip)
{
	u64 offset = rip - IMAGE_BASE;
	u32 low = 0, high = symtab_count;

	if (rip < (u64)__text_start || rip >= (u64)__text_end || !high || symtab[0].offset > offset)
		return (struct symbol_hit){ "?", 0 };
	while (high - low > 1) {
		u32 mid = low + (high - low) / 2;

		if (symtab[mid].offset <= offset)
			low = mid;
		else
			high = mid;
	}
	return (struct symbol_hit){ &symtab_names[symtab[low].name], offset - symtab[low].offset };
}
