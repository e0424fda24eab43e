/* store: what was saved is loaded, and what is damaged is set aside. */
#include "descriptors.h"
#include "folder.h"
#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a"

static char directory[FOLDER_BYTES];

static int set_up(void **state)
{
    (void)state;
    folder_make(directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(directory);
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[160];

    (void)snprintf(path, sizeof(path), "%s/vms/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text, size_t size)
{
    FILE *stream = fopen(path_of(name), "we");

    assert_non_null(stream);
    assert_int_equal(fwrite(text, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

static unsigned count_set_aside(void)
{
    struct dirent *entry;
    unsigned count = 0;
    DIR *stream = opendir(path_of(""));

    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL)
        count += strstr(entry->d_name, ".bad-") != NULL;
    (void)closedir(stream);
    return count;
}

static void test_what_is_saved_is_loaded(void **state)
{
    struct store *store = NULL;
    struct json_object *document = json_tokener_parse("{\"shares\":[1,\"a/b\"],\"x\":null}"),
                       *loaded;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    loaded = store_load(store, ID);
    assert_int_equal(json_object_object_length(loaded), 0);
    json_object_put(loaded);

    assert_int_equal(store_save(store, ID, document), 0);
    assert_int_equal(store_save(store, ID, document), 0);
    (void)store_free(store);
    assert_int_equal(store_new(directory, &store), 0);
    loaded = store_load(store, ID);
    assert_true(json_object_equal(document, loaded));
    json_object_put(loaded);

    json_object_put(document);
    assert_null(store_free(store));
}

static void test_a_document_cut_at_any_byte_is_set_aside(void **state)
{
    static const char text[] = "{\"boot\":\"a\\\"b\",\"n\":[1,2.5,true,null,{}]}";
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        struct json_object *loaded;
        char command[160];

        write_file(ID ".json", text, size);
        loaded = store_load(store, ID);
        assert_non_null(loaded);
        assert_int_equal(json_object_object_length(loaded), 0);
        json_object_put(loaded);
        assert_int_equal(access(path_of(ID ".json"), F_OK), -1);
        assert_int_equal(count_set_aside(), 1);
        (void)snprintf(command, sizeof(command), "rm %s/vms/*.bad-*", directory);
        assert_int_equal(system(command), 0); // NOLINT(cert-env33-c)
    }
    (void)store_free(store);
}

static const struct {
    const char *text;
    size_t size;
} damaged[] = {
    {"[]", 2},           {"null", 4},          {"1", 1}, {"{}x", 3}, {"\0\0\0\0", 4},
    {"{\"a\":1}\0{", 9}, {"{\"a\":\"\xff", 7},
};

static void test_what_is_no_object_is_set_aside(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        struct json_object *loaded;

        write_file(ID ".json", damaged[i].text, damaged[i].size);
        loaded = store_load(store, ID);
        assert_int_equal(json_object_object_length(loaded), 0);
        json_object_put(loaded);
        assert_int_equal(access(path_of(ID ".json"), F_OK), -1);
    }
    (void)store_free(store);
}

static void test_an_id_is_no_path(void **state)
{
    struct json_object *document = json_object_new_object(), *loaded;
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    assert_int_equal(store_save(store, "../../../../../../tmp/abcdefghijklm", document), -EINVAL);
    loaded = store_load(store, "/etc/passwd");
    assert_int_equal(json_object_object_length(loaded), 0);
    json_object_put(loaded);
    json_object_put(document);
    (void)store_free(store);
}

static void test_without_a_directory_it_forgets(void **state)
{
    struct json_object *document = json_object_new_object(), *loaded;
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new("/proc/nothing/here", &store), -ENOENT);
    assert_non_null(store);
    assert_int_equal(store_save(store, ID, document), -EBADF);
    loaded = store_load(store, ID);
    assert_int_equal(json_object_object_length(loaded), 0);
    json_object_put(loaded);
    json_object_put(document);
    (void)store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_saved_is_loaded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_document_cut_at_any_byte_is_set_aside, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_object_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_id_is_no_path, set_up, tear_down),
        cmocka_unit_test(test_without_a_directory_it_forgets),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
