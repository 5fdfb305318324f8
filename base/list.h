/*
 * list.h - intrusive doubly linked list, circular, with a head node.
 *
 * The node lives inside the object (CONTAINER_OF finds it back), so linking
 * never allocates. A node that is in no list points to itself: removing it
 * twice is harmless and list_is_linked() tells.
 */
#ifndef GILMOK_BASE_LIST_H
#define GILMOK_BASE_LIST_H

#include "base/build.h"

struct list {
    struct list *prev;
    struct list *next;
};

static inline void list_init(struct list *n) {
    n->prev = n;
    n->next = n;
}

static inline bool list_is_empty(const struct list *head) {
    return head->next == head;
}

static inline bool list_is_linked(const struct list *n) {
    return n->next != n;
}

static inline void list_insert_between(struct list *prev, struct list *n, struct list *next) {
    INVARIANT(!list_is_linked(n));
    n->prev = prev;
    n->next = next;
    prev->next = n;
    next->prev = n;
}

static inline void list_push_front(struct list *head, struct list *n) {
    list_insert_between(head, n, head->next);
}

static inline void list_push_back(struct list *head, struct list *n) {
    list_insert_between(head->prev, n, head);
}

static inline void list_remove(struct list *n) {
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

/* First or last node, or NULL. */
static inline struct list *list_first(const struct list *head) {
    return list_is_empty(head) ? NULL : head->next;
}

static inline struct list *list_last(const struct list *head) {
    return list_is_empty(head) ? NULL : head->prev;
}

static inline struct list *list_take_first(struct list *head) {
    struct list *n = list_first(head);
    if (n) list_remove(n);
    return n;
}

/* Safe against removal of the current node inside the loop body. */
#define LIST_EACH(node, head)                                                                      \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);              \
         node = node##_next, node##_next = node->next)

#endif
