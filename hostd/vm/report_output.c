/* report output: what the payload prints, as lines of the log within a budget of bytes, and its
 * last lines whatever the budget. */
#include "base/limits.h"
#include "base/log.h"
#include "report.h"
#include "telemetry/fields.h"
#include "vm_parts.h"

#include <inttypes.h>
#include <string.h>

static void say(struct vm *vm, struct wire_text text)
{
    char line[LIMITS_TEXT];

    text_take(text, line, sizeof(line));
    log_vm(LOG_INFO, vm->config->name, vm->boot.id, "payload: %s", line);
}

/* Takes a line with its newline off the front of @p rest. @return it, without that */
static struct wire_text take_line(struct wire_text *rest)
{
    const char *newline = memchr(rest->data, '\n', rest->size);
    struct wire_text line = {.data = rest->data,
                             .size = newline ? (size_t)(newline - rest->data) : rest->size};
    size_t size = line.size + (newline != NULL);

    rest->data += size;
    rest->size -= size;
    return line;
}

static uint64_t count_lines(struct wire_text text)
{
    uint64_t lines = 0;

    for (; text.size > 0; lines++)
        (void)take_line(&text);
    return lines;
}

/* Lines that begin in one chunk and end in the next are shown as two. What comes behind the first
 * that there is no room for is only counted: a flood costs no more. */
void report_output(struct vm *vm, const struct event_process_output *output)
{
    struct output_tail *tail = &vm->payload.output;
    struct wire_text rest = output->data;

    while (rest.size > 0) {
        struct wire_text all = rest, line = take_line(&rest);

        if (!report_allow_output(vm, line.size < LIMITS_TEXT ? line.size : LIMITS_TEXT)) {
            uint64_t lines = count_lines(all);

            vm->allowances.rates[ALLOWANCE_OUTPUT].dropped += lines - 1;
            output_tail_add(tail, all, lines);
            return;
        }
        say(vm, line);
        all.size -= rest.size;
        output_tail_add(tail, all, 0);
        output_tail_show(tail);
    }
}

void report_last_output(struct vm *vm)
{
    struct output_tail *tail = &vm->payload.output;
    char text[OUTPUT_TAIL_BYTES + 1];
    struct wire_text rest = {.data = text};
    uint64_t lines, skip;

    if (tail->hidden == 0)
        return;
    rest.size = output_tail_copy(tail, true, text);
    lines = count_lines(rest);
    skip = lines > OUTPUT_TAIL_LINES ? lines - OUTPUT_TAIL_LINES : 0;
    log_vm(LOG_INFO, vm->config->name, vm->boot.id,
           "payload: dropped %" PRIu64 " lines (limits.payload_output_per_s); the last one:",
           tail->hidden > lines - skip ? tail->hidden - (lines - skip) : 0);
    for (; skip > 0; skip--)
        (void)take_line(&rest);
    while (rest.size > 0)
        say(vm, take_line(&rest));
    output_tail_show(tail);
}
