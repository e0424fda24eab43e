/* p9 server: diod serves a 9P session on a connection that it inherits. */
#include "base/child.h"
#include "base/program.h"
#include "descriptors.h"
#include "device/p9_server.h"
#include "device_support.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct told {
    unsigned ends;
    char text[2048];
};

static void on_ended(void *userdata, const char *text)
{
    struct told *told = userdata;

    told->ends++;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

static int skip_without_diod(void **state)
{
    char path[256];

    if (program_find("diod", path, sizeof(path)) < 0 && access("/usr/sbin/diod", X_OK) < 0) {
        (void)fprintf(stderr, "diod is not installed: not tested\n");
        skip();
    }
    return devices_set_up(state);
}

static void session_is_negotiated_and_its_end_is_told(void **state)
{
    /* size[4] Tversion tag[2] msize[4] version[s], and Rversion with the same */
    static const uint8_t request[] = {21, 0, 0,   0,   100, 0xff, 0xff, 0,   0,   1,  0,
                                      8,  0, '9', 'P', '2', '0',  '0',  '0', '.', 'L'};
    static const uint8_t answer[] = {21, 0, 0,   0,   101, 0xff, 0xff, 0,   0,   1,  0,
                                     8,  0, '9', 'P', '2', '0',  '0',  '0', '.', 'L'};
    struct devices *devices = *state;
    struct p9_server *server = NULL;
    struct told told = {0};
    uint8_t data[64];
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(
        p9_server_new(devices->event, ends[1], devices->directory, false, on_ended, &told, &server),
        0);
    assert_int_equal(write(ends[0], request, sizeof(request)), sizeof(request));
    assert_int_equal(recv(ends[0], data, sizeof(answer), MSG_WAITALL), sizeof(answer));
    assert_memory_equal(data, answer, sizeof(answer));
    (void)close(ends[0]);
    devices_wait(devices, &told.ends, 1);
    assert_non_null(strstr(told.text, "diod: exit status 0"));
    assert_null(p9_server_free(server));
}

static void server_is_ended_by_freeing_it(void **state)
{
    struct devices *devices = *state;
    struct p9_server *server = NULL;
    struct told told = {0};
    uint8_t byte;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(
        p9_server_new(devices->event, ends[1], devices->directory, true, on_ended, &told, &server),
        0);
    assert_null(p9_server_free(server));
    assert_int_equal(recv(ends[0], &byte, 1, 0), 0);
    (void)close(ends[0]);
    devices_run(devices, 50);
    assert_int_equal(told.ends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(session_is_negotiated_and_its_end_is_told,
                                        skip_without_diod, devices_tear_down),
        cmocka_unit_test_setup_teardown(server_is_ended_by_freeing_it, skip_without_diod,
                                        devices_tear_down),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
