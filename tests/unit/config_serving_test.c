/* config serving: how a share's virtiofsd is to serve it, what each kind of virtiofsd is told of
 * that, and what it cannot do. */
#include "config/config.h"
#include "config/text.h"
#include "device/virtiofsd_command.h"
#include "folder.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define HEAD                                                                                       \
    "{\"listen\": [], \"vms\": [{\"name\": \"v\", \"id\": "                                        \
    "\"11111111-2222-3333-4444-555555555555\","                                                    \
    "\"socket\": \"/s\", \"memory\": \"2G\", \"shares\": [{\"tag\": \"c\", \"path\": "             \
    "\"/srv//c/\", "                                                                               \
    "\"target\": \"/mnt/c\""

static char remarks[4096];

static void note(void *userdata, const char *remark)
{
    size_t used = strlen(remarks);

    (void)userdata;
    (void)snprintf(remarks + used, sizeof(remarks) - used, "%s\n", remark);
}

/* @return NULL: refused; `remarks` says why */
static struct config *parse(const char *keys)
{
    struct config *config = NULL;
    char text[2048];

    remarks[0] = '\0';
    (void)snprintf(text, sizeof(text), HEAD "%s}]}]}", keys);
    (void)config_parse(text, strlen(text), "test", note, note, NULL, &config);
    return config;
}

static void the_keys_are_read(void **state)
{
    static const struct {
        const char *keys, *serving;
    } cases[] = {
        {"", ""},
        {", \"announce_submounts\": true, \"cache\": \"auto\", \"xattr\": false, \"map_uid\": []",
         ""},
        {", \"announce_submounts\": false, \"xattr\": true", "xattr,unannounced"},
        {", \"posix_acl\": true, \"cache\": \"never\"", "posix_acl,cache=never"},
        {", \"file_handles\": true, \"cache\": \"always\"", "file_handles,cache=always"},
        {", \"map_uid\": \"0:1000:1\", \"map_gid\": [\"0:100:1\", \"5:500:4294966000\"]",
         "uid=0:1000:1,gid=0:100:1,gid=5:500:4294966000"},
    };
    char serving[CONFIG_SERVING_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = parse(cases[i].keys);

        assert_string_equal(remarks, "");
        assert_non_null(config);
        assert_string_equal(config_serving_format(&config->vms[0].shares[0].serving, serving),
                            cases[i].serving);
        assert_string_equal(config->vms[0].shares[0].path, "/srv/c");
        assert_null(config_free(config));
    }
}

static void what_cannot_be_is_refused(void **state)
{
    static const struct {
        const char *keys, *why;
    } cases[] = {
        {", \"xattr\": 1", "true or false"},
        {", \"cache\": \"none\"", "\"auto\", \"always\" or \"never\""},
        {", \"map_uid\": 0", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"0:1000\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"0:1000:0\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"0:1000:1:\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"-1:1000:1\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"4294967295:0:1\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": \"0:4294967290:6\"", "GUEST:HOST:COUNT"},
        {", \"map_uid\": [\"0:0:10\", \"9:20:1\"]", "overlaps"},
        {", \"map_gid\": [\"0:0:10\", \"20:9:1\"]", "overlaps"},
        {", \"map_gid\": [\"0:0:1\",\"1:1:1\",\"2:2:1\",\"3:3:1\",\"4:4:1\",\"5:5:1\",\"6:6:1\","
         "\"7:7:1\",\"8:8:1\"]",
         "9 entries"},
        {", \"posix_acl\": true, \"map_uid\": \"0:1000:1\"", "posix_acl"},
        {", \"transport\": \"9p\", \"map_gid\": \"0:1000:1\"", "not supported by 9P"},
        {", \"transport\": \"9p\", \"xattr\": true", "not supported by 9P"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_null(parse(cases[i].keys));
        if (!strstr(remarks, cases[i].why))
            fail_msg("no \"%s\" in \"%s\"", cases[i].why, remarks);
    }
}

/* A program that has just those words in it. */
static void write_program(const char *path, const char *words)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fprintf(file, "%s", words) > 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
}

#define C_WORDS                                                                                    \
    "\177ELF sandbox=namespace|chroot modcaps announce_submounts xattr posix_acl cache=none"
