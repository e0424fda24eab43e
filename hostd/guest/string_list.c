/* string list: a list of the configuration's in the form that a request carries. */
#include "string_list.h"

struct wire_list string_list_pack(struct wire_writer *writer, const struct config_strings *strings)
{
    size_t start = writer->size;

    if (strings->count > UINT16_MAX) {
        writer->overflow = true;
        return (struct wire_list){0};
    }
    for (size_t i = 0; i < strings->count; i++)
        wire_put_list_item(writer, wire_text_of(strings->items[i]));
    return (struct wire_list){.data = writer->data + start,
                              .size = writer->size - start,
                              .count = (uint16_t)strings->count};
}
