/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line is always drawn anew as a whole: a terminal on a serial line is slow, but a line is
 * short, and there is only one way in which things can be shown.
 */
#include "hv/ctl/editor.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"

#define CTRL(c) ((c)-0x40)
#define ESC	0x1b
#define DELETE	0x7f

#define CLEAR_TO_END "\x1b[K"
#define CLEAR_SCREEN "\x1b[2J\x1b[H"
#define BELL	     "\a"

static void put(struct editor *e, const char *s)
{
	e->ops->put(e->ctx, s, strlen(s));
}

/* ---- drawing ---- */

void editor_redraw(struct editor *e)
{
	unsigned room = EDITOR_COLUMNS - 1 - (unsigned)strlen(e->prompt), right;
	char move[16];

	if (e->cursor < e->left || e->cursor - e->left > room)
		e->left = e->cursor > room / 2 ? e->cursor - room / 2 : 0;
	right = MIN(e->len, e->left + room);
	put(e, "\r");
	put(e, e->prompt);
	e->ops->put(e->ctx, e->line + e->left, right - e->left);
	put(e, CLEAR_TO_END);
	if (right > e->cursor) {
		snprintf(move, sizeof(move), "\x1b[%uD", right - e->cursor);
		put(e, move);
	}
}

void editor_next(struct editor *e)
{
	e->len = e->cursor = e->left = e->shown = 0;
	e->line[0] = '\0';
	e->was_tab = false;
}

/* ---- changing the line ---- */

static void insert(struct editor *e, const char *s, unsigned n)
{
	if (n > EDITOR_LINE_MAX - e->len) {
		put(e, BELL);
		return;
	}
	memmove(e->line + e->cursor + n, e->line + e->cursor, e->len - e->cursor + 1);
	memcpy(e->line + e->cursor, s, n);
	e->len += n;
	e->cursor += n;
}

/* [from, to) goes, and the cursor is at from. */
static void delete (struct editor *e, unsigned from, unsigned to)
{
	memmove(e->line + from, e->line + to, e->len - to + 1);
	e->len -= to - from;
	e->cursor = from;
}

static void replace(struct editor *e, const char *line)
{
	e->len = e->cursor = (unsigned)strnlen(line, EDITOR_LINE_MAX);
	memmove(e->line, line, e->len);
	e->line[e->len] = '\0';
}

static void home(struct editor *e)
{
	e->cursor = 0;
}

static void to_end(struct editor *e)
{
	e->cursor = e->len;
}

static void back(struct editor *e)
{
	e->cursor -= e->cursor > 0;
}

static void forward(struct editor *e)
{
	e->cursor += e->cursor < e->len;
}

static void delete_before(struct editor *e)
{
	if (e->cursor)
		delete (e, e->cursor - 1, e->cursor);
}

static void delete_here(struct editor *e)
{
	if (e->cursor < e->len)
		delete (e, e->cursor, e->cursor + 1);
}

static void delete_to_end(struct editor *e)
{
	delete (e, e->cursor, e->len);
}

static void delete_to_start(struct editor *e)
{
	delete (e, 0, e->cursor);
}

static unsigned word_start(const struct editor *e)
{
	unsigned at = e->cursor;

	while (at && e->line[at - 1] != ' ')
		at--;
	return at;
}

static void delete_word(struct editor *e)
{
	unsigned to = e->cursor;

	while (e->cursor && e->line[e->cursor - 1] == ' ')
		e->cursor--;
	delete (e, word_start(e), to);
}

static void abandon(struct editor *e)
{
	put(e, "^C\r\n");
	e->shown = 0;
	replace(e, "");
}

static void clear_screen(struct editor *e)
{
	put(e, CLEAR_SCREEN);
}

/* ---- history ---- */

static char *line_back(struct editor *e, unsigned n)
{
	return e->history[(e->lines - n) % EDITOR_HISTORY];
}

static void remember(struct editor *e)
{
	if (!e->len || (e->lines && !strcmp(line_back(e, 1), e->line)))
		return;
	memcpy(e->history[e->lines++ % EDITOR_HISTORY], e->line, e->len + 1);
}

static void show_history(struct editor *e, unsigned n)
{
	if (!e->shown)
		memcpy(e->draft, e->line, e->len + 1);
	e->shown = n;
	replace(e, n ? line_back(e, n) : e->draft);
}

static void older(struct editor *e)
{
	if (e->shown < MIN(e->lines, EDITOR_HISTORY))
		show_history(e, e->shown + 1);
	else
		put(e, BELL);
}

static void newer(struct editor *e)
{
	if (e->shown)
		show_history(e, e->shown - 1);
	else
		put(e, BELL);
}

