/* policy: every combination of settings meets exactly one row of each table below. */
#include "config/policy.h"
#include "descriptors.h"
#include "protocol/capabilities.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

enum { NO = 1, YES = 2, ANY = 3 };
enum { PROXY_DEFAULT = 1, PROXY = 2, NAT = 4, NONE = 8, ANY_NETWORKING = 15 };
enum { OFF = 1, AUTO = 2, SMALL = 4, HUGE_SIZE = 8, ANY_SWIOTLB = 15 };
enum { UNKNOWN = 1, LITTLE = 2, JUST_BELOW = 4, JUST_ENOUGH = 8, MUCH = 16, ANY_MEMORY = 31 };
enum { NO_SHARE = 1, SHARE_AUTO = 2, SHARE_VIRTIOFS = 4, SHARE_9P = 8, ANY_SHARE = 15 };

/* One value of each, as a bit. */
struct combination {
    unsigned virtio, virtiofs, networking, swiotlb, memory, share;
};

static const uint64_t memories[] = {0, 128 * MIB, 1088 * MIB - 1, 1088 * MIB, 8192 * MIB};

static unsigned index_of(unsigned bit)
{
    unsigned index = 0;

    while (bit >> index != 1)
        index++;
    return index;
}

static struct config_vm make_vm(const struct combination *c, struct config_share *share)
{
    static const enum config_transport transports[] = {CONFIG_TRANSPORT_AUTO, CONFIG_TRANSPORT_AUTO,
                                                       CONFIG_TRANSPORT_VIRTIOFS,
                                                       CONFIG_TRANSPORT_9P};
    static char name[] = "dev", tag[] = "c";

    *share = (struct config_share){.tag = tag, .transport = transports[index_of(c->share)]};
    return (struct config_vm){
        .name = name,
        .virtio = c->virtio == YES,
        .virtiofs = c->virtiofs == YES,
        .networking = c->networking == NAT    ? CONFIG_NETWORKING_NAT
                      : c->networking == NONE ? CONFIG_NETWORKING_NONE
                                              : CONFIG_NETWORKING_VIRTIOPROXY,
        .networking_is_default = c->networking == PROXY_DEFAULT,
        .swiotlb = c->swiotlb == OFF    ? CONFIG_SWIOTLB_OFF
                   : c->swiotlb == AUTO ? CONFIG_SWIOTLB_AUTO
                                        : CONFIG_SWIOTLB_SIZE,
        .swiotlb_size = c->swiotlb == SMALL       ? 32 * MIB
                        : c->swiotlb == HUGE_SIZE ? 600 * MIB
                                                  : 0,
        .memory = memories[index_of(c->memory)],
        .shares = share,
        .share_count = c->share == NO_SHARE ? 0 : 1,
    };
}

static const struct {
    unsigned virtio, networking;
    enum config_networking result;
    unsigned warnings;
} networkings[] = {
    {YES, PROXY_DEFAULT | PROXY, CONFIG_NETWORKING_VIRTIOPROXY, 0},
    {NO, PROXY_DEFAULT, CONFIG_NETWORKING_NONE, 1},
    {NO, PROXY, CONFIG_NETWORKING_NAT, 1},
    {ANY, NAT, CONFIG_NETWORKING_NAT, 0},
    {ANY, NONE, CONFIG_NETWORKING_NONE, 0},
};

static const struct {
    unsigned virtio, virtiofs, share;
    unsigned warnings;
} shares[] = {
    {ANY, ANY, NO_SHARE | SHARE_AUTO | SHARE_9P, 0},
    {YES, YES, SHARE_VIRTIOFS, 0},
    {YES, NO, SHARE_VIRTIOFS, 1},
    {NO, ANY, SHARE_VIRTIOFS, 1},
};

