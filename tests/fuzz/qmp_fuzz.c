/*
 * QEMU's side of QMP, against the steps that plug devices: device_play.h.
 *
 * A socket of this process plays QEMU, for a real device host.
 */
#include "device_play.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GREETING "{\"QMP\": {}}\n"
#define AGREED   "{\"return\": {}, \"id\": $}\n"

/* A listening socket at the path that the device host connects to. */
static int listen_for_daemon(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)unlink(path);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    FUZZ_CHECK(fd >= 0);
    FUZZ_CHECK(bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    FUZZ_CHECK(listen(fd, 1) == 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct config_vm vm = {.name = (char *)"dev",
                           .id = "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01",
                           .device_host = {.type = CONFIG_DEVICE_HOST_QEMU, .qmp = path}};
    struct device_play play = {.connection = -1, .second = CONFIG_BACKEND_STREAM};
    int listener;

    if (size < 2)
        return 0;
    (void)snprintf(path, sizeof(path), "%s/qmp", device_play_folder());
    listener = listen_for_daemon(path);
    device_play_begin(&play, data, &vm);
    play.connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    FUZZ_CHECK(play.connection >= 0);
    (void)close(listener);
    device_play_say(&play, GREETING AGREED, data + 2, size - 2);
    device_play_end(&play);
    return 0;
}
