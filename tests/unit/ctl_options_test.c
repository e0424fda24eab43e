/* options: each option of guestlinkctl's lands in its place, and nothing else does. */
#include "descriptors.h"
#include "options.h"

#include <fcntl.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct options options;

static char said[1024]; /* on standard error, by the last parse() */

/* Parses up to three words behind the program's name. */
static int parse(const char *one, const char *two, const char *three)
{
    static char texts[4][64];
    static char *words[5];
    int count = 1, saved = dup(STDERR_FILENO), r;
    int ends[2];
    const char *const given[] = {"guestlinkctl", one, two, three};
    ssize_t n;

    (void)snprintf(texts[0], sizeof(texts[0]), "%s", given[0]);
    words[0] = texts[0];
    for (int i = 1; i < 4 && given[i] != NULL; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%s", given[i]);
        words[count++] = texts[i];
    }
    words[count] = NULL;
    options = OPTIONS_NULL;
    optind = 0; /* getopt_long(3): from the beginning */
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    (void)dup2(ends[1], STDERR_FILENO);
    r = options_parse(count, words, &options);
    (void)dup2(saved, STDERR_FILENO);
    n = read(ends[0], said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    (void)close(saved);
    (void)close(ends[0]);
    (void)close(ends[1]);
    assert_int_equal(said[0] != '\0', r != 0); /* a failure has its words, and nothing else has */
    return r;
}

static void a_text_lands_in_its_place(void **state)
{
    static const struct {
        const char *name;
        unsigned bit;
        const char *const *place;
    } texts[] = {
        {"--config", OPTIONS_CONFIG, &options.config},
        {"--transport", OPTIONS_TRANSPORT, &options.transport},
        {"--file", OPTIONS_FILE, &options.file},
        {"--vm", OPTIONS_VM, &options.vm},
        {"--event", OPTIONS_EVENT, &options.event},
        {"--since", OPTIONS_SINCE, &options.since},
        {"--svg", OPTIONS_SVG, &options.svg},
        {"--directory", OPTIONS_DIRECTORY, &options.directory},
        {"--memory", OPTIONS_MEMORY, &options.memory},
        {"--kernel", OPTIONS_KERNEL, &options.kernel},
        {"--initrd", OPTIONS_INITRD, &options.initrd},
        {"--vms", OPTIONS_VMS, &options.vms},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(parse(texts[i].name, "value", "word"), 0);
        assert_string_equal(*texts[i].place, "value");
        assert_int_equal(options.given, texts[i].bit);
        assert_string_equal(options_name(texts[i].bit), texts[i].name + 2);
        assert_int_equal(options.word_count, 1);
        assert_string_equal(options.words[0], "word");
        for (size_t k = 0; k < sizeof(texts) / sizeof(texts[0]); k++)
            if (k != i)
                assert_null(*texts[k].place);
        assert_int_equal(parse(texts[i].name, NULL, NULL), 2);
    }
}

static void a_switch_is_noted(void **state)
{
    static const struct {
        const char *name;
        unsigned bit;
    } switches[] = {{"--refresh", OPTIONS_REFRESH},
                    {"--read-only", OPTIONS_READ_ONLY},
                    {"--reboot", OPTIONS_REBOOT},
                    {"--follow", OPTIONS_FOLLOW},
                    {"--no-input", OPTIONS_NO_INPUT},
                    {"-f", OPTIONS_FOLLOW},
                    {"--interactive", OPTIONS_INTERACTIVE},
                    {"-i", OPTIONS_INTERACTIVE},
                    {"--tty", OPTIONS_TERMINAL},
                    {"-t", OPTIONS_TERMINAL},
                    {"--network", OPTIONS_NETWORK},
                    {"--dry-run", OPTIONS_DRY_RUN}};

    (void)state;
    for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        assert_int_equal(parse(switches[i].name, "word", NULL), 0);
        assert_int_equal(options.given, switches[i].bit);
        assert_int_equal(options.word_count, 1);
        if (switches[i].name[1] == '-')
            assert_string_equal(options_name(switches[i].bit), switches[i].name + 2);
    }
    assert_string_equal(options_name(OPTIONS_REBOOT | OPTIONS_GID), "reboot"); /* the lowest */
    assert_string_equal(options_name(0), "");
}

static void what_belongs_to_no_command_is_read_too(void **state)
{
    (void)state;
    assert_int_equal(parse(NULL, NULL, NULL), 0);
    assert_string_equal(options.socket, OPTIONS_DEFAULT_SOCKET);
    assert_false(options.json || options.help || options.version);
    assert_int_equal(options.word_count, 0);
    assert_int_equal(parse("-s", "/socket", "--json"), 0);
    assert_string_equal(options.socket, "/socket");
    assert_true(options.json);
    assert_false(options.help || options.version);
    assert_int_equal(parse("--help", NULL, NULL), 0);
    assert_true(options.help);
    assert_false(options.json || options.version);
    assert_int_equal(parse("-V", NULL, NULL), 0);
    assert_true(options.version);
    assert_false(options.json || options.help);
    assert_int_equal(options.given, 0);
    assert_int_equal(parse("--no-such-option", NULL, NULL), 2);
}

