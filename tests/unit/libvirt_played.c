/* libvirt played: guestlink-libvirt's side of the JSON. */
#include "libvirt_played.h"

#include "base/child.h"
#include "base/json.h"
#include "base/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNECTED "{\"event\":\"connected\",\"libvirt\":\"9.0.0\",\"hypervisor\":\"%s\"}"

struct libvirt_played libvirt_played = {.fd = -1};

static struct libvirt_played *const played = &libvirt_played;

void libvirt_played_begin(void)
{
    *played = (struct libvirt_played){.hypervisor = "10.0.3", .run = 1, .ports = 4, .fd = -1};
}

void libvirt_played_end(void)
{
    played->source = sd_event_source_disable_unref(played->source);
    if (played->fd >= 0)
        (void)close(played->fd);
    played->fd = -1;
    played->size = 0;
    played->held = 0;
}

void libvirt_played_say(const char *line)
{
    size_t size = strlen(line);

    assert_int_equal(send(played->fd, line, size, MSG_NOSIGNAL), size);
    assert_int_equal(send(played->fd, "\n", 1, MSG_NOSIGNAL), 1);
}

/* @param result  consumed */
static void answer(int64_t id, struct json_object *result)
{
    struct json_object *message =
        json_members("id", json_object_new_int64(id), "result", result, NULL);

    libvirt_played_say(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN));
    json_object_put(message);
}

static void refuse(int64_t id, int code, const char *text)
{
    struct json_object *message = json_members(
        "id", json_object_new_int64(id), "error",
        json_members("code", json_object_new_int(code), "text", json_object_new_string(text), NULL),
        NULL);

    libvirt_played_say(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN));
    json_object_put(message);
}

/* What stands between two texts of a device's XML; "" if they are not there. */
static const char *between(const char *xml, const char *before, char *buffer, size_t capacity)
{
    const char *at = strstr(xml, before);

    buffer[0] = '\0';
    if (at) {
        at += strlen(before);
        (void)snprintf(buffer, capacity, "%.*s", (int)strcspn(at, "'"), at);
    }
    return buffer;
}

static const char *source_of(const char *xml, char *buffer, size_t capacity)
{
    static const char *const before[] = {"<source bridge='", "<source network='", " path='"};

    buffer[0] = '\0';
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]) && !buffer[0]; i++)
        (void)between(xml, before[i], buffer, capacity);
    return buffer;
}

static struct json_object *device_of(const struct libvirt_played_device *from)
{
    bool share = strncmp(from->xml, "<filesystem", 11) == 0;
    char a[256], b[256], c[256];
    struct json_object *device =
        share
            ? json_texts("kind", "share", "tag", between(from->xml, "<target dir='", a, sizeof(a)),
                         "socket", between(from->xml, "socket='", b, sizeof(b)), NULL)
            : json_texts("kind", "adapter", "type",
                         between(from->xml, "<interface type='", a, sizeof(a)), "mac",
                         between(from->xml, "mac address='", b, sizeof(b)), "source",
                         source_of(from->xml, c, sizeof(c)), NULL);

    json_add_text(device, "alias", from->alias);
    json_add_flag(device, "iommu", strstr(from->xml, "iommu='on'") != NULL);
    return device;
}

static struct json_object *describe(void)
{
    struct json_object *devices = json_object_new_array(), *ports = json_object_new_array();
    struct json_object *description = json_object_new_object();

    for (size_t i = 0; i < LIBVIRT_PLAYED_DEVICES; i++)
        if (played->devices[i].alias[0])
            (void)json_object_array_add(devices, device_of(&played->devices[i]));
    for (unsigned i = 0; i < played->ports; i++)
        (void)json_object_array_add(ports, json_object_new_int((int)i + 5));
    json_add_flag(description, "active", !played->inactive);
    json_add_number(description, "run", played->run);
    if (played->uid > 0)
        json_add_number(description, "uid", played->uid);
    if (played->gid > 0)
        json_add_number(description, "gid", played->gid);
    json_add_flag(description, "discards", played->balloon);
    (void)json_object_object_add(
        description, "memory",
        json_members("shared", json_object_new_boolean(!played->not_shared), NULL));
    (void)json_object_object_add(description, "ports", json_members("free", ports, NULL));
    (void)json_object_object_add(description, "devices", devices);
    return description;
}

