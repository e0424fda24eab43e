/* config: what is taken, what is refused, and with which words. */
#include "config/config.h"
#include "config/json.h"
#include "config/text.h"
#include "descriptors.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define ID "8c5a1e5e-6f0b-4d3c-9b1a-2f6e7d8c9b0a"
/* A VM with what it must have, and more keys. */
#define VM(more) "{\"vms\":[{\"name\":\"dev\",\"id\":\"" ID "\",\"cid\":4" more "}]}"

struct heard {
    char errors[16384], warnings[16384];
    unsigned error_count, warning_count;
};

static void hear(char *text, const char *remark)
{
    size_t used = strlen(text);

    assert_null(strchr(remark, '\n'));
    (void)snprintf(text + used, 16384 - used, "%s\n", remark);
}

static void on_error(void *userdata, const char *remark)
{
    struct heard *heard = userdata;

    hear(heard->errors, remark);
    heard->error_count++;
}

static void on_warning(void *userdata, const char *remark)
{
    struct heard *heard = userdata;

    hear(heard->warnings, remark);
    heard->warning_count++;
}

static struct config *parse(const char *text, struct heard *heard)
{
    struct config *config = NULL;
    int r;

    memset(heard, 0, sizeof(*heard));
    r = config_parse(text, strlen(text), "test.json", on_warning, on_error, heard, &config);
    assert_true(r == 0 || r == 1);
    assert_int_equal(r == 0, heard->error_count == 0);
    assert_int_equal(r == 0, config != NULL);
    return config;
}

static void test_the_design_s_example_is_read(void **state)
{
    static const char text[] =
        "{\n"
        "  \"listen\": [\"vsock::50000\"], // or \"unix:/path\"\n"
        "  \"control\": \"/run/guestlink/control.sock\",\n"
        "  \"state_dir\": \"/var/lib/guestlink\",\n"
        "  \"telemetry\": {\"file\": \"/var/log/guestlink/telemetry.jsonl\", \"max_bytes\": "
        "16777216, \"keep\": 4, \"journal\": true},\n"
        "  \"handshake_timeout_ms\": 30000, /* a\n comment */\n"
        "  \"vms\": [{\n"
        "    \"name\": \"dev\", \"id\": \"8C5A1E5E-6F0B-4D3C-9B1A-2F6E7D8C9B0A\",\n"
        "    \"cid\": 4, \"socket\": \"/run/vm/dev.sock_50000\",\n"
        "    \"memory\": \"2G\", \"kernel\": \"bundled\",\n"
        "    \"virtio\": true, \"virtiofs\": true, \"networking\": \"nat\",\n"
        "    \"swiotlb\": \"64M\", \"aperture\": \"off\", \"hostname\": \"dev\",\n"
        "    \"shares\": [{\"tag\": \"c\", \"path\": \"/srv/c\", \"target\": \"/mnt/c\", "
        "\"read_only\": true, \"transport\": \"9p\"}],\n"
        "    \"network\": [{\"id\": \"eth0\", \"mac\": \"52:54:00:12:34:56\", \"address\": "
        "[\"10.0.2.15/24\"], \"gateway\": \"10.0.2.2\", \"dns\": [\"10.0.2.3\"], \"mtu\": 1500}],\n"
        "    \"payload\": [\"/bin/sh\", \"-c\", \"echo\\nh\\u00e4\"],\n"
        "    \"device_host\": {\"type\": \"qemu\", \"qmp\": \"/run/vm/dev.qmp\"}\n"
        "  }]\n"
        "}\n";
    struct heard heard;
    struct config *config = parse(text, &heard);
    const struct config_vm *vm;

    (void)state;
    assert_string_equal(heard.errors, "");
    assert_string_equal(heard.warnings, "");
    assert_int_equal(config->vm_count, 1);
    vm = &config->vms[0];
    assert_string_equal(vm->id, ID);
    assert_int_equal(vm->line, 8);
    assert_int_equal(vm->memory, UINT64_C(2) << 30);
    assert_true(vm->bundled_kernel);
    assert_int_equal(vm->networking, CONFIG_NETWORKING_NAT);
    assert_false(vm->networking_is_default);
    assert_int_equal(vm->swiotlb_size, 64 << 20);
    assert_int_equal(vm->aperture, CONFIG_APERTURE_OFF);
    assert_int_equal(vm->shares[0].transport, CONFIG_TRANSPORT_9P);
    assert_true(vm->shares[0].read_only);
    assert_int_equal(vm->networks[0].mac[5], 0x56);
    assert_string_equal(vm->networks[0].gateway.items[0], "10.0.2.2");
    assert_string_equal(vm->payload.argv.items[2], "echo\nh\xc3\xa4");
    assert_int_equal(vm->device_host.type, CONFIG_DEVICE_HOST_QEMU);
    assert_int_equal(vm->timeouts.capabilities, 30000);
    assert_null(config_free(config));
}

static void test_defaults_are_filled_in(void **state)
{
    struct heard heard;
    struct config *config = parse(VM(""), &heard);

    (void)state;
    assert_string_equal(config->listen.items[0], "vsock::50000");
    assert_string_equal(config->control, "/run/guestlink/control.sock");
    assert_string_equal(config->control_group, "guestlink");
    assert_true(config->vms[0].virtio && config->vms[0].virtiofs);
    assert_true(config->vms[0].networking_is_default);
    assert_int_equal(config->vms[0].swiotlb, CONFIG_SWIOTLB_AUTO);
    assert_int_equal(config->vms[0].aperture, CONFIG_APERTURE_AUTO);
    assert_int_equal(config->vms[0].device_host.type, CONFIG_DEVICE_HOST_NONE);
    assert_int_equal(config->vms[0].timeouts.connect, 60000);
    (void)config_free(config);

    config = parse("{\"vms\":[]}", &heard);
    assert_int_equal(config->listen.count, 0);
    (void)config_free(config);
}

