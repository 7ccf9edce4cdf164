/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of several VMs on one console. */
#include "hv/vm/vmconsole.h"
#include "hv/lib/spinlock.h"
#include "hv/lib/string.h"

#define MOMENTS_HZ 20 /* a moment is 50 ms */

/* Whose line on the console has no end yet. Under the lock, as is writing to the console. */
static struct spinlock lock;
static const struct vmconsole *open_line;

static void put(const char *text)
{
	console_write((const u8 *)text, strlen(text));
}

static void show(struct vmconsole *c)
{
	bool ends = c->len && c->line[c->len - 1] == '\n';

	spin_lock(&lock);
	if (open_line && open_line != c)
		put("\r\n");
	if (open_line != c) {
		put(c->name);
		put("| ");
	}
	console_write(c->line, c->len);
	open_line = ends ? NULL : c;
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

void vmconsole_init(struct vmconsole *c, const char *name, struct timerq *timers)
{
	c->name = name;
	c->timers = timers;
	c->len = 0;
	timer_init(&c->moment, moment_over);
}

void vmconsole_write_shared(struct vmconsole *c, const u8 *buf, size_t len)
{
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
	if (c->len)
		show(c);
	spin_lock(&lock);
	if (open_line == c) {
		put("\r\n");
		open_line = NULL;
	}
	spin_unlock(&lock);
}