static const struct {
    unsigned virtio, virtiofs, networking, swiotlb, memory, share;
    uint64_t result;
    unsigned warnings;
} swiotlbs[] = {
    {ANY, ANY, ANY_NETWORKING, OFF, ANY_MEMORY, ANY_SHARE, 0, 0},
    {NO, ANY, ANY_NETWORKING, AUTO, ANY_MEMORY, ANY_SHARE, 0, 0},
    {NO, ANY, ANY_NETWORKING, SMALL | HUGE_SIZE, ANY_MEMORY, ANY_SHARE, 0, 1},
    {YES, ANY, ANY_NETWORKING, AUTO, UNKNOWN | LITTLE | JUST_BELOW, ANY_SHARE, 0, 0},
    /* enough memory: is there anything that would use the pool? */
    {YES, ANY, PROXY_DEFAULT | PROXY, AUTO, JUST_ENOUGH | MUCH, ANY_SHARE, 64 * MIB, 0},
    {YES, ANY, NAT | NONE, AUTO, JUST_ENOUGH | MUCH, NO_SHARE, 0, 0},
    {YES, ANY, NAT | NONE, AUTO, JUST_ENOUGH | MUCH, SHARE_AUTO | SHARE_9P, 64 * MIB, 0},
    {YES, YES, NAT | NONE, AUTO, JUST_ENOUGH | MUCH, SHARE_VIRTIOFS, 64 * MIB, 0},
    {YES, NO, NAT | NONE, AUTO, JUST_ENOUGH | MUCH, SHARE_VIRTIOFS, 0, 0},
    /* a size is taken as it is, up to half of the memory */
    {YES, ANY, ANY_NETWORKING, SMALL, ANY_MEMORY, ANY_SHARE, 32 * MIB, 0},
    {YES, ANY, ANY_NETWORKING, HUGE_SIZE, UNKNOWN | MUCH, ANY_SHARE, 600 * MIB, 0},
    {YES, ANY, ANY_NETWORKING, HUGE_SIZE, LITTLE, ANY_SHARE, 64 * MIB, 1},
    {YES, ANY, ANY_NETWORKING, HUGE_SIZE, JUST_BELOW, ANY_SHARE, 542 * MIB, 1},
    {YES, ANY, ANY_NETWORKING, HUGE_SIZE, JUST_ENOUGH, ANY_SHARE, 544 * MIB, 1},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void count_warning(void *userdata, const char *remark)
{
    unsigned *count = userdata;

    assert_non_null(strstr(remark, "test.json:0: vm dev: "));
    assert_non_null(strstr(remark, "expected"));
    (*count)++;
}

static void check(const struct combination *c)
{
    static char file[] = "test.json";
    const struct config config = {.file = file};
    struct config_share share;
    const struct config_vm vm = make_vm(c, &share);
    unsigned wanted = 0, warnings = 0, rows = 0;
    struct policy policy = policy_decide(&config, &vm, count_warning, &warnings);

    assert_int_equal(policy.virtiofs, c->virtio == YES && c->virtiofs == YES);
    assert_true(policy.p9);
    for (size_t i = 0; i < COUNT(networkings); i++) {
        if ((networkings[i].virtio & c->virtio) == 0 ||
            (networkings[i].networking & c->networking) == 0)
            continue;
        assert_int_equal(policy.networking, networkings[i].result);
        wanted += networkings[i].warnings;
        rows++;
    }
    for (size_t i = 0; i < COUNT(shares); i++) {
        if ((shares[i].virtio & c->virtio) == 0 || (shares[i].virtiofs & c->virtiofs) == 0 ||
            (shares[i].share & c->share) == 0)
            continue;
        wanted += shares[i].warnings;
        rows++;
    }
    for (size_t i = 0; i < COUNT(swiotlbs); i++) {
        if ((swiotlbs[i].virtio & c->virtio) == 0 || (swiotlbs[i].virtiofs & c->virtiofs) == 0 ||
            (swiotlbs[i].networking & c->networking) == 0 ||
            (swiotlbs[i].swiotlb & c->swiotlb) == 0 || (swiotlbs[i].memory & c->memory) == 0 ||
            (swiotlbs[i].share & c->share) == 0)
            continue;
        assert_int_equal(policy.swiotlb_bytes, swiotlbs[i].result);
        wanted += swiotlbs[i].warnings;
        rows++;
    }
    assert_int_equal(rows, 3);
    assert_int_equal(warnings, wanted);
}

static void test_every_combination(void **state)
{
    struct combination c;
    unsigned checked = 0;

    (void)state;
    for (c.virtio = NO; c.virtio < ANY; c.virtio <<= 1)
        for (c.virtiofs = NO; c.virtiofs < ANY; c.virtiofs <<= 1)
            for (c.networking = 1; c.networking < ANY_NETWORKING; c.networking <<= 1)
                for (c.swiotlb = 1; c.swiotlb < ANY_SWIOTLB; c.swiotlb <<= 1)
                    for (c.memory = 1; c.memory < ANY_MEMORY; c.memory <<= 1)
                        for (c.share = 1; c.share < ANY_SHARE; c.share <<= 1, checked++)
                            check(&c);
    assert_int_equal(checked, 2 * 2 * 4 * 4 * 5 * 4);
}

static void keep_remark(void *userdata, const char *remark)
{
    (void)snprintf(userdata, 512, "%s", remark);
}

/* What it names is what would not be made. */
static void test_what_can_never_be_confined(void **state)
{
    static const struct {
        bool has_share, virtiofs;
        enum config_backend backend;
        enum config_networking networking;
        enum config_device_host_type host;
        enum config_swiotlb swiotlb;
        const char *remark; /* NULL: there is none */
    } rows[] = {
        {true, true, CONFIG_BACKEND_USER, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_NONE,
         CONFIG_SWIOTLB_SIZE, "not creating any virtiofs share"},
        {false, true, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_NONE,
         CONFIG_SWIOTLB_SIZE, "not creating any passt adapter"},
        {true, false, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_QEMU,
         CONFIG_SWIOTLB_OFF, "not creating any passt adapter unless"},
        {true, true, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_QEMU,
         CONFIG_SWIOTLB_OFF, "not creating any virtiofs share or passt adapter unless"},
        {true, true, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_NONE, CONFIG_DEVICE_HOST_QEMU,
         CONFIG_SWIOTLB_OFF, "not creating any virtiofs share unless"},
        {false, true, CONFIG_BACKEND_USER, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_NONE,
         CONFIG_SWIOTLB_SIZE, NULL},
        {false, true, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_NONE, CONFIG_DEVICE_HOST_NONE,
         CONFIG_SWIOTLB_SIZE, NULL},
        {true, true, CONFIG_BACKEND_PASST, CONFIG_NETWORKING_VIRTIOPROXY, CONFIG_DEVICE_HOST_QEMU,
         CONFIG_SWIOTLB_SIZE, NULL},
    };
    static char file[] = "test.json", name[] = "dev", tag[] = "c";
    const struct config config = {.file = file};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config_share share = {.tag = tag, .transport = CONFIG_TRANSPORT_AUTO};
        struct config_network network = {.backend = rows[i].backend};
        const struct config_vm vm = {.name = name,
                                     .virtio = true,
                                     .virtiofs = rows[i].virtiofs,
                                     .networking = rows[i].networking,
                                     .swiotlb = rows[i].swiotlb,
                                     .swiotlb_size = 64 * MIB,
                                     .memory = 1024 * MIB,
                                     .aperture = CONFIG_APERTURE_REQUIRE,
                                     .device_host = {.type = rows[i].host},
                                     .shares = &share,
                                     .share_count = rows[i].has_share,
                                     .networks = &network,
                                     .network_count = 1};
        char remark[512] = "";

        (void)policy_decide(&config, &vm, keep_remark, remark);
        if (rows[i].remark ? !strstr(remark, rows[i].remark) : remark[0])
            fail_msg("row %zu: \"%s\"", i, remark);
    }
}

