/* cmdline: what the kernel's command line says to PID 1, and what it cannot say. */
#include "descriptors.h"
#include "init/kernel/cmdline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The warnings' words are good until the next call. */
static struct cmdline parse(const char *text)
{
    static char copy[INIT_CMDLINE_SIZE];
    struct cmdline c;

    assert_true(strlen(text) < sizeof(copy));
    memcpy(copy, text, strlen(text) + 1);
    cmdline_parse(copy, &c);
    return c;
}

static void nothing_said_means_the_defaults(void **state)
{
    struct cmdline c = parse("quiet root=/dev/vda hv_pci_swiotlbx=1\n");

    (void)state;
    assert_int_equal(c.host.kind, HOST_ADDRESS_VSOCK);
    assert_int_equal(c.host.cid, 2);
    assert_int_equal(c.host.port, 50000);
    assert_false(c.power_off_on_host_loss);
    assert_int_equal(c.connect_timeout_ms, 30000);
    assert_int_equal(c.log_level, 6);
    assert_false(c.swiotlb_asked);
    assert_false(c.has_modules);
    assert_int_equal(c.payload_words, 0);
    assert_int_equal(c.warning_count, 0);
    assert_string_equal(c.root, "");
}

/* From 0 on, up to the most, beginning with any digit. */
static void numbers_have_a_range(void **state)
{
    char text[64];

    (void)state;
    for (int level = 0; level <= 8; level++) {
        (void)snprintf(text, sizeof(text), "guestlink.log_level=%d", level);
        assert_int_equal(parse(text).log_level, level <= 7 ? level : 6);
        assert_int_equal(parse(text).warning_count, level > 7);
    }
    for (uint32_t number = 0; number <= 9; number++) {
        (void)snprintf(text, sizeof(text), "guestlink.connect_timeout_ms=%u", number * 11);
        assert_int_equal(parse(text).connect_timeout_ms, number * 11);
    }
    (void)snprintf(text, sizeof(text), "guestlink.connect_timeout_ms=%u", INIT_JOB_LONGEST_MS);
    assert_int_equal(parse(text).connect_timeout_ms, INIT_JOB_LONGEST_MS);
    (void)snprintf(text, sizeof(text), "guestlink.connect_timeout_ms=%u", INIT_JOB_LONGEST_MS + 1);
    assert_int_equal(parse(text).warning_count, 1);
}

static void a_power_off_is_by_acpi_or_a_reboot(void **state)
{
    (void)state;
    assert_int_equal(parse("").power_off, CMDLINE_POWER_OFF_AUTO);
    assert_int_equal(parse("guestlink.poweroff=acpi").power_off, CMDLINE_POWER_OFF_ACPI);
    assert_int_equal(parse("guestlink.poweroff=reboot").power_off, CMDLINE_POWER_OFF_REBOOT);
    assert_int_equal(parse("guestlink.poweroff=apm").power_off, CMDLINE_POWER_OFF_AUTO);
    assert_int_equal(parse("guestlink.poweroff=apm").warning_count, 1);
}

/* With its NUL. */
static void the_longest_options_of_a_root_fit(void **state)
{
    struct cmdline c;
    char text[sizeof("guestlink.root_options=") + sizeof(c.root_options)] =
        "guestlink.root_options=";
    char *options = text + strlen(text);

    (void)state;
    memset(options, 'x', sizeof(c.root_options));
    c = parse(text);
    assert_string_equal(c.root_options, "");
    assert_int_equal(c.warning_count, 1);
    options[sizeof(c.root_options) - 1] = '\0';
    c = parse(text);
    assert_string_equal(c.root_options, options);
    assert_int_equal(c.warning_count, 0);
}

static void each_parameter_is_taken(void **state)
{
    struct cmdline c = parse(
        "guestlink.host=vsock:5:7 guestlink.on_host_loss=poweroff "
        "guestlink.connect_timeout_ms=250 guestlink.log_level=3 hv_pci_swiotlb=64M "
        "guestlink.modules=virtio_net,fuse guestlink.root=LABEL=\"my root\" "
        "guestlink.root_options=ro,noatime guestlink.root_init=/bin/x -- /bin/sh -c \"a b\"\n");

    (void)state;
    assert_int_equal(c.host.cid, 5);
    assert_int_equal(c.host.port, 7);
    assert_true(c.power_off_on_host_loss);
    assert_int_equal(c.connect_timeout_ms, 250);
    assert_int_equal(c.log_level, 3);
    assert_true(c.swiotlb_asked);
    assert_true(c.has_modules);
    assert_string_equal(c.modules, "virtio_net,fuse");
    assert_string_equal(c.root, "LABEL=my root");
    assert_string_equal(c.root_options, "ro,noatime");
    assert_string_equal(c.root_init, "/bin/x");
    assert_int_equal(c.payload_words, 3);
    assert_int_equal(c.warning_count, 0);
}