static const struct {
    const char *text, *error;
} refused[] = {
    /* not JSON */
    {"", "test.json:1: the file ends here, expected a value"},
    {"{\n\"vms\": [\n", "test.json:3: the file ends here, expected "},
    {"{\n\n\"vms\": [],\n}", "test.json:4: `}`, expected a string in double quotes"},
    {"{\"vms\": []} x", "`x`, expected nothing after the end"},
    {"{'vms': []}", "`'`, expected a string in double quotes"},
    {"{\"vms\": [01]}", "`1`, expected `,` or `]`"},
    {"{\"vms\": /* \n [] }", "test.json:1: unterminated comment"},
    {"{\"vms\": \"\\ud800\"}", "expected a character"},
    {"{\"vms\": \"\\ud800\\u0041\"}", "expected the other half"},
    {"{\"vms\": \"\\ud800\\udbff\"}", "expected the other half"},
    {"{\"vms\": \"\\ud800\\ue000\"}", "expected the other half"},
    {"{\"vms\": \"\\u0000\"}", "expected a character"},
    {"{\"vms\": \"\xff\"}", "invalid UTF-8 in a string"},
    {"{\"vms\": \"a\nb\"}", "expected the string's closing quote"},
    {"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "more than 16 levels"},
    /* the top */
    {"[]", "test.json:1: a list, expected an object"},
    {"{}", "no key `vms`, expected one"},
    {"{\"vms\":{}}", "vms: an object, expected a list"},
    {"{\"vms\":[],\n\"lisen\":[]}", "test.json:2: lisen: unknown key, expected `listen`?"},
    {"{\"vms\":[],\"zzzzzzzzz\":1}", "zzzzzzzzz: unknown key, expected one of: listen, "},
    {"{\"vms\":[],\n\"vms\":[]}",
     "test.json:2: vms: duplicate key, expected once (first on line 1)"},
    {"{\"vms\":[],\"listen\":[\"tcp:1\"]}", "listen[0]: \"tcp:1\", expected \"vsock:[CID]:PORT\""},
    {"{\"vms\":[],\"listen\":[\"vsock:50000\"]}", "listen[0]: "},
    {"{\"vms\":[],\"listen\":[\"vsock::5x\"]}", "listen[0]: "},
    {"{\"vms\":[],\"handshake_timeout_ms\":0}", "expected a whole number from 1 to 3600000"},
    {"{\"vms\":[],\"handshake_timeout_ms\":1.5}", "1.5, expected a whole number"},
    {"{\"vms\":[],\"handshake_timeout_ms\":-1}", "-1, expected a whole number"},
    {"{\"vms\":[],\"handshake_timeout_ms\":9,\"timeouts_ms\":{\"capabilities\":9}}",
     "the same setting as timeouts_ms.capabilities"},
    {"{\"vms\":[],\"telemetry\":{\"keep\":101}}", "telemetry.keep: 101, expected "},
    {"{\"vms\":[],\"telemetry\":{\"max_bytes\":10}}", "telemetry.max_bytes: 10, expected "},
    {"{\"vms\":[],\"control\":\"run/x\"}", "control: \"run/x\", expected an absolute path"},
    {"{\"vms\":[],\"limits\":{\"connections\":0}}", "limits.connections: 0, expected "},
    /* a VM */
    {"{\"vms\":[1]}", "vms[0]: 1, expected an object"},
    {"{\"vms\":[{\"id\":\"" ID "\",\"cid\":4}]}", "vms[0]: no key `name`"},
    {"{\"vms\":[{\"name\":\"a b\",\"id\":\"" ID "\",\"cid\":4}]}",
     "vms[0].name: \"a b\", expected 1 to 64"},
    {"{\"vms\":[{\"name\":\"a\",\"id\":\"1-2\",\"cid\":4}]}",
     "vms[0].id: \"1-2\", expected a UUID"},
    {"{\"vms\":[{\"name\":\"a\",\"id\":\"" ID "\"}]}", "neither `cid` nor `socket`"},
    {VM(",\"cid\":4"), "vms[0].cid: duplicate key"},
    {VM(",\"memory\":\"2X\""), "vms[0].memory: \"2X\", expected bytes, or a size"},
    {VM(",\"memory\":true"), "vms[0].memory: true, expected bytes"},
    {VM(",\"kernel\":\"mine\""), "vms[0].kernel: \"mine\", expected \"custom\" or \"bundled\""},
    {VM(",\"virtio\":1"), "vms[0].virtio: 1, expected true or false"},
    {VM(",\"networking\":\"bridge\""), "expected \"virtioproxy\", \"nat\" or \"none\""},
    {VM(",\"aperture\":\"on\""),
     "vms[0].aperture: \"on\", expected \"auto\", \"require\" or \"off\""},
    {VM(",\"aperture\":true"), "expected \"auto\", \"require\" or \"off\""},
    {VM(",\"hostname\":\"a_b\""), "vms[0].hostname: "},
    {VM(",\"sharez\":[]"), "vms[0].sharez: unknown key, expected `shares`?"},
    {VM(",\"timeouts_ms\":{\"mout\":1}"),
     "vms[0].timeouts_ms.mout: unknown key, expected `mount`?"},
/* shares */
#define SHARE(tag, path, target)                                                                   \
    VM(",\"shares\":[{\"tag\":\"" tag "\",\"path\":\"" path "\",\"target\":\"" target "\"}]")
    {SHARE("", "/a", "/b"), "vms[0].shares[0].tag: \"\", expected 1 to 36 bytes"},
    {SHARE("a;b", "/a", "/b"), "vms[0].shares[0].tag: \"a;b\", expected "},
    {SHARE("a\\nb", "/a", "/b"), "vms[0].shares[0].tag: \"a?b\", expected "},
    {SHARE("1234567890123456789012345678901234567", "/a", "/b"), "vms[0].shares[0].tag: "},
    {SHARE("a", "a", "/b"), "vms[0].shares[0].path: \"a\", expected an absolute path"},
    {SHARE("a", "/a;b", "/b"), "vms[0].shares[0].path: "},
    {SHARE("a", "/a\\u007f", "/b"), "vms[0].shares[0].path: "},
    {SHARE("a", "/a", "b"), "vms[0].shares[0].target: "},
    {SHARE("a", "/a", "/b/../c"), "expected a path without `.` and `..`"},
    {SHARE("a", "/a", "/"), "expected a path that is neither `/` nor in"},
    {SHARE("a", "/a", "//"), "expected a path that is neither `/` nor in"},
    {SHARE("a", "/a", "/proc"), "expected a path that is neither"},
    {SHARE("a", "/a", "//sys/x"), "expected a path that is neither"},
    {SHARE("a", "/a", "/dev/shm"), "expected a path that is neither"},
    {VM(",\"shares\":[{\"tag\":\"a\",\"path\":\"/a\",\"target\":\"/b\"},"
        "\n{\"tag\":\"a\",\"path\":\"/c\",\"target\":\"/d\"}]"),
     "test.json:2: vms[0].shares[1].tag: \"a\" is already used by shares[0]"},
    {VM(",\"shares\":[{\"tag\":\"a\",\"path\":\"/a\",\"target\":\"/b\"},"
        "{\"tag\":\"b\",\"path\":\"/a\",\"target\":\"/b\"}]"),
     "vms[0].shares[1].target: \"/b\" is already used"},
    {VM(",\"shares\":[{\"tag\":\"a\",\"path\":\"/a\"}]"), "vms[0].shares[0]: no key `target`"},
/* adapters */
#define NAMED(name, last, cid)                                                                     \
    "{\"name\":\"" name "\",\"id\":\"6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a0" #last "\",\"cid\":" #cid \
    "}"
#define NET(more) VM(",\"network\":[{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\"" more "}]")
    {VM(",\"network\":[{\"id\":\"e\",\"mac\":\"53:54:00:12:34:56\"}]"), "expected a unicast MAC"},
    {VM(",\"network\":[{\"id\":\"e\",\"mac\":\"52-54-00-12-34-56\"}]"), "expected a unicast MAC"},
    {VM(",\"network\":[{\"id\":\"e\",\"mac\":\"00:00:00:00:00:00\"}]"), "expected a unicast MAC"},
    {NET(",\"address\":[\"10.0.2.15\"]"), "network[0].address[0]: \"10.0.2.15\", expected an IP"},
    {NET(",\"address\":[\"10.0.2.15/33\"]"), "network[0].address[0]: "},
    {NET(",\"address\":[\"fd00::1/129\"]"), "network[0].address[0]: "},
    {NET(",\"gateway\":\"gw\""), "network[0].gateway: \"gw\", expected an IP address"},
    {NET(",\"gateway\":[\"10.0.2.2\",\"10.0.2.3\"]"), "two gateways of one family"},
    {NET(",\"dns\":[\"1.2.3\"]"), "network[0].dns[0]: "},
    {NET(",\"mtu\":67"), "network[0].mtu: 67, expected "},
    {NET(",\"metric\":0"), "network[0].metric: 0, expected a whole number from 1"},
    {NET(",\"accept_ra\":1"), "network[0].accept_ra: 1, expected true or false"},
    {VM(",\"resolv_conf\":\"always\""), "vms[0].resolv_conf: \"always\", expected \"auto\" or"},
    {NET(",\"backend\":\"tap\""), "no key `interface`, expected one with backend \"tap\""},
    {NET(",\"interface\":\"tap0\""), "network[0].interface: expected only with backend \"tap\""},
    {NET(",\"routes\":[{\"to\":\"10.1.0.0/16\"}]"), "routes[0]: no key `via`"},
    {NET(",\"routes\":[{\"to\":\"10.1.0.0/16\",\"via\":\"fd00::1\"}]"),
     "of different address families"},
    {VM(",\"network\":[{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\"},"
        "{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\"}]"),
     "network[1].id: \"e\" is already used by network[0]"},
    /* payload and device host */
    {VM(",\"payload\":[]"), "vms[0].payload: 0 entries, expected a list of 1 to 1024 strings"},
    {VM(",\"payload\":[\"\"]"), "an empty first word, expected a program"},
    {VM(",\"payload\":\"/bin/sh\""), "vms[0].payload: \"/bin/sh\", expected a list of words"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"environment\":[\"x\"]}"),
     "environment[0]: \"x\", expected NAME=VALUE"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":[1]}"),
     "payload.limits: a list, expected an object such as"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"files\":1}}"),
     "payload.limits.files: unknown limit, expected one of as, core,"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":[2,1]}}"),
     "payload.limits.nofile: a list, expected a number, \"unlimited\", or [SOFT, HARD]"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":[1]}}"),
     "payload.limits.nofile: a list, expected"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":[1,2,3]}}"),
     "payload.limits.nofile: a list, expected"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":-1}}"),
     "payload.limits.nofile: -1, expected"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":\"many\"}}"),
     "payload.limits.nofile: \"many\", expected"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"core\":1,\"core\":1}}"),
     "payload.limits.core: limit given twice"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"umask\":18}"),
     "payload.umask: 18, expected a string of octal digits"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"umask\":\"0088\"}"),
     "payload.umask: \"0088\", expected a string of octal digits"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"umask\":\"1777\"}"),
     "payload.umask: \"1777\", expected a string of octal digits"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"stop_signal\":\"SIGFOO\"}"),
     "payload.stop_signal: \"SIGFOO\", expected a signal"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"stop_signal\":\"SIGRTMIN+31\"}"),
     "payload.stop_signal: \"SIGRTMIN+31\", expected a signal"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"stop_signal\":65}"),
     "payload.stop_signal: 65, expected a signal"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"stop_timeout_ms\":0}"),
     "payload.stop_timeout_ms: 0, expected a whole number from 1 to 3600000"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"memory_max\":4096}"),
     "payload.memory_max: 4096, expected bytes, or a size"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"memory_max\":\"lots\"}"),
     "payload.memory_max: \"lots\", expected bytes, or a size"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"pids_max\":0}"),
     "payload.pids_max: 0, expected a whole number from 1 to 4194304"},
    {VM(",\"payload\":{\"argv\":[\"a\"],\"terminal\":true,\"output\":true}"),
     "both `terminal` and `output`"},
    {VM(",\"device_host\":{}"), "vms[0].device_host: no key `type`"},
    {VM(",\"device_host\":{\"type\":\"xen\"}"),
     "expected \"none\", \"qemu\", \"command\" or \"libvirt\""},
    {VM(",\"device_host\":{\"type\":\"libvirt\",\"qmp\":\"/a\"}"),
     "device_host.qmp: expected only with \"type\": \"qemu\""},
    {VM(",\"device_host\":{\"type\":\"none\",\"domain\":\"a\"}"),
     "device_host.domain: expected only with \"type\": \"libvirt\""},
    {VM(",\"device_host\":{\"type\":\"command\",\"argv\":[\"a\"],\"passt\":\"/a\"}"),
     "expected only with \"type\": \"qemu\" or \"libvirt\""},
    {VM(",\"device_host\":{\"type\":\"libvirt\",\"uri\":\"system\"}"), "a URI of libvirt's"},
    {VM(",\"device_host\":{\"type\":\"libvirt\",\"domain\":\"a/b\"}"), "the name of a domain"},
    {NET(",\"backend\":\"bridge\",\"bridge\":\"br0\""),
     "the backend \"bridge\" needs a device_host of the type libvirt"},
    {NET(",\"backend\":\"network\""), "no key `network`, expected one with backend \"network\""},
    {NET(",\"bridge\":\"br0\""), "bridge: expected only with backend \"bridge\""},
    {VM(",\"device_host\":{\"type\":\"qemu\"}"), "vms[0].device_host: no key `qmp`"},
    {VM(",\"device_host\":{\"type\":\"none\",\"qmp\":\"/a\"}"),
     "qmp: expected only with \"type\": \"qemu\""},
    /* between VMs */
    {"{\"vms\":[{\"name\":\"a\",\"id\":\"" ID "\",\"cid\":4},\n{\"name\":\"a\",\"id\":\"" ID
     "\",\"cid\":4}]}",
     "test.json:2: vms[1].cid: \"4\" is also used by another VM"},
    {"{\"vms\":[{\"name\":\"a\",\"id\":\"" ID "\",\"socket\":\"/a\"},\n{\"name\":\"a\",\"id\":\"" ID
     "\",\"socket\":\"/a\"}]}",
     "test.json:2: vms[1].socket: \"/a\" is also used by another VM"},
    /* with another one between them, in whatever order */
    {"{\"vms\":[" NAMED("b", 1, 4) "," NAMED("a", 2, 5) ",\n" NAMED("c", 3, 4) "]}",
     "test.json:2: vms[2].cid: \"4\" is also used by another VM"},
    {"{\"vms\":[" NAMED("c", 1, 6) "," NAMED("a", 2, 5) ",\n" NAMED("c", 3, 4) "]}",
     "test.json:2: vms[2].name: \"c\" is also used by another VM"},
};

