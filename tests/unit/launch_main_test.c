/* launch: what guestlink-launch takes for a request, and what it does not. The test is the daemon.
 */
#include "base/child_exec.h"
#include "base/launch.h"
#include "descriptors.h"
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 60000

struct launch {
    pid_t pid;
    int connection; /* the daemon's end */
    int said;       /* its standard error */
};

/* @param stdin_fd  its descriptor 0, which is closed here */
static struct launch start_with(int stdin_fd)
{
    struct launch launch = {.connection = -1};
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    launch.pid = fork();
    if (launch.pid == 0) {
        (void)dup2(stdin_fd, STDIN_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execlp("guestlink-launch", "guestlink-launch", (char *)NULL);
        _exit(99);
    }
    (void)close(ends[1]);
    (void)close(stdin_fd);
    launch.said = ends[0];
    return launch;
}

static struct launch start(void)
{
    struct launch launch;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    launch = start_with(ends[1]);
    launch.connection = ends[0];
    return launch;
}

/* Waits for its end. @return its exit status; what it said is in @p said */
static int finish(struct launch *launch, char said[1024])
{
    size_t size = 0;
    ssize_t n;
    int status;

    while (size < 1023 && (n = read(launch->said, said + size, 1023 - size)) > 0)
        size += (size_t)n;
    said[size] = '\0';
    (void)close(launch->said);
    if (launch->connection >= 0)
        (void)close(launch->connection);
    assert_int_equal(waitpid(launch->pid, &status, 0), launch->pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void send_bytes(const struct launch *launch, const char *bytes, size_t size, const int *fds,
                       size_t fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(8 * sizeof(int))];
    } control = {.space = {0}};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count > 0) {
        envelope.msg_control = control.space;
        envelope.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, fd_count * sizeof(int));
    }
    assert_int_equal(sendmsg(launch->connection, &envelope, MSG_NOSIGNAL), size);
}

/* A request: its fields, and the program's words. */
struct asked {
    const char *fields[LAUNCH_FIELDS];
    const char *words[LAUNCH_WORDS + 2];
    const int *fds;
    size_t fd_count;
};

/* @param cut  so many bytes of its end are not sent */
static void ask_for(const struct launch *launch, const struct asked *asked, size_t cut)
{
    static char text[LAUNCH_MESSAGE_SIZE];
    size_t size = 0;

    for (size_t i = 0; i < LAUNCH_FIELDS; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s",
                                 asked->fields[i] ? asked->fields[i] : "") +
                1;
    for (size_t i = 0; asked->words[i]; i++)
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s", asked->words[i]) + 1;
    send_bytes(launch, text, size - cut, asked->fds, asked->fd_count);
}

static void ask(const struct launch *launch, const struct asked *asked)
{
    ask_for(launch, asked, 0);
}

/* Takes its answer: that it is this process. */
static void need_answer(const struct launch *launch)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    int32_t pid = 0;
    struct iovec part = {.iov_base = &pid, .iov_len = sizeof(pid)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.space,
                              .msg_controllen = sizeof(control.space)};
    char path[64], text[512] = "", wanted[64];
    const struct cmsghdr *message;
    int pidfd = -1, info;

    assert_int_equal(recvmsg(launch->connection, &envelope, MSG_CMSG_CLOEXEC), sizeof(pid));
    assert_int_equal(pid, launch->pid);
    message = CMSG_FIRSTHDR(&envelope);
    if (!message)
        fail_msg("no descriptor came");
    else
        memcpy(&pidfd, CMSG_DATA(message), sizeof(pidfd));
    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    info = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(read(info, text, sizeof(text) - 1) > 0);
    (void)snprintf(wanted, sizeof(wanted), "\nPid:\t%d\n", (int)pid);
    assert_non_null(strstr(text, wanted));
    (void)close(info);
    (void)close(pidfd);
}

static void say_go(const struct launch *launch)
{
    assert_int_equal(send(launch->connection, "g", 1, MSG_NOSIGNAL), 1);
}

/* Asks, and says go. @return its exit status */
static int run(const struct asked *asked, char said[1024])
{
    struct launch launch = start();

    ask(&launch, asked);
    need_answer(&launch);
    say_go(&launch);
    return finish(&launch, said);
}

#define SHELL(script) .words = {"/bin/sh", "-c", script}

