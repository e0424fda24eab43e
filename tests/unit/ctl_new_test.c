/* new: a VM is put into hostd.json's text, and nothing else in it changes. */
#include "new/new_vm.h"

#include "config/config.h"
#include "config/policy.h"
#include "descriptors.h"
#include "folder.h"
#include "new/new_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define VM                                                                                         \
    "{\"name\": \"a\", \"id\": \"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\", \"cid\": 4, "             \
    "\"device_host\": {\"type\": \"none\"}}"

static struct json_object *make(const struct config *config, unsigned given)
{
    struct options options = OPTIONS_NULL;
    char share[] = "/tmp:/mnt/t:ro", same[] = "/:/srv/t";
    char *shares[] = {share, same};

    options.given = given;
    options.shares = (struct config_strings){shares, 2};
    return new_vm_make("b", &options, config);
}

static struct config *parse(const char *text)
{
    struct config *config = NULL;

    assert_int_equal(config_parse(text, strlen(text), "test", NULL, NULL, NULL, &config), 0);
    return config;
}

/* What is left of @p text when the new VM's lines, from their begin to the last `}`, are cut out.
 */
static void insert_keeps(const char *text, size_t count)
{
    struct config *before = parse(text), *after;
    struct json_object *vm = make(before, OPTIONS_NETWORK);
    char *got = NULL, *begin, *end, *left;

    assert_int_equal(new_vm_insert(text, strlen(text), vm, &got), 0);
    after = parse(got);
    assert_int_equal(after->vm_count, count + 1);
    for (size_t i = 0; i < count; i++)
        assert_true(config_vm_equal(&after->vms[i], &before->vms[i]));
    assert_string_equal(after->vms[count].name, "b");
    begin = strstr(got, "\n    {\n      \"name\": \"b\"");
    assert_non_null(begin);
    end = strstr(begin, "\n    }");
    assert_non_null(end);
    left = strdup(end + strlen("\n    }"));
    *begin = '\0';
    /* But for the comma, and a line's end before the bracket. */
    if (count == 0 && strstr(text, "[]") != NULL) {
        assert_memory_equal(got, text, strlen(got));
        assert_string_equal(left, "\n  ]}");
    } else {
        assert_string_equal(left, strrchr(text, '\n'));
        assert_int_equal(strlen(got) + strlen(left), strlen(text) + (count > 0));
    }
    free(left);
    free(got);
    json_object_put(vm);
    (void)config_free(before);
    (void)config_free(after);
}

static void all_else_stays(void **state)
{
    (void)state;
    insert_keeps("{\"vms\": []}", 0);
    insert_keeps("{\"vms\": [ // none yet\n]}", 0);
    insert_keeps("{\"vms\": [" VM "\n  ]}", 1);
    insert_keeps("// ] \n{\"vms\": [" VM " // the first ] }\n  ], \"limits\": {}}", 1);
    insert_keeps("\xEF\xBB\xBF{\"vms\": [" VM "\r\n  /* ] */\n]}", 1);
}

static void what_has_no_list_is_refused(void **state)
{
    static const char *const texts[] = {"", "[]", "{}", "{\"vms\": {}}", "{\"vms\": [}"};
    char *got = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(new_vm_insert(texts[i], strlen(texts[i]), NULL, &got), -EINVAL);
    assert_null(got);
}

static void a_vm_is_what_was_asked_for(void **state)
{
    struct config *config = parse("{\"vms\": [" VM "]}"), *after;
    struct json_object *vm = make(config, 0);
    char *got = NULL;

    (void)state;
    assert_int_equal(new_vm_insert("{\"vms\": []}", 11, vm, &got), 0);
    after = parse(got);
    assert_int_equal(after->vms[0].cid, 5); /* 4 is taken */
    assert_int_equal(after->vms[0].memory, UINT64_C(1280) << 20);
    assert_string_equal(after->vms[0].hostname, "b");
    assert_int_equal(after->vms[0].share_count, 2);
    assert_string_equal(after->vms[0].shares[0].tag, "t");
    assert_string_equal(after->vms[0].shares[0].target, "/mnt/t");
    assert_true(after->vms[0].shares[0].read_only);
    assert_string_equal(after->vms[0].shares[1].tag, "share1"); /* "t" is taken */
    assert_false(after->vms[0].shares[1].read_only);
    assert_int_equal(after->vms[0].network_count, 0);
    assert_true(policy_decide(after, &after->vms[0], NULL, NULL).swiotlb_bytes > 0);
    assert_string_equal(after->vms[0].device_host.qmp, "/run/guestlink/vm/b/qmp.sock");
    free(got);
    json_object_put(vm);
    (void)config_free(config);
    (void)config_free(after);
}

static void a_file_is_replaced_whole(void **state)
{
    char folder[FOLDER_BYTES], path[FOLDER_BYTES + 16], none[FOLDER_BYTES + 16], *text = NULL;
    struct stat status;
    size_t size = 0;

    (void)state;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    (void)snprintf(none, sizeof(none), "%s/no/file", folder);
    assert_int_equal(new_file_read(path, &text, &size), -ENOENT);
    assert_int_equal(new_file_replace(none, "x"), -ENOENT);
    assert_int_equal(new_file_replace(path, "one"), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    assert_int_equal(new_file_replace(path, "two"), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0604);
    assert_int_equal(new_file_create(path, "three"), -EEXIST);
    assert_int_equal(new_file_read(path, &text, &size), 0);
    assert_int_equal(size, 3);
    assert_string_equal(text, "two");
    free(text);
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_else_stays),
        cmocka_unit_test(what_has_no_list_is_refused),
        cmocka_unit_test(a_vm_is_what_was_asked_for),
        cmocka_unit_test(a_file_is_replaced_whole),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
