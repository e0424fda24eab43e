/*
 * operation: one asynchronous call of vm.h's, from its begin to its `done`.
 */
#ifndef GUESTLINK_HOSTD_OPERATION_H
#define GUESTLINK_HOSTD_OPERATION_H

#include "vm.h"

#include <sys/queue.h>
#include <systemd/sd-event.h>

struct operation {
    LIST_ENTRY(operation) of_vm;
    struct vm *vm;
    void *userdata;  /* the caller's */
    vm_done_fn done; /* one of the three; all NULL: the caller went away */
    vm_pool_usage_fn pool_done;
    vm_capabilities_fn capabilities_done;
    bool shut_down;         /* waits for the guest's farewell */
    sd_event_source *timer; /* its deadline */
    /* told later, from the event loop */
    sd_event_source *deferred;
    int error;
    char *text;
};

/* Begins one as @p begun says, and puts it on the VM's list. @return NULL: no memory */
struct operation *operation_new(struct vm *vm, const struct operation *begun);

/* Calls the `done` that is set, without a result, and frees the operation. NULL is fine. */
void operation_finish(struct operation *operation, int error, const char *text);

/* As operation_finish(), in the loop's next turn. */
void operation_finish_later(struct operation *operation, int error, const char *text);

/* Frees it without a word. @return NULL */
struct operation *operation_free(struct operation *operation);

/* In vm_requests.c: the guest said its last word. Ends what waits for that. */
void operations_end_shut_down(struct vm *vm);

#endif
