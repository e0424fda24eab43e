/* device server: what is started for an adapter, what is heard of it, and what is left. In the
 * place of the relay there is what stands before it, a script of the test's. */
#include "base/aperture_status.h"
#include "descriptors.h"
#include "device/device_server.h"
#include "device_support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const passt[] = {"/nonexistent/passt", "-x", NULL};

struct heard {
    unsigned readies, ends, apertures, restorations;
    char remark[256], text[DEVICE_SERVER_TEXT_SIZE];
};

int __wrap_sd_booted(void);
int __wrap_sd_booted(void)
{
    return 0; /* no unit is made of it */
}

static void on_ready(void *userdata, const char *remark)
{
    struct heard *heard = userdata;

    heard->readies++;
    (void)snprintf(heard->remark, sizeof(heard->remark), "%s", remark);
}

static void on_ended(void *userdata, const char *text)
{
    struct heard *heard = userdata;

    heard->ends++;
    (void)snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static void on_aperture(void *userdata)
{
    ((struct heard *)userdata)->apertures++;
}

static void on_restored(void *userdata, const char *text)
{
    struct heard *heard = userdata;

    heard->restorations++;
    (void)snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static const struct device_server_events events = {
    .ready = on_ready, .ended = on_ended, .aperture = on_aperture, .restored = on_restored};

static struct device_server *start(struct devices *devices, struct heard *heard)
{
    char script[512], said[64];
    const char *guard[] = {NULL, "--flag", "two words", NULL};
    const struct device_server_spec spec = {.directory = devices->directory,
                                            .name = DEVICE_SERVER_PASST "x",
                                            .path = "adapter x",
                                            .passt = passt,
                                            .guard = guard,
                                            .options = "",
                                            .aperture = CONFIG_APERTURE_OFF,
                                            .uid = (uid_t)-1,
                                            .gid = (gid_t)-1};
    struct device_server *server = NULL;

    (void)snprintf(script, sizeof(script),
                   "#!/bin/sh\necho last words >&2\nprintf '%%s|' \"$@\" >%s/said.new\n"
                   "mv %s/said.new %s/said\nexec sleep 1000\n",
                   devices->directory, devices->directory, devices->directory);
    guard[0] = devices_script(devices, "guard", script);
    assert_int_equal(device_server_start(devices->event, &spec, &events, heard, &server), 0);
    devices_wait(devices, &heard->readies, 1);
    while (!devices_read(devices, "said", said, sizeof(said))[0])
        devices_run(devices, 5);
    return server;
}

static const char *path_of(const struct devices *devices, const char *name)
{
    static char path[FOLDER_BYTES + 32];

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, name);
    return path;
}

/* As the relay does: whole, and then by its name. */
static void put(const struct devices *devices, const char *name, const char *text)
{
    char new_path[FOLDER_BYTES + 32];
    int fd;

    (void)snprintf(new_path, sizeof(new_path), "%s", path_of(devices, "new"));
    fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    (void)close(fd);
    assert_int_equal(rename(new_path, path_of(devices, name)), 0);
}

static void guard_stands_before_the_relay(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server *server = start(devices, &heard);
    char said[512];

    (void)devices_read(devices, "said", said, sizeof(said));
    assert_int_equal(strncmp(said, "--flag|two words|/", 18), 0);
    assert_non_null(strstr(said, "/guestlink-virtiofs-relay|"));
    assert_null(strstr(said, "passt")); /* that is for the relay to read */
    assert_string_equal(heard.remark, "");
    assert_string_equal(device_server_socket(server), path_of(devices, "net-x.sock"));
    assert_int_equal(access(path_of(devices, "net-x.sock"), F_OK), 0);
    assert_false(device_server_has_ended(server));
    assert_null(device_server_stop(server));
    assert_int_equal(access(path_of(devices, "net-x.sock"), F_OK), -1);
    assert_int_equal(access(path_of(devices, "net-x.pid"), F_OK), -1);
    assert_int_equal(heard.ends, 0); /* who stops it knows */
}

static void its_own_files_alone_are_heard_of(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server *server = start(devices, &heard);
    struct aperture_status status;

    heard.apertures = 0;
    assert_int_equal(device_server_get_aperture(server, &status), -ENOENT);
    put(devices, "net-y.ap", "enforced 1\n");
    put(devices, "net-y.end", "status 1\n");
    put(devices, "net-x.sock.other", "");
    devices_run(devices, 50);
    assert_int_equal(heard.apertures, 0);
    assert_int_equal(heard.restorations, 0);
    put(devices, "net-x.ap", "enforced 4096\n");
    devices_wait(devices, &heard.apertures, 1);
    assert_int_equal(device_server_get_aperture(server, &status), 0);
    assert_int_equal(status.state, APERTURE_ENFORCED);
    assert_int_equal(status.bytes, 4096);
    assert_int_equal(heard.restorations, 0);
    put(devices, "net-x.end", "signal 9\n");
    devices_wait(devices, &heard.restorations, 1);
    assert_int_equal(heard.apertures, 1);
    assert_non_null(strstr(heard.text, "passt: killed by signal 9 (Killed)"));
    assert_non_null(strstr(heard.text, "last words"));
    assert_int_equal(heard.ends, 0);
    (void)device_server_stop(server);
}

static void end_is_told_with_the_last_words(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server *server = start(devices, &heard);
    char text[64];
    pid_t pid = (pid_t)strtol(devices_read(devices, "net-x.pid", text, sizeof(text)), NULL, 10);

    assert_true(pid > 1);
    assert_int_equal(kill(pid, SIGKILL), 0);
    devices_wait(devices, &heard.ends, 1);
    assert_true(device_server_has_ended(server));
    assert_non_null(strstr(heard.text, "killed by signal 9"));
    assert_non_null(strstr(heard.text, "last words"));
    put(devices, "net-x.end", "status 0\n"); /* nothing takes its place */
    devices_run(devices, 50);
    assert_int_equal(heard.restorations, 0);
    assert_int_equal(heard.ends, 1);
    (void)device_server_stop(server);
}

static void next_daemon_takes_it_over(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server *server = start(devices, &heard);

    assert_null(device_server_free(server));
    assert_int_equal(access(path_of(devices, "net-x.sock"), F_OK), 0); /* all is as it was */
    assert_int_equal(
        device_server_adopt(devices->event, devices->directory, "net-y", &events, &heard, &server),
        -ESRCH);
    assert_int_equal(
        device_server_adopt(devices->event, devices->directory, "net-x", &events, &heard, &server),
        0);
    assert_false(device_server_has_ended(server));
    heard.apertures = 0;
    put(devices, "net-x.ap", "enforced 4096\n");
    devices_wait(devices, &heard.apertures, 1);
    assert_int_equal(heard.readies, 1); /* it was ready before */
    (void)device_server_free(server);
    device_server_sweep(devices->event, devices->directory, "net-x");
    assert_int_equal(access(path_of(devices, "net-x.sock"), F_OK), -1);
    assert_int_equal(
        device_server_adopt(devices->event, devices->directory, "net-x", &events, &heard, &server),
        -ESRCH);
}

/* Whatever a relay says that was taken over. */
static void nonsense_is_no_aperture(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server *server = start(devices, &heard);
    struct aperture_status status;

    assert_false(aperture_status_is_confirmed(path_of(devices, "net-x.ap"), 7));
    put(devices, "net-x.ap", "enforced 4096 and more\n");
    assert_int_equal(device_server_get_aperture(server, &status), 0);
    assert_int_equal(status.state, APERTURE_NONE);
    assert_non_null(strstr(status.reason, "cannot read the relay's report"));
    assert_int_equal(
        aperture_status_write(path_of(devices, "net-x.ap"),
                              &(struct aperture_status){.state = APERTURE_WAITING, .bytes = 7}),
        0);
    assert_int_equal(device_server_get_aperture(server, &status), 0);
    assert_int_equal(status.state, APERTURE_WAITING);
    assert_int_equal(device_server_confirm_aperture(server, 7), 0);
    assert_true(aperture_status_is_confirmed(path_of(devices, "net-x.ap"), 7));
    assert_false(aperture_status_is_confirmed(path_of(devices, "net-x.ap"), 8));
    (void)device_server_stop(server);
}

static pid_t pid_of(const struct devices *devices)
{
    char text[64];

    return (pid_t)strtol(devices_read(devices, "net-x.pid", text, sizeof(text)), NULL, 10);
}

/* It may not have been reaped yet, by whoever does that. */
static bool is_running(pid_t pid)
{
    char path[64], text[256] = "";
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    (void)!fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    return !strstr(text, ") Z");
}

/* One that an earlier daemon left is killed before. */
static void successor_has_the_name_alone(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0}, other = {0};
    struct device_server *server = start(devices, &heard);
    pid_t first = pid_of(devices);

    (void)device_server_free(server);
    assert_true(is_running(first));
    server = start(devices, &other);
    assert_int_not_equal(pid_of(devices), first);
    for (unsigned i = 0; i < 6000 && is_running(first); i++)
        devices_run(devices, 10);
    assert_false(is_running(first));
    assert_int_equal(heard.ends, 0);
    assert_false(device_server_has_ended(server));
    (void)device_server_stop(server);
}

