/* A call of an operator's: either it has a method, or it is no call. */
#include "fuzz.h"
#include "hostd/varlink/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct varlink_message message = VARLINK_MESSAGE_NULL;
    const unsigned most = VARLINK_MESSAGE_BYTES;
    char *text;

    if (size > most || (size > 0 && memchr(data, '\0', size)))
        return 0;
    text = fuzz_text(data, size);
    if (varlink_message_parse(text, size, &message) == 0) {
        FUZZ_CHECK(message.method && message.root);
        FUZZ_CHECK(!message.parameters ||
                   json_object_is_type(message.parameters, json_type_object));
    }
    varlink_message_done(&message);
    free(text);
    return 0;
}
