/* guestlinkctl doctor, of a domain of libvirt's: what keeps it from its devices is found, with the
 * next step; nothing is found where nothing is wrong. */
#include "base/json.h"
#include "base/program.h"
#include "descriptors.h"
#include "doctor/doctor.h"
#include "folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define RIGHT                                                                                      \
    "{\"active\": true, \"security\": [\"dac\"], \"memory\": {\"shared\": true, \"source\": "      \
    "\"memfd\", \"cells\": 1, \"cells_shared\": 1}, \"ports\": {\"free\": [3, 4]}, "               \
    "\"channels\": [\"org.guestlink.0\"], \"devices\": [], \"kernel\": \"/k\", \"cmdline\": "      \
    "\"quiet guestlink.host=virtio-port:org.guestlink.0\"}"

static char folder[FOLDER_BYTES];
static struct config *config;
static struct doctor doctor;

static void fail_on_remark(void *userdata, const char *remark)
{
    (void)userdata;
    fail_msg("%s", remark);
}

/* @param more  keys of the VM */
static void read_config(const char *more)
{
    char text[2048];
    int size = snprintf(text, sizeof(text),
                        "{\"state_dir\": \"/var/lib/x\", \"vms\": [{\"name\": \"dev\", \"id\": "
                        "\"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee\", \"shares\": [{\"tag\": \"src\", "
                        "\"path\": \"/\", \"target\": \"/mnt\"}], \"device_host\": {\"type\": "
                        "\"libvirt\"}, %s}]}",
                        more);

    assert_int_equal(
        config_parse(text, (size_t)size, "test", fail_on_remark, fail_on_remark, NULL, &config), 0);
}

static int set_up(void **state)
{
    (void)state;
    folder_make(folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_object_put(doctor.findings);
    (void)config_free(config);
    config = NULL;
    doctor = (struct doctor){.config = NULL};
    folder_remove(folder);
    return 0;
}

/* Judges RIGHT with a key changed; JSON takes the last of two. */
static void judge(const char *key, const char *value)
{
    static char path[128];
    struct json_object *description = json_tokener_parse(RIGHT);

    (void)snprintf(path, sizeof(path), "%s/apparmor", folder);
    json_object_put(doctor.findings);
    doctor = (struct doctor){.places = DOCTOR_PLACES, .config = config};
    doctor.places.apparmor = path;
    doctor.findings = json_object_new_array();
    if (key)
        json_object_object_add(description, key, json_tokener_parse(value));
    doctor_judge_domain(&doctor, &config->vms[0], description);
    json_object_put(description);
}

/* @param text  a part of the finding, @p advice  of its next step */
static void expect(const char *check, const char *state, const char *text, const char *advice)
{
    for (size_t i = 0; i < json_count(doctor.findings); i++) {
        struct json_object *finding = json_element(doctor.findings, i);

        if (strcmp(json_object_get_string(json_member(finding, "check")), check) != 0)
            continue;
        assert_string_equal(json_object_get_string(json_member(finding, "state")), state);
        assert_non_null(strstr(json_object_get_string(json_member(finding, "text")), text));
        assert_non_null(strstr(json_object_get_string(json_member(finding, "advice")), advice));
        return;
    }
    fail_msg("nothing about %s in %s", check, json_object_to_json_string(doctor.findings));
}

static void nothing_is_wrong_with_a_right_one(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    judge(NULL, NULL);
    assert_false(doctor.wrong);
    expect("memory", "right", "shares the guest's memory", "");
    expect("ports", "right", "2 PCIe root ports for 1 devices", "");
    expect("channel", "right", "can reach the host", "");
    expect("cmdline", "right", "has what guestlinkctl cmdline prints", "");
}

static void what_is_wrong_is_found(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    judge("memory", "{\"shared\": false}");
    expect("memory", "wrong", "does not share", "<memoryBacking>");
    judge("memory", "{\"shared\": true, \"source\": \"memfd\", \"cells\": 0}");
    expect("memory", "wrong", "no NUMA cell", "memAccess='shared'");
    judge("memory", "{\"shared\": true, \"cells\": 1, \"cells_shared\": 1}");
    expect("memory", "note", "not in a memfd", "<source type='memfd'/>");
    judge("ports", "{\"free\": []}");
    expect("ports", "wrong", "0 PCIe root ports", "pcie-root-port");
    judge("channels", "[\"org.qemu.guest_agent.0\"]");
    expect("channel", "wrong", "no <channel>", "org.guestlink.0");
    judge("cmdline", "\"quiet\"");
    expect("cmdline", "wrong", "guestlink.host=virtio-port:", "guestlinkctl cmdline");
    judge("discards", "true");
    expect("balloon", "note", "has a balloon", "<memballoon model='none'/>");
    judge("active", "false");
    expect("domain", "unknown", "is not running", "virsh start");
}

/* With nat the domain has its own adapters. */
static void adapters_that_nobody_adds_need_no_port(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\", \"networking\": \"nat\", \"network\": [{\"id\": \"eth0\", "
                "\"mac\": \"52:54:00:12:34:56\"}]");
    judge("ports", "{\"free\": [3]}");
    expect("ports", "right", "1 PCIe root ports for 1 devices", "");
    config->vms[0].networking = CONFIG_NETWORKING_VIRTIOPROXY;
    judge("ports", "{\"free\": [3]}");
    expect("ports", "wrong", "1 PCIe root ports for 2 devices", "pcie-root-port");
}

