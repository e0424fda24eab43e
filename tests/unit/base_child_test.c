/* child: what a process that the daemon starts finds, and how its end is told. */
#include "base/child.h"
#include "base/child_exec.h"
#include "base/sink.h"
#include "descriptors.h"
#include "device_support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell's command with stdout into a sink. @return the sink, drained */
static struct sink *run(struct devices *devices, const char *command, struct child_spec *spec,
                        struct devices_told *told)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct child *child = NULL;
    struct sink *sink = NULL;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(sink_new(devices->event, ends[0], SINK_KEEP_LAST, SINK_LAST_WORDS, &sink), 0);
    spec->argv = argv;
    spec->fds[0] = spec->fds[3] = -1;
    spec->fds[1] = spec->fds[2] = ends[1];
    assert_int_equal(child_start(devices->event, spec, devices_told_end, told, &child), 0);
    (void)close(ends[1]);
    devices_wait(devices, &told->ends, 1);
    sink_drain(sink);
    child_free(child);
    return sink;
}

static void child_has_its_descriptors_and_no_others(void **state)
{
    struct devices_told told = {0};
    struct child_spec spec = {.argv = NULL};
    struct sink *sink = run(*state, "ls /proc/self/fd | tr '\\n' ' '", &spec, &told);

    /* 3 is ls's own, of the directory */
    assert_string_equal(sink_data(sink, NULL), "0 1 2 3 ");
    sink_free(sink);
}