/* ---- completion ---- */

static unsigned common(const char *a, const char *b, unsigned n)
{
	unsigned i = 0;

	while (i < n && a[i] && a[i] == b[i])
		i++;
	return i;
}

static void list_candidates(struct editor *e, const char *word, unsigned start)
{
	const char *c;

	put(e, "\r\n");
	for (unsigned i = 0; (c = e->ops->complete(e->ctx, e->line, start, word, i)); i++) {
		put(e, c);
		put(e, "  ");
	}
	put(e, "\r\n");
}

/* As much as all candidates have in common; a blank behind it, if there is one only. The first is
 * copied, as the next may take its place. */
static void complete(struct editor *e)
{
	char word[EDITOR_LINE_MAX + 1], best[EDITOR_LINE_MAX + 1];
	unsigned start = word_start(e), len = e->cursor - start, all = 0, count = 0;
	const char *c;

	memcpy(word, e->line + start, len);
	word[len] = '\0';
	while ((c = e->ops->complete(e->ctx, e->line, start, word, count))) {
		if (!count++) {
			all = (unsigned)strnlen(c, EDITOR_LINE_MAX);
			memcpy(best, c, all);
		}
		all = common(best, c, all);
	}
	best[all] = '\0';
	if (!count)
		put(e, BELL);
	else if (all > len)
		insert(e, best + len, all - len);
	else if (count > 1 && e->was_tab)
		list_candidates(e, word, start);
	if (count == 1)
		insert(e, " ", 1);
	e->was_tab = true;
}

/* ---- keys ---- */

static void (*const keys[0x20])(struct editor *) = {
	[CTRL('A')] = home,
	[CTRL('B')] = back,
	[CTRL('C')] = abandon,
	[CTRL('D')] = delete_here,
	[CTRL('E')] = to_end,
	[CTRL('F')] = forward,
	[CTRL('H')] = delete_before,
	[CTRL('I')] = complete,
	[CTRL('K')] = delete_to_end,
	[CTRL('L')] = clear_screen,
	[CTRL('N')] = newer,
	[CTRL('P')] = older,
	[CTRL('U')] = delete_to_start,
	[CTRL('W')] = delete_word,
};

/* The last byte of ESC [ x and ESC O x; and the digit of ESC [ digit ~. */
static const struct {
	u8 byte;
	void (*act)(struct editor *);
} sequences[] = {
	{ 'A', older },
	{ 'B', newer },
	{ 'C', forward },
	{ 'D', back },
	{ 'F', to_end },
	{ 'H', home },
	{ '1', home },
	{ '3', delete_here },
	{ '4', to_end },
	{ '7', home },
	{ '8', to_end },
};

static void act_on(struct editor *e, u8 byte)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++)
		if (sequences[i].byte == byte)
			sequences[i].act(e);
}

/* A byte of a sequence that ESC began. Those that are not known are swallowed to their end. */
static void sequence(struct editor *e, u8 byte)
{
	u8 before = e->escape;
	bool final = byte >= '@' && byte <= '~';

	if (before == ESC) {
		e->escape = byte == '[' || byte == 'O' ? '[' : 0;
		return;
	}
	if (!final) {
		e->escape = before == '[' && byte >= '0' && byte <= '9' ? byte : '?';
		return;
	}
	e->escape = 0;
	if (byte == '~' && before != '?')
		act_on(e, before);
	else if (before == '[' && byte != '~')
		act_on(e, byte);
}

static void edit(struct editor *e, u8 byte)
{
	char c = (char)byte;

	if (e->escape)
		sequence(e, byte);
	else if (byte == ESC)
		e->escape = ESC;
	else if (byte == DELETE)
		delete_before(e);
	else if (byte < ' ' && keys[byte])
		keys[byte](e);
	else if (byte >= ' ' && byte < DELETE)
		insert(e, &c, 1);
	else
		put(e, BELL);
}

bool editor_key(struct editor *e, u8 byte)
{
	bool after_cr = e->was_cr;

	e->was_cr = byte == '\r';
	if (byte == '\n' && after_cr)
		return false;
	if (byte == '\r' || byte == '\n') {
		e->escape = 0;
		to_end(e);
		editor_redraw(e);
		put(e, "\r\n");
		remember(e);
		return true;
	}
	e->was_tab &= byte == CTRL('I');
	edit(e, byte);
	return false;
}

void editor_init(struct editor *e, const struct editor_ops *ops, void *ctx, const char *prompt)
{
	*e = (struct editor){ .ops = ops, .ctx = ctx, .prompt = prompt };
}
