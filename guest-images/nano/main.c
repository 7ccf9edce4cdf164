/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nano guest: what single operations of a processor cost, with no operating system around them.
 * It boots as a multiboot kernel, natively or in a VM, prints a line of JSON an operation and
 * switches the machine off. docs/measuring.md says what the lines mean.
 *
 *   only=NAME[,NAME...]  these operations; a NAME that none has stands for all whose names start so
 *                        and go on with "-"
 *   batches=N            instead of 15
 */
#include "guest-images/nano/nano.h"
#include "guest-images/nano/start.h"

static const struct operations *const groups[] = { &system_calls, &instructions, &devices,
	&page_tables, &walks };

#define NAME_MAX 32u

/* "fork" is in "fork-8", and so is "fork-8". */
enum match {
	NONE,
	FAMILY,
	EXACT
};

static enum match match(const char *name, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(name, word, n))
		return NONE;
	return !name[n] ? EXACT : name[n] == '-' ? FAMILY : NONE;
}

/* Measures those that match so, or all with no word. Returns how many there are. */
static unsigned measure_those(enum match wanted, const char *word)
{
	unsigned count = 0;

	for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
		for (unsigned i = 0; i < groups[g]->count; i++)
			if (!word || match(groups[g]->op[i].name, word) == wanted) {
				measure(&groups[g]->op[i]);
				count++;
			}
	return count;
}

/* One word of a list with commas; returns what is behind it. */
static const char *take_word(const char *p, char *out, size_t size)
{
	size_t n = 0;

	for (; *p && *p != ' ' && *p != ','; p++)
		if (n + 1 < size)
			out[n++] = *p;
	out[n] = '\0';
	return *p == ',' ? p + 1 : NULL;
}

static void measure_list(const char *list)
{
	char word[NAME_MAX];

	while (list) {
		list = take_word(list, word, sizeof(word));
		if (!measure_those(EXACT, word) && !measure_those(FAMILY, word))
			say("{\"name\":\"%s\",\"error\":\"there is no such operation\"}", word);
	}
}

/*
 * The NX bit, as every kernel of 64 bits has it: the error code of a page fault then says whether
 * it was a fetch, and hypervisors go by that.
 */
static void enable_nx(void)
{
	if (has_nx())
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
}

void test_main(void)
{
	const char *only = cmdline_text("only");

	enable_nx();
	say("nano: Triptych's bare-metal benchmark, %lu MB", guest_ram / MB);
	if (only)
		measure_list(only);
	else
		measure_those(NONE, NULL);
	say("nano: done");
	switch_off();
}
