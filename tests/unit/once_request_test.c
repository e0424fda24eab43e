/* `guestlink run`'s command line: the forms of its values. */
#include "once/request.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void ids_are_numbers_or_root(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint32_t uid, gid;
    } rows[] = {{"root", 0, 0, 0},
                {"0", 0, 0, 0},
                {"1000", 0, 1000, 1000},
                {"1000:44", 0, 1000, 44},
                {"root:5", 0, 0, 5},
                {"4294967294", 0, 4294967294, 4294967294},
                {"4294967295", -EINVAL, 0, 0},
                {"1000:", -EINVAL, 0, 0},
                {"1000:x", -EINVAL, 0, 0},
                {"u", -EINVAL, 0, 0},
                {"-1", -EINVAL, 0, 0},
                {"1000 ", -EINVAL, 0, 0},
                {"", -EINVAL, 0, 0},
                {"99999999999999999999", -EINVAL, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t uid = 0, gid = 0;

        assert_int_equal(request_parse_ids(rows[i].text, &uid, &gid), rows[i].r);
        assert_int_equal(uid, rows[i].uid);
        assert_int_equal(gid, rows[i].gid);
    }
}

static void durations_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms; /* 0: refused */
    } rows[] = {{"1", 1000},       {"0.5", 500},     {".5s", 500}, {"2m", 120000},
                {"1.5h", 5400000}, {"1d", 86400000}, {"0", 0},     {"0.0001", 0},
                {"", 0},           {"s", 0},         {"-1", 0},    {"1x", 0},
                {"1ms", 0},        {"1 s", 0},       {"nan", 0},   {"1e300", 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t ms = 0;

        assert_int_equal(request_parse_duration(rows[i].text, &ms), rows[i].ms == 0 ? -EINVAL : 0);
        assert_int_equal(ms, rows[i].ms);
    }
}

static void shares_end_with_a_target(void **state)
{
    static const struct {
        const char *text, *path, *target;
        bool read_only;
    } rows[] = {{".:/src", ".", "/src", false},
                {"/a:/b:ro", "/a", "/b", true},
                {"/a:/b:rw", "/a", "/b", false},
                {"/a:b:/c", "/a:b", "/c", false},
                {"/a:ro:/c", "/a:ro", "/c", false},
                {"/a", NULL, NULL, false},
                {"/a:b", NULL, NULL, false},
                {":/b", NULL, NULL, false},
                {"/a:/b:xx", NULL, NULL, false},
                {"/a:", NULL, NULL, false},
                {"", NULL, NULL, false},
                {":ro", NULL, NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = strdup(rows[i].text);
        const char *path, *target;
        bool read_only;
        int r = request_split_share(text, &path, &target, &read_only);

        assert_int_equal(r, rows[i].path != NULL ? 0 : -EINVAL);
        if (r == 0) {
            assert_string_equal(path, rows[i].path);
            assert_string_equal(target, rows[i].target);
            assert_int_equal(read_only, rows[i].read_only);
        }
        free(text);
    }
}

static void ports_are_published_at_the_loopback(void **state)
{
    static const struct {
        const char *text, *forward;
    } rows[] = {{"8080:80", "tcp:127.0.0.1:8080-:80"},
                {"8080:80/tcp", "tcp:127.0.0.1:8080-:80"},
                {"53:53/udp", "udp:127.0.0.1:53-:53"},
                {"0.0.0.0:1:65535", "tcp:0.0.0.0:1-:65535"},
                {"[::1]:80:80", NULL}, /* QEMU has none */
                {"80", NULL},
                {"0:80", NULL},
                {"80:0", NULL},
                {"80:65536", NULL},
                {"80:80/sctp", NULL},
                {"80:80,hostfwd=x", NULL},
                {"localhost:80:80", NULL},
                {"1.2.3:80:80", NULL},
                {"1.2.3.4.5.6.7.8.9:80:80", NULL},
                {":80:80", NULL},
                {"", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char forward[CONFIG_PUBLISH_HOSTFWD] = "";

        assert_int_equal(request_parse_publish(rows[i].text, forward),
                         rows[i].forward != NULL ? 0 : -EINVAL);
        assert_string_equal(forward, rows[i].forward != NULL ? rows[i].forward : "");
    }
}

/* The command's own options are the command's. */
static void the_command_ends_the_options(void **state)
{
    char *words[] = {"run", "--share",   "/tmp:/a", "--share=/usr:/b:ro",
                     "-i",  "--publish", "80:80",   "ls",
                     "-t",  "--net",     NULL};
    struct request request = REQUEST_NULL;

    (void)state;
    assert_int_equal(request_parse(10, words, &request), 0);
    assert_ptr_equal(request.argv, words + 7);
    assert_int_equal(request.share_count, 2);
    assert_string_equal(request.shares[1].path, "/usr");
    assert_true(request.shares[1].read_only && !request.shares[0].read_only);
    assert_true(request.input);
    assert_true(request.net); /* by --publish */
    request_done(&request);
}

/* Each option that has no value sets its own. A terminal must be there: it is refused without one.
 */
static void flags_are_taken(void **state)
{
    char *all[] = {"run", "--net", "--keep", "--verbose", "ls", NULL};
    char *none[] = {"run", "ls", NULL};
    char *terminal[] = {"run", "-t", "ls", NULL};
    char *shown[] = {"run", "-t", "--print-config", "ls", NULL};
    int saved = dup(STDIN_FILENO), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct request request = REQUEST_NULL;

    (void)state;
    assert_int_equal(request_parse(5, all, &request), 0);
    assert_true(request.net && request.keep && request.verbose);
    assert_false(request.input || request.help);
    request_done(&request);
    request = REQUEST_NULL;
    assert_int_equal(request_parse(2, none, &request), 0);
    assert_false(request.net || request.keep || request.verbose || request.root_rw);
    assert_false(request.input || request.help);
    request_done(&request);
    request = REQUEST_NULL;
    (void)dup2(null, STDIN_FILENO);
    assert_int_equal(request_parse(3, terminal, &request), 125);
    request_done(&request);
    request = REQUEST_NULL;
    assert_int_equal(request_parse(4, shown, &request), 0);
    assert_true(request.terminal && request.input);
    request_done(&request);
    (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
    (void)close(null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_numbers_or_root),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(shares_end_with_a_target),
        cmocka_unit_test(ports_are_published_at_the_loopback),
        cmocka_unit_test(the_command_ends_the_options),
        cmocka_unit_test(flags_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