static void test_an_adapter_s_metric_is_its_place(void **state)
{
    struct heard heard;
    struct config *config =
        parse(VM(",\"resolv_conf\":\"never\",\"network\":["
                 "{\"id\":\"a\",\"mac\":\"52:54:00:12:34:56\"},"
                 "{\"id\":\"b\",\"mac\":\"52:54:00:12:34:57\",\"metric\":7,\"accept_ra\":false},"
                 "{\"id\":\"c\",\"mac\":\"52:54:00:12:34:58\",\"accept_ra\":true}]"),
              &heard);
    const struct config_vm *vm = &config->vms[0];

    (void)state;
    assert_string_equal(heard.errors, "");
    assert_true(vm->leaves_resolv_conf);
    assert_int_equal(config_vm_metric(vm, "a"), CONFIG_METRIC_FIRST);
    assert_int_equal(config_vm_metric(vm, "b"), 7);
    assert_int_equal(config_vm_metric(vm, "c"), CONFIG_METRIC_FIRST + 2);
    assert_int_equal(config_vm_metric(vm, "d"), 0);
    assert_false(vm->networks[0].ignores_ra);
    assert_true(vm->networks[1].ignores_ra);
    assert_false(vm->networks[2].ignores_ra);
    assert_null(config_free(config));
}