static void program_is_what_was_asked_for(void **state)
{
    char said[1024], path[FOLDER_BYTES], record[FOLDER_BYTES + 16], expected[256];
    struct asked asked = {SHELL("pwd >&2; echo $# \"$1\" \"<$2>\" >&2; read word <&3;"
                                "echo $word >&2; exit 5")};
    int ends[2];
    pid_t recorded;

    (void)state;
    folder_make(path);
    (void)snprintf(record, sizeof(record), "%s/record", path);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], "three\n", 6), 6);
    asked.words[3] = "sh";
    asked.words[4] = "a b";
    asked.words[5] = "";
    asked.fields[LAUNCH_DIRECTORY] = path;
    asked.fields[LAUNCH_RECORD] = record;
    asked.fields[LAUNCH_FDS] = "32"; /* in the order in which they come along */
    {
        struct launch launch = start();
        int two[2];

        assert_int_equal(pipe2(two, O_CLOEXEC), 0);
        asked.fds = (const int[]){ends[0], two[1]};
        asked.fd_count = 2;
        ask(&launch, &asked);
        need_answer(&launch);
        say_go(&launch);
        (void)close(two[1]);
        assert_int_equal(finish(&launch, said), 5);
        assert_string_equal(said, "");
        {
            ssize_t size = 0, n;

            while ((n = read(two[0], said + size, sizeof(said) - 1 - (size_t)size)) > 0)
                size += n;
            said[size] = '\0';
        }
        (void)close(two[0]);
        assert_int_equal(child_record_read(record, &recorded), -ESRCH); /* it has ended */
    }
    (void)snprintf(expected, sizeof(expected), "%s\n2 a b <>\nthree\n", path);
    assert_string_equal(said, expected);
    {
        struct stat st;

        assert_int_equal(stat(record, &st), 0);
        assert_true(st.st_size > 0);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    folder_remove(path);
}

static void folder_is_read_only_if_that_is_asked_for(void **state)
{
    struct asked asked = {SHELL("echo x >made")};
    char said[1024], path[FOLDER_BYTES], made[FOLDER_BYTES + 8];

    (void)state;
    folder_make(path);
    (void)snprintf(made, sizeof(made), "%s/made", path);
    asked.fields[LAUNCH_FOLDER] = asked.fields[LAUNCH_DIRECTORY] = path;
    asked.fields[LAUNCH_READ_ONLY] = "1";
    assert_int_not_equal(run(&asked, said),
                         0); /* or it was not started: it takes a right to mount */
    assert_int_equal(access(made, F_OK), -1);
    asked.fields[LAUNCH_READ_ONLY] = "";
    assert_int_equal(run(&asked, said), 0);
    assert_int_equal(access(made, F_OK), 0);
    folder_remove(path);
}

static void session_is_its_own_if_it_is_detached(void **state)
{
    /* the session's number is the sixth word, and the process's own the first */
    static const char script[] =
        "read pid name status parent group session rest </proc/self/stat; [ $session = $pid ]";
    struct asked asked = {SHELL(script)};
    char said[1024];

    (void)state;
    assert_int_equal(run(&asked, said), 1);
    asked.fields[LAUNCH_DETACHED] = "1";
    assert_int_equal(run(&asked, said), 0);
}

static void as_many_words_as_fit_are_taken(void **state)
{
    struct asked asked = {SHELL("exit $#")};
    char said[1024];

    (void)state;
    for (size_t i = 3; i < LAUNCH_WORDS; i++)
        asked.words[i] = "w";
    assert_int_equal(run(&asked, said), LAUNCH_WORDS - 4); /* the first one is $0 */
}

static void nothing_runs_before_the_daemon_says_so(void **state)
{
    const struct asked asked = {SHELL("exit 5")};
    struct launch launch = start();
    struct pollfd end = {.fd = launch.said, .events = POLLIN};
    char said[1024];

    (void)state;
    ask(&launch, &asked);
    need_answer(&launch);
    assert_int_equal(poll(&end, 1, 50), 0);
    (void)close(launch.connection); /* it changed its mind */
    launch.connection = -1;
    assert_int_equal(finish(&launch, said), 0);
    assert_string_equal(said, "");
}

static void daemon_that_is_gone_wants_nothing(void **state)
{
    const struct asked asked = {SHELL("exit 5")};
    struct launch launch = start();
    char said[1024];

    (void)state;
    (void)close(launch.connection); /* said nothing at all */
    launch.connection = -1;
    assert_int_equal(finish(&launch, said), 0);
    assert_string_equal(said, "");

    launch = start();
    ask(&launch, &asked);
    (void)close(launch.connection); /* does not hear which process it is */
    launch.connection = -1;
    assert_int_equal(finish(&launch, said), 0);
    assert_string_equal(said, "");
}

static void need_refusal(struct launch launch, const char *words)
{
    struct pollfd answer = {.fd = launch.connection, .events = POLLIN};
    char said[1024];

    assert_int_equal(poll(&answer, 1, WAIT_MS), 1);
    assert_true(recv(launch.connection, said, 1, MSG_DONTWAIT) <= 0); /* it is no process */
    assert_int_equal(finish(&launch, said), EXIT_FAILURE);
    if (!strstr(said, words) || !strstr(said, "; nothing was started\n"))
        fail_msg("\"%s\", expected \"%s\"", said, words);
}

static void need_refused(const struct asked *asked, const char *words)
{
    struct launch launch = start();

    ask(&launch, asked);
    need_refusal(launch, words);
}

#define UNREADABLE "guestlink-launch: cannot read the daemon's request: Invalid argument"

