/* launch: programs that systemd starts for the daemon, with the test in systemd's place. */
#include "base/child.h"
#include "base/launch.h"
#include "base/program.h"
#include "base/sink.h"
#include "descriptors.h"
#include "device/device_server.h"
#include "device/virtiofsd_command.h"
#include "device_support.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* The socket of guestlink-launch.socket. @return its descriptor */
static int listen_as_systemd(const struct devices *devices)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/launch", devices->directory);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(setenv(LAUNCH_VARIABLE, address.sun_path, 1), 0);
    return fd;
}

/* Accepts, and starts guestlink-launch as its unit does: as nobody's child here. @return a process
 * that ends with its exit status, or 128 and the signal's number */
static pid_t launch_as_systemd(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pid_t pid;

    assert_true(fd >= 0);
    pid = fork();
    if (pid == 0 && fork() != 0) {
        int status = 0;

        (void)close(fd);
        (void)wait(&status);
        _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
    if (pid == 0) {
        (void)dup2(fd, STDIN_FILENO);
        (void)execlp("guestlink-launch", "guestlink-launch", (char *)NULL);
        _exit(99);
    }
    (void)close(fd);
    return pid;
}

static int wait_for(pid_t pid)
{
    int status = -1;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void end_systemd(int listener)
{
    (void)unsetenv(LAUNCH_VARIABLE);
    (void)close(listener);
}

static void program_outside_finds_what_a_child_would(void **state)
{
    static const char *const argv[] = {
        "/bin/sh", "-c", "pwd; cat <&3; cat; echo \"<$1>\"; test -s record && exit 5",
        "-",       "",   NULL};
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child_spec spec = {
        .argv = argv, .directory = devices->directory, .outside = true, .detached = true};
    struct child *child = NULL;
    struct sink *sink = NULL;
    char record[128], expected[256], text[CHILD_END_SIZE];
    int listener = listen_as_systemd(devices), ends[2], three[2];
    pid_t pid;

    (void)snprintf(record, sizeof(record), "%s/record", devices->directory);
    spec.record = record;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(three, O_CLOEXEC), 0);
    assert_int_equal(write(three[1], "three\n", 6), 6);
    (void)close(three[1]);
    assert_int_equal(sink_new(devices->event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &sink), 0);
    memcpy(spec.fds, (int[]){-1, ends[1], ends[1], three[0]}, sizeof(spec.fds));

    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(ends[1]);
    (void)close(three[0]);
    assert_int_equal(child_pid(child), 0);
    assert_false(child_has_ended(child, NULL));
    pid = launch_as_systemd(listener);
    devices_wait(devices, &told.ends, 1);

    assert_int_equal(wait_for(pid), 5);
    sink_drain(sink);
    (void)snprintf(expected, sizeof(expected), "%s\nthree\n<>\n", devices->directory);
    assert_string_equal(sink_data(sink, NULL), expected);
    assert_false(told.end.known);
    assert_string_equal(child_end_describe(&told.end, text),
                        "exit status unknown: not a child of this daemon");
    child_free(child);
    sink_free(sink);
    end_systemd(listener);
}

static void program_outside_is_jailed_if_the_spec_says_so(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "cd /; echo * $$ >&2; exit 5", NULL};
    struct devices *devices = *state;
    const struct jail jail = {
        .folder = devices->directory,
        .place = "/share",
        .memory = 64 << 20,
        .files = 20,
        .calls = "read write close open openat stat fstat newfstatat lstat access fcntl dup2 brk "
                 "mmap munmap mprotect pread64 arch_prctl set_tid_address set_robust_list rseq "
                 "prlimit64 getrandom rt_sigaction rt_sigprocmask getpid getppid getuid geteuid "
                 "getgid getegid getcwd chdir getdents64 exit_group"};
    struct devices_told told = {0};
    struct child_spec spec = {
        .argv = argv, .fds = {-1, -1, -1, -1}, .outside = true, .detached = true, .jail = &jail};
    struct child *child = NULL;
    struct sink *sink = NULL;
    int listener = listen_as_systemd(devices), ends[2];
    pid_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(sink_new(devices->event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &sink), 0);
    spec.fds[2] = ends[1];
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(ends[1]);
    pid = launch_as_systemd(listener);
    devices_wait(devices, &told.ends, 1);
    assert_int_equal(wait_for(pid), 5);
    sink_drain(sink);
    assert_non_null(strstr(sink_data(sink, NULL), " share "));
    assert_null(strstr(sink_data(sink, NULL), "proc"));
    assert_non_null(strstr(sink_data(sink, NULL), " 1\n"));
    child_free(child);
    sink_free(sink);
    end_systemd(listener);
}

static void program_outside_can_be_killed(void **state)
{
    static const char *const argv[] = {"/bin/sleep", "60", NULL};
    const struct child_spec spec = {
        .argv = argv, .fds = {-1, -1, -1, -1}, .outside = true, .detached = true};
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child *child = NULL;
    int listener = listen_as_systemd(devices);
    pid_t pid;

    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    pid = launch_as_systemd(listener);
    while (child_signal(child, 0, false) == -ESRCH)
        devices_run(devices, 10);
    (void)child_kill(child);
    assert_int_equal(wait_for(pid), 128 + SIGKILL);
    assert_int_equal(told.ends, 0);
    devices_run(devices, 50);
    end_systemd(listener);
}