static void test_an_mtu_without_ipv6_is_a_warning(void **state)
{
    static const struct {
        const char *more;
        bool warned;
    } cases[] = {
        {",\"mtu\":1279,\"address\":[\"10.0.2.15/24\",\"fd00::1/64\"]", true},
        {",\"mtu\":68,\"gateway\":\"fd00::1\"", true},
        {",\"mtu\":1280,\"address\":[\"fd00::1/64\"]", false},
        {",\"mtu\":1279,\"address\":[\"10.0.2.15/24\"]", false},
        {",\"address\":[\"fd00::1/64\"]", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        struct heard heard;
        struct config *config;

        (void)snprintf(text, sizeof(text),
                       VM(",\"network\":[{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\"%s}]"),
                       cases[i].more);
        config = parse(text, &heard);
        assert_string_equal(heard.errors, "");
        assert_int_equal(heard.warning_count, cases[i].warned);
        if (cases[i].warned)
            assert_non_null(strstr(heard.warnings, "network[0].mtu: "));
        assert_null(config_free(config));
    }
}

static void test_errors_name_the_place_and_what_was_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct heard heard;

        assert_null(parse(refused[i].text, &heard));
        if (strstr(heard.errors, refused[i].error) == NULL)
            fail_msg("%s\ngave: %swanted: %s", refused[i].text, heard.errors, refused[i].error);
        assert_non_null(strstr(heard.errors, "; not using this file\n"));
    }
}

