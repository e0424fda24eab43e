/*
 * no loopback: which filters guestlink-no-loopback attaches to which cgroup, and what it becomes.
 * bpf(2), which takes root, and the host's cgroups are the test's here (CMakeLists.txt); what a
 * filter does is run_own_filter_test's.
 */
#include "folder.h"
#include "run/own_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int no_loopback_main(int argc, char *argv[]); /* main() of hostd/run/no_loopback.c */

#define FILTERS 2

/* What the program did, in memory that it shares with the test. */
struct noted {
    size_t loaded, attached, opened;
    struct {
        struct bpf_insn program[OWN_FILTER_SIZE];
        size_t size;
        uint32_t type, load_where, attach_where, flags;
        char license[16];
    } filters[FILTERS];
    char paths[8][64]; /* folders of cgroups, in the order in which they were opened */
};

static struct noted *noted;
static char folder[FOLDER_BYTES];

/* The host. */
static const char *own_cgroup;           /* /proc/self/cgroup; NULL: there is none */
static const char *cgroup_folder;        /* the only one that there is */
static int load_error, attach_error;     /* of bpf(2), or 0 */
static unsigned fails_at;                /* which filter of the two */
static int cgroup_fd = -1, program = -1; /* as the program has them */

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    char name[FOLDER_BYTES + 16];
    FILE *file;

    if (strcmp(path, "/proc/self/cgroup") != 0)
        return __real_fopen(path, mode);
    errno = ENOSYS;
    if (!own_cgroup)
        return NULL;
    (void)snprintf(name, sizeof(name), "%s/cgroup", folder);
    file = __real_fopen(name, "w");
    (void)fputs(own_cgroup, file);
    (void)fclose(file);
    return __real_fopen(name, "r"); /* is seen after execve() if it is not closed */
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (strncmp(path, "/sys/fs/cgroup", 14) != 0)
        return __real_open(path, flags, mode);
    if (noted->opened == sizeof(noted->paths) / sizeof(noted->paths[0]) || !(flags & O_DIRECTORY))
        abort();
    (void)snprintf(noted->paths[noted->opened++], sizeof(noted->paths[0]), "%s", path);
    errno = EACCES;
    if (!cgroup_folder || strcmp(path, cgroup_folder) != 0)
        return -1;
    cgroup_fd = __real_open(folder, O_RDONLY | O_DIRECTORY); /* likewise */
    return cgroup_fd;
}

static int load(const union bpf_attr *attributes)
{
    size_t at = noted->loaded++;

    errno = load_error;
    if (at >= FILTERS || (load_error && fails_at == at))
        return -1;
    noted->filters[at].type = attributes->prog_type;
    noted->filters[at].load_where = attributes->expected_attach_type;
    noted->filters[at].size = attributes->insn_cnt;
    memcpy(noted->filters[at].program, (const void *)(uintptr_t)attributes->insns,
           attributes->insn_cnt * sizeof(struct bpf_insn));
    (void)snprintf(noted->filters[at].license, sizeof(noted->filters[at].license), "%s",
                   (const char *)(uintptr_t)attributes->license);
    program = memfd_create("program", 0); /* likewise */
    return program;
}

static int attach(const union bpf_attr *attributes)
{
    size_t at = noted->attached++;

    if (at >= FILTERS || attributes->target_fd != (uint32_t)cgroup_fd ||
        attributes->attach_bpf_fd != (uint32_t)program)
        abort();
    noted->filters[at].attach_where = attributes->attach_type;
    noted->filters[at].flags = attributes->attach_flags;
    errno = attach_error;
    return attach_error && fails_at == at ? -1 : 0;
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    const union bpf_attr *attributes;
    va_list arguments;
    size_t size;
    int command;

    va_start(arguments, number);
    command = va_arg(arguments, int);
    attributes = va_arg(arguments, const union bpf_attr *);
    size = va_arg(arguments, size_t);
    va_end(arguments);
    if (number != SYS_bpf || size != sizeof(*attributes))
        abort();
    if (command == BPF_PROG_LOAD)
        return load(attributes);
    if (command != BPF_PROG_ATTACH)
        abort();
    return attach(attributes);
}

