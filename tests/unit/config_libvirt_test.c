/* config, of libvirt's domains: named in the file, and found by what they say of themselves. */
#include "config/config.h"
#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID   "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a"
#define UUID "11111111-2222-3333-4444-555555555555"

#define FILE_TEXT                                                                                  \
    "{\"timeouts_ms\":{\"mount\":77},\"libvirt\":{\"discover\":true},\"vms\":[{\"name\":\"dev\","  \
    "\"id\":\"" ID "\",\"cid\":4,\"device_host\":{\"type\":\"libvirt\"}}]}"

static char heard[4096];

static void hear(void *userdata, const char *remark)
{
    (void)userdata;
    (void)snprintf(heard + strlen(heard), sizeof(heard) - strlen(heard), "%s\n", remark);
}

static struct config *parse(const char *text)
{
    struct config *config = NULL;

    heard[0] = '\0';
    (void)config_parse(text, strlen(text), "test.json", hear, hear, NULL, &config);
    return config;
}

static void a_domain_has_defaults(void **state)
{
    struct config *config = parse(FILE_TEXT);
    const struct config_device_host *host = &config->vms[0].device_host;

    (void)state;
    assert_string_equal(heard, "");
    assert_int_equal(host->type, CONFIG_DEVICE_HOST_LIBVIRT);
    assert_string_equal(host->uri, "qemu:///system");
    assert_string_equal(host->domain, "dev");
    assert_true(config->libvirt.discover);
    assert_string_equal(config->libvirt.uri, "qemu:///system");
    (void)config_free(config);
}

static void a_domain_serves_one_vm(void **state)
{
    (void)state;
    assert_null(parse("{\"vms\":[{\"name\":\"a\",\"id\":\"" ID
                      "\",\"cid\":4,\"device_host\":{\"type\":"
                      "\"libvirt\",\"domain\":\"b\"}},{\"name\":\"b\",\"id\":\"" UUID
                      "\",\"cid\":5,\"device_host\":{\"type\":\"libvirt\"}}]}"));
    assert_non_null(strstr(heard, "\"b of qemu:///system\" is also used by another VM"));
}

static void a_stream_is_not_libvirt_s(void **state)
{
    (void)state;
    assert_null(parse("{\"vms\":[{\"name\":\"a\",\"id\":\"" ID
                      "\",\"cid\":4,\"network\":[{\"id\":\"e\","
                      "\"mac\":\"52:54:00:12:34:56\",\"backend\":\"stream\",\"socket\":\"/s\"}],"
                      "\"device_host\":{\"type\":\"libvirt\"}}]}"));
    assert_non_null(strstr(heard, "libvirt has no backend \"stream\""));
}

static void its_backends_are_read(void **state)
{
    struct config *config =
        parse("{\"vms\":[{\"name\":\"a\",\"id\":\"" ID "\",\"cid\":4,\"network\":[{\"id\":\"e\","
              "\"mac\":\"52:54:00:12:34:56\",\"backend\":\"network\",\"network\":\"my net\"},"
              "{\"id\":\"f\",\"mac\":\"52:54:00:12:34:57\",\"backend\":\"bridge\","
              "\"bridge\":\"br0\"}],\"device_host\":{\"type\":\"libvirt\"}}]}");

    (void)state;
    assert_string_equal(heard, "");
    assert_string_equal(config->vms[0].networks[0].interface, "my net");
    assert_string_equal(config->vms[0].networks[1].interface, "br0");
    (void)config_free(config);
}

/* @return what config_adopt() did */
static int adopt(struct config *config, const char *domain, uint32_t cid, const char *text)
{
    const struct config_found found = {
        .uri = "qemu:///system", .domain = domain, .id = UUID, .cid = cid, .text = text};

    heard[0] = '\0';
    return config_adopt(config, &found, hear, hear, NULL);
}

static void a_found_domain_is_a_vm(void **state)
{
    struct config *config = parse(FILE_TEXT);
    const struct config_vm *vm;

    (void)state;
    assert_int_equal(adopt(config, "found", 7, "{\"hostname\": \"h\"}"), 0);
    assert_string_equal(heard, "");
    assert_int_equal(config->vm_count, 2);
    vm = &config->vms[1];
    assert_string_equal(vm->name, "found");
    assert_string_equal(vm->id, UUID);
    assert_int_equal(vm->cid, 7);
    assert_string_equal(vm->hostname, "h");
    assert_string_equal(vm->device_host.domain, "found");
    assert_int_equal(vm->timeouts.mount, 77);
    (void)config_free(config);
}

static void what_it_says_itself_counts(void **state)
{
    struct config *config = parse(FILE_TEXT);

    (void)state;
    assert_int_equal(adopt(config, "a b", 7,
                           "{\"name\": \"x\", \"id\": \"22222222-2222-3333-4444-555555555555\","
                           "\"socket\": \"/s\"}"),
                     0);
    assert_string_equal(config->vms[1].name, "x");
    assert_int_equal(config->vms[1].id[0], '2');
    assert_int_equal(config->vms[1].cid, 0);
    assert_string_equal(config->vms[1].device_host.domain, "a b");
    (void)config_free(config);
}

static void a_domain_of_the_file_is_the_file_s(void **state)
{
    struct config *config = parse(FILE_TEXT);

    (void)state;
    assert_int_equal(adopt(config, "dev", 7, "nonsense"), 0);
    assert_string_equal(heard, "");
    assert_int_equal(config->vm_count, 1);
    (void)config_free(config);
}

static void a_wrong_element_adds_nothing(void **state)
{
    static const struct {
        const char *domain;
        uint32_t cid;
        const char *text, *error;
    } cases[] = {
        {"found", 7, "", "domain found of qemu:///system:1: "},
        {"found", 7, "[]", "expected an object with the keys of a VM"},
        {"found", 7, "{\"shares\": 7}", "shares: 7, expected"},
        {"found", 0, "{}", "neither `cid` nor `socket`"},
        {"found", 4, "{}", "its cid is also VM dev's"},
        {"found", 7, "{\"name\": \"dev\"}", "its name is also VM dev's"},
        {"found", 7, "{\"id\": \"" ID "\"}", "its id is also VM dev's"},
        {"a b", 7, "{}", "no key `name`"},
        {"found", 7, "{\"device_host\": {\"type\": \"command\", \"argv\": [\"/bin/sh\"]}}",
         "device_host: expected none"},
        {"found", 7,
         "{\"network\": [{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\",\"backend\":"
         "\"stream\",\"socket\":\"/s\"}]}",
         "libvirt has no backend"},
    };
    struct config *config = parse(FILE_TEXT);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(adopt(config, cases[i].domain, cases[i].cid, cases[i].text), 1);
        if (!strstr(heard, cases[i].error))
            fail_msg("%s\ngave: %swanted: %s", cases[i].text, heard, cases[i].error);
        assert_non_null(strstr(heard, "; not using the domain's element\n"));
        assert_int_equal(config->vm_count, 1);
    }
    (void)config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_has_defaults),
        cmocka_unit_test(a_domain_serves_one_vm),
        cmocka_unit_test(a_stream_is_not_libvirt_s),
        cmocka_unit_test(its_backends_are_read),
        cmocka_unit_test(a_found_domain_is_a_vm),
        cmocka_unit_test(what_it_says_itself_counts),
        cmocka_unit_test(a_domain_of_the_file_is_the_file_s),
        cmocka_unit_test(a_wrong_element_adds_nothing),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