static void test_a_misspelled_key_comes_before_what_it_causes(void **state)
{
    static const struct {
        const char *text, *first, *then;
    } cases[] = {
        {VM(",\"shares\":[{\"tag\":\"a\",\"path\":\"/a\",\"targt\":\"/m\"}]"),
         "shares[0].targt: unknown key", "shares[0]: no key `target`"},
        {"{\"vms\":[{\"name\":\"a\",\"id\":\"" ID "\",\"sid\":4}]}", "vms[0].sid: unknown key",
         "vms[0]: neither `cid` nor `socket`"},
        {"{\"lisen\":[],\"vms\":[{\"name\":1}]}", "lisen: unknown key", "vms[0].name: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard heard;
        const char *first;

        assert_null(parse(cases[i].text, &heard));
        first = strstr(heard.errors, cases[i].first);
        if (first == NULL || strstr(first, cases[i].then) == NULL)
            fail_msg("%s\ngave: %s", cases[i].text, heard.errors);
    }
}

#define A(more) "{\"name\":\"a\",\"id\":\"" ID "\",\"cid\":4" more "}"
#define B(more)                                                                                    \
    "\n{\"name\":\"b\",\"id\":\"11111111-2222-3333-4444-555555555555\",\"cid\":5" more "}"
#define TWO(a, b) "{\"vms\":[" A(a) "," B(b) "]}"
#define C(more)                                                                                    \
    "\n{\"name\":\"c\",\"id\":\"22222222-2222-3333-4444-555555555555\",\"cid\":6" more "}"
#define THREE(a, b, c) "{\"vms\":[" A(a) "," B(b) "," C(c) "]}"
#define TOP(more)      "{" more ",\"vms\":[" A("") "]}"
#define QMP(path)      ",\"device_host\":{\"type\":\"qemu\",\"qmp\":\"" path "\"}"
#define ADAPTER(more)  ",\"network\":[{\"id\":\"n\"," more "}]"
#define MAC(last)      "\"mac\":\"52:54:00:00:00:" last "\""
#define TAP(name)      ",\"backend\":\"tap\",\"interface\":\"" name "\""
#define STREAM(path)   ",\"backend\":\"stream\",\"socket\":\"" path "\""
#define SHARED         ",\"shares\":[{\"tag\":\"t\",\"path\":\"/\",\"target\":\"/mnt\"}]"
#define STATE                                                                                      \
    "\"state_dir\":\"/12345678901234567890123456789012345678901234567890123456789012345\","

/* Two that claim one thing; and those that look so, or that are a VM's on purpose. */
static const struct {
    const char *text, *error, *warning; /* a part; NULL: none */
} claimed[] = {
    {TOP("\"control\":\"/r/a\",\n\"metrics\":\"/r//a/\""),
     ":2: metrics: \"/r/a\" is already used by `control` on line 1", NULL},
    {TOP("\"control\":\"/r/a\",\"listen\":[\"unix:/r/a\"]"),
     "listen[0]: \"/r/a\" is already used by", NULL},
    {TOP("\"listen\":[\"unix:/r/a\",\"unix:/r//a\"]"), "listen[1]: \"/r/a\" is already used by",
     NULL},
    {TOP("\"metrics\":\"/run/guestlink/./control.sock\""), "already used by `control`, by default",
     NULL},
    {TOP("\"telemetry\":{\"file\":\"/run/guestlink/control.sock\"}"), "telemetry.file: ", NULL},
    {TWO(",\"socket\":\"/s\"", ",\"socket\":\"//s\""),
     ":2: vms[1].socket: \"/s\" is also used by another VM", NULL},
    {TWO(QMP("/q"), QMP("/q/")), ":2: vms[1].device_host.qmp: \"/q\" is also used by another VM",
     NULL},
    {TWO(",\"socket\":\"/s\"" QMP("/s"), ""),
     "vms[0].device_host.qmp: \"/s\" is already used by `socket`", NULL},
    {TWO(",\"socket\":\"/run/guestlink/control.sock\"", ""), "vms[0].socket: ", NULL},
    {TWO(ADAPTER(MAC("01") TAP("t0")), ADAPTER(MAC("02") TAP("t0"))),
     ":2: vms[1].network[0].interface: \"t0\"", NULL},
    {TWO(ADAPTER(MAC("01") TAP("t0") "},{\"id\":\"m\"," MAC("02") TAP("t0")), ""),
     "vms[0].network[1].interface: \"t0\" is already used by", NULL},
    {TWO(ADAPTER(MAC("01") STREAM("/p")), ADAPTER(MAC("02") STREAM("/p"))),
     ":2: vms[1].network[0].socket: \"/p\"", NULL},
    {TWO(ADAPTER(MAC("0a") TAP("t0")), ADAPTER(MAC("0A") TAP("t1"))),
     ":2: vms[1].network[0].mac: \"52:54:00:00:00:0a\"", NULL},
    {TWO(ADAPTER(MAC("01")), ADAPTER(MAC("01"))), NULL,
     ":2: vms[1].network[0].mac: \"52:54:00:00:00:01\" is also used by another VM"},
    {"{" STATE "\"vms\":[" A(QMP("/q") SHARED) "]}", "state_dir: 66 bytes, expected at most 65",
     NULL},
    {"{" STATE "\"vms\":[" A(QMP("/q")) "]}", NULL, "state_dir: 66 bytes"},
    {"{" STATE "\"vms\":[" A("") "]}", NULL, NULL},
    {TWO(ADAPTER(MAC("01") TAP("t0")), ADAPTER(MAC("02") TAP("t1"))), NULL, NULL},
    {"{\"listen\":[\"unix:/s\"],\"vms\":[" A(",\"socket\":\"/s\"") "]}", NULL, NULL},
    /* the first of a value is not the one that the others collide with */
    {"{\"listen\":[\"unix:/s\"],\"vms\":[" A(",\"socket\":\"/s\"") "," B(",\"socket\":\"/s\"") "]}",
     ":2: vms[1].socket: \"/s\" is also used by another VM (`socket` on line 1)", NULL},
    {"{\"listen\":[\"unix:/s\"],\"vms\":[" A(",\"socket\":\"/s\"" QMP("/s")) "]}",
     "vms[0].device_host.qmp: \"/s\" is already used by", NULL},
    {"{\"listen\":[\"unix:/s\",\"unix:/s\"],\"vms\":[" A(",\"socket\":\"/s\"") "]}",
     "listen[1]: \"/s\" is already used by", NULL},
    {THREE(ADAPTER(MAC("01")), ADAPTER(MAC("01") TAP("t1")), ADAPTER(MAC("01") TAP("t2"))),
     ":3: vms[2].network[0].mac: \"52:54:00:00:00:01\" is also used by another VM (`mac` on line "
     "2)",
     ":2: vms[1].network[0].mac: \"52:54:00:00:00:01\""},
    {THREE(ADAPTER(MAC("01") TAP("t1")), ADAPTER(MAC("01")), ADAPTER(MAC("01") TAP("t2"))),
     ":3: vms[2].network[0].mac: \"52:54:00:00:00:01\" is also used by another VM (`mac` on line "
     "1)",
     ":2: vms[1].network[0].mac: \"52:54:00:00:00:01\""},
    {THREE(ADAPTER(MAC("01") TAP("t")), ADAPTER(MAC("02") TAP("t2")), ADAPTER(MAC("03") TAP("t"))),
     ":3: vms[2].network[0].interface: \"t\" is also used", NULL},
    {THREE(",\"socket\":\"/s\"", ",\"socket\":\"/s2\"", ADAPTER(MAC("03") STREAM("/s"))),
     ":3: vms[2].network[0].socket: \"/s\" is also used", NULL},
    {"{\"listen\":[\"unix:/s\"],\"telemetry\":{\"file\":\"/s\"},\"vms\":[" A(
         ",\"socket\":\"/s\"") "]}",
     "listen[0]: \"/s\" is already used by `file`", NULL},
};

static void test_what_has_one_owner_is_not_given_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(claimed) / sizeof(claimed[0]); i++) {
        struct heard heard;
        struct config *config = parse(claimed[i].text, &heard);

        if ((config == NULL) != (claimed[i].error != NULL) ||
            (claimed[i].error ? !strstr(heard.errors, claimed[i].error)
                              : heard.errors[0] != '\0') ||
            (claimed[i].warning ? !strstr(heard.warnings, claimed[i].warning)
                                : heard.warnings[0] != '\0'))
            fail_msg("%s\ngave: %s%swanted: %s", claimed[i].text, heard.errors, heard.warnings,
                     claimed[i].error ? claimed[i].error : claimed[i].warning);
        (void)config_free(config);
    }
}