static void what_cannot_be_started_leaves_nothing(void **state)
{
    struct devices *devices = *state;
    struct heard heard = {0};
    struct device_server_spec spec = {.directory = devices->directory,
                                      .name = DEVICE_SERVER_PASST "x",
                                      .path = "adapter x",
                                      .passt = passt,
                                      .options = "",
                                      .uid = (uid_t)-1,
                                      .gid = (gid_t)-1};
    struct device_server *server = NULL;
    char missing[FOLDER_BYTES + 32], name[300];

    (void)snprintf(missing, sizeof(missing), "%s/no/such", devices->directory);
    spec.directory = missing;
    assert_int_equal(device_server_start(devices->event, &spec, &events, &heard, &server), -ENOENT);
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    spec.directory = devices->directory;
    spec.name = name;
    assert_int_equal(device_server_start(devices->event, &spec, &events, &heard, &server),
                     -ENAMETOOLONG);
    assert_int_equal(
        device_server_adopt(devices->event, devices->directory, name, &events, &heard, &server),
        -ENAMETOOLONG);
    device_server_sweep(devices->event, devices->directory, name);
    assert_null(server);
    assert_null(device_server_stop(NULL));
    assert_null(device_server_free(NULL));
    assert_int_equal(heard.readies + heard.ends, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(guard_stands_before_the_relay),
        TEST(its_own_files_alone_are_heard_of),
        TEST(end_is_told_with_the_last_words),
        TEST(next_daemon_takes_it_over),
        TEST(nonsense_is_no_aperture),
        TEST(successor_has_the_name_alone),
        TEST(what_cannot_be_started_leaves_nothing),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
