/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets of physical ranges, kept sorted in an array: few, and used at boot only. */
#include "hv/boot/memmap.h"
#include "hv/lib/string.h"

static void delete_at(struct memmap *m, unsigned i)
{
	m->n--;
	memmove(&m->r[i], &m->r[i + 1], (m->n - i) * sizeof(m->r[0]));
}

static enum status insert_at(struct memmap *m, unsigned i, u64 start, u64 end)
{
	if (m->n == MEMMAP_MAX)
		return ERR_NOMEM;
	memmove(&m->r[i + 1], &m->r[i], (m->n - i) * sizeof(m->r[0]));
	m->r[i] = (struct range){ start, end };
	m->n++;
	return OK;
}

enum status memmap_add(struct memmap *m, u64 start, u64 end)
{
	unsigned i = 0;

	if (start >= end)
		return OK;
	while (i < m->n && m->r[i].end < start)
		i++;
	if (i == m->n || m->r[i].start > end)
		return insert_at(m, i, start, end);
	m->r[i].start = MIN(m->r[i].start, start);
	m->r[i].end = MAX(m->r[i].end, end);
	while (i + 1 < m->n && m->r[i + 1].start <= m->r[i].end) {
		m->r[i].end = MAX(m->r[i].end, m->r[i + 1].end);
		delete_at(m, i + 1);
	}
	return OK;
}

enum status memmap_remove(struct memmap *m, u64 start, u64 end)
{
	unsigned i = 0;

	if (start >= end)
		return OK;
	while (i < m->n) {
		struct range *r = &m->r[i];

		if (r->end <= start || r->start >= end) {
			i++;
		} else if (r->start >= start && r->end <= end) {
			delete_at(m, i);
		} else if (r->start < start && r->end > end) {
			u64 old_end = r->end;
			enum status s = insert_at(m, i + 1, end, old_end);

			if (s == OK)
				m->r[i].end = start;
			return s;
		} else if (r->start < start) {
			r->end = start;
		} else {
			r->start = end;
		}
	}
	return OK;
}

bool memmap_contains(const struct memmap *m, u64 start, u64 end)
{
	for (unsigned i = 0; i < m->n; i++)
		if (start >= m->r[i].start && start <= end && end <= m->r[i].end)
			return true;
	return false;
}

u64 memmap_find(const struct memmap *m, u64 size, u64 align, u64 low, u64 high)
{
	for (unsigned i = 0; i < m->n; i++) {
		u64 start = MAX(m->r[i].start, low), end = MIN(m->r[i].end, high);
		u64 at = ALIGN_UP(start, align);

		if (at >= start && at < end && end - at >= size)
			return at;
	}
	return 0;
}

u64 memmap_find_last(const struct memmap *m, u64 size, u64 align, u64 low, u64 high)
{
	for (unsigned i = m->n; i-- > 0;) {
		u64 start = MAX(m->r[i].start, low), end = MIN(m->r[i].end, high);
		u64 at = ALIGN_DOWN(end - size, align);

		if (start < end && end - start >= size && at >= start)
			return at;
	}
	return 0;
}

u64 memmap_total(const struct memmap *m)
{
	u64 sum = 0;

	for (unsigned i = 0; i < m->n; i++)
		sum += m->r[i].end - m->r[i].start;
	return sum;
}
