/* event filter: compares members of a line. */
#include "event_filter.h"

#include "base/json.h"
#include "since.h"

#include <strings.h>

static bool is(struct json_object *event, const char *key, const char *wanted)
{
    struct json_object *value = json_member(event, key);

    return json_object_is_type(value, json_type_string) &&
           strcasecmp(json_object_get_string(value), wanted) == 0;
}

static bool is_since(struct json_object *event, uint64_t since_us)
{
    struct json_object *value = json_member(event, "ts");
    uint64_t at;

    return value != NULL && since_parse_timestamp(json_object_get_string(value), &at) == 0 &&
           at >= since_us;
}

bool event_filter_matches(const struct event_filter *filter, struct json_object *event)
{
    return (filter->vm == NULL || is(event, "vm", filter->vm) || is(event, "vm_id", filter->vm)) &&
           (filter->event == NULL || is(event, "event", filter->event)) &&
           (filter->since_us == 0 || is_since(event, filter->since_us));
}
