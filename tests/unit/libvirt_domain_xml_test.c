/* domain xml: the facts of a live domain, and nothing worse than "no description" of anything else.
 */
#include "base/json.h"
#include "descriptors.h"
#include "libvirt/domain_xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LIVE                                                                                       \
    "<domain type='qemu' id='1'><name>dev</name><uuid>u</uuid>"                                    \
    "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"                 \
    "<os><type>hvm</type><kernel>/k</kernel><cmdline>a &amp; b</cmdline></os>"                     \
    "<cpu><numa><cell id='0' memAccess='shared'/><cell id='1'/></numa></cpu><devices>"             \
    "<controller type='pci' index='0' model='pcie-root'/>"                                         \
    "<controller type='pci' index='1' model='pcie-root-port'><address type='pci' bus='0x00'/>"     \
    "</controller><controller type='pci' index='2' model='pcie-root-port'/>"                       \
    "<controller type='pci' index='3' model='pcie-root-port'/>"                                    \
    "<filesystem type='mount'><driver type='virtiofs' queue='64' iommu='on'/><source "             \
    "socket='/s'/>"                                                                                \
    "<target dir='a b'/><alias name='ua-guestlink-share-a'/>"                                      \
    "<address type='pci' bus='0x02' slot='0x00'/></filesystem>"                                    \
    "<filesystem type='mount'><target dir='other'/><alias name='fs1'/></filesystem>"               \
    "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"            \
    "<target dev='vnet0'/><alias name='ua-guestlink-net-e'/></interface>"                          \
    "<interface type='ethernet'><target dev='tap0' managed='no'/>"                                 \
    "<alias name='ua-guestlink-net-t'/></interface>"                                               \
    "<interface type='vhostuser'><source type='unix' path='/p' mode='client'/>"                    \
    "<alias name='ua-guestlink-net-v'/></interface>"                                               \
    "<channel type='unix'><target type='virtio' name='org.guestlink.0'/></channel>"                \
    "<channel type='unix'><target type='guestfwd' name='x'/></channel>"                            \
    "<vsock model='virtio'><cid auto='no' address='42'/></vsock><memballoon model='virtio'/>"      \
    "</devices><seclabel type='dynamic' model='apparmor'><label>l</label></seclabel>"              \
    "<seclabel type='dynamic' model='dac'><label>+64055:+108</label></seclabel></domain>"

#define EXPECTED                                                                                   \
    "{\"name\":\"dev\",\"uuid\":\"u\",\"kernel\":\"/k\",\"cmdline\":\"a & b\","                    \
    "\"uid\":64055,\"gid\":108,\"security\":[\"apparmor\",\"dac\"],"                               \
    "\"memory\":{\"shared\":true,\"source\":\"memfd\",\"cells\":2,\"cells_shared\":1},"            \
    "\"ports\":{\"all\":3,\"free\":[1,3]},\"cid\":42,\"channels\":[\"org.guestlink.0\"],"          \
    "\"devices\":[{\"kind\":\"share\",\"tag\":\"a b\",\"socket\":\"/s\","                          \
    "\"alias\":\"ua-guestlink-share-a\",\"iommu\":true},"                                          \
    "{\"kind\":\"adapter\",\"type\":\"bridge\",\"source\":\"br0\",\"mac\":\"52:54:00:00:00:01\","  \
    "\"alias\":\"ua-guestlink-net-e\",\"iommu\":false},"                                           \
    "{\"kind\":\"adapter\",\"type\":\"ethernet\",\"source\":\"tap0\","                             \
    "\"alias\":\"ua-guestlink-net-t\",\"iommu\":false},"                                           \
    "{\"kind\":\"adapter\",\"type\":\"vhostuser\",\"source\":\"/p\","                              \
    "\"alias\":\"ua-guestlink-net-v\",\"iommu\":false}],\"discards\":true}"

static void a_live_domain_is_described(void **state)
{
    struct json_object *description = domain_xml_describe(LIVE, strlen(LIVE));

    (void)state;
    assert_non_null(description);
    assert_string_equal(json_object_to_json_string_ext(
                            description, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                        EXPECTED);
    json_object_put(description);
}

static void what_is_not_there_is_left_out(void **state)
{
    static const char xml[] = "<domain><devices><memballoon model='none'/></devices></domain>";
    struct json_object *description = domain_xml_describe(xml, strlen(xml));

    (void)state;
    assert_string_equal(json_object_to_json_string_ext(description, JSON_C_TO_STRING_PLAIN),
                        "{\"security\":[],\"memory\":{\"shared\":false,\"cells\":0,"
                        "\"cells_shared\":0},\"ports\":{\"all\":0,\"free\":[]},\"channels\":[],"
                        "\"devices\":[],\"discards\":false}");
    json_object_put(description);
}

static void an_owner_is_a_number_or_a_name(void **state)
{
    static const struct {
        const char *label;
        int64_t uid; /* -1: none */
    } cases[] = {
        {"+12:+34", 12},
        {"12:34", 12},
        {"root:root", 0},
        {"+12", -1},
        {"+12:", -1},
        {":", -1},
        {"+-1:+1", -1},
        {"+4294967295:+1", -1},
        {"nobody-of-that-name:root", -1},
        {"+12:no-such-group", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct json_object *description;
        char xml[256];
        int64_t uid = -1;

        (void)snprintf(xml, sizeof(xml),
                       "<domain><seclabel model='dac'><label>%s</label></seclabel></domain>",
                       cases[i].label);
        description = domain_xml_describe(xml, strlen(xml));
        (void)json_as_number(json_member(description, "uid"), &uid);
        if (uid != cases[i].uid)
            fail_msg("%s gave %lld", cases[i].label, (long long)uid);
        json_object_put(description);
    }
}

static void anything_else_is_no_description(void **state)
{
    static const char *const texts[] = {
        "",
        "<",
        "text",
        "<network/>",
        "<domain>",
        "<domain/><domain/>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_null(domain_xml_describe(texts[i], strlen(texts[i])));
    assert_null(domain_xml_describe(LIVE, DOMAIN_XML_SIZE + 1));
}

static void a_document_cut_anywhere_is_none(void **state)
{
    (void)state;
    for (size_t size = 0; size < strlen(LIVE); size++) {
        char *cut = strndup(LIVE, size);

        assert_null(domain_xml_describe(cut, size));
        free(cut);
    }
}

static void an_element_s_text_is_inside(void **state)
{
    static const char xml[] = "<g:vm xmlns:g='" DOMAIN_XML_NAMESPACE "'>{\"a\": \"&lt;\"}</g:vm>";
    char *text = domain_xml_text(xml, strlen(xml));

    (void)state;
    assert_string_equal(text, "{\"a\": \"<\"}");
    free(text);
    assert_null(domain_xml_text("<", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_domain_is_described),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(an_owner_is_a_number_or_a_name),
        cmocka_unit_test(anything_else_is_no_description),
        cmocka_unit_test(a_document_cut_anywhere_is_none),
        cmocka_unit_test(an_element_s_text_is_inside),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