static void test_every_error_is_told(void **state)
{
    struct heard heard;

    (void)state;
    assert_null(parse(VM(",\"virtio\":1,\"memory\":\"x\",\"foo\":2,"
                         "\"shares\":[{\"tag\":\";\",\"path\":\"x\",\"target\":\"/\"}]"),
                      &heard));
    assert_int_equal(heard.error_count, 6);
}

static const struct {
    const char *value, *warning;
    enum config_swiotlb swiotlb;
    uint64_t size;
} pools[] = {
    {"\"auto\"", NULL, CONFIG_SWIOTLB_AUTO, 0},
    {"\"off\"", NULL, CONFIG_SWIOTLB_OFF, 0},
    {"0", NULL, CONFIG_SWIOTLB_OFF, 0},
    {"\"64M\"", NULL, CONFIG_SWIOTLB_SIZE, 64 << 20},
    {"\"4096K\"", NULL, CONFIG_SWIOTLB_SIZE, 4 << 20},
    {"67108864", NULL, CONFIG_SWIOTLB_SIZE, 64 << 20},
    {"\"67108864\"", NULL, CONFIG_SWIOTLB_SIZE, 64 << 20},
    {"\"0x14000000,67108864\"", "the guest kernel chooses", CONFIG_SWIOTLB_SIZE, 64 << 20},
    {"\"0x14000000,64M\"", "using the size 67108864", CONFIG_SWIOTLB_SIZE, 64 << 20},
    {"\"0x14000000,\"", "using \"auto\"", CONFIG_SWIOTLB_AUTO, 0},
    {"\"lots\"", "\"lots\" is not a pool size, expected ", CONFIG_SWIOTLB_AUTO, 0},
    {"\"-1\"", "using \"auto\"", CONFIG_SWIOTLB_AUTO, 0},
    {"\"4G\"", "below 4 GiB", CONFIG_SWIOTLB_AUTO, 0},
    {"\"99999999999999999999\"", "using \"auto\"", CONFIG_SWIOTLB_AUTO, 0},
    {"1.5", "using \"auto\"", CONFIG_SWIOTLB_AUTO, 0},
    {"true", "true is not a pool size", CONFIG_SWIOTLB_AUTO, 0},
    {"[]", "using \"auto\"", CONFIG_SWIOTLB_AUTO, 0},
};

static void test_a_bad_pool_is_a_warning(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        struct config *config;
        struct heard heard;
        char text[512];

        (void)snprintf(text, sizeof(text), VM(",\n\"swiotlb\":%s"), pools[i].value);
        config = parse(text, &heard);
        assert_non_null(config);
        assert_int_equal(config->vms[0].swiotlb, pools[i].swiotlb);
        assert_int_equal(config->vms[0].swiotlb_size, pools[i].size);
        assert_int_equal(heard.warning_count, pools[i].warning != NULL);
        if (pools[i].warning != NULL) {
            assert_non_null(strstr(heard.warnings, pools[i].warning));
            assert_non_null(strstr(heard.warnings, "test.json:2: vms[0].swiotlb: "));
        }
        (void)config_free(config);
    }
}

static void test_a_payload_s_bounds_are_read(void **state)
{
    static const struct {
        const char *name;
        uint32_t number;
    } signals[] = {{"\"SIGQUIT\"", 3},   {"\"QUIT\"", 3},       {"37", 37},
                   {"\"RTMAX\"", 64},    {"\"RTMAX-4\"", 60},   {"\"SIGRTMIN\"", 34},
                   {"\"RTMIN+30\"", 64}, {"\"SIGRTMIN+3\"", 37}};
    struct heard heard;
    struct config *config = parse(
        VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"nofile\":[1024,524288],"
           "\"core\":\"unlimited\",\"memlock\":[\"64K\",\"unlimited\"],\"stack\":0},"
           "\"umask\":\"027\",\"stop_timeout_ms\":90000,\"memory_max\":\"512M\",\"pids_max\":100}"),
        &heard);
    const struct config_payload *payload;

    (void)state;
    assert_string_equal(heard.errors, "");
    payload = &config->vms[0].payload;
    assert_int_equal(payload->limits.count, 4);
    assert_string_equal(payload->limits.items[0], "nofile 1024 524288");
    assert_string_equal(payload->limits.items[1], "core unlimited unlimited");
    assert_string_equal(payload->limits.items[2], "memlock 65536 unlimited");
    assert_string_equal(payload->limits.items[3], "stack 0 0");
    assert_int_equal(payload->umask, CONFIG_UMASK_GIVEN | 027);
    assert_int_equal(payload->stop_timeout_ms, 90000);
    assert_int_equal(payload->memory_max, 512 << 20);
    assert_int_equal(payload->pids_max, 100);
    (void)config_free(config);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        char text[512];

        (void)snprintf(text, sizeof(text), VM(",\"payload\":{\"argv\":[\"a\"],\"stop_signal\":%s}"),
                       signals[i].name);
        config = parse(text, &heard);
        assert_string_equal(heard.errors, "");
        assert_int_equal(config->vms[0].payload.stop_signal, signals[i].number);
        (void)config_free(config);
    }
}

static void test_sizes(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t bytes;
    } sizes[] = {
        {"0", 0, 0},
        {"1", 0, 1},
        {"1k", 0, 1024},
        {"1KiB", 0, 1024},
        {"3MB", 0, 3 << 20},
        {"2G", 0, UINT64_C(2) << 30},
        {"1T", 0, UINT64_C(1) << 40},
        {"16777215T", 0, UINT64_C(16777215) << 40},
        {"16777216T", -ERANGE, 0},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -ERANGE, 0},
        {"", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"M", -EINVAL, 0},
        {"1MM", -EINVAL, 0},
        {"1 M", -EINVAL, 0},
        {"0x10", -EINVAL, 0},
        {"1.5G", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint64_t bytes = 0;

        assert_int_equal(config_text_parse_size(sizes[i].text, &bytes), sizes[i].r);
        assert_int_equal(bytes, sizes[i].bytes);
    }
}