static void the_wrong_cid_is_found(void **state)
{
    (void)state;
    read_config("\"cid\": 7");
    judge("cid", "8");
    expect("vsock", "wrong", "the VM has the CID 7, and the domain has 8", "<vsock");
    judge("cid", "7");
    expect("vsock", "right", "can reach", "");
}

static void apparmor_s_line_is_looked_for(void **state)
{
    char path[128];
    FILE *file;

    (void)state;
    read_config("\"socket\": \"/s\"");
    judge("security", "[\"dac\", \"apparmor\"]");
    expect("apparmor", "wrong", "cannot attach any share", "/var/lib/x/fs/** rw,");
    (void)snprintf(path, sizeof(path), "%s/apparmor", folder);
    file = fopen(path, "we");
    assert_non_null(file);
    (void)fputs("# /var/lib/x/fs/** rw,\n", file);
    assert_int_equal(fflush(file), 0);
    judge("security", "[\"dac\", \"apparmor\"]");
    expect("apparmor", "wrong", "cannot attach any share", "/var/lib/x/fs/** rw,");
    (void)fputs("  /var/lib/x/fs/** rw,\n", file);
    assert_int_equal(fclose(file), 0);
    judge("security", "[\"dac\", \"apparmor\"]");
    expect("apparmor", "right", "lets QEMU connect", "");
}

static void any_description_is_judged(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    judge("memory", "5");
    judge("ports", "[]");
    judge("security", "[5, null, {}]");
    judge("channels", "[5, null, {}]");
    assert_true(doctor.wrong);
}

/* ---- guestlink-libvirt, which a shell plays */

static char program[128]; /* "": it is not installed */

const char *__wrap_program_find_own(const char *name, char buffer[LIMITS_PATH]);

const char *__wrap_program_find_own(const char *name, char buffer[LIMITS_PATH])
{
    assert_string_equal(name, "guestlink-libvirt");
    if (program[0] == '\0')
        return NULL;
    (void)snprintf(buffer, LIMITS_PATH, "%s", program);
    return buffer;
}

/* Looks at the first VM's domain, of which the script tells. @param view  the daemon's, or NULL */
static void look(const char *script, const char *view)
{
    struct json_object *seen = view ? json_tokener_parse(view) : NULL;
    FILE *file;

    (void)snprintf(program, sizeof(program), "%s/guestlink-libvirt", folder);
    file = fopen(program, "we");
    assert_non_null(file);
    (void)fprintf(file, "#!/bin/sh\n%s\n", script);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(program, 0700), 0);
    json_object_put(doctor.findings);
    doctor = (struct doctor){.places = DOCTOR_PLACES, .config = config};
    doctor.findings = json_object_new_array();
    doctor_look_at_domain(&doctor, &config->vms[0], seen);
    json_object_put(seen);
}

