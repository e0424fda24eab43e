/* config reader: lists that are too long, numbers at their ends, URIs, and what an error in one
 * place says of the others. */
#include "config/config.h"
#include "config/publish.h"
#include "config/vm.h"
#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID "11111111-2222-3333-4444-55555555555"
#define VM   "\"name\": \"dev\", \"id\": \"" UUID "5\", \"cid\": 4"

static char heard[16384];
static unsigned remarks;

static void hear(void *userdata, const char *remark)
{
    size_t used = strlen(heard);

    (void)userdata;
    remarks++;
    (void)snprintf(heard + used, sizeof(heard) - used, "%s\n", remark);
}

/* @return the configuration with one VM that has these keys, too; NULL: it is refused */
static struct config *parse(const char *keys)
{
    struct config *config = NULL;
    size_t capacity = strlen(keys) + 256;
    char *text = malloc(capacity);
    int size;

    assert_non_null(text);
    size = snprintf(text, capacity, "{\"vms\": [{" VM ", %s}]}", keys);
    heard[0] = '\0';
    remarks = 0;
    (void)config_parse(text, (size_t)size, "test", hear, hear, NULL, &config);
    free(text);
    return config;
}

static void expect(const char *part)
{
    if (!strstr(heard, part))
        fail_msg("\"%s\" is not in: %s", part, heard);
}

/* A list of so many entries, each with its number where the format has %u. */
static char *list(const char *key, const char *format, size_t count)
{
    char *text = NULL, entry[256];
    size_t size;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    (void)fprintf(file, "\"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        const char *mark = strstr(format, "%u");

        (void)snprintf(entry, sizeof(entry), "%.*s%zu%s", (int)(mark - format), format, i,
                       mark + 2);
        (void)fprintf(file, "%s%s", i > 0 ? ", " : "", entry);
    }
    (void)fputs("]", file);
    assert_int_equal(fclose(file), 0);
    return text;
}

static void a_list_has_a_bound(void **state)
{
    static const struct {
        const char *key, *format;
        size_t most;
    } lists[] = {
        {"shares", "{\"tag\": \"t%u\", \"path\": \"/\", \"target\": \"/mnt/t\"}", CONFIG_VM_SHARES},
        {"network", "{\"id\": \"e%u\", \"mac\": \"52:54:00:00:00:01\"}", CONFIG_VM_ADAPTERS},
    };
    char part[64];

    (void)state;
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char *most = list(lists[i].key, lists[i].format, lists[i].most);
        char *more = list(lists[i].key, lists[i].format, lists[i].most + 1);

        (void)config_free(parse(most));
        assert_null(strstr(heard, " entries, expected at most"));
        assert_null(parse(more));
        assert_int_equal(remarks, 1); /* the entries are not looked at */
        (void)snprintf(part, sizeof(part), "%s: %zu entries, expected at most %zu", lists[i].key,
                       lists[i].most + 1, lists[i].most);
        expect(part);
        free(most);
        free(more);
    }
    assert_null(parse("\"shares\": {}"));
    expect("shares: ");
    expect("a list");
}

static void an_id_is_below_the_last_number(void **state)
{
    static const char *const keys[] = {"uid", "gid"};
    char text[128];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct config *config;

        (void)snprintf(text, sizeof(text), "\"payload\": {\"argv\": [\"/a\"], \"%s\": %u}", keys[i],
                       UINT32_MAX - 1);
        config = parse(text);
        assert_non_null(config);
        assert_int_equal(i == 0 ? config->vms[0].payload.uid : config->vms[0].payload.gid,
                         UINT32_MAX - 1);
        (void)config_free(config);
        (void)snprintf(text, sizeof(text), "\"payload\": {\"argv\": [\"/a\"], \"%s\": %u}", keys[i],
                       UINT32_MAX);
        assert_null(parse(text));
        expect(keys[i]);
    }
}

