/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of it happens on the boot CPU: the receive interrupt posts a task, the task feeds the editor,
 * a complete line becomes a call, and while that is under way nothing more is read.
 */
#include "hv/ctl/monitor.h"
#include "hv/ctl/answer.h"
#include "hv/ctl/command.h"
#include "hv/ctl/editor.h"
#include "hv/drv/console.h"
#include "hv/lib/printf.h"
#include "hv/lib/string.h"
#include "hv/vm/vm.h"
#include "hv/vm/vms.h"

#define ESCAPE	   0x1d /* Ctrl-] */
#define PROMPT	   "triptych> "
#define SCREEN_MAX 2048u
#define GREETING                                                                                   \
	"\r\nThe monitor: \"help\" lists its commands, \"console\" or Ctrl-] goes back.\r\n"

static struct {
	bool front;	/* the keyboard is ours */
	bool called;	/* it was taken for us, and we are not at the front yet */
	bool posted;	/* the task is in a queue */
	bool under_way; /* the call */
	bool leave;	/* to the console, when the call is done */
	struct task task;
	struct editor editor;
	struct call call;
	struct answer answer;
	char name[MANIFEST_NAME_MAX + 1]; /* a candidate for completion */
	char screen[SCREEN_MAX];	  /* what goes to the terminal next */
	size_t screen_len;
} m;

static void post(void)
{
	if (m.posted)
		return;
	m.posted = true;
	task_post(&m.task, cpu_by_index(0));
}

/* ---- the screen ---- */

/* Writes what is on its way, and keeps the editor's line below all that the VMs write. */
static void flush(bool with_line)
{
	size_t text = m.screen_len;

	if (with_line)
		editor_redraw(&m.editor);
	vmconsole_foot(m.screen, text, m.screen + text, m.screen_len - text);
	m.screen_len = 0;
}

static void put(void *ctx, const char *s, size_t len)
{
	(void)ctx;
	if (len > SCREEN_MAX - VMCONSOLE_FOOT - m.screen_len) /* room for the line is left */
		flush(false);
	len = MIN(len, SCREEN_MAX - m.screen_len);
	memcpy(m.screen + m.screen_len, s, len);
	m.screen_len += len;
}

static void say(const char *s)
{
	put(NULL, s, strlen(s));
}

/* Text with line feeds, for a terminal. */
static void say_lines(const char *s)
{
	for (; *s; s++)
		put(NULL, *s == '\n' ? "\r\n" : s, *s == '\n' ? 2 : 1);
}

/* ---- completion ---- */

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static const char *nth_command(const char *word, unsigned index)
{
	for (unsigned i = 0; i < commands_count; i++)
		if (starts(commands[i].name, word) && !index--)
			return commands[i].name;
	return NULL;
}

struct nth {
	const char *word;
	unsigned left; /* that are not the one */
	bool found;
};

static void take_nth(struct vm *vm, void *ctx)
{
	struct nth *n = ctx;

	if (n->found || !starts(vm->cfg.name, n->word) || n->left--)
		return;
	n->found = true;
	memcpy(m.name, vm->cfg.name, sizeof(m.name));
}

/* There may be thousands: none is kept but the one asked for. */
static const char *nth_name(const char *word, unsigned index)
{
	struct nth n = { word, index, false };

	vms_each(take_nth, &n);
	return n.found ? m.name : NULL;
}

/* The first word is a command, the others may be VMs. */
static const char *complete(
	void *ctx, const char *before, size_t len, const char *word, unsigned index)
{
	(void)ctx;
	while (len && before[len - 1] == ' ')
		len--;
	if (!len)
		return nth_command(word, index);
	return nth_name(word, index);
}

/* ---- back to the VMs ---- */

static void each_shares(struct vm *vm, void *ctx)
{
	(void)ctx;
	if (vm->begun)
		vmconsole_share(&vm->console);
}

static void come_to_front(void)
{
	m.front = true;
	m.called = false;
	vmconsole_by_line(true);
	vms_each(each_shares, NULL);
	say(GREETING);
	editor_next(&m.editor);
	flush(true);
}

/* What was typed, and not for us yet. */
static void look_for_input(void)
{
	if (!m.front && console_taken())
		m.called = true;
	if (m.front || m.called)
		post();
	else
		vms_input();
}

static void go_back(void)
{
	m.front = m.leave = false;
	say("\r\n");
	flush(false);
	vmconsole_by_line(false);
	console_give_back();
	look_for_input();
}

bool monitor_run_console(struct call *c)
{
	if (c != &m.call)
		return call_fail(
			c, "this is no console; it is for the monitor on the machine's own");
	vms_focus(c->vm);
	m.leave = true;
	return true;
}

/* ---- lines ---- */

static void call_done(struct call *c)
{
	if (c->ok) {
		say_lines(m.answer.text);
	} else {
		say("error: ");
		say_lines(c->err);
		say("\r\n");
	}
	if (m.answer.text)
		answer_drop(&m.answer);
	m.under_way = false;
	if (m.leave) {
		go_back();
		return;
	}
	editor_next(&m.editor);
	flush(true);
	post(); /* for what was typed meanwhile */
}

/* Takes the line apart, in place: how many words, at most max, of which the last may be too many.
 */
static unsigned split(char *line, const char **word, unsigned max)
{
	unsigned n = 0;

	while (*line && n < max) {
		while (*line == ' ')
			*line++ = '\0';
		if (*line)
			word[n++] = line;
		while (*line && *line != ' ')
			line++;
	}
	if (n)
		*line = '\0';
	return n;
}

/* What is wrong with the line, if it is not the command's arguments. */
static bool check(const struct command *cmd, const char *const *word, unsigned n)
{
	if (!cmd)
		return call_fail(&m.call, "\"%.20s\" is no command; \"help\" lists them", word[0]);
	if (n > COMMAND_ARGS + 1)
		return call_fail(&m.call, "\"%.20s\" is one too many", word[COMMAND_ARGS + 1]);
	if (answer_begin(&m.answer, &m.call.out, "", 0, false) != OK)
		return call_fail(&m.call, "no memory for an answer");
	return true;
}

static void execute(void)
{
	const char *word[COMMAND_ARGS + 2] = { NULL };
	const struct command *cmd;
	unsigned n = split(m.editor.line, word, ARRAY_SIZE(word));

	if (!n) {
		editor_next(&m.editor);
		flush(true);
		return;
	}
	m.under_way = true;
	m.call.done = call_done;
	m.call.ok = false;
	cmd = command_find(word[0]);
	if (check(cmd, word, n))
		call_begin(&m.call, cmd, word + 1);
	else
		call_done(&m.call);
}

/* ---- keys ---- */

static void key(u8 byte)
{
	if (byte == ESCAPE) {
		go_back();
		return;
	}
	if (!editor_key(&m.editor, byte)) {
		flush(true);
		return;
	}
	flush(false);
	execute();
}

static void work(struct task *t)
{
	u8 byte;

	(void)t;
	m.posted = false;
	if (m.called)
		come_to_front();
	while (m.front && !m.under_way && console_read_taken(&byte, 1))
		key(byte);
}

/* From the receive interrupt. */
static void on_input(void *ctx)
{
	(void)ctx;
	look_for_input();
}

void monitor_start(void)
{
	static const struct editor_ops ops = { .put = put, .complete = complete };

	task_init(&m.task, work);
	editor_init(&m.editor, &ops, NULL, PROMPT);
	console_escape(ESCAPE);
	console_on_input(on_input, NULL);
}
