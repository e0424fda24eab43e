/* share nest: shares whose targets lie in each other. */
#include "share_nest.h"

#include "base/limits.h"
#include "guest/guest.h"
#include "operation.h"
#include "report.h"
#include "vm_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The next share of @p share's VM behind @p other, or the first (NULL). */
static struct share *next_of(const struct share *share, struct share *other)
{
    const struct attachment *a = &share->attachment;

    return share_of(attachment_next(a->vm, a->kind, other ? &other->attachment : NULL));
}

/* True if @p inner's target is below @p outer's. Both are normalised; none is `/`. */
static bool lies_in(const struct share *inner, const struct share *outer)
{
    size_t size = strlen(outer->config.target);

    return strncmp(inner->config.target, outer->config.target, size) == 0 &&
           inner->config.target[size] == '/';
}

/* The guest has it mounted, or may, as far as was heard. */
static bool is_there(const struct share *share)
{
    return share->attachment.is_set || share->attachment.asked;
}

/* Nothing more happens to its mount by itself. */
static bool is_at_rest(const struct share *share)
{
    const struct attachment *a = &share->attachment;

    return !a->asked && (a->failed || (a->is_set && !a->renew));
}

/* The next one below @p share behind @p inner, or the first (NULL). */
static struct share *next_below(const struct share *share, struct share *inner)
{
    do
        inner = next_of(share, inner);
    while (inner && !lies_in(inner, share));
    return inner;
}

const struct share *share_nest_below(const struct share *share)
{
    struct share *inner = NULL;

    while ((inner = next_below(share, inner)))
        if (inner->attachment.wanted && is_there(inner))
            return inner;
    return NULL;
}

/* Has what is mounted below @p share unmounted, innermost first. @return true: there is something
 */
static bool clear(struct share *share)
{
    bool any = false;

    if (!guest_is_attached(share->attachment.vm->guest))
        return false;
    for (struct share *inner = NULL; (inner = next_below(share, inner));) {
        struct attachment *a = &inner->attachment;

        if (!is_there(inner))
            continue;
        any = true;
        /* One that goes is unmounted by its own steps. */
        if (!a->wanted || a->asked || share_nest_below(inner))
            continue;
        inner->aside = true;
        if (!attachment_release(a))
            share_nest_keep(inner, ENOBUFS, "cannot ask the guest to unmount the share");
    }
    return any;
}

bool share_nest_must_wait(struct attachment *a)
{
    struct share *share = share_of(a);

    for (struct share *s = next_of(share, NULL); s; s = next_of(share, s))
        if (lies_in(share, s) && (s->attachment.wanted ? !is_at_rest(s) : is_there(s)))
            return true;
    /* What is to be renewed is unmounted at once, with all that is below. */
    return !a->renew && clear(share);
}

bool share_nest_is_needed(struct attachment *a)
{
    return clear(share_of(a));
}

void share_nest_lose(struct share *share)
{
    struct vm *vm = share->attachment.vm;
    char text[LIMITS_TEXT];

    (void)snprintf(text, sizeof(text),
                   "the share %s around it was lost; will mount this share after that one",
                   share->config.tag);
    for (struct share *inner = NULL; (inner = next_below(share, inner));) {
        struct attachment *a = &inner->attachment;

        if (a->renew || !(is_there(inner) || inner->unsure))
            continue;
        if (a->is_set && a->wanted) {
            report_device_failed(vm, "share", a->name, "serve", EPIPE, text);
            attachment_set_error(a, text);
        }
        a->renew = true;
        a->is_set = false;
        if (!a->asked)
            a->state = VM_DEVICE_WAITING;
    }
}

/* @p outer was to go, or to be mounted, and one that is mounted below it stays. */
static void keep_outer(struct share *outer, int error, const char *text)
{
    struct attachment *a = &outer->attachment;
    struct operation *operation = a->operation;

    if (a->wanted && !a->is_set) {
        attachment_fail(a, "mount", error, text);
    } else if (!a->wanted && a->is_set) {
        report_device_failed(a->vm, "share", a->name, "unmount", error, text);
        share_keep(outer);
        operation_finish(operation, error, text);
    }
}

void share_nest_keep(struct share *share, int error, const char *reason)
{
    char text[LIMITS_PATH + 2 * LIMITS_TEXT];

    share->aside = false;
    (void)snprintf(text, sizeof(text),
                   "cannot unmount share %s, which is mounted below at %s: %.*s", share->config.tag,
                   share->config.target, (int)LIMITS_TEXT - 128, reason);
    for (struct share *s = next_of(share, NULL); s; s = next_of(share, s))
        if (lies_in(share, s))
            keep_outer(s, error, text);
}