static void a_uri_has_a_scheme(void **state)
{
    static const struct {
        const char *uri;
        bool is_right;
    } cases[] = {
        {"qemu:///system", true},
        {"a:", true},
        {"qemu+ssh://h/system?a=b", true},
        {"qemu", false},
        {":///system", false},
        {"1:///system", false},
        {"", false},
        {"a: b", false},
        {"a:;b", false},
    };
    char text[2048], uri[1100];
    size_t longest = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config;

        (void)snprintf(text, sizeof(text),
                       "\"device_host\": {\"type\": \"libvirt\", \"uri\": \"%s\"}", cases[i].uri);
        config = parse(text);
        assert_int_equal(config != NULL, cases[i].is_right);
        if (config)
            assert_string_equal(config->vms[0].device_host.uri, cases[i].uri);
        else
            expect("a URI of libvirt's");
        (void)config_free(config);
    }
    for (size_t size = 2; size < sizeof(uri); size++) { /* up to some length all are right */
        struct config *config;

        memset(uri, 'x', size);
        uri[1] = ':';
        uri[size] = '\0';
        (void)snprintf(text, sizeof(text),
                       "\"device_host\": {\"type\": \"libvirt\", \"uri\": \"%s\"}", uri);
        config = parse(text);
        if (config) {
            assert_true(longest == 0 || longest == size - 1);
            longest = size;
        }
        (void)config_free(config);
    }
    assert_int_equal(longest % 256, 0);
    assert_in_range(longest, 256, sizeof(uri) - 2);
}

#define ADAPTER(publish)                                                                           \
    "\"network\": [{\"id\": \"e\", \"mac\": \"52:54:00:00:00:01\", \"backend\": \"user\", "        \
    "\"publish\": [" publish "]}]"

static void what_is_wrong_hides_nothing_behind_it(void **state)
{
    const struct config_strings ports = {
        .items = (char *[]){(char *)"x", (char *)"80:80", (char *)"[::1]:53:53/udp"}, .count = 3};
    char text[64];
    size_t size;

    (void)state;
    assert_null(parse(ADAPTER("\"x\", \"[::1]:80:80\"")));
    expect("\"[::1]:80:80\" has an IPv6 address");
    size = config_publish_name_ports(&ports, text, sizeof(text));
    assert_string_equal(text, "80/tcp,53/udp,");
    assert_int_equal(size, strlen(text));
}

static void what_is_there_twice_is_told_in_the_file_s_order(void **state)
{
    static const char text[] = "{\"vms\": ["
                               "{\"name\": \"z\", \"id\": \"" UUID "1\", \"cid\": 4},\n"
                               "{\"name\": \"a\", \"id\": \"" UUID "2\", \"cid\": 5},\n"
                               "{\"name\": \"z\", \"id\": \"" UUID "3\", \"cid\": 6},\n"
                               "{\"name\": \"a\", \"id\": \"" UUID "4\", \"cid\": 7},\n"
                               "{\"name\": \"z\", \"id\": \"" UUID "5\", \"cid\": 8}]}";
    const char *last = heard;
    struct config *config = NULL;

    (void)state;
    heard[0] = '\0';
    remarks = 0;
    assert_int_equal(config_parse(text, strlen(text), "test", hear, hear, NULL, &config), 1);
    assert_int_equal(remarks, 3);
    for (unsigned i = 2; i <= 4; i++) {
        char part[64];

        (void)snprintf(part, sizeof(part), "vms[%u].name: \"%s\" is also used", i,
                       i % 2 ? "a" : "z");
        last = last ? strstr(last, part) : NULL;
        if (!last)
            fail_msg("\"%s\" is not there, or not in its order: %s", part, heard);
    }
}

static void a_domain_without_a_uuid_must_name_one(void **state)
{
    static const struct {
        const char *id, *text;
        int result;
    } cases[] = {
        {UUID "9", "{}", 0},
        {"", "{}", 1},
        {"no UUID", "{}", 1},
        {"", "{\"id\": \"" UUID "9\"}", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = parse("\"hostname\": \"h\"");
        const struct config_found found = {.uri = "test:///a",
                                           .domain = "found",
                                           .id = cases[i].id,
                                           .cid = 9,
                                           .text = cases[i].text};

        assert_int_equal(config_adopt(config, &found, hear, hear, NULL), cases[i].result);
        if (cases[i].result == 0)
            assert_string_equal(config->vms[1].id, UUID "9");
        else
            expect("no key `id`, and the domain has no UUID");
        assert_int_equal(config->vm_count, cases[i].result == 0 ? 2 : 1);
        (void)config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_has_a_bound),
        cmocka_unit_test(an_id_is_below_the_last_number),
        cmocka_unit_test(a_uri_has_a_scheme),
        cmocka_unit_test(what_is_wrong_hides_nothing_behind_it),
        cmocka_unit_test(what_is_there_twice_is_told_in_the_file_s_order),
        cmocka_unit_test(a_domain_without_a_uuid_must_name_one),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
