/* modules: which ones the kernel is given, in which order, and what is said of those that it does
 * not take. No module reaches this machine's kernel (CMakeLists.txt). */
#include "descriptors.h"
#include "init/kernel/modules.h"
#include "kmsg_played.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static const char *text;           /* of the image's list; NULL: there is none */
static int read_error, list_error; /* of reading it, and of looking whether it is there */
static unsigned reads;
static int refusal; /* of the kernel's, an errno */
static char loaded[512];
static struct module_list list;
static struct cmdline cmdline;

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    size_t size = text ? strlen(text) : 0;

    assert_string_equal(path, MODULES_LIST_PATH);
    reads++;
    buffer[0] = '\0';
    if (!text || read_error)
        return text ? -read_error : -ENOENT;
    if (size > capacity - 1)
        size = capacity - 1;
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    return (int)size;
}

int __wrap_access(const char *path, int how);
int __wrap_access(const char *path, int how)
{
    (void)how;
    errno = list_error ? list_error : ENOENT;
    if (strcmp(path, MODULES_LIST_PATH) == 0)
        return text && !list_error ? 0 : -1;
    return strstr(path, "gone") ? -1 : 0;
}

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    (void)flags;
    if (strstr(path, "gone")) {
        errno = ENOENT;
        return -1;
    }
    (void)snprintf(loaded + strlen(loaded), sizeof(loaded) - strlen(loaded), "%s",
                   strrchr(path, '/') + 1);
    return dup(STDOUT_FILENO);
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    int fd, flags;

    assert_int_equal(number, SYS_finit_module);
    va_start(arguments, number);
    fd = va_arg(arguments, int);
    assert_true(fd >= 0);
    assert_string_equal(va_arg(arguments, const char *), "");
    flags = va_arg(arguments, int);
    va_end(arguments);
    (void)snprintf(loaded + strlen(loaded), sizeof(loaded) - strlen(loaded), ":%d ", flags);
    errno = refusal;
    return refusal ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&list, 0, sizeof(list));
    cmdline_parse((char[]){""}, &cmdline);
    text = "/lib/a.ko\n/lib/b.ko.xz a\n-\n/lib/c.ko.zst b\n/lib/d.ko\n";
    read_error = list_error = refusal = 0;
    reads = 0;
    loaded[0] = kmsg_played[0] = '\0';
    return 0;
}

static void load(bool late, const char *wanted)
{
    loaded[0] = '\0';
    modules_load(&list, late, NULL, 0);
    assert_string_equal(loaded, wanted);
}

static void phases_are_loaded_in_order(void **state)
{
    (void)state;
    modules_read(&list, &cmdline);
    load(false, "a.ko:0 b.ko.xz:4 ");
    load(true, "c.ko.zst:4 d.ko:0 ");
    kmsg_expect("");
    assert_true(modules_has(&list, "c"));
    assert_false(modules_has(&list, "e"));
}

static void chosen_modules_alone_are_loaded_with_what_they_need(void **state)
{
    char words[] = "guestlink.modules=c,nothing";

    (void)state;
    cmdline_parse(words, &cmdline);
    modules_read(&list, &cmdline);
    kmsg_expect("4 guestlink.modules: nothing is not in " MODULES_LIST_PATH "; ignoring it\n");
    load(false, "a.ko:0 b.ko.xz:4 ");
    load(true, "c.ko.zst:4 ");
    assert_true(modules_has(&list, "a"));
    assert_false(modules_has(&list, "d"));
}

