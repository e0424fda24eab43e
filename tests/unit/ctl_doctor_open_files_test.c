/* guestlinkctl doctor: a virtiofsd that has opened most of the files that it may is found, and no
 * other process, in a /proc of the test's. */
#include "descriptors.h"
#include "doctor/doctor.h"
#include "folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char proc[FOLDER_BYTES];

static void write_file(const char *name, const char *text, size_t size)
{
    char path[160];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", proc, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Process 42, or @p pid: its words with a blank between, limit ("": none) and open files. */
static void run_process(const char *pid, const char *words, const char *limit, unsigned open_files)
{
    char name[96], text[512];
    size_t size = strlen(words) + 1;

    (void)snprintf(name, sizeof(name), "%s/%s", proc, pid);
    assert_int_equal(mkdir(name, 0700), 0);
    (void)snprintf(name, sizeof(name), "%s/%s/fd", proc, pid);
    assert_int_equal(mkdir(name, 0700), 0);
    for (unsigned i = 0; i < open_files; i++) {
        (void)snprintf(name, sizeof(name), "%s/fd/%u", pid, i);
        write_file(name, "", 0);
    }
    (void)snprintf(text, sizeof(text), "%s", words);
    for (char *blank = text; (blank = strchr(blank, ' ')) != NULL; blank++)
        *blank = '\0';
    (void)snprintf(name, sizeof(name), "%s/cmdline", pid);
    write_file(name, text, size);
    (void)snprintf(text, sizeof(text),
                   "Limit                     Soft Limit           Hard Limit           Units\n"
                   "Max processes             9                    9                    processes\n"
                   "Max open files            %-20s 524288               files\n"
                   "Max locked memory         8                    8                    bytes\n",
                   limit);
    (void)snprintf(name, sizeof(name), "%s/limits", pid);
    if (limit[0])
        write_file(name, text, strlen(text));
}

/* @return the finding, or NULL; the caller's */
static struct json_object *look(bool file_handles)
{
    struct config_share shares[] = {
        {.tag = (char *)"other", .path = (char *)"/nowhere"},
        {.tag = (char *)"src", .path = (char *)"/srv/src", .serving.file_handles = file_handles}};
    const struct config_vm vm = {.name = (char *)"dev", .shares = shares, .share_count = 2};
    struct doctor doctor = {.places.proc = proc, .findings = json_object_new_array()};
    struct json_object *finding = NULL;

    doctor_look_at_open_files(&doctor, &vm);
    assert_in_range(json_object_array_length(doctor.findings), 0, 1);
    if (json_object_array_length(doctor.findings) > 0)
        finding = json_object_get(json_object_array_get_idx(doctor.findings, 0));
    json_object_put(doctor.findings);
    return finding;
}

static const char *get(struct json_object *finding, const char *key)
{
    return json_object_get_string(json_object_object_get(finding, key));
}

static void one_that_is_near_its_limit_is_found(void **state)
{
    static const struct {
        const char *words, *limit;
        unsigned open_files;
        const char *found; /* NULL: nothing is found */
    } rows[] = {
        {"/usr/libexec/virtiofsd --shared-dir /srv/src", "30", 21, "wrong"},
        {"/usr/libexec/virtiofsd --shared-dir /srv/src", "30", 20, "note"},
        {"/usr/libexec/virtiofsd --shared-dir=/srv/src --x", "30", 1, "note"},
        {"virtiofsd source=/srv/src", "999999", 3, "note"},
        {"virtiofsd source=/srv/src", "1000000", 3, NULL},
        {"virtiofsd source=/srv/src", "30", 0, NULL},
        {"virtiofsd source=/srv/src", "", 3, NULL},
        {"virtiofsd --shared-dir /share/srv/src", "999999", 3, "note"},
        {"virtiofsd -o source=/share/srv/src", "999999", 3, "note"},
        {"virtiofsd --shared-dir /share/home/srv/src", "30", 21, NULL},
        {"virtiofsd --shared-dir /home/srv/src", "30", 21, NULL},
        {"virtiofsd -o source=/home/srv/src", "30", 21, NULL},
        {"virtiofsd --socket-path=/srv/src", "30", 21, NULL},
        {"virtiofsd /srv/src/more", "30", 21, NULL},
        {"virtiofsd rc", "30", 21, NULL},
        {"/usr/bin/qemu /srv/src", "30", 21, NULL},
        {"/virtiofsd/qemu /srv/src", "30", 21, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct json_object *finding;
        char words[96];

        folder_make(proc);
        run_process("42", rows[i].words, rows[i].limit, rows[i].open_files);
        finding = look(false);
        if ((finding != NULL) != (rows[i].found != NULL))
            fail_msg("row %zu: %s", i, finding ? get(finding, "text") : "nothing is found");
        if (finding) {
            assert_string_equal(get(finding, "state"), rows[i].found);
            assert_string_equal(get(finding, "check"), "files");
            assert_string_equal(get(finding, "vm"), "dev");
            (void)snprintf(words, sizeof(words),
                           "share src: its virtiofsd (process 42) has %u of at most %s files",
                           rows[i].open_files, rows[i].limit);
            assert_int_equal(strncmp(get(finding, "text"), words, strlen(words)), 0);
        }
        json_object_put(finding);
        folder_remove(proc);
    }
}

static void others_are_none_of_its_business(void **state)
{
    (void)state;
    folder_make(proc);
    run_process("self", "virtiofsd /srv/src", "30", 21);
    run_process("7", "virtiofsd /srv/other", "30", 21);
    assert_null(look(false));
    run_process("8", "virtiofsd /srv/src", "30", 21);
    assert_null(look(true)); /* with file handles it opens none for what the guest knows */
    folder_remove(proc);
    strcpy(proc, "/nonexistent");
    assert_null(look(false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_near_its_limit_is_found),
        cmocka_unit_test(others_are_none_of_its_business),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