static const struct {
    bool virtiofs;
    enum config_transport transport;
    uint64_t features;
    enum policy_transport result;
} transports[] = {
    {true, CONFIG_TRANSPORT_AUTO, CAPABILITIES_VIRTIOFS | CAPABILITIES_9P,
     POLICY_TRANSPORT_VIRTIOFS},
    {true, CONFIG_TRANSPORT_AUTO, CAPABILITIES_VIRTIOFS, POLICY_TRANSPORT_VIRTIOFS},
    /* no 9P on the guest's word */
    {true, CONFIG_TRANSPORT_AUTO, CAPABILITIES_9P, POLICY_TRANSPORT_NONE},
    {true, CONFIG_TRANSPORT_AUTO, ~CAPABILITIES_VIRTIOFS, POLICY_TRANSPORT_NONE},
    {true, CONFIG_TRANSPORT_AUTO, 0, POLICY_TRANSPORT_NONE},
    {false, CONFIG_TRANSPORT_AUTO, CAPABILITIES_VIRTIOFS | CAPABILITIES_9P, POLICY_TRANSPORT_9P},
    {false, CONFIG_TRANSPORT_AUTO, CAPABILITIES_VIRTIOFS, POLICY_TRANSPORT_NONE},
    {true, CONFIG_TRANSPORT_VIRTIOFS, CAPABILITIES_VIRTIOFS, POLICY_TRANSPORT_VIRTIOFS},
    {true, CONFIG_TRANSPORT_VIRTIOFS, CAPABILITIES_9P, POLICY_TRANSPORT_NONE},
    {false, CONFIG_TRANSPORT_VIRTIOFS, CAPABILITIES_VIRTIOFS | CAPABILITIES_9P,
     POLICY_TRANSPORT_NONE},
    {true, CONFIG_TRANSPORT_9P, CAPABILITIES_VIRTIOFS | CAPABILITIES_9P, POLICY_TRANSPORT_9P},
    {true, CONFIG_TRANSPORT_9P, CAPABILITIES_VIRTIOFS, POLICY_TRANSPORT_NONE},
};