static void child_has_default_signals_and_none_of_systemds_variables(void **state)
{
    struct devices_told told = {0};
    struct child_spec spec = {.detached = true};
    sigset_t blocked;
    struct sink *sink;

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("NOTIFY_SOCKET", "/run/x", 1);
    sink = run(*state, "grep -E '^Sig(Blk|Ign)' /proc/self/status; echo \"<$NOTIFY_SOCKET>\"",
               &spec, &told);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    assert_string_equal(sink_data(sink, NULL),
                        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n<>\n");
    sink_free(sink);
}

static void ends_are_described(void **state)
{
    static const struct {
        const char *command, *text;
    } rows[] = {
        {"exit 0", "exit status 0"},
        {"exit 3", "exit status 3"},
        {"kill -15 $$", "killed by signal 15 (Terminated)"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct devices_told told = {0};
        struct child_spec spec = {.argv = NULL};
        char text[CHILD_END_SIZE];

        sink_free(run(*state, rows[i].command, &spec, &told));
        assert_string_equal(child_end_describe(&told.end, text), rows[i].text);
    }
}

static void program_that_cannot_be_executed_says_so(void **state)
{
    const char *const argv[] = {"/nonexistent", NULL};
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child_spec spec = {.argv = argv, .fds = {-1, -1, -1, -1}};
    struct child *child;

    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    devices_wait(devices, &told.ends, 1);
    assert_int_equal(told.end.status, 127);
    child_free(child);
}

static void process_is_recalled_by_its_record(void **state)
{
    const char *const argv[] = {"/bin/sleep", "60", NULL};
    struct devices *devices = *state;
    struct devices_told told = {0}, recalled = {0};
    char record[128];
    struct child_spec spec = {
        .argv = argv, .fds = {-1, -1, -1, -1}, .detached = true, .record = record};
    struct child *child, *again = NULL;
    struct stat status;
    FILE *file;

    (void)snprintf(record, sizeof(record), "%s/record", devices->directory);
    assert_int_equal(child_recall(devices->event, record, devices_told_end, &recalled, &again),
                     -ESRCH);
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    while (stat(record, &status) < 0 || status.st_size == 0)
        devices_run(devices, 5);
    assert_int_equal(child_recall(devices->event, record, devices_told_end, &recalled, &again), 0);
    assert_int_equal(child_pid(again), child_pid(child));
    assert_int_equal(child_signal(again, SIGKILL, true), 0);
    devices_wait(devices, &told.ends, 1);
    devices_wait(devices, &recalled.ends, 1);
    child_free(child);
    child_free(again);
    assert_int_equal(child_recall(devices->event, record, devices_told_end, &recalled, &again),
                     -ESRCH);

    /* Another process with that number has another start time. */
    file = fopen(record, "we");
    assert_non_null(file);
    (void)fprintf(file, "%d 1 00000000-0000-0000-0000-000000000000\n", (int)getpid());
    (void)fclose(file);
    assert_int_equal(child_recall(devices->event, record, devices_told_end, &recalled, &again),
                     -ESRCH);
}

static void write_record(const char *path, const char *form, int pid, const char *start,
                         const char *boot)
{
    FILE *file = fopen(path, "we");

    if (!file) {
        fail();
        return;
    }
    for (; *form; form++)
        switch (*form) {
        case 'P':
            (void)fprintf(file, "%d", pid);
            break;
        case 'S':
            (void)fputs(start, file);
            break;
        case 'B':
            (void)fputs(boot, file);
            break;
        default:
            (void)fputc(*form, file);
        }
    (void)fclose(file);
}

/* Whole, of this boot, and of a process that lives. */
static void record_names_one_process_or_none(void **state)
{
    /* for the process, its start and its boot stand P, S and B */
    static const char *const no_records[] = {
        "P S B",
        "P S B\n\n",
        "P S\n",
        "P\n",
        "\n",
        "",
        "P,S B\n",
        "1 S B\n",
        "0 S B\n",
        "-P S B\n",
        "P 1S B\n",
        "P S,B\n",
        "P S xB\n",
        "P 0 B\n",
        "P S  B\n",
        "xP S B\n",
        "4294967296 S B\n",
        "P S 00000000-0000-0000-0000-000000000000\n",
    };
    const char *const argv[] = {"/bin/cat", NULL};
    struct devices *devices = *state;
    struct devices_told told = {0};
    char record[128], link[128], text[128], start[32] = "", boot[64] = "";
    siginfo_t info;
    int input[2], number;
    struct child_spec spec = {.argv = argv, .record = record};
    struct child *child;
    pid_t pid = 0;

    (void)snprintf(record, sizeof(record), "%s/record", devices->directory);
    (void)snprintf(link, sizeof(link), "%s/link", devices->directory);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    memcpy(spec.fds, (const int[]){input[0], -1, -1, -1}, sizeof(spec.fds));
    assert_int_equal(child_start(devices->event, &spec, devices_told_end, &told, &child), 0);
    (void)close(input[0]);
    number = (int)child_pid(child);
    while (child_record_read(record, &pid) < 0)
        devices_run(devices, 5);
    assert_int_equal(pid, number);
    (void)devices_read(devices, "record", text, sizeof(text));
    {
        char *space = strchr(text, ' '), *last = strrchr(text, ' ');

        if (!space || last == space)
            fail();
        else {
            (void)snprintf(start, sizeof(start), "%.*s", (int)(last - space - 1), space + 1);
            (void)snprintf(boot, sizeof(boot), "%.36s", last + 1);
        }
    }
    write_record(record, "P S B\n", number, start, boot);
    assert_int_equal(child_record_read(record, &pid), 0);
    for (size_t i = 0; i < sizeof(no_records) / sizeof(no_records[0]); i++) {
        write_record(record, no_records[i], number, start, boot);
        if (child_record_read(record, &pid) != -ESRCH)
            fail_msg("taken for a record: %s", no_records[i]);
    }
    write_record(record, "P S B\n", number, start, boot);
    assert_int_equal(symlink(record, link), 0);
    assert_int_equal(child_record_read(link, &pid), -ESRCH);
    (void)close(input[1]);
    assert_int_equal(waitid(P_PID, (id_t)number, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(child_record_read(record, &pid), -ESRCH); /* it only waits to be waited for */
    devices_wait(devices, &told.ends, 1);
    child_free(child);
}

static void directory_is_read_only_for_the_child_alone(void **state)
{
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child_spec spec = {.folder = devices->directory, .read_only = true};
    char command[256];

    if (geteuid() != 0)
        skip();
    (void)snprintf(command, sizeof(command), "touch %s/x", devices->directory);
    sink_free(run(devices, command, &spec, &told));
    assert_int_not_equal(told.end.status, 0);
    (void)devices_script(devices, "y", "still writable here");
}

static void devices_in_the_directory_open_nothing_for_the_child(void **state)
{
    struct devices *devices = *state;
    struct devices_told told = {0};
    struct child_spec spec = {.folder = devices->directory};
    char path[128], command[512];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/null", devices->directory);
    if (geteuid() != 0 || mknod(path, S_IFCHR | 0600, makedev(1, 3)) < 0)
        skip();
    fd = open(path, O_RDONLY | O_CLOEXEC);
    (void)close(fd);
    if (fd < 0)
        skip(); /* this file system opens no devices anyway */
    (void)snprintf(command, sizeof(command), "touch %s/x && ! true <%s", devices->directory, path);
    sink_free(run(devices, command, &spec, &told));
    assert_int_equal(told.end.status, 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    (void)close(fd);
}

/* @return what is said of a child that is not started, of which the caller frees the sink */
static struct sink *run_nothing(struct devices *devices, struct child_spec *spec)
{
    struct devices_told told = {0};
    struct sink *sink = run(devices, "echo begun", spec, &told);

    assert_true(told.end.known && !told.end.signaled);
    assert_int_equal(told.end.status, CHILD_NOT_STARTED);
    assert_null(strstr(sink_data(sink, NULL), "begun"));
    return sink;
}

static void child_without_its_directory_or_its_record_does_not_start(void **state)
{
    struct child_spec spec = {.directory = "/nonexistent/folder"};
    struct sink *sink = run_nothing(*state, &spec);

    assert_string_equal(sink_data(sink, NULL),
                        "cannot change to /nonexistent/folder: No such file or directory\n");
    sink_free(sink);
    spec = (struct child_spec){.record = "/nonexistent/record"};
    sink = run_nothing(*state, &spec);
    assert_string_equal(sink_data(sink, NULL),
                        "cannot write /nonexistent/record: No such file or directory\n");
    sink_free(sink);
    spec = (struct child_spec){.folder = "/nonexistent/folder"};
    if (geteuid() == 0) {
        sink = run_nothing(*state, &spec);
        assert_string_equal(sink_data(sink, NULL),
                            "cannot mount /nonexistent/folder nodev,nosuid (needs CAP_SYS_ADMIN): "
                            "No such file or directory; not started\n");
        sink_free(sink);
    }
}

/* What cannot be done without a right to mount is done without, but for what was promised. */
static void without_a_right_to_mount_only_a_read_only_folder_is_refused(void **state)
{
    struct devices *devices = *state;
    struct child_spec spec = {.folder = devices->directory};
    struct devices_told told = {0};
    struct sink *sink = run(devices, "echo begun", &spec, &told);

    assert_int_equal(told.end.status, 0);
    assert_string_equal(sink_data(sink, NULL), "begun\n");
    sink_free(sink);
    spec.read_only = true;
    sink = run_nothing(devices, &spec);
    assert_non_null(strstr(sink_data(sink, NULL),
                           " read-only,nodev,nosuid (needs CAP_SYS_ADMIN): Operation not "
                           "permitted; not started\n"));
    sink_free(sink);
}

static int drop_capabilities(void **state)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return syscall(SYS_capset, &header, none) < 0 ? -1 : descriptors_note(state);
}

static void last_words_are_the_last_in_one_line(void **state)
{
    struct devices_told told = {0};
    struct child_spec spec = {.argv = NULL};
    char words[SINK_LAST_WORDS + 1];
    struct sink *sink = run(*state,
                            "head -c 300000 /dev/zero | tr '\\0' x; echo; echo 'one\ttwo'; echo; "
                            "echo three",
                            &spec, &told);

    devices_run(*state, 10);
    (void)sink_last_words(sink, words, sizeof(words));
    assert_in_range(strlen(words), 900, SINK_LAST_WORDS);
    assert_string_equal(strchr(words, ';'), "; one two; three");
    sink_free(sink);
}

static void last_words_cannot_steer_a_terminal(void **state)
{
    struct devices_told told = {0};
    struct child_spec spec = {.argv = NULL};
    char words[SINK_LAST_WORDS + 1];
    struct sink *sink =
        run(*state, "printf 'a\\033[31m\\302\\233b\\342\\200\\256c\\377d\\000e\\n'", &spec, &told);

    devices_run(*state, 10);
    assert_string_equal(sink_last_words(sink, words, sizeof(words)), "a [31m b?c?d e");
    sink_free(sink);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, devices_set_up, devices_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(child_has_its_descriptors_and_no_others),
        TEST(child_has_default_signals_and_none_of_systemds_variables),
        TEST(ends_are_described),
        TEST(last_words_cannot_steer_a_terminal),
        TEST(program_that_cannot_be_executed_says_so),
        TEST(process_is_recalled_by_its_record),
        TEST(record_names_one_process_or_none),
        TEST(directory_is_read_only_for_the_child_alone),
        TEST(devices_in_the_directory_open_nothing_for_the_child),
        TEST(last_words_are_the_last_in_one_line),
        TEST(child_without_its_directory_or_its_record_does_not_start),
    };
    const struct CMUnitTest others[] = {
        TEST(without_a_right_to_mount_only_a_read_only_folder_is_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare) +
           cmocka_run_group_tests_name("without capabilities", others, drop_capabilities,
                                       descriptors_compare);
}
