/* control stream: one subscription; a client that is too slow loses lines, never the daemon. */
#include "control_stream.h"

#include "base/json.h"

#include "control_method.h"

#include <errno.h>
#include <stdlib.h>

struct stream {
    struct telemetry *telemetry;
    struct varlink_call *call;
    int subscription;
    uint64_t lost; /* since the last line that it was sent */
};

static void on_line(void *userdata, const char *line, size_t size)
{
    struct stream *stream = userdata;

    if (varlink_call_is_full(stream->call)) {
        stream->lost++;
        return;
    }
    if (stream->lost > 0) {
        struct json_object *reply = json_object_new_object();

        json_add_number(reply, "lost", stream->lost);
        stream->lost = 0;
        varlink_call_reply(stream->call, reply, true);
    }
    varlink_call_reply_member(stream->call, "event", line, size);
}

static void on_closed(void *userdata)
{
    struct stream *stream = userdata;

    telemetry_unsubscribe(stream->telemetry, stream->subscription);
    free(stream);
}

void control_stream_telemetry(struct telemetry *telemetry, struct varlink_call *call)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    int r = -ENOMEM;

    if (stream != NULL) {
        stream->telemetry = telemetry;
        stream->call = call;
        r = telemetry_subscribe(telemetry, on_line, stream);
    }
    if (r < 0) {
        free(stream);
        control_method_fail(call, -r, r == -EUSERS ? "too many clients listen already" : NULL);
        return;
    }
    stream->subscription = r;
    varlink_call_watch(call, on_closed, NULL, stream);
}