static void test_a_share_s_transport(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(transports); i++) {
        const struct policy policy = {.virtiofs = transports[i].virtiofs, .p9 = true};
        const struct config_share share = {.transport = transports[i].transport};

        assert_int_equal(policy_share_transport(&policy, &share, transports[i].features),
                         transports[i].result);
    }
}

#if defined(__x86_64__) || defined(__i386__)
#define SOFT " iommu=soft"
#else
#define SOFT ""
#endif

static void test_the_command_line(void **state)
{
    const struct policy with = {.swiotlb_bytes = 64 * MIB}, without = {.swiotlb_bytes = 0},
                        odd = {.swiotlb_bytes = 1050000};
    char text[128] = "x";

    (void)state;
    assert_int_equal(policy_format_cmdline(&with, 50000, text, sizeof(text)), 0);
    assert_string_equal(text, "guestlink.host=vsock:2:50000 swiotlb=32768,force" SOFT
                              " hv_pci_swiotlb=67108864");
    assert_int_equal(policy_format_cmdline(&odd, 50000, text, sizeof(text)), 0);
    assert_string_equal(text, "guestlink.host=vsock:2:50000 swiotlb=513,force" SOFT
                              " hv_pci_swiotlb=1050000");
    assert_int_equal(policy_format_cmdline(&without, 7, text, sizeof(text)), 0);
    assert_string_equal(text, "guestlink.host=vsock:2:7");
    assert_int_equal(policy_format_cmdline(&with, 50000, text, 24), -ENOBUFS);
    assert_string_equal(text, "guestlink.host=vsock:2:7");
}

static void note(void *userdata, const char *remark)
{
    char *all = userdata;
    size_t used = strlen(all);

    (void)snprintf(all + used, 2048 - used, "%s\n", remark);
}

static void test_a_warning_names_the_line_of_its_key(void **state)
{
    static const char text[] =
        "{\"vms\": [{\n"
        "\"name\": \"dev\", \"id\": \"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\", \"cid\": 4,\n"
        "\"virtio\": false,\n"
        "\"networking\": \"virtioproxy\",\n"
        "\"swiotlb\": \"64M\",\n"
        "\"shares\": [\n"
        "  {\"tag\": \"c\", \"path\": \"/c\", \"target\": \"/c\", \"transport\": \"virtiofs\"}]}]}";
    struct config *config;
    char all[2048] = "";

    (void)state;
    assert_int_equal(config_parse(text, strlen(text), "test.json", note, note, all, &config), 0);
    (void)policy_decide(config, &config->vms[0], note, all);
    assert_non_null(strstr(all, "test.json:4: vm dev: networking: virtioproxy"));
    assert_non_null(strstr(all, "test.json:5: vm dev: swiotlb: "));
    assert_non_null(strstr(all, "test.json:7: vm dev: shares: share c"));
    (void)config_free(config);
}

static const struct {
    const char *listen, *door;
    unsigned warnings;
    uint32_t port; /* that the guest is to call */
} doors[] = {
    {"[]", "\"cid\": 4", 1, 50000},
    {"[]", "\"socket\": \"/a\"", 0, 50000},
    {"[]", "\"socket\": \"/a_7\"", 0, 7},
    {"[]", "\"cid\": 4, \"socket\": \"/a\"", 0, 50000},
    {"[\"vsock::1\"]", "\"cid\": 4", 0, 1},
    {"[\"unix:/b\", \"vsock::2\", \"vsock::3\"]", "\"cid\": 4", 0, 2},
    {"[\"vsock::1\"]", "\"socket\": \"/a_7\"", 0, 7},
    {"[\"unix:/a\"]", "\"cid\": 4", 0, 50000}, /* the only VM there is */
};

static void test_a_vm_that_nobody_can_call_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(doors); i++) {
        char text[512], all[2048] = "";
        struct config *config;

        (void)snprintf(text, sizeof(text),
                       "{\"listen\": %s,\n\"vms\": [{\"name\": \"dev\", %s,"
                       "\"id\": \"8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a\"}]}",
                       doors[i].listen, doors[i].door);
        assert_int_equal(config_parse(text, strlen(text), "test.json", note, note, all, &config),
                         0);
        config_tell_unreachable(config, note, all);
        assert_int_equal(strstr(all, "test.json:2: vm dev: cid: ") != NULL, doors[i].warnings);
        assert_int_equal(policy_guest_port(config, &config->vms[0]), doors[i].port);
        (void)config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_what_can_never_be_confined),
        cmocka_unit_test(test_a_share_s_transport),
        cmocka_unit_test(test_the_command_line),
        cmocka_unit_test(test_a_warning_names_the_line_of_its_key),
        cmocka_unit_test(test_a_vm_that_nobody_can_call_is_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