#define SAY_RIGHT "echo '" RIGHT "'"

static void a_domain_is_asked_for_by_its_name(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    look("[ \"$*\" = '--describe qemu:///system dev' ] && " SAY_RIGHT, NULL);
    expect("libvirt", "right", "libvirt has the domain dev", "");
    expect("memory", "right", "shares the guest's memory", "");
    assert_false(doctor.wrong);
    look("printf '{\"active\": '; sleep 0.1; echo false}", NULL); /* in two pieces */
    expect("libvirt", "right", "libvirt has the domain dev", "");
    expect("domain", "unknown", "is not running", "");
    look("head -c 200000 /dev/zero | tr '\\0' ' '; " SAY_RIGHT, NULL); /* more than a pipe holds */
    expect("libvirt", "right", "libvirt has the domain dev", "");
}

static void what_it_says_instead_is_told(void **state)
{
    static const struct {
        const char *script, *text;
    } cases[] = {
        {"echo 'cannot describe it'; echo more; exit 1", "cannot describe it"},
        {"echo 'on standard error' >&2; exit 1", "on standard error"},
        {SAY_RIGHT "; exit 1", "{"},
        {SAY_RIGHT "; kill -9 $$", "{"},
        {"echo no JSON", "no JSON"},
        {"echo '[]'", "[]"},
        {"exit 0", "exited without an answer"},
    };

    (void)state;
    read_config("\"socket\": \"/s\"");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *text;

        look(cases[i].script, NULL);
        assert_int_equal(json_count(doctor.findings), 1);
        expect("libvirt", "wrong", cases[i].text, "define the domain");
        text = json_object_get_string(json_member(json_element(doctor.findings, 0), "text"));
        assert_null(strchr(text, '\n')); /* the first line */
        assert_true(doctor.wrong);
    }
    look("cat /dev/zero | tr '\\0' x", NULL); /* without end */
    expect("libvirt", "wrong", "xxx", "define the domain");
}

static void the_daemon_s_word_counts(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    look(SAY_RIGHT, "{\"device_host_up\": true, \"device_host_error\": \"\"}");
    expect("libvirt", "right", "libvirt has the domain dev", "");
    look(SAY_RIGHT, "{\"device_host_up\": false, \"device_host_error\": \"it hangs\"}");
    expect("libvirt", "wrong", "it hangs", "");
    expect("ports", "right", "", ""); /* it is judged all the same */
    look("echo '{\"active\": false}'", "{\"device_host_up\": false}");
    expect("libvirt", "right", "libvirt has the domain dev", "");
}

static void one_that_is_not_there_is_told(void **state)
{
    (void)state;
    read_config("\"socket\": \"/s\"");
    look("", NULL);
    program[0] = '\0';
    json_object_put(doctor.findings);
    doctor.findings = json_object_new_array();
    doctor.wrong = false;
    doctor_look_at_domain(&doctor, &config->vms[0], NULL);
    assert_int_equal(json_count(doctor.findings), 1);
    expect("libvirt", "wrong", "is not installed", "install the package guestlink-libvirt");
    assert_true(doctor.wrong);
    (void)snprintf(program, sizeof(program), "%s/nonexistent", folder);
    doctor_look_at_domain(&doctor, &config->vms[0], NULL);
    assert_int_equal(json_count(doctor.findings), 2);
    assert_non_null(strstr(json_object_to_json_string(doctor.findings), "cannot start"));
    config->vms[0].device_host.type = CONFIG_DEVICE_HOST_NONE;
    doctor_look_at_domain(&doctor, &config->vms[0], NULL);
    assert_int_equal(json_count(doctor.findings), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_wrong_with_a_right_one),
        TEST(what_is_wrong_is_found),
        TEST(adapters_that_nobody_adds_need_no_port),
        TEST(the_wrong_cid_is_found),
        TEST(apparmor_s_line_is_looked_for),
        TEST(any_description_is_judged),
        TEST(a_domain_is_asked_for_by_its_name),
        TEST(what_it_says_instead_is_told),
        TEST(the_daemon_s_word_counts),
        TEST(one_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