static void words_behind_the_dashes_are_no_parameters(void **state)
{
    struct cmdline c = parse("-- hv_pci_swiotlb=1 guestlink.log_level=9");

    (void)state;
    assert_false(c.swiotlb_asked);
    assert_int_equal(c.log_level, 6);
    assert_int_equal(c.payload_words, 2);
}

/* Each as setup_io_tlb_npages() of Linux reads it. */
static void bouncing_is_forced_as_the_kernel_reads_it(void **state)
{
    static const struct {
        const char *text;
        bool forced;
    } rows[] = {
        {"swiotlb=force", true},
        {"swiotlb=32768,force", true},
        {"swiotlb=0x8000,force", true},
        {"swiotlb=32768,4,force", true},
        {"swiotlb=,4,force", true},
        {"swiotlb=,force", true},
        {"swiotlb=,,force", true},
        {"swiotlb=32768force", true},
        {"swiotlb=\"32768,force\"", true},
        {"swiotlb=32768", false},
        {"swiotlb=32768,4", false},
        {"swiotlb=noforce", false},
        {"swiotlb=32768,noforce", false},
        {"swiotlb=32768,4,8,force", false},
        {"swiotlb=32768, force", false},
        {"swiotlb=forced", false},
        {"swiotlb=Force", false},
        {"swiotlb=K,force", false},
        {"swiotlb", false},
        {"xswiotlb=force", false},
        {"hv_pci_swiotlb=force", false},
        {"-- swiotlb=force", false},
        /* several: the last that says either */
        {"swiotlb=force swiotlb=65536", true},
        {"swiotlb=65536 swiotlb=force", true},
        {"swiotlb=force swiotlb=noforce", false},
        {"swiotlb=noforce swiotlb=1024,force", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (parse(rows[i].text).swiotlb_forced != rows[i].forced)
            fail_msg("%s", rows[i].text);
}

static void a_bad_value_is_named_and_the_default_stays(void **state)
{
    static const char *const bad[] = {
        "guestlink.host=tcp:1:2",        "guestlink.host=vsock:1:99999999999",
        "guestlink.on_host_loss=panic",  "guestlink.connect_timeout_ms=-1",
        "guestlink.log_level=8",         "guestlink.log_level=",
        "guestlink.root_init=sbin/init", "guestlink.connect_timeout_ms=1x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct cmdline c = parse(bad[i]);

        assert_int_equal(c.warning_count, 1);
        assert_string_equal(c.warnings[0].word, bad[i]);
        assert_true(strlen(c.warnings[0].expected) > 0);
        assert_int_equal(c.host.port, 50000);
        assert_int_equal(c.log_level, 6);
        assert_int_equal(c.connect_timeout_ms, 30000);
        assert_string_equal(c.root_init, "/sbin/init");
    }
}

#define BAD "guestlink.log_level=x"

static void every_bad_value_is_named_up_to_a_bound(void **state)
{
    struct cmdline c = parse("guestlink.log_level=x guestlink.host=y guestlink.log_level=z");
    char text[1024] = "";

    (void)state;
    assert_int_equal(c.warning_count, 3);
    assert_string_equal(c.warnings[0].word, "guestlink.log_level=x");
    assert_string_equal(c.warnings[1].word, "guestlink.host=y");
    assert_string_equal(c.warnings[2].word, "guestlink.log_level=z");
    for (unsigned i = 0; i <= INIT_CMDLINE_WARNINGS; i++)
        memcpy(text + i * sizeof(BAD), BAD " ", sizeof(BAD));
    c = parse(text);
    assert_int_equal(c.warning_count, INIT_CMDLINE_WARNINGS);
}

static void a_module_list_that_is_too_long_is_no_list(void **state)
{
    char text[2000] = "guestlink.modules=";
    struct cmdline c;

    (void)state;
    memset(text + strlen(text), 'm', 1500);
    c = parse(text);
    assert_false(c.has_modules);
    assert_int_equal(c.warning_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_said_means_the_defaults),
        cmocka_unit_test(numbers_have_a_range),
        cmocka_unit_test(a_power_off_is_by_acpi_or_a_reboot),
        cmocka_unit_test(the_longest_options_of_a_root_fit),
        cmocka_unit_test(each_parameter_is_taken),
        cmocka_unit_test(words_behind_the_dashes_are_no_parameters),
        cmocka_unit_test(bouncing_is_forced_as_the_kernel_reads_it),
        cmocka_unit_test(a_bad_value_is_named_and_the_default_stays),
        cmocka_unit_test(every_bad_value_is_named_up_to_a_bound),
        cmocka_unit_test(a_module_list_that_is_too_long_is_no_list),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
