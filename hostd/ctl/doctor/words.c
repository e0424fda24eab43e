/* words: a command line is searched, not parsed: it is whole, or was not taken by QEMU. */
#include "words.h"

#include <stdio.h>
#include <string.h>

const char *words_next(const struct words *words, const char *word)
{
    if (word == NULL)
        return words->size > 0 ? words->data : NULL;
    word += strlen(word) + 1;
    return word < words->data + words->size ? word : NULL;
}

const char *words_find(const struct words *words, const char *from, const char *part)
{
    while (from != NULL && strstr(from, part) == NULL)
        from = words_next(words, from);
    return from;
}

/* @return what stands behind the key at @p at, or NULL: that is another one */
static const char *value_at(const char *word, const char *at, size_t size)
{
    const char *behind = at + size;
    bool quoted = at > word && at[-1] == '"';

    if (quoted && *behind == '"') {
        behind += 1 + strspn(behind + 1, " ");
        return *behind == ':' ? behind + 1 + strspn(behind + 1, " \"") : NULL;
    }
    return !quoted && *behind == '=' && (at == word || at[-1] == ',') ? behind + 1 : NULL;
}

bool words_value(const char *word, const char *key, char *buffer, size_t capacity)
{
    for (const char *at = strstr(word, key); at != NULL; at = strstr(at + 1, key)) {
        const char *value = value_at(word, at, strlen(key));

        if (value != NULL) {
            (void)snprintf(buffer, capacity, "%.*s", (int)strcspn(value, ",\"} "), value);
            return true;
        }
    }
    return false;
}
