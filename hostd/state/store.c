/* store: a directory of JSON documents, each replaced whole. */
#include "store.h"

#include "base/fd.h"
#include "base/json.h"
#include "base/lock.h"
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Devices, shares and remembered warnings of one VM are a few KiB. */
#define DOCUMENT_BYTES (1u << 20)
/* vms/ + UUID + ".json" or ".bad-" + a time */
#define NAME_SIZE 96u

struct store {
    int directory; /* STATE_DIR/vms, or -1: it forgets */
    int lock_file; /* see lock.h */
};

static void free_text(char **text)
{
    free(*text);
}

/* mkdir -p; the last part readable by us alone: it names paths of the host. */
static int make_directories(const char *path)
{
    char part[4096];
    size_t size = strlen(path);

    if (size >= sizeof(part))
        return -ENAMETOOLONG;
    for (size_t i = 1; i <= size; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, path[i] == '\0' ? 0700 : 0755) < 0 && errno != EEXIST)
            return -errno;
    }
    return 0;
}

int store_new(const char *state_dir, struct store **ret_store)
{
    struct store *store = calloc(1, sizeof(*store));
    char path[4096];
    int r;

    if (store == NULL)
        return -ENOMEM;
    store->directory = store->lock_file = -1;
    *ret_store = store;
    if ((size_t)snprintf(path, sizeof(path), "%s/vms", state_dir) >= sizeof(path))
        return -ENAMETOOLONG;
    r = make_directories(path);
    if (r < 0)
        return r;
    store->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return store->directory < 0 ? -errno : 0;
}

struct store *store_free(struct store *store)
{
    if (store != NULL) {
        fd_close(&store->directory);
        fd_close(&store->lock_file);
    }
    free(store);
    return NULL;
}

int store_lock(struct store *store, pid_t *ret_pid)
{
    return lock_take(store->directory, &store->lock_file, ret_pid);
}

/* A VM's id becomes a file name: nothing but hex digits and dashes may. */
static bool is_id(const char *vm_id)
{
    size_t size = strlen(vm_id);

    for (size_t i = 0; i < size; i++)
        if (!isxdigit((unsigned char)vm_id[i]) && vm_id[i] != '-')
            return false;
    return size == 36;
}

/* @return 0 with the text, malloc()ed; or -errno */
static int read_document(int directory, const char *name, char **ret_text)
{
    FD fd = -1;
    __attribute__((cleanup(free_text))) char *text = NULL;
    size_t used = 0;
    ssize_t n;

    /* O_NONBLOCK: a pipe of that name must not hold the daemon up */
    fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    text = malloc(DOCUMENT_BYTES + 1);
    if (text == NULL)
        return -ENOMEM;
    while ((n = read(fd, text + used, DOCUMENT_BYTES + 1 - used)) > 0)
        used += (size_t)n;
    if (n < 0)
        return -errno;
    if (used > DOCUMENT_BYTES)
        return -EFBIG;
    text[used] = '\0';
    if (strlen(text) != used)
        return -EBADMSG;
    *ret_text = text;
    text = NULL;
    return 0;
}

static void set_aside(int directory, const char *name, const char *why)
{
    char aside[NAME_SIZE];

    (void)snprintf(aside, sizeof(aside), "%.48s.bad-%" PRId64, name, (int64_t)time(NULL));
    if (renameat(directory, name, directory, aside) < 0)
        log_line(LOG_WARNING,
                 "cannot read state document %s: %s; cannot rename it either (%s); treating it "
                 "as empty",
                 name, why, strerror(errno));
    else
        log_line(LOG_WARNING,
                 "cannot read state document %s: %s; renamed it to %s; its devices, shares "
                 "added at runtime and warnings given are forgotten",
                 name, why, aside);
}

struct json_object *store_load(struct store *store, const char *vm_id)
{
    __attribute__((cleanup(free_text))) char *text = NULL;
    struct json_object *object = NULL;
    char name[NAME_SIZE];
    int r;

    if (store->directory < 0 || !is_id(vm_id))
        return json_object_new_object();
    (void)snprintf(name, sizeof(name), "%s.json", vm_id);
    r = read_document(store->directory, name, &text);
    if (text != NULL)
        object = json_parse_object(text, strlen(text), JSON_TOKENER_DEFAULT_DEPTH);
    if (object != NULL)
        return object;
    if (r != -ENOENT)
        set_aside(store->directory, name, r == 0 ? "not a complete JSON object" : strerror(-r));
    return json_object_new_object();
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, text, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        size -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int store_save(struct store *store, const char *vm_id, struct json_object *document)
{
    FD fd = -1;
    char name[NAME_SIZE], temporary[NAME_SIZE];
    const char *text;
    size_t size;
    int r;

    if (store->directory < 0)
        return -EBADF;
    if (!is_id(vm_id))
        return -EINVAL;
    text = json_object_to_json_string_length(document, JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (text == NULL)
        return -ENOMEM;
    if (size > DOCUMENT_BYTES)
        return -EFBIG;
    (void)snprintf(name, sizeof(name), "%s.json", vm_id);
    (void)snprintf(temporary, sizeof(temporary), "%s.new", vm_id);
    fd = openat(store->directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text, size);
    if (r == 0 && renameat(store->directory, temporary, store->directory, name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(store->directory, temporary, 0);
        return r;
    }
    /* The rename itself lasts only once the directory is on the disk. */
    return fsync(store->directory) < 0 ? -errno : 0;
}
