/* SPDX-License-Identifier: BSD-2-Clause */
/* Circular doubly linked list; the node is a member of what is listed. */
#ifndef HV_LIB_LIST_H
#define HV_LIB_LIST_H

#include "hv/lib/util.h"

struct list_node {
	struct list_node *next, *prev;
};

static inline void list_init(struct list_node *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_node *head)
{
	return head->next == head;
}

/* Inserts n before pos; list_add_before(head, n) appends. */
static inline void list_add_before(struct list_node *pos, struct list_node *n)
{
	n->prev = pos->prev;
	n->next = pos;
	pos->prev->next = n;
	pos->prev = n;
}

static inline void list_add_tail(struct list_node *head, struct list_node *n)
{
	list_add_before(head, n);
}

/* Leaves n self-linked, so that a second list_del() is harmless. */
static inline void list_del(struct list_node *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_for_each(pos, head)      for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)
#define list_for_each_entry(pos, head, member)                                                     \
	for ((pos) = list_entry((head)->next, __typeof__(*(pos)), member);                         \
		&(pos)->member != (head);                                                          \
		(pos) = list_entry((pos)->member.next, __typeof__(*(pos)), member))

#endif
