/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nano guest: what single operations of a processor cost, with no operating system around them.
 * It boots as a multiboot kernel, natively or in a VM, prints a line of JSON an operation and
 * switches the machine off. docs/measuring.md says what the lines mean.
 *
 *   only=NAME[,NAME...]  these operations, and those whose names start so and go on with "-"
 *   batches=N            instead of 15
 */
#include "guest-images/nano/nano.h"
#include "guest-images/nano/start.h"

static const struct operations *const groups[] = { &system_calls, &instructions, &devices,
	&page_tables, &walks };

/* Does the name match the beginning of the list: the whole word, or up to a "-"? */
static bool matches(const char *name, const char *word)
{
	while (*name && *name == *word) {
		name++;
		word++;
	}
	return (!*word || *word == ',' || *word == ' ') && (!*name || *name == '-');
}

static bool chosen(const char *name)
{
	const char *list = cmdline_text("only");

	if (!list)
		return true;
	for (const char *p = list; *p && *p != ' '; p++)
		if ((p == list || p[-1] == ',') && matches(name, p))
			return true;
	return false;
}

void test_main(void)
{
	say("nano: Triptych's bare-metal benchmark, %lu MB", guest_ram / MB);
	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
		for (unsigned i = 0; i < groups[g]->count; i++)
			if (chosen(groups[g]->op[i].name))
				measure(&groups[g]->op[i]);
	say("nano: done");
	switch_off();
}