static struct libvirt_played_device *find(const char *alias)
{
    for (size_t i = 0; i < LIBVIRT_PLAYED_DEVICES; i++)
        if (strcmp(played->devices[i].alias, alias) == 0)
            return &played->devices[i];
    return NULL;
}

static void attach(int64_t id, struct json_object *request)
{
    struct libvirt_played_device *device = find("");
    const char *error = played->attach_error;

    played->attachments++;
    (void)snprintf(played->xml, sizeof(played->xml), "%s",
                   json_object_get_string(json_member(request, "xml")));
    played->attach_error = NULL;
    if (!error && strstr(played->xml, "iommu='on'"))
        error = played->attach_errors;
    if (played->holds_attach) {
        played->held = id;
    } else if (error) {
        refuse(id, 1, error);
    } else {
        assert_non_null(device);
        (void)snprintf(device->xml, sizeof(device->xml), "%s", played->xml);
        (void)between(played->xml, "<alias name='", device->alias, sizeof(device->alias));
        answer(id, json_object_new_object());
    }
}

void libvirt_played_release(void)
{
    int64_t id = played->held;

    assert_true(id > 0);
    played->held = 0;
    refuse(id, 1, "internal error: the back end is gone");
}

static void detach(int64_t id, struct json_object *request)
{
    const char *alias = json_object_get_string(json_member(request, "alias"));
    struct libvirt_played_device *device = find(alias);
    char line[256];

    played->detachments++;
    if (!device) {
        refuse(id, 99, "device not found: no such device");
        return;
    }
    answer(id, json_object_new_object());
    (void)snprintf(line, sizeof(line), "{\"event\":\"%s\",\"domain\":\"dev\",\"alias\":\"%s\"}",
                   played->refuses ? "removal-failed" : "removed", alias);
    if (!played->refuses && !played->keeps)
        device->alias[0] = '\0';
    if (!played->keeps)
        libvirt_played_say(line);
}

static void take(struct json_object *request)
{
    const char *call = json_object_get_string(json_member(request, "call"));
    int64_t id = json_object_get_int64(json_member(request, "id"));

    if (strcmp(call, "ping") == 0)
        played->pings++;
    if (played->hangs)
        return;
    if (strcmp(call, "ping") == 0) {
        answer(id, json_object_new_object());
        return;
    }
    assert_string_equal(json_object_get_string(json_member(request, "domain")), "dev");
    if (strcmp(call, "describe") == 0) {
        played->describes++;
        if (played->absent)
            refuse(id, 42, "Domain not found");
        else if (played->fails)
            refuse(id, 2, "out of memory");
        else
            answer(id, describe());
    } else if (strcmp(call, "attach") == 0) {
        attach(id, request);
    } else {
        assert_string_equal(call, "detach");
        detach(id, request);
    }
}

static int on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    ssize_t n = recv(fd, played->line + played->size, sizeof(played->line) - 1 - played->size,
                     MSG_DONTWAIT);
    char *newline;

    (void)source;
    (void)revents;
    (void)userdata;
    if (n <= 0) { /* the daemon let go of it */
        libvirt_played_end();
        return 0;
    }
    played->size += (size_t)n;
    while (played->fd >= 0 && (newline = memchr(played->line, '\n', played->size))) {
        struct json_object *request;

        *newline = '\0';
        request = json_tokener_parse(played->line);
        assert_non_null(request);
        take(request);
        json_object_put(request);
        played->size -= (size_t)(newline + 1 - played->line);
        memmove(played->line, newline + 1, played->size);
    }
    return 0;
}

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket);

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket)
{
    int sockets[2];
    char line[256];

    (void)ended;
    (void)userdata;
    assert_string_equal(uri, "test:///uri");
    played->starts++;
    if (played->not_installed)
        return -ENOENT;
    libvirt_played_end();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(fcntl(sockets[0], F_SETFL, O_NONBLOCK), 0);
    played->fd = sockets[1];
    assert_int_equal(sd_event_add_io(event, &played->source, played->fd, EPOLLIN, on_request, NULL),
                     0);
    if (!played->mute) {
        (void)snprintf(line, sizeof(line), CONNECTED, played->hypervisor);
        libvirt_played_say(line);
    }
    *ret_child = NULL;
    *ret_errors = NULL;
    *ret_socket = sockets[0];
    return 0;
}
