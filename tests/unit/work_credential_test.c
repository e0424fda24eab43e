/* credential: OEM strings of SMBIOS. */
#include "descriptors.h"
#include "init/base/fd.h"
#include "init/work/credential.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STRINGS                                                                                    \
    "\x0b\x05\x00\x01\x03"                                                                         \
    "other=1\0io.systemd.credential:vmm.notify_socket=vsock:2:99\0last\0"

#define HEADER "\x0b\x05\x00\x01\x01"
#define ENTRY  "/sys/firmware/dmi/entries/11-"
#define FW_CFG "/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/name/raw"

/* The files that there are. */
static struct {
    const char *text; /* NULL: not there */
    size_t size;
} entries[32];
static const char *fw_cfg;
static unsigned looked_at;

int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity);
int __wrap_fd_read_file(const char *path, char *buffer, size_t capacity)
{
    const char *text = fw_cfg;
    size_t size = fw_cfg ? strlen(fw_cfg) : 0;

    if (strncmp(path, ENTRY, strlen(ENTRY)) == 0) {
        char *end = NULL;
        unsigned long i = strtoul(path + strlen(ENTRY), &end, 10);

        assert_string_equal(end, "/raw");
        assert_in_range(i, 0, 31);
        looked_at++;
        text = entries[i].text;
        size = entries[i].size;
    } else {
        assert_string_equal(path, FW_CFG);
    }
    if (!text)
        return -ENOENT;
    assert_in_range(size, 0, capacity - 1);
    memcpy(buffer, text, size);
    buffer[size] = '\0';
    return (int)size;
}

static void a_credential_is_found_by_its_whole_name(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS),
                                            "vmm.notify_socket", value, sizeof(value)),
                     0);
    assert_string_equal(value, "vsock:2:99");
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS), "vmm.notify",
                                            value, sizeof(value)),
                     -ENOENT);
    assert_int_equal(credential_find_smbios((const uint8_t *)STRINGS, sizeof(STRINGS),
                                            "vmm.notify_socket", value, 5),
                     -ENAMETOOLONG);
}

/* @return what is said of one structure with those strings */
static int find(const char *strings, size_t size, char *value, size_t capacity)
{
    uint8_t entry[128] = HEADER;

    assert_in_range(size, 0, sizeof(entry) - 5);
    memcpy(entry + 5, strings, size);
    return credential_find_smbios(entry, 5 + size, "name", value, capacity);
}
#define FIND(strings, capacity) find(strings, sizeof(strings) - 1, value, capacity)

static void a_value_fits_with_its_nul(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(FIND("io.systemd.credential:name=12345\0", 5), -ENAMETOOLONG);
    assert_int_equal(FIND("io.systemd.credential:name=12345\0", 6), 0);
    assert_string_equal(value, "12345");
    assert_int_equal(FIND("io.systemd.credential:name=\0", 1), 0);
    assert_string_equal(value, "");
}

static void only_its_prefix_and_name_will_do(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(FIND("io.sYstemd.credential:name=1\0", 32), -ENOENT);
    assert_int_equal(FIND("io.systemd.credential:Name=1\0", 32), -ENOENT);
    assert_int_equal(FIND("io.systemd.credential:name1=1\0", 32), -ENOENT);
    assert_int_equal(FIND("io.systemd.credential:name\0=1\0", 32), -ENOENT);
    assert_int_equal(FIND("name=1\0", 32), -ENOENT);
    assert_int_equal(FIND("", 32), -ENOENT);
    assert_int_equal(FIND("\0io.systemd.credential:name=1\0", 32), -ENOENT); /* behind the end */
    assert_int_equal(FIND("x\0io.systemd.credential:name=1\0", 32), 0);
    assert_int_equal(FIND("io.systemd.credential:name=1", 32), -EINVAL);
    assert_int_equal(FIND("x\0io.systemd.credential:name=1", 32), -EINVAL);
    assert_int_equal(FIND("x", 32), -EINVAL);
}

static void have_entry(unsigned i, const char *text, size_t size)
{
    entries[i].text = text;
    entries[i].size = size;
}
#define HAVE(i, text) have_entry(i, text, sizeof(text) - 1)

static void all_places_are_looked_at_in_their_order(void **state)
{
    char value[32] = "";

    (void)state;
    memset(entries, 0, sizeof(entries));
    assert_int_equal(credential_read("name", value, sizeof(value)), -ENOENT);
    fw_cfg = "";
    assert_int_equal(credential_read("name", value, sizeof(value)), -ENOENT);
    fw_cfg = "of fw_cfg";
    assert_int_equal(credential_read("name", value, sizeof(value)), 0);
    assert_string_equal(value, "of fw_cfg");
    HAVE(0, "");
    HAVE(1, HEADER "x\0");
    HAVE(2, HEADER "io.systemd.credential:name=of 2\0");
    HAVE(3, HEADER "io.systemd.credential:name=of 3\0");
    assert_int_equal(credential_read("name", value, sizeof(value)), 0);
    assert_string_equal(value, "of 2");
    for (unsigned i = 0; i < 31; i++)
        HAVE(i, HEADER "x\0");
    HAVE(15, HEADER "io.systemd.credential:name=of 15\0");
    HAVE(16, HEADER "io.systemd.credential:name=of 16\0");
    assert_int_equal(credential_read("name", value, sizeof(value)), 0);
    assert_string_equal(value, "of 15");
    HAVE(15, HEADER "x\0"); /* more are not looked at */
    looked_at = 0;
    assert_int_equal(credential_read("name", value, sizeof(value)), 0);
    assert_string_equal(value, "of fw_cfg");
    assert_int_equal(looked_at, 16);
}

static void other_and_broken_structures_are_refused(void **state)
{
    char value[32];

    (void)state;
    assert_int_equal(
        credential_find_smbios((const uint8_t *)"\x0c\x05\0\0\1x\0", 8, "x", value, 32), -EINVAL);
    assert_int_equal(
        credential_find_smbios((const uint8_t *)"\x0b\x04\0\0\1x\0", 8, "x", value, 32), -EINVAL);
    for (size_t size = 0; size < sizeof(STRINGS) - 8; size++)
        assert_true(credential_find_smbios((const uint8_t *)STRINGS, size, "vmm.notify_socket",
                                           value, sizeof(value)) < 0 ||
                    size > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_credential_is_found_by_its_whole_name),
        cmocka_unit_test(a_value_fits_with_its_nul),
        cmocka_unit_test(only_its_prefix_and_name_will_do),
        cmocka_unit_test(all_places_are_looked_at_in_their_order),
        cmocka_unit_test(other_and_broken_structures_are_refused),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