static void transport_that_was_not_chosen_is_told(void **state)
{
    static const struct {
        const char *words;
        bool is_told;
    } rows[] = {{"guestlink.modules=d", true},
                {"guestlink.modules=vmw_vsock_virtio_transport", false},
                {"guestlink.modules=d guestlink.host=virtio-port:x", false},
                {"", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char words[128];

        memset(&list, 0, sizeof(list));
        text = "/lib/vmw_vsock_virtio_transport.ko\n/lib/d.ko\n";
        (void)snprintf(words, sizeof(words), "%s", rows[i].words);
        cmdline_parse(words, &cmdline);
        modules_read(&list, &cmdline);
        kmsg_expect(rows[i].is_told
                        ? "3 guestlink.modules does not name vmw_vsock_virtio_transport: the guest "
                          "cannot reach the host over vsock without it; add it there\n"
                        : "");
    }
}

static void list_that_cannot_be_used_is_told(void **state)
{
    char words[] = "guestlink.modules=a";
    char *many;

    (void)state;
    text = NULL;
    modules_read(&list, &cmdline);
    kmsg_expect("");
    assert_int_equal(list.count, 0);
    assert_int_equal(reads, 0); /* not a page of the list is touched */
    cmdline_parse(words, &cmdline);
    modules_read(&list, &cmdline);
    kmsg_expect("4 guestlink.modules: a is not in " MODULES_LIST_PATH "; ignoring it\n");
    set_up(NULL);
    read_error = EIO;
    modules_read(&list, &cmdline);
    kmsg_expect("4 cannot read " MODULES_LIST_PATH ": Input/output error; loading no modules\n");
    list_error = EACCES; /* it may be there all the same */
    modules_read(&list, &cmdline);
    kmsg_expect("4 cannot read " MODULES_LIST_PATH ": Input/output error; loading no modules\n");
    set_up(NULL);
    text = "# words\n/lib/a.ko\nlib/b.ko\n";
    modules_read(&list, &cmdline);
    kmsg_expect("4 " MODULES_LIST_PATH
                ":3: expected the absolute path of a .ko file; ignoring it\n");
    assert_int_equal(list.count, 1);
    many = malloc(sizeof(list.text));
    memset(many, '#', sizeof(list.text)); /* one comment */
    for (size_t size = sizeof(list.text) - 2; size < sizeof(list.text); size++) {
        char line[256];

        set_up(NULL);
        many[size] = '\0';
        text = many;
        modules_read(&list, &cmdline);
        (void)snprintf(line, sizeof(line),
                       "4 " MODULES_LIST_PATH " is longer than %zu bytes; ignoring the rest\n",
                       sizeof(list.text) - 1);
        kmsg_expect(size == sizeof(list.text) - 1 ? line : "");
        many[size] = '#';
    }
    free(many);
}

static void what_the_kernel_refuses_is_told_with_its_reason(void **state)
{
    static const struct {
        int error;
        const char *plain, *packed; /* NULL: as errno says */
    } rows[] = {
        {EINVAL, NULL,
         "this kernel cannot decompress it (CONFIG_MODULE_DECOMPRESS, CONFIG_MODULE_COMPRESS_"},
        {EOPNOTSUPP, NULL,
         "this kernel cannot decompress it (CONFIG_MODULE_DECOMPRESS, CONFIG_MODULE_COMPRESS_"},
        {ENOKEY, "not signed with a key of this kernel", "not signed with a key of this kernel"},
        {EKEYREJECTED, "not signed with a key of this kernel",
         "not signed with a key of this kernel"},
        {EPERM, "forbidden (lockdown=", "forbidden (lockdown="},
        {ENOEXEC, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *error = strerror(rows[i].error);
        char failures[16] = "", line[256];

        set_up(NULL);
        modules_read(&list, &cmdline);
        refusal = rows[i].error;
        modules_load(&list, false, failures, sizeof(failures));
        assert_string_equal(failures, "a b");
        (void)snprintf(line, sizeof(line), "4 cannot load module a (/lib/a.ko): %s",
                       rows[i].plain ? rows[i].plain : error);
        assert_non_null(strstr(kmsg_played, line));
        (void)snprintf(line, sizeof(line), "4 cannot load module b (/lib/b.ko.xz): %s%s",
                       rows[i].packed ? rows[i].packed : error,
                       rows[i].packed && !rows[i].plain ? "XZ)" : "");
        assert_non_null(strstr(kmsg_played, line));
        assert_non_null(strstr(kmsg_played, "; continuing without it\n"));
        assert_false(modules_has(&list, "a"));
    }
    kmsg_played[0] = '\0';
}

static void failures_fit_into_their_text(void **state)
{
    char failures[4] = "";

    (void)state;
    text = "/lib/gone.ko\n/lib/a.ko\n/lib/gone2.ko\n";
    modules_read(&list, &cmdline);
    modules_load(&list, false, failures, sizeof(failures));
    assert_string_equal(failures, "gon");
    assert_string_equal(loaded, "a.ko:0 ");
    assert_non_null(strstr(kmsg_played, "cannot load module gone2 (/lib/gone2.ko): No such file"));
    assert_false(modules_has(&list, "gone"));
    assert_true(modules_has(&list, "a"));
}

static void module_that_is_there_already_is_loaded(void **state)
{
    char failures[16] = "";

    (void)state;
    modules_read(&list, &cmdline);
    refusal = EEXIST;
    modules_load(&list, false, failures, sizeof(failures));
    assert_string_equal(failures, "");
    kmsg_expect("");
    assert_true(modules_has(&list, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(phases_are_loaded_in_order, set_up),
        cmocka_unit_test_setup(chosen_modules_alone_are_loaded_with_what_they_need, set_up),
        cmocka_unit_test_setup(transport_that_was_not_chosen_is_told, set_up),
        cmocka_unit_test_setup(list_that_cannot_be_used_is_told, set_up),
        cmocka_unit_test_setup(what_the_kernel_refuses_is_told_with_its_reason, set_up),
        cmocka_unit_test_setup(failures_fit_into_their_text, set_up),
        cmocka_unit_test_setup(module_that_is_there_already_is_loaded, set_up),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