static void test_a_text_cut_anywhere_is_refused_and_nothing_worse(void **state)
{
    static const char text[] =
        VM(",\"shares\":[{\"tag\":\"a\\u00e4\",\"path\":\"/a\",\"target\":\"/b\"}],/*x*/\n//y\n"
           "\"payload\":[\"a\",\"-1e5\"],\"swiotlb\":\"0x1000,64M\",\"memory\":1e3");

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        char *cut = strndup(text, size);
        struct heard heard;

        assert_null(parse(cut, &heard));
        assert_int_not_equal(heard.error_count, 0);
        free(cut);
    }
}

static void test_absurd_files_are_bounded(void **state)
{
    size_t size = 3u << 20;
    char *text = malloc(size + 1);
    struct heard heard;

    (void)state;
    assert_non_null(text);
    memset(text, '[', size);
    text[size] = '\0';
    assert_null(parse(text, &heard));
    assert_non_null(strstr(heard.errors, "levels"));

    text[0] = '[';
    for (size_t i = 1; i + 1 < size; i += 2)
        memcpy(text + i, "1,", 2);
    assert_null(parse(text, &heard));
    assert_non_null(strstr(heard.errors, "more than 65536 entries"));
    free(text);
}

static void test_thousands_of_vms_are_read(void **state)
{
    static const size_t count = 4000;
    char *text = malloc(count * 200), *at = text;
    struct config *config;
    struct heard heard;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, "{\"vms\":[");
    for (size_t i = 0; i < count; i++)
        at += sprintf(
            at, "%s{\"name\":\"vm%zu\",\"id\":\"8c5a1e5e-6f0b-4d3c-9b1a-%012zx\",\"cid\":%zu}",
            i == 0 ? "" : ",", i, i, i + 3);
    (void)sprintf(at, "]}");
    config = parse(text, &heard);
    assert_non_null(config);
    assert_int_equal(config->vm_count, count);
    (void)config_free(config);
    free(text);
}

static void test_vms_are_equal_or_not(void **state)
{
    static const char *const others[] = {
        VM(",\"memory\":\"1G\""),
        VM(",\"hostname\":\"x\""),
        VM(",\"virtio\":false"),
        VM(",\"networking\":\"virtioproxy\""),
        VM(",\"swiotlb\":\"off\""),
        VM(",\"aperture\":\"require\""),
        VM(",\"shares\":[{\"tag\":\"a\",\"path\":\"/a\",\"target\":\"/b\"}]"),
        VM(",\"network\":[{\"id\":\"e\",\"mac\":\"52:54:00:12:34:56\"}]"),
        VM(",\"payload\":[\"a\"]"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"limits\":{\"core\":1}}"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"umask\":\"0\"}"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"stop_signal\":3}"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"stop_timeout_ms\":1}"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"memory_max\":\"1M\"}"),
        VM(",\"payload\":{\"argv\":[\"a\"],\"pids_max\":1}"),
        VM(",\"device_host\":{\"type\":\"none\",\"timeout_ms\":5}"),
        VM(",\"timeouts_ms\":{\"mount\":5}"),
    };
    struct heard heard;
    struct config *base = parse(VM(""), &heard), *same = parse("\n\n" VM(""), &heard);

    (void)state;
    assert_true(config_vm_equal(&base->vms[0], &same->vms[0]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        struct config *other = parse(others[i], &heard);

        assert_non_null(other);
        assert_false(config_vm_equal(&base->vms[0], &other->vms[0]));
        assert_true(config_vm_equal(&other->vms[0], &other->vms[0]));
        (void)config_free(other);
    }
    (void)config_free(base);
    (void)config_free(same);
}

static void test_a_missing_file_is_told(void **state)
{
    struct config *config = NULL;
    struct heard heard = {.error_count = 0};

    (void)state;
    assert_int_equal(config_load("/nonexistent/x.json", on_warning, on_error, &heard, &config),
                     -ENOENT);
    assert_non_null(strstr(heard.errors,
                           "cannot read the configuration \"/nonexistent/x.json\": No "
                           "such file or directory; not using this file"));
    assert_int_equal(config_load("/", on_warning, on_error, &heard, &config), -EISDIR);
    assert_null(config);
}

/* As written by `cat >FILE` with the usual umask: everybody reads the passwords in it. */
static void test_an_exposed_environment_is_warned_of(void **state)
{
    static const struct {
        const char *text;
        mode_t mode;
        unsigned warnings;
    } cases[] = {
        {VM(",\"payload\":{\"argv\":[\"x\"],\"environment\":[\"A=b\"]}"), 0644, 1},
        {VM(",\"payload\":{\"argv\":[\"x\"],\"environment\":[\"A=b\"]}"), 0604, 1},
        {VM(",\"payload\":{\"argv\":[\"x\"],\"environment\":[\"A=b\"]}"), 0640, 0},
        {VM(",\"payload\":{\"argv\":[\"x\"],\"environment\":[]}"), 0644, 0},
        {VM(""), 0644, 0},
    };
    char path[] = "/tmp/glnk-config-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = NULL;
        struct heard heard = {.error_count = 0};

        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
                         strlen(cases[i].text));
        assert_int_equal(fchmod(fd, cases[i].mode), 0);
        assert_int_equal(config_load(path, on_warning, on_error, &heard, &config), 0);
        assert_int_equal(heard.warning_count, cases[i].warnings);
        assert_int_equal(strstr(heard.warnings, "chmod 0640 /tmp/glnk-config-") != NULL,
                         cases[i].warnings);
        (void)config_free(config);
    }
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
}