#define RUST_WORDS                                                                                 \
    "\177ELF shared-dir modcaps rlimit-nofile inode-file-handles readonly xattr posix-acl "        \
    "translate-uid announce-submounts"

static void each_kind_is_told_in_its_own_words(void **state)
{
    static const struct {
        const char *words, *keys;
        bool read_only, jail;
        const char *command, *obstacle, *remark;
    } cases[] = {
        {C_WORDS, "", true, true,
         "-o source=/share/srv/c -o modcaps=-mknod:-setfcap -o sandbox=chroot -o "
         "announce_submounts --rlimit-nofile=0 ",
         NULL, ""},
        {C_WORDS, ", \"announce_submounts\": false, \"cache\": \"never\"", false, false,
         "-o source=/srv/c -o modcaps=-mknod:-setfcap -o cache=none ", NULL, ""},
        {C_WORDS, ", \"posix_acl\": true, \"cache\": \"always\"", false, false,
         "-o source=/srv/c -o modcaps=-mknod:-setfcap -o xattr -o posix_acl -o announce_submounts "
         "-o cache=always ",
         NULL, ""},
        {C_WORDS, ", \"file_handles\": true", false, false,
         "-o source=/srv/c -o modcaps=-mknod:-setfcap -o announce_submounts ", NULL,
         "does not support file handles"},
        {C_WORDS, ", \"map_uid\": \"0:1000:1\"", false, false, NULL, "cannot map user", ""},
        {RUST_WORDS, "", true, true,
         "--shared-dir /share/srv/c --modcaps=-mknod:-setfcap --inode-file-handles=never "
         "--sandbox=chroot --readonly --rlimit-nofile=0 ",
         NULL, ""},
        {RUST_WORDS,
         ", \"file_handles\": true, \"xattr\": true, \"cache\": \"never\", \"announce_submounts\": "
         "false, \"map_uid\": [\"0:1000:1\", \"1:5000:99\"], \"map_gid\": \"0:1000:1\"",
         false, false,
         "--shared-dir /srv/c --modcaps=-mknod:-setfcap:+dac_read_search "
         "--inode-file-handles=prefer --xattr --no-announce-submounts --cache=never "
         "--translate-uid=map:0:1000:1 --translate-uid=map:1:5000:99 --translate-gid=map:0:1000:1 ",
         NULL, ""},
        {RUST_WORDS, ", \"posix_acl\": true", false, false,
         "--shared-dir /srv/c --modcaps=-mknod:-setfcap --inode-file-handles=never --xattr "
         "--posix-acl ",
         NULL, ""},
        {"\177ELF shared-dir", "", false, false, "--shared-dir /srv/c ", NULL,
         "cannot report mount points"},
        {"#!/bin/sh", "", false, true, "-o source=/srv/c ", NULL, ""},
        {"#!/bin/sh", ", \"xattr\": true", false, true, NULL, "not support extended attributes",
         ""},
    };
    char folder[FOLDER_BYTES], program[FOLDER_BYTES + 16];

    (void)state;
    folder_make(folder);
    (void)snprintf(program, sizeof(program), "%s/virtiofsd", folder);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = parse(cases[i].keys);
        const struct config_share *share = &config->vms[0].shares[0];
        const char *remark, *obstacle;
        struct virtiofsd_command command;
        char words[1024] = "";

        write_program(program, cases[i].words);
        obstacle = config_serving_obstacle(&share->serving, program, &remark);
        assert_int_equal(obstacle != NULL, cases[i].obstacle != NULL);
        if (obstacle && cases[i].obstacle)
            assert_non_null(strstr(obstacle, cases[i].obstacle));
        assert_non_null(strstr(remark, cases[i].remark));
        assert_int_equal(remark[0] != '\0', cases[i].remark[0] != '\0');
        assert_int_equal(
            virtiofsd_command_make(program,
                                   &(struct virtiofsd_share){.path = share->path,
                                                             .read_only = cases[i].read_only,
                                                             .serving = &share->serving},
                                   cases[i].jail, &command),
            0);
        assert_string_equal(command.argv[1], "--fd=3");
        for (const char *const *word = command.argv + 2; *word; word++)
            (void)snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s ", *word);
        if (cases[i].command)
            assert_string_equal(words, cases[i].command);
        assert_null(config_free(config));
    }
    folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_keys_are_read),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(each_kind_is_told_in_its_own_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