static void a_number_is_whole_and_fits(void **state)
{
    static const struct {
        const char *name;
        unsigned bit;
        const uint32_t *place;
    } numbers[] = {{"--grace", OPTIONS_GRACE, &options.grace_ms},
                   {"--uid", OPTIONS_UID, &options.uid},
                   {"--gid", OPTIONS_GID, &options.gid},
                   {"--cid", OPTIONS_CID, &options.cid}};
    static const char *const wrong[] = {
        "", "x", "-1", "+1", " 1", "1x", "4294967295", "18446744073709551616", "0x", "99999999999"};

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(parse(numbers[i].name, "0", NULL), 0);
        assert_int_equal(*numbers[i].place, 0);
        assert_int_equal(options.given, numbers[i].bit);
        assert_int_equal(parse(numbers[i].name, "9", NULL), 0);
        assert_int_equal(*numbers[i].place, 9);
        assert_int_equal(parse(numbers[i].name, "4294967294", NULL), 0);
        assert_int_equal(*numbers[i].place, UINT32_MAX - 1);
        for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
            assert_int_equal(parse(numbers[i].name, wrong[k], NULL), 2);
        assert_string_equal(options_name(numbers[i].bit), numbers[i].name + 2);
    }
}

static void a_mode_is_octal(void **state)
{
    static const struct {
        const char *text;
        uint32_t mode;
    } right[] = {{"0", 0}, {"7", 7}, {"660", 0660}, {"0660", 0660}, {"0777", 0777}};
    static const char *const wrong[] = {"",   "8",  "-1",    " 7",  "+7",
                                        "7x", "78", "01000", "0x1", "rw"};

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        assert_int_equal(parse("--mode", right[i].text, NULL), 0);
        assert_int_equal(options.mode, right[i].mode);
        assert_int_equal(options.given, OPTIONS_MODE);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(parse("--mode", wrong[i], NULL), 2);
        assert_int_equal(options.mode, 0);
    }
    assert_string_equal(options_name(OPTIONS_MODE), "mode");
}

static void variables_are_gathered(void **state)
{
    (void)state;
    assert_int_equal(parse("--env=A=1", "--env=B=", "--env=C=3"), 0);
    assert_int_equal(options.given, OPTIONS_ENVIRONMENT);
    assert_int_equal(options.environment.count, 3);
    assert_string_equal(options.environment.items[0], "A=1");
    assert_string_equal(options.environment.items[2], "C=3");
    options_done(&options);
    assert_int_equal(options.environment.count, 0);
    assert_null(options.environment.items);
    assert_int_equal(parse("--env=A", NULL, NULL), 2);
    options_done(&options);
    assert_int_equal(parse("--env", "=1", NULL), 2);
    options_done(&options);
}

static void shares_are_gathered(void **state)
{
    (void)state;
    assert_int_equal(parse("--share=/a:/b", "--share", "/c:/d:ro"), 0);
    assert_int_equal(options.given, OPTIONS_SHARE);
    assert_string_equal(options_name(OPTIONS_SHARE), "share");
    assert_int_equal(options.shares.count, 2);
    assert_string_equal(options.shares.items[0], "/a:/b");
    assert_string_equal(options.shares.items[1], "/c:/d:ro");
    assert_int_equal(options.environment.count, 0);
    options_done(&options);
    assert_int_equal(options.shares.count, 0);
    assert_null(options.shares.items);
}

static void a_refusal_says_what_was_given_and_what_is_expected(void **state)
{
    static const struct {
        const char *option, *value, *said;
    } rows[] = {
        {"--uid", "x", "--uid \"x\": expected a whole number; nothing was done"},
        {"--gid", "-1", "--gid \"-1\": expected a whole number; nothing was done"},
        {"--grace", "1s", "--grace \"1s\": expected a whole number; nothing was done"},
        {"--cid", "", "--cid \"\": expected a whole number; nothing was done"},
        {"--mode", "rw", "--mode \"rw\": expected an octal number up to 0777, such as 0660; "},
        {"--env", "A", "--env: \"A\", expected "},
        {"--no-such-option", NULL, "--no-such-option"},
        {"-x", NULL, "`guestlinkctl --help` lists the options"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].option, rows[i].value, NULL), 2);
        options_done(&options);
        if (strstr(said, rows[i].said) == NULL)
            fail_msg("%s", said);
    }
}

/* What options_describe() writes of some bits. */
static const char *describe(unsigned bits, bool about)
{
    static char text[4096];
    FILE *file = fmemopen(text, sizeof(text), "w");

    assert_non_null(file);
    options_describe(file, bits, about);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void each_is_described_by_its_name(void **state)
{
    (void)state;
    assert_string_equal(describe(OPTIONS_MODE | OPTIONS_DRY_RUN | OPTIONS_REFRESH, false),
                        " [--refresh] [--mode MODE] [--dry-run]");
    assert_string_equal(describe(OPTIONS_REFRESH | OPTIONS_VMS, true),
                        "  --refresh                        ask the guest again\n"
                        "  --vms DIR                        another folder than "
                        "/etc/guestlink/vms\n");
    for (unsigned bit = OPTIONS_REFRESH; bit <= OPTIONS_DRY_RUN; bit <<= 1) {
        char begin[64];

        (void)snprintf(begin, sizeof(begin), "  --%s ", options_name(bit));
        assert_int_equal(strncmp(describe(bit, true), begin, strlen(begin)), 0);
        assert_non_null(strchr(describe(bit, true), '\n'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_lands_in_its_place),
        cmocka_unit_test(a_switch_is_noted),
        cmocka_unit_test(what_belongs_to_no_command_is_read_too),
        cmocka_unit_test(a_number_is_whole_and_fits),
        cmocka_unit_test(variables_are_gathered),
        cmocka_unit_test(a_mode_is_octal),
        cmocka_unit_test(shares_are_gathered),
        cmocka_unit_test(a_refusal_says_what_was_given_and_what_is_expected),
        cmocka_unit_test(each_is_described_by_its_name),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
