/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line editor for a terminal (ANSI X3.64 sequences): cursor keys, Home and End, history,
 * completion, and of the control keys
 *
 *   A E  beginning, end       B F  back, forward      P N  older and newer lines
 *   K U  delete to the end, to the beginning          W  the word before the cursor
 *   D    the character below the cursor               C  the line   L  clear the screen
 *
 * It knows no port: bytes come in one by one, and what is to be shown goes to put(). A line has
 * ASCII characters, and only so many; one wider than the terminal is shown in part.
 */
#ifndef HV_CTL_EDITOR_H
#define HV_CTL_EDITOR_H

#include "hv/lib/util.h"

#define EDITOR_LINE_MAX 240u /* characters */
#define EDITOR_HISTORY	16u
#define EDITOR_COLUMNS	80u

struct editor_ops {
	void (*put)(void *ctx, const char *s, size_t len);
	/* The candidates for the word that ends at the cursor, one for each index from 0 on; NULL
	 * behind the last. before: the line up to that word; the candidate starts as the word. */
	const char *(*complete)(
		void *ctx, const char *before, size_t len, const char *word, unsigned index);
};

struct editor {
	const struct editor_ops *ops;
	void *ctx;
	const char *prompt;
	char line[EDITOR_LINE_MAX + 1]; /* a string */
	unsigned len, cursor, left;	/* left: the first character that is shown */
	char history[EDITOR_HISTORY][EDITOR_LINE_MAX + 1];
	unsigned lines, shown; /* lines: entered, ever; shown: from the latest back, 0: none */
	char draft[EDITOR_LINE_MAX + 1]; /* what was typed before history was shown */
	u8 escape;			 /* of a sequence under way: ESC, '[', a digit */
	bool was_tab;			 /* the last key was: another lists the candidates */
	bool was_cr;			 /* a line feed after it is part of it */
};

/* prompt stays the caller's. Shows nothing. */
void editor_init(struct editor *e, const struct editor_ops *ops, void *ctx, const char *prompt);

/* A byte from the terminal. True: a line is complete, and shown, in e->line, until editor_next(),
 * which begins an empty one. */
bool editor_key(struct editor *e, u8 byte) __must_check;
void editor_next(struct editor *e);

/* Shows prompt and line, where the cursor is: after keys, and when others have written. */
void editor_redraw(struct editor *e);

#endif
