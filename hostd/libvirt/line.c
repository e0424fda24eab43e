/* line: what guestlink-libvirt says to the daemon. */
#include "line.h"

#include "base/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void write_all(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(STDOUT_FILENO, text, size);

        if (written < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
}

/* The caller has the mutex. */
static void write_object(struct json_object *object)
{
    size_t size = 0;
    const char *text =
        object ? json_object_to_json_string_length(object, JSON_C_TO_STRING_PLAIN, &size) : NULL;

    if (!text)
        _exit(EXIT_FAILURE);
    write_all(text, size);
    write_all("\n", 1);
    json_object_put(object);
}

void line_write(struct json_object *object)
{
    (void)pthread_mutex_lock(&mutex);
    write_object(object);
    (void)pthread_mutex_unlock(&mutex);
}

void line_end(const char *text)
{
    (void)pthread_mutex_lock(&mutex); /* never released: this is the last line */
    write_object(json_texts("event", "closed", "text", text, NULL));
    _exit(EXIT_FAILURE);
}