static void test_the_host_s_loopback_is_only_opened_by_name(void **state)
{
#define ADAPTERS(one, two)                                                                         \
    VM(",\"network\":[{\"id\":\"a\",\"mac\":\"52:54:00:12:34:01\"" one                             \
       "},{\"id\":\"b\",\"mac\":\"52:54:00:12:34:02\"" two "}]")
    static const struct {
        const char *text;
        bool user, loopback;
    } right[] = {
        {ADAPTERS("", ""), true, false},
        {ADAPTERS(",\"host_loopback\":false", ""), true, false},
        {ADAPTERS("", ",\"backend\":\"user\",\"host_loopback\":true"), true, true},
        {ADAPTERS("", ",\"backend\":\"passt\",\"host_loopback\":true"), true, false},
        {ADAPTERS(",\"backend\":\"tap\",\"interface\":\"t\"",
                  ",\"backend\":\"tap\",\"interface\":\"u\""),
         false, false},
    };
    struct heard heard;
    struct config *config;

    (void)state;
    for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
        config = parse(right[i].text, &heard);
        assert_non_null(config);
        assert_int_equal(config_vm_has_user_network(&config->vms[0]), right[i].user);
        assert_int_equal(config_vm_has_host_loopback(&config->vms[0]), right[i].loopback);
        (void)config_free(config);
    }
    assert_null(parse(
        ADAPTERS(",\"backend\":\"tap\",\"interface\":\"t\",\"host_loopback\":true", ""), &heard));
    assert_non_null(
        strstr(heard.errors, "host_loopback: expected only with backend \"user\" or \"passt\""));
    assert_null(parse(ADAPTERS(",\"host_loopback\":1", ""), &heard));
}

static void test_published_ports(void **state)
{
#define QEMU(networks)                                                                             \
    VM(",\"device_host\":{\"type\":\"qemu\",\"qmp\":\"/q\"},\"network\":[" networks "]")
#define USER(n, more) "{\"id\":\"u" n "\",\"mac\":\"52:54:00:00:00:0" n "\"" more "}"
#define ON(backend)   ",\"backend\":\"" backend "\""
#define PORTS(list)   ",\"publish\":[" list "]"
    static const struct {
        const char *text, *error; /* NULL: none */
    } rows[] = {
        {QEMU(USER("1", PORTS(""))), NULL},
        {QEMU(USER("1", PORTS("\"8080:80\",\"8080:80/udp\",\"127.0.0.2:8080:80\""))), NULL},
        {QEMU(USER("1", ON("passt") PORTS("\"[::1]:8080:80\",\"8080:80\""))), NULL},
        {QEMU(USER("1", ON("passt") PORTS("\"[::]:8080:80\",\"0.0.0.0:8080:80\""))), NULL},
        {QEMU(USER("1", PORTS("\"[::1]:8080:80\""))), "expected an IPv4 one with backend"},
        {QEMU(USER("1", PORTS("\"80\""))), "publish[0]: \"80\", expected [ADDRESS:]PORT"},
        {QEMU(USER("1", ",\"publish\":\"8080:80\"")), "publish: \"8080:80\", expected"},
        {QEMU(USER("1", ON("tap") ",\"interface\":\"t\"" PORTS("\"1:1\""))),
         "expected only with backend \"user\" or \"passt\""},
        {QEMU(USER("1", ON("passt") ",\"address\":[\"10.0.2.15/24\"]" PORTS("\"[::1]:1:1\""))),
         "is for IPv6, expected an address of that family"},
        {VM(",\"network\":[" USER("1", PORTS("\"1:1\"")) "]"),
         "expected only with device_host.type \"qemu\""},
        {VM(",\"networking\":\"nat\",\"device_host\":{\"type\":\"qemu\",\"qmp\":\"/q\"},"
            "\"network\":[" USER("1", PORTS("\"1:1\"")) "]"),
         "expected only with `networking` \"virtioproxy\""},
        {QEMU(USER("1", PORTS("\"8080:80\"")) "," USER("2", PORTS("\"127.0.0.1:8080:1/tcp\""))),
         "\"127.0.0.1:8080:1/tcp\" is already used by `publish` on line 1"},
        {QEMU(USER("1", PORTS("\"8080:80\",\"0.0.0.0:8080:1\""))),
         "publish[0]: \"8080:80\" is already used by `publish`"},
        {QEMU(USER("1", ON("passt") PORTS("\"[2001:db8::1]:8080:80\",\"[::]:8080:1\""))),
         "is already used by `publish`"},
    };
    struct heard heard;
    struct config *config, *other;
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        config = parse(rows[i].text, &heard);
        if ((config == NULL) != (rows[i].error != NULL) ||
            (rows[i].error != NULL && strstr(heard.errors, rows[i].error) == NULL))
            fail_msg("%s\ngave: %s\nwanted: %s", rows[i].text, heard.errors, rows[i].error);
        (void)config_free(config);
    }
    config = parse(QEMU(USER("1", PORTS("\"8080:80\"")) "," USER(
                       "2", ON("passt") PORTS("\"81:1\"")) "," USER("3", PORTS("\"53:1/udp\""))),
                   &heard);
    assert_non_null(config);
    config_vm_name_ports(&config->vms[0], text, sizeof(text));
    assert_string_equal(text, "8080/tcp,53/udp,"); /* QEMU's own */
    other = parse(QEMU(USER("1", PORTS("\"8081:80\""))), &heard);
    assert_true(config_network_equal(&other->vms[0].networks[0], &other->vms[0].networks[0]));
    assert_false(config_network_equal(&config->vms[0].networks[0], &other->vms[0].networks[0]));
    (void)config_free(config);
    (void)config_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_design_s_example_is_read),
        cmocka_unit_test(test_defaults_are_filled_in),
        cmocka_unit_test(test_an_adapter_s_metric_is_its_place),
        cmocka_unit_test(test_an_mtu_without_ipv6_is_a_warning),
        cmocka_unit_test(test_errors_name_the_place_and_what_was_expected),
        cmocka_unit_test(test_a_misspelled_key_comes_before_what_it_causes),
        cmocka_unit_test(test_what_has_one_owner_is_not_given_twice),
        cmocka_unit_test(test_every_error_is_told),
        cmocka_unit_test(test_a_bad_pool_is_a_warning),
        cmocka_unit_test(test_a_payload_s_bounds_are_read),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_a_text_cut_anywhere_is_refused_and_nothing_worse),
        cmocka_unit_test(test_absurd_files_are_bounded),
        cmocka_unit_test(test_thousands_of_vms_are_read),
        cmocka_unit_test(test_vms_are_equal_or_not),
        cmocka_unit_test(test_a_missing_file_is_told),
        cmocka_unit_test(test_an_exposed_environment_is_warned_of),
        cmocka_unit_test(test_the_host_s_loopback_is_only_opened_by_name),
        cmocka_unit_test(test_published_ports),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
