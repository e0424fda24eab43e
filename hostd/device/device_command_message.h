/*
 * device command message: the JSON that a device host command reads and writes
 * (device-host-command.md is its description for those who write one).
 */
#ifndef GUESTLINK_HOSTD_DEVICE_COMMAND_MESSAGE_H
#define GUESTLINK_HOSTD_DEVICE_COMMAND_MESSAGE_H

#include "device_host.h"

#define DEVICE_COMMAND_TEXT 1024u

/* @return a JSON object of the caller's, or NULL: no memory */
struct json_object *device_command_message_share(const struct config_vm *vm, const char *operation,
                                                 const struct device_share *share);
struct json_object *device_command_message_adapter(const struct config_vm *vm,
                                                   const char *operation,
                                                   const struct device_adapter *adapter);

/* @param kind  "share" or "adapter", whose @p key is @p name */
struct json_object *device_command_message_removal(const struct config_vm *vm,
                                                   const char *operation, const char *kind,
                                                   const char *key, const char *name);

struct device_command_answer {
    int error; /* 0 or a positive errno; EPROTO if it is no answer */
    bool created;
    bool iommu_platform;
    bool has_text; /* the program said something, well or badly */
    char text[DEVICE_COMMAND_TEXT];
};

/*
 * Reads an answer. One that says nothing, of failure or of anything, is a good one: the exit status
 * is what counts then.
 *
 * @param text  NUL-terminated
 * @param cut   there was more of it than is kept
 * @return ret_answer->error
 */
int device_command_answer_read(const char *text, bool cut,
                               struct device_command_answer *ret_answer);

#endif