static void nothing_is_started_for_a_daemon_that_changed_its_mind(void **state)
{
    static const char *const argv[] = {"/bin/false", NULL};
    const struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, -1}, .outside = true};
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child *child = NULL;
    int listener = listen_as_systemd(devices);

    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)child_kill(child);
    assert_int_equal(wait_for(launch_as_systemd(listener)), 0);
    devices_run(devices, 10);
    assert_int_equal(told.ends, 0);
    end_systemd(listener);
}

/* The daemon has its number, and is gone before it says that it goes on. */
static void nothing_is_started_for_a_daemon_that_is_gone(void **state)
{
    static const char *const argv[] = {"/bin/false", NULL};
    const struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, -1}, .outside = true};
    int listener = listen_as_systemd(*state), connection = launch_ask(&spec);
    int32_t number = 0;
    pid_t pid;

    assert_true(connection >= 0);
    pid = launch_as_systemd(listener);
    assert_int_equal(poll(&(struct pollfd){.fd = connection, .events = POLLIN}, 1, 10000), 1);
    assert_int_equal(recv(connection, &number, sizeof(number), 0), sizeof(number));
    assert_int_equal(kill(number, 0), 0);
    assert_int_equal(shutdown(connection, SHUT_RDWR), 0); /* a child of ours holds it, too */
    assert_int_equal(wait_for(pid), 0);
    (void)close(connection);
    end_systemd(listener);
}

static void program_that_systemd_does_not_start_is_told(void **state)
{
    static const char *const argv[] = {"/bin/true", NULL};
    const struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, -1}, .outside = true};
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child *child = NULL;
    char text[CHILD_END_SIZE];
    int listener = listen_as_systemd(devices);

    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    devices_wait(devices, &told.ends, 1);
    assert_string_equal(child_end_describe(&told.end, text),
                        "systemd did not start it; see journalctl -u 'guestlink-launch*'");
    child_free(child);

    end_systemd(listener);
    assert_int_equal(setenv(LAUNCH_VARIABLE, "/nonexistent", 1), 0);
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), -ENOENT);
    (void)unsetenv(LAUNCH_VARIABLE);
}

static void on_virtiofsd_ended(void *userdata, const char *text)
{
    struct devices *devices = userdata;

    devices->losses++;
    (void)snprintf(devices->text, sizeof(devices->text), "%s", text);
}

static void on_virtiofsd_ready(void *userdata, const char *remark)
{
    (void)userdata;
    (void)remark;
}

static void on_aperture(void *userdata)
{
    (void)userdata;
}

/* Nobody here is its parent, and yet its end is known. */
static void virtiofsd_outside_is_told_with_how_it_ended(void **state)
{
    struct devices *devices = *state;
    char buffer[LIMITS_PATH], text[64];
    const struct config_serving serving = {0};
    struct device_server_spec spec = {.serving = &serving,
                                      .directory = devices->directory,
                                      .name = "c",
                                      .path = "/tmp",
                                      .options = "",
                                      .aperture = CONFIG_APERTURE_OFF};
    struct device_server *virtiofsd = NULL;
    int listener;
    pid_t pid, launched;

    if (!program_find_virtiofsd(NULL, buffer) || geteuid() != 0)
        skip();
    listener = listen_as_systemd(devices);
    assert_int_equal(device_server_start(devices->event, &spec,
                                         &(struct device_server_events){.ready = on_virtiofsd_ready,
                                                                        .ended = on_virtiofsd_ended,
                                                                        .aperture = on_aperture},
                                         devices, &virtiofsd),
                     0);
    launched = launch_as_systemd(listener);
    do {
        devices_run(devices, 10);
        pid = (pid_t)strtol(devices_read(devices, "c.pid", text, sizeof(text)), NULL, 10);
        pid = devices_child_of(devices_child_of(pid)); /* the keeper's relay's virtiofsd */
    } while (pid == 0);
    assert_int_equal(kill(pid, SIGKILL), 0);
    devices_wait(devices, &devices->losses, 1);
    assert_non_null(strstr(devices->text, "virtiofsd: killed by signal 9 (Killed); last output: "));
    assert_int_equal(wait_for(launched), 128 + SIGKILL);
    (void)device_server_stop(virtiofsd);
    end_systemd(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(program_outside_finds_what_a_child_would),
        TEST(program_outside_is_jailed_if_the_spec_says_so),
        TEST(program_outside_can_be_killed),
        TEST(nothing_is_started_for_a_daemon_that_changed_its_mind),
        TEST(nothing_is_started_for_a_daemon_that_is_gone),
        TEST(program_that_systemd_does_not_start_is_told),
        TEST(virtiofsd_outside_is_told_with_how_it_ended),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
