/*
 * guestlink-libvirt's side of its JSON, against the steps that attach devices: device_play.h.
 *
 * This process plays guestlink-libvirt, for a real device host.
 */
#include "base/child.h"
#include "base/sink.h"
#include "device_play.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTED "{\"event\": \"connected\", \"hypervisor\": \"10.0.3\"}\n"
#define RUNS                                                                                       \
    "{\"id\": $, \"result\": {}}\n{\"id\": $, \"result\": {\"active\": true, \"run\": 1}}\n"

static struct device_play *playing;

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket);

int __wrap_domain_program_start(sd_event *event, const char *uri, child_ended_fn ended,
                                void *userdata, struct child **ret_child, struct sink **ret_errors,
                                int *ret_socket)
{
    int ends[2];

    (void)event;
    (void)uri;
    (void)ended;
    (void)userdata;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    FUZZ_CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    if (playing->connection >= 0)
        (void)close(playing->connection);
    playing->connection = ends[1];
    *ret_child = NULL;
    *ret_errors = NULL;
    *ret_socket = ends[0];
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_vm vm = {.name = (char *)"dev",
                           .id = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01",
                           .device_host = {.type = CONFIG_DEVICE_HOST_LIBVIRT,
                                           .uri = (char *)"test:///default",
                                           .domain = (char *)"dev"}};
    struct device_play play = {.connection = -1, .second = CONFIG_BACKEND_BRIDGE};

    if (size < 2)
        return 0;
    playing = &play;
    device_play_begin(&play, data, &vm);
    FUZZ_CHECK(play.connection >= 0);
    device_play_say(&play, CONNECTED RUNS, data + 2, size - 2);
    device_play_end(&play);
    return 0;
}
