/*
 * Serves a directory as the daemon does, until its standard input ends: with the daemon's own code,
 * its relay, and guestlink-launch if the environment names its socket.
 *
 *   serve DIRECTORY NAME PATH ro|rw OPTIONS auto|require|off [VIRTIOFSD]
 *
 * On stdout: the socket's path once it runs; "ended: " and how, if it does.
 */
#include "base/child.h"
#include "device/device_server.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static void on_ready(void *userdata, const char *remark)
{
    struct device_server **virtiofsd = userdata;

    (void)remark;
    printf("%s\n", device_server_socket(*virtiofsd));
    (void)fflush(stdout);
}

static void on_ended(void *userdata, const char *text)
{
    (void)userdata;
    printf("ended: %s\n", text);
    (void)fflush(stdout);
}

static void on_aperture(void *userdata)
{
    (void)userdata;
}

/* @return false: it is none */
static bool read_mode(const char *word, enum config_aperture *ret_mode)
{
    for (int i = 0; config_aperture_names[i]; i++) {
        *ret_mode = (enum config_aperture)i;
        if (strcmp(config_aperture_names[i], word) == 0)
            return true;
    }
    return false;
}

static int on_stdin(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    char byte;

    (void)revents;
    (void)userdata;
    return read(fd, &byte, 1) == 1 ? 0 : sd_event_exit(sd_event_source_get_event(source), 0);
}

int main(int argc, char *argv[])
{
    static const struct device_server_events events = {
        .ready = on_ready, .ended = on_ended, .aperture = on_aperture};
    static const struct config_serving usual = {0};
    struct device_server_spec spec = {.uid = getuid(), .gid = getgid(), .serving = &usual};
    struct device_server *virtiofsd = NULL;
    sd_event *event = NULL;
    int r;

    if (argc < 7 || !read_mode(argv[6], &spec.aperture))
        return EXIT_FAILURE;
    spec.directory = argv[1];
    spec.name = argv[2];
    spec.path = argv[3];
    spec.read_only = strcmp(argv[4], "ro") == 0;
    spec.options = argv[5];
    spec.program = argv[7];
    r = sd_event_default(&event);
    if (r >= 0)
        r = sd_event_add_io(event, NULL, STDIN_FILENO, EPOLLIN, on_stdin, NULL);
    if (r >= 0)
        r = device_server_start(event, &spec, &events, &virtiofsd, &virtiofsd);
    if (r >= 0)
        r = sd_event_loop(event);
    if (r < 0)
        fprintf(stderr, "cannot serve %s: %s\n", spec.path, strerrordesc_np(-r));
    (void)device_server_stop(virtiofsd);
    sd_event_unref(event);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