static int set_up(void **state)
{
    (void)state;
    noted = mmap(NULL, sizeof(*noted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(noted, MAP_FAILED);
    folder_make(folder);
    own_cgroup = "0::/vm\n";
    cgroup_folder = "/sys/fs/cgroup/vm";
    load_error = attach_error = 0;
    fails_at = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    (void)munmap(noted, sizeof(*noted));
    return 0;
}

/* Runs it with these words behind its name. @return its exit status; what it printed is in @p said
 */
static int run(char said[1024], char *const words[])
{
    char *argv[80] = {(char *)"guestlink-no-loopback"};
    int argc = 1, ends[2], status;
    size_t size = 0;
    ssize_t n;
    pid_t pid;

    for (; words[argc - 1]; argc++)
        argv[argc] = words[argc - 1];
    memset(noted, 0, sizeof(*noted));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)close_range(3, ~0U, 0);
        exit(no_loopback_main(argc, argv));
    }
    (void)close(ends[1]);
    while (size < 1023 && (n = read(ends[0], said + size, 1023 - size)) > 0)
        size += (size_t)n;
    said[size] = '\0';
    (void)close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define RUN(said, ...) run(said, (char *const[]){__VA_ARGS__, NULL})

/* Both are attached: first of what leaves, then of what arrives. */
static void need_filters(struct own_filter wanted)
{
    struct bpf_insn program_wanted[OWN_FILTER_SIZE];

    assert_int_equal(noted->loaded, 2);
    assert_int_equal(noted->attached, 2);
    for (size_t i = 0; i < 2; i++) {
        uint32_t where = i == 0 ? BPF_CGROUP_INET_EGRESS : BPF_CGROUP_INET_INGRESS;
        size_t size;

        wanted.incoming = i == 1;
        size = own_filter_build(&wanted, program_wanted);
        assert_int_equal(noted->filters[i].type, BPF_PROG_TYPE_CGROUP_SKB);
        assert_int_equal(noted->filters[i].load_where, where);
        assert_int_equal(noted->filters[i].attach_where, where);
        assert_int_equal(noted->filters[i].flags, BPF_F_ALLOW_MULTI); /* others' stay */
        assert_string_equal(noted->filters[i].license, "MIT");
        assert_int_equal(noted->filters[i].size, size);
        assert_memory_equal(noted->filters[i].program, program_wanted,
                            size * sizeof(program_wanted[0]));
    }
}

static void filters_are_what_the_words_say(void **state)
{
    struct own_filter filter = {.own_addresses = true};
    char said[1024];

    (void)state;
    assert_int_equal(RUN(said, NULL), 0);
    assert_string_equal(said, "");
    need_filters(filter);

    assert_true(own_filter_add_server(&filter, "127.0.0.53"));
    assert_true(own_filter_add_server(&filter, "::1"));
    assert_int_equal(RUN(said, "127.0.0.53", "::1"), 0);
    need_filters(filter);

    assert_true(own_filter_add_ports(&filter, "8080/tcp,53/udp,"));
    assert_int_equal(RUN(said, "--publish", "8080/tcp,53/udp,", "127.0.0.53", "::1"), 0);
    need_filters(filter);
    assert_string_equal(said, "");

    filter.own_addresses = false;
    assert_int_equal(
        RUN(said, "--host-loopback", "--publish", "8080/tcp,53/udp,", "127.0.0.53", "::1"), 0);
    need_filters(filter);

    filter = (struct own_filter){.own_addresses = false};
    assert_int_equal(RUN(said, "--host-loopback"), 0);
    need_filters(filter);
    assert_string_equal(said, "");
}

/* What cannot be used is reported, and the rest of it is done. */
static void words_that_are_wrong_are_reported(void **state)
{
    static char port[] = "1/tcp,";
    char ports[65 * (sizeof(port) - 1) + 1] = "", said[1024];
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    assert_true(own_filter_add_server(&filter, "192.0.2.1"));
    assert_int_equal(RUN(said, "localhost", "192.0.2.1"), 0);
    need_filters(filter);
    assert_non_null(strstr(said, "cannot use the name server \"localhost\": expected an address, "
                                 "and at most 8 of them"));
    assert_null(strstr(said, "192.0.2.1"));

    assert_int_equal(RUN(said, "--publish", "http", "192.0.2.1"), 0);
    need_filters(filter);
    assert_non_null(strstr(said, "cannot use the ports \"http\": expected at most 64"));
    assert_null(strstr(said, "name server"));

    for (size_t i = 0; i < 65; i++)
        memcpy(ports + i * (sizeof(port) - 1), port, sizeof(port));
    assert_int_equal(RUN(said, "--publish", ports), 0);
    assert_non_null(strstr(said, "cannot use the ports"));
    /* Without the ports behind it, it is no such option. */
    assert_int_equal(RUN(said, "--publish"), 0);
    assert_non_null(strstr(said, "cannot use the name server \"--publish\""));
}

static void cgroup_is_its_own_in_the_unified_hierarchy(void **state)
{
    static const struct {
        const char *own, *folder, *paths[4];
    } hosts[] = {
        {"0::/a b/c\n",
         "/sys/fs/cgroup/a b/c",
         {"/sys/fs/cgroup/unified/a b/c", "/sys/fs/cgroup/a b/c"}},
        {"0::/a\n", "/sys/fs/cgroup/unified/a", {"/sys/fs/cgroup/unified/a"}},
        {"0::/a", "/sys/fs/cgroup/unified/a", {"/sys/fs/cgroup/unified/a"}},
        /* a host with both: the other hierarchies are listed before it, or behind it */
        {"12:pids:/a\n1:name=systemd:/a\n0::/a\n",
         "/sys/fs/cgroup/unified/a",
         {"/sys/fs/cgroup/unified/a"}},
        {"0::/a\n12:pids:/b\n",
         "/sys/fs/cgroup/a",
         {"/sys/fs/cgroup/unified/a", "/sys/fs/cgroup/a"}},
    };
    struct own_filter filter = {.own_addresses = true};
    char said[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        size_t count = 0;

        own_cgroup = hosts[i].own;
        cgroup_folder = hosts[i].folder;
        assert_int_equal(RUN(said, NULL), 0);
        need_filters(filter);
        for (; hosts[i].paths[count]; count++)
            assert_string_equal(noted->paths[count], hosts[i].paths[count]);
        assert_int_equal(noted->opened, count);
    }
}

/* No guest is started without its filters. */
static void what_cannot_be_done_starts_nothing(void **state)
{
    static const struct {
        const char *own, *folder;
        int load_error, attach_error;
        unsigned at;
        const char *words;
    } hosts[] = {
        {NULL, "/sys/fs/cgroup/a", 0, 0, 0,
         "cannot find this process's cgroup: Function not implemented"},
        {"0::/a\n", NULL, 0, 0, 0, "cannot find this process's cgroup: No such file or directory"},
        {"3:cpu:/a\n", "/sys/fs/cgroup/a", 0, 0, 0,
         "cannot find this process's cgroup: No such file or directory"},
        {"", "/sys/fs/cgroup/a", 0, 0, 0, "cannot find this process's cgroup: No such file"},
        {"0::/a\n", "/sys/fs/cgroup/a", EPERM, 0, 0,
         "cannot load the filter: Operation not permitted; programs of the guest could reach"},
        {"0::/a\n", "/sys/fs/cgroup/a", EINVAL, 0, 1, "cannot load the filter: Invalid argument"},
        {"0::/a\n", "/sys/fs/cgroup/a", 0, EBADF, 0,
         "cannot attach the filter to this process's cgroup: Bad file descriptor"},
        {"0::/a\n", "/sys/fs/cgroup/a", 0, E2BIG, 1,
         "cannot attach the filter to this process's cgroup: Argument list too long"},
    };
    char said[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        own_cgroup = hosts[i].own;
        cgroup_folder = hosts[i].folder;
        load_error = hosts[i].load_error;
        attach_error = hosts[i].attach_error;
        fails_at = hosts[i].at;
        assert_int_equal(RUN(said, "--", "/bin/echo", "begun"), EXIT_FAILURE);
        assert_non_null(strstr(said, hosts[i].words));
        assert_null(strstr(said, "begun"));
    }
}

static void it_becomes_the_program_with_nothing_of_its_own(void **state)
{
    static char script[] =
        "for fd in 3 4 5 6 7 8 9; do [ ! -e /proc/self/fd/$fd ] || echo open $fd; done\n"
        "echo \"$# $1 $2\"; exit 7";
    struct own_filter filter = {.own_addresses = true};
    char said[1024];

    (void)state;
    assert_true(own_filter_add_server(&filter, "192.0.2.1"));
    assert_int_equal(RUN(said, "192.0.2.1", "--", "/bin/sh", "-c", script, "sh", "--", "a b"), 7);
    assert_string_equal(said, "2 -- a b\n");
    need_filters(filter);
    assert_int_equal(RUN(said, "--", "/nothing", "there"), 127);
    assert_non_null(strstr(said, "cannot execute \"/nothing\": No such file or directory\n"));
    assert_int_equal(RUN(said, "--"), 0);
    assert_string_equal(said, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(filters_are_what_the_words_say),
        TEST(words_that_are_wrong_are_reported),
        TEST(cgroup_is_its_own_in_the_unified_hierarchy),
        TEST(what_cannot_be_done_starts_nothing),
        TEST(it_becomes_the_program_with_nothing_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
