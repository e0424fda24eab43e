/* config payload: the keys of a payload. */
#include "vm.h"

#include "payload_bounds.h"
#include "strings.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* START_PROCESS is one frame, at most 64 KiB, with the words, the variables and their lengths. */
#define PAYLOAD_BYTES 60000u

/* No program starts in less; no kernel has more (PID_MAX_LIMIT). */
#define MEMORY_LEAST (UINT64_C(1) << 20)
#define PIDS_MOST    4194304u

static const char *const restarts[] = {"never", "on-failure", "always", NULL};

static const struct config_field fields[] = {
    CONFIG_KEY(config_payload, argv, texts, .required = true, .min = 1, .max = 1024,
               .check = config_text_check_word),
    CONFIG_KEY(config_payload, environment, texts, .max = 1024,
               .check = config_text_check_variable),
    CONFIG_KEY(config_payload, directory, text, .check = config_text_check_path),
    CONFIG_KEY(config_payload, uid, u32, .max = UINT32_MAX - 1),
    CONFIG_KEY(config_payload, gid, u32, .max = UINT32_MAX - 1),
    CONFIG_KEY(config_payload, restart, enum, .names = restarts),
    CONFIG_KEY(config_payload, terminal, bool),
    CONFIG_KEY(config_payload, output, bool),
    CONFIG_KEY(config_payload, limits, limits),
    CONFIG_KEY(config_payload, umask, umask),
    CONFIG_KEY(config_payload, stop_signal, signal),
    CONFIG_KEY(config_payload, stop_timeout_ms, u32, .min = 1, .max = 3600000),
    CONFIG_KEY(config_payload, memory_max, size, .min = MEMORY_LEAST, .max = UINT64_MAX),
    CONFIG_KEY(config_payload, pids_max, u32, .min = 1, .max = PIDS_MOST),
};

static size_t count_bytes(const struct config_strings *strings)
{
    size_t bytes = 0;

    for (size_t i = 0; i < strings->count; i++)
        bytes += strlen(strings->items[i]) + 2;
    return bytes;
}

void config_payload_read(struct config_reader *reader, const struct config_json *node,
                         const struct config_field *field, void *to)
{
    struct config_payload *payload = to;

    (void)field;
    if (node->type == CONFIG_JSON_LIST)
        fields[0].read(reader, node, &fields[0], &payload->argv);
    else if (node->type == CONFIG_JSON_OBJECT)
        config_reader_object(reader, node, CONFIG_FIELDS(fields), payload);
    else
        config_reader_expected(reader, node, "a list of words, or an object with \"argv\"");

    if (payload->argv.count > 0 && payload->argv.items[0][0] == '\0')
        config_reader_error(reader, node, "an empty first word, expected a program");
    if (count_bytes(&payload->argv) + count_bytes(&payload->environment) +
            count_bytes(&payload->limits) >
        PAYLOAD_BYTES)
        config_reader_error(reader, node,
                            "more than %u bytes of arguments and variables, expected less",
                            PAYLOAD_BYTES);
    if (payload->terminal && payload->output)
        config_reader_error(reader, node, "both `terminal` and `output`, expected one of them");
}

bool config_payload_equal(const struct config_payload *a, const struct config_payload *b)
{
    return config_strings_equal(&a->argv, &b->argv) &&
           config_strings_equal(&a->environment, &b->environment) &&
           config_text_equal(a->directory, b->directory) && a->uid == b->uid && a->gid == b->gid &&
           a->restart == b->restart && a->terminal == b->terminal && a->output == b->output &&
           config_strings_equal(&a->limits, &b->limits) && a->umask == b->umask &&
           a->stop_signal == b->stop_signal && a->stop_timeout_ms == b->stop_timeout_ms &&
           a->memory_max == b->memory_max && a->pids_max == b->pids_max;
}

void config_payload_done(struct config_payload *payload)
{
    config_strings_done(&payload->argv);
    config_strings_done(&payload->environment);
    config_strings_done(&payload->limits);
    free(payload->directory);
}
