/* listed: a list of texts as it stands in a frame. */
#include "listed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct wire_list listed(const char *words, uint8_t *bytes, size_t capacity)
{
    struct wire_writer writer = {.data = bytes, .capacity = capacity};
    struct wire_list list = {.data = bytes};

    while (*words != '\0') {
        size_t size = strcspn(words, ",");

        wire_put_list_item(&writer, (struct wire_text){words, size});
        list.count++;
        words += size + (words[size] == ',');
    }
    assert_false(writer.overflow);
    list.size = writer.size;
    return list;
}
