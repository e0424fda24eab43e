/* config strings: lists of texts, owned. */
#include "strings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void config_strings_done(struct config_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        free(strings->items[i]);
    free(strings->items);
    *strings = (struct config_strings){0};
}

bool config_text_equal(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool config_strings_equal(const struct config_strings *a, const struct config_strings *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

int config_strings_add(struct config_strings *strings, const char *text)
{
    char **items = realloc(strings->items, (strings->count + 2) * sizeof(*items));
    char *copy;

    if (items == NULL)
        return -ENOMEM;
    strings->items = items;
    items[strings->count] = NULL;
    copy = strdup(text);
    if (copy == NULL)
        return -ENOMEM;
    items[strings->count++] = copy;
    items[strings->count] = NULL;
    return 0;
}
