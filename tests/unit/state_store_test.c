/* store: what was saved is loaded, and what is damaged is set aside. */
#include "descriptors.h"
#include "folder.h"
#include "state/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

/* @return what store_save() returned for a document of about @p size bytes */
static int save_long(struct store *store, size_t size)
{
    struct json_object *document = json_object_new_object();
    char *text = malloc(size + 1);
    int r;

    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    json_object_object_add(document, "text", json_object_new_string(text));
    r = store_save(store, ID, document);
    free(text);
    json_object_put(document);
    return r;
}

static size_t loaded_members(struct store *store)
{
    struct json_object *loaded = store_load(store, ID);
    size_t members = (size_t)json_object_object_length(loaded);

    json_object_put(loaded);
    return members;
}

static void test_the_longest_document_that_is_saved_is_loaded(void **state)
{
    struct store *store = NULL;
    size_t good = 1, bad = (size_t)1 << 22;
    FILE *stream;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    while (bad - good > 1) {
        size_t size = good + (bad - good) / 2;
        int r = save_long(store, size);

        assert_true(r == 0 || r == -EFBIG);
        if (r == 0)
            good = size;
        else
            bad = size;
    }
    assert_int_equal(save_long(store, good), 0);
    assert_int_equal(save_long(store, bad), -EFBIG);
    assert_int_equal(loaded_members(store), 1);
    /* that is as long as one may be: JSON that ends with a blank is still JSON */
    stream = fopen(path_of(ID ".json"), "ae");
    assert_non_null(stream);
    assert_int_equal(fputc(' ', stream), ' ');
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(loaded_members(store), 0);
    assert_int_equal(count_set_aside(), 1);
    (void)store_free(store);
}

static void test_documents_are_the_daemons_alone(void **state)
{
    struct store *store = NULL;
    mode_t mask = umask(0);
    char nested[128];
    struct stat status;

    (void)state;
    (void)snprintf(nested, sizeof(nested), "%s/some/where", directory);
    assert_int_equal(store_new(nested, &store), 0);
    assert_int_equal(save_long(store, 1), 0);
    (void)umask(mask);
    assert_int_equal(stat(nested, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0755);
    (void)snprintf(nested, sizeof(nested), "%s/som", directory); /* whole names alone are made */
    assert_int_equal(access(nested, F_OK), -1);
    (void)snprintf(nested, sizeof(nested), "%s/some/where/vms", directory);
    assert_int_equal(stat(nested, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    (void)snprintf(nested, sizeof(nested), "%s/some/where/vms/" ID ".json", directory);
    assert_int_equal(stat(nested, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    (void)store_free(store);
}

static void test_what_cannot_be_replaced_leaves_nothing_else(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    assert_int_equal(mkdir(path_of(ID ".json"), 0700), 0);
    assert_int_equal(save_long(store, 1), -EISDIR);
    assert_int_equal(access(path_of(ID ".new"), F_OK), -1);
    (void)store_free(store);
}

/* RLIMIT_FSIZE ends a file as a full disk does. */
static void test_a_full_disk_leaves_what_was_saved(void **state)
{
    const struct rlimit small = {100, RLIM_INFINITY}, large = {RLIM_INFINITY, RLIM_INFINITY};
    struct store *store = NULL;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(store_new(directory, &store), 0);
    assert_int_equal(save_long(store, 1), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(save_long(store, 1000), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &large), 0);
    assert_int_equal(access(path_of(ID ".new"), F_OK), -1);
    assert_int_equal(loaded_members(store), 1);
    (void)store_free(store);
}

/* A pipe is not waited for, and a link is not followed. */
static void test_what_is_no_file_is_set_aside(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    assert_int_equal(mkfifo(path_of(ID ".json"), 0600), 0);
    assert_int_equal(loaded_members(store), 0);
    assert_int_equal(count_set_aside(), 1);
    write_file("elsewhere", "{\"a\": 1}", 8);
    assert_int_equal(symlink("elsewhere", path_of(ID ".json")), 0);
    assert_int_equal(loaded_members(store), 0);
    assert_int_equal(access(path_of(ID ".json"), F_OK), -1);
    assert_int_equal(access(path_of("elsewhere"), F_OK), 0);
    (void)store_free(store);
}

static void test_only_a_uuid_is_an_id(void **state)
{
    static const char *const ids[] = {
        "", "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0", "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0ab",
        "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0g", "8c5a1e5e/6f0b-4d3c-9b1a-2f6e7d8c9b0a"};
    struct json_object *document = json_object_new_object();
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
        assert_int_equal(store_save(store, ids[i], document), -EINVAL);
    json_object_put(document);
    (void)store_free(store);
}

static void test_a_path_that_is_too_long_is_no_directory(void **state)
{
    static const size_t sizes[] = {4091, 4092, 8000};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct store *store = NULL;
        char *path = malloc(sizes[i] + 1);

        assert_non_null(path);
        memset(path, '/', sizes[i]);
        memcpy(path, "/proc/nothing", 13);
        path[sizes[i]] = '\0';
        /* "/vms" is part of the path, and so is its end */
        assert_int_equal(store_new(path, &store), sizes[i] + 5 > 4096 ? -ENAMETOOLONG : -ENOENT);
        assert_null(store_free(store));
        free(path);
    }
}

/* What is logged while a document is loaded. */
static const char *log_of_load(struct store *store)
{
    static char text[1024];
    FILE *stream = tmpfile();
    int saved = dup(STDERR_FILENO);

    assert_non_null(stream);
    assert_int_equal(dup2(fileno(stream), STDERR_FILENO), STDERR_FILENO);
    (void)loaded_members(store);
    (void)dup2(saved, STDERR_FILENO);
    (void)close(saved);
    rewind(stream);
    text[fread(text, 1, sizeof(text) - 1, stream)] = '\0';
    (void)fclose(stream);
    return text;
}

static void need_words(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static void test_why_a_document_was_set_aside_is_logged(void **state)
{
    struct store *store = NULL;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    assert_string_equal(log_of_load(store), ""); /* there is none */
    write_file(ID ".json", "[]", 2);
    need_words(log_of_load(store),
               ID ".json: not a complete JSON object; renamed it to " ID ".json.bad-");
    assert_string_equal(log_of_load(store), "");
    write_file(ID ".json", "{}\0{}", 5);
    need_words(log_of_load(store), ".json: Bad message; renamed it to");
    write_file(ID ".json", "{}", 2);
    assert_string_equal(log_of_load(store), "");
    (void)store_free(store);
    (void)store_new("/proc/nothing/here", &store);
    assert_string_equal(log_of_load(store), ""); /* that it forgets was said at its begin */
    (void)store_free(store);
}

static void test_one_daemon_has_the_store(void **state)
{
    struct store *store = NULL, *other = NULL;
    pid_t pid = 0;

    (void)state;
    assert_int_equal(store_new(directory, &store), 0);
    assert_int_equal(store_lock(store, &pid), 0);
    (void)store_free(store); /* and its lock goes with it */
    assert_int_equal(store_new(directory, &other), 0);
    assert_int_equal(store_lock(other, &pid), 0);
    (void)store_free(other);
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
        cmocka_unit_test_setup_teardown(test_the_longest_document_that_is_saved_is_loaded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_documents_are_the_daemons_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_replaced_leaves_nothing_else, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_leaves_what_was_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_a_uuid_is_an_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_why_a_document_was_set_aside_is_logged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_daemon_has_the_store, set_up, tear_down),
        cmocka_unit_test(test_a_path_that_is_too_long_is_no_directory),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
