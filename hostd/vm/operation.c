/* operation: one asynchronous call of vm.h's, from its begin to its `done`. */
#include "operation.h"

#include "services.h"
#include "vm_parts.h"

#include <stdlib.h>
#include <string.h>

struct operation *operation_new(struct vm *vm, const struct operation *begun)
{
    struct operation *operation = calloc(1, sizeof(*operation));

    if (!operation)
        return NULL;
    *operation = *begun;
    operation->vm = vm;
    LIST_INSERT_HEAD(&vm->operations, operation, of_vm);
    return operation;
}

struct operation *operation_free(struct operation *operation)
{
    if (!operation)
        return NULL;
    LIST_REMOVE(operation, of_vm);
    (void)sd_event_source_disable_unref(operation->deferred);
    (void)sd_event_source_disable_unref(operation->timer);
    free(operation->text);
    free(operation);
    return NULL;
}

void operation_finish(struct operation *operation, int error, const char *text)
{
    struct operation told;

    if (!operation)
        return;
    told = *operation;
    operation->text = NULL;
    (void)operation_free(operation);
    if (told.done)
        told.done(told.userdata, error, text);
    else if (told.pool_done)
        told.pool_done(told.userdata, error, text, NULL);
    else if (told.capabilities_done)
        told.capabilities_done(told.userdata, error, text, NULL);
    free(told.text);
}

static int on_deferred(sd_event_source *source, void *userdata)
{
    struct operation *operation = userdata;

    (void)source;
    operation_finish(operation, operation->error, operation->text ? operation->text : "");
    return 0;
}

void operation_finish_later(struct operation *operation, int error, const char *text)
{
    if (!operation)
        return;
    operation->error = error;
    operation->text = strdup(text);
    if (sd_event_add_defer(operation->vm->services->event, &operation->deferred, on_deferred,
                           operation) < 0)
        operation_finish(operation, error, text);
}

void vm_forget(struct vm *vm, const void *userdata)
{
    struct operation *o;

    LIST_FOREACH(o, &vm->operations, of_vm) {
        if (o->userdata == userdata) {
            o->done = NULL;
            o->pool_done = NULL;
            o->capabilities_done = NULL;
        }
    }
}
