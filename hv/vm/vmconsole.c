/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of several VMs on one console. */
#include "hv/vm/vmconsole.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"

#define MOMENTS_HZ 20 /* a moment is 50 ms */

#define CLEAR_LINE "\r\x1b[K"

/* Whose line on the console has no end yet. Under the lock, as is writing to the console. */
static struct spinlock lock;
static const struct vmconsole *open_line;
static struct {
	bool by_line; /* nobody is alone */
	size_t len;
	char text[VMCONSOLE_FOOT];
} foot;

static void put(const char *text)
{
	console_write((const u8 *)text, strlen(text));
}

static void put_foot(void)
{
	console_write((const u8 *)foot.text, foot.len);
}

static void put_line(struct vmconsole *c)
{
	if (open_line && open_line != c)
		put("\r\n");
	if (open_line != c) {
		put(c->label);
		put("| ");
	}
	console_write(c->line, c->len);
	open_line = c->line[c->len - 1] == '\n' ? NULL : c;
}

static void end_open_line(void)
{
	if (open_line)
		put("\r\n");
	open_line = NULL;
}

static void show(struct vmconsole *c)
{
	if (!c->len)
		return;
	spin_lock(&lock);
	if (foot.len)
		put(CLEAR_LINE);
	put_line(c);
	if (foot.len) {
		end_open_line();
		put_foot();
	}
	spin_unlock(&lock);
	c->len = 0;
}

/* From the last byte on: the timer is moved only when it fires. */
static void wait_moment(struct vmconsole *c)
{
	c->shown_at = timerq_now(c->timers) + c->timers->hz / MOMENTS_HZ;
	if (!timer_armed(&c->moment))
		timer_arm(c->timers, &c->moment, c->shown_at);
}

static void moment_over(struct timer *t)
{
	struct vmconsole *c = container_of(t, struct vmconsole, moment);

	if (!c->len)
		return;
	if (timerq_now(c->timers) < c->shown_at)
		timer_arm(c->timers, t, c->shown_at);
	else
		show(c);
}

void vmconsole_init(struct vmconsole *c, const char *label, bool alone, struct timerq *timers)
{
	c->label = label;
	c->alone = alone;
	c->name = alone && !foot.by_line ? NULL : label;
	c->timers = timers;
	c->len = 0;
	timer_init(&c->moment, moment_over);
}

void vmconsole_by_line(bool on)
{
	spin_lock(&lock);
	foot.by_line = on;
	spin_unlock(&lock);
}

void vmconsole_share(struct vmconsole *c)
{
	spin_lock(&lock);
	if (foot.by_line)
		c->name = c->label;
	spin_unlock(&lock);
}

/* It is alone again: true, and what it had not shown yet is out. */
static bool alone_again(struct vmconsole *c)
{
	show(c);
	spin_lock(&lock);
	if (!foot.by_line)
		c->name = NULL;
	spin_unlock(&lock);
	return !c->name;
}

void vmconsole_foot(const char *text, size_t len, const char *line, size_t line_len)
{
	spin_lock(&lock);
	end_open_line();
	console_write((const u8 *)text, len);
	foot.len = MIN(line_len, sizeof(foot.text));
	memcpy(foot.text, line, foot.len);
	put_foot();
	spin_unlock(&lock);
}

void vmconsole_write_shared(struct vmconsole *c, const u8 *buf, size_t len)
{
	if (c->alone && !READ_ONCE(foot.by_line) && alone_again(c)) {
		console_write(buf, len);
		return;
	}
	for (size_t i = 0; i < len; i++) {
		c->line[c->len++] = buf[i];
		if (buf[i] == '\n' || c->len == sizeof(c->line))
			show(c);
	}
	if (c->len)
		wait_moment(c);
}

void vmconsole_destroy(struct vmconsole *c)
{
	timer_cancel(c->timers, &c->moment);
	show(c);
	spin_lock(&lock);
	if (open_line == c)
		end_open_line();
	spin_unlock(&lock);
}