static void request_that_is_none_is_refused(void **state)
{
    static char large[LAUNCH_MESSAGE_SIZE + 1];
    struct asked few = {.fields = {""}}, many = {SHELL("exit 5")}, cut = {SHELL("exit 5")};
    struct launch launch = start();

    (void)state;
    send_bytes(&launch, "no end", 6, NULL, 0);
    need_refusal(launch, UNREADABLE);

    launch = start();
    send_bytes(&launch, large, sizeof(large), NULL, 0);
    need_refusal(launch, "cannot read the daemon's request: Argument list too long");

    launch = start();
    ask_for(&launch, &cut, 1); /* who knows what the last word is */
    need_refusal(launch, UNREADABLE);

    need_refused(&few, UNREADABLE); /* no program */
    for (size_t i = 3; i < LAUNCH_WORDS + 1; i++)
        many.words[i] = "w";
    need_refused(&many, UNREADABLE);
}

static void descriptors_are_those_that_the_request_numbers(void **state)
{
    static const char *const wrong[] = {"4", "/", "x", "9"};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int fds[8] = {null, null, null, null, null, null, null, null};
    struct asked asked = {SHELL("exit 5"), .fds = fds, .fd_count = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        asked.fields[LAUNCH_FDS] = wrong[i];
        need_refused(&asked, "cannot use a descriptor's number: Invalid argument");
    }
    asked.fields[LAUNCH_FDS] = "12";
    need_refused(&asked, UNREADABLE);
    asked.fields[LAUNCH_FDS] = "";
    need_refused(&asked, UNREADABLE);
    asked.fields[LAUNCH_FDS] = "1";
    asked.fd_count = 0;
    need_refused(&asked, UNREADABLE);
    asked.fields[LAUNCH_FDS] = "01231231";
    asked.fd_count = 8;
    need_refused(&asked, "cannot read the daemon's request: Argument list too long");
    (void)close(null);
}

static void jail_that_cannot_be_read_is_refused(void **state)
{
    static const char *const jails[][3] = {{"folder", "/place", "0 0 0 0"},
                                           {"/folder", "place", "0 0 0 0"},
                                           {"/folder", "", "0 0 0 0"},
                                           {"/folder", "/place", "0 0 0"},
                                           {"/folder", "/place", ""}};

    (void)state;
    for (size_t i = 0; i < sizeof(jails) / sizeof(jails[0]); i++) {
        struct asked asked = {SHELL("exit 5")};

        asked.fields[LAUNCH_JAIL] = jails[i][0];
        asked.fields[LAUNCH_JAIL_PLACE] = jails[i][1];
        asked.fields[LAUNCH_JAIL_NUMBERS] = jails[i][2];
        need_refused(&asked,
                     "guestlink-launch: cannot read the jail in the daemon's request: Invalid");
    }
}

/* What it is told of a jail is what the jail is. */
static void jail_is_that_of_the_request(void **state)
{
    struct asked asked = {SHELL("exit 5")};
    struct launch launch = start();
    char said[1024];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2], fds[1];
    ssize_t size;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fds[0] = ends[1];
    asked.fields[LAUNCH_FDS] = "2";
    asked.fds = fds;
    asked.fd_count = 1;
    asked.fields[LAUNCH_JAIL] = "/tmp";
    asked.fields[LAUNCH_JAIL_PLACE] = "/place";
    asked.fields[LAUNCH_JAIL_NUMBERS] = "0 0 0 0";
    asked.fields[LAUNCH_JAIL_LIBRARY] = "/nonexistent/library.so";
    asked.fields[LAUNCH_JAIL_CALLS] = "exit_group";
    ask(&launch, &asked);
    need_answer(&launch);
    say_go(&launch);
    (void)close(ends[1]);
    assert_int_equal(finish(&launch, said), CHILD_NOT_STARTED);
    size = read(ends[0], said, sizeof(said) - 1);
    said[size > 0 ? size : 0] = '\0';
    assert_non_null(strstr(said, "cannot set up the jail for /bin/sh: "));
    if (!strstr(said, "namespace")) /* which not everybody may make */
        assert_non_null(strstr(said, "/nonexistent/library.so: No such file or directory"));
    (void)close(ends[0]);
    (void)close(null);
}

static void descriptor_that_is_no_connection_is_an_error(void **state)
{
    struct launch launch = start_with(open("/dev/null", O_RDWR | O_CLOEXEC));
    char said[1024];

    (void)state;
    assert_int_equal(finish(&launch, said), EXIT_FAILURE);
    assert_non_null(strstr(said, "cannot use descriptor 0 as the daemon's connection: "
                                 "Socket operation on non-socket; nothing was started\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_is_what_was_asked_for),
        cmocka_unit_test(folder_is_read_only_if_that_is_asked_for),
        cmocka_unit_test(session_is_its_own_if_it_is_detached),
        cmocka_unit_test(as_many_words_as_fit_are_taken),
        cmocka_unit_test(nothing_runs_before_the_daemon_says_so),
        cmocka_unit_test(daemon_that_is_gone_wants_nothing),
        cmocka_unit_test(request_that_is_none_is_refused),
        cmocka_unit_test(descriptors_are_those_that_the_request_numbers),
        cmocka_unit_test(jail_that_cannot_be_read_is_refused),
        cmocka_unit_test(jail_is_that_of_the_request),
        cmocka_unit_test(descriptor_that_is_no_connection_is_an_error),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
