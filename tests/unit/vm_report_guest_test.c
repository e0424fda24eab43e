/* hostd report: how urgent each line about a guest, and about its devices, is to a person, and what
 * it says. */
#include "vm/adapter.h"
#include "vm/report.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"
#include "vm_support.h"

#include "protocol/request.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Instead of stderr. */
static struct {
    unsigned count;
    int level;
    char text[4096];
} line;

void __wrap_log_vm(int level, const char *vm, const char *boot_id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void __wrap_log_vm(int level, const char *vm, const char *boot_id, const char *format, ...)
{
    va_list arguments;

    (void)boot_id;
    assert_string_equal(vm, "dev");
    line.count++;
    line.level = level;
    va_start(arguments, format);
    (void)vsnprintf(line.text, sizeof(line.text), format, arguments);
    va_end(arguments);
}

/* The last call wrote one line: of that level, with that text in it. */
static void need_line(int level, const char *text)
{
    assert_int_equal(line.count, 1);
    line.count = 0;
    if (line.level != level || !strstr(line.text, text))
        fail_msg("level %d (wanted %d) of \"%s\" (wanted \"%s\")", line.level, level, line.text,
                 text);
}

static int set_up_quietly(void **state)
{
    int r = set_up(state);

    line.count = 0;
    return r;
}

static void exit_with(struct fixture *f, uint16_t role, uint32_t status, uint32_t again_ms)
{
    report_child_exit(f->vm,
                      &(struct event_child_exited){
                          .process = 3, .role = role, .status = status, .again_ms = again_ms});
}

static void only_a_payload_that_failed_is_a_warning(void **state)
{
    struct fixture *f = *state;

    exit_with(f, REQUEST_ROLE_PAYLOAD, 0, EVENT_NOT_AGAIN);
    need_line(LOG_INFO, "the payload 3 exited with status 0");
    exit_with(f, REQUEST_ROLE_PAYLOAD, 1, EVENT_NOT_AGAIN);
    need_line(LOG_WARNING, "the payload 3 exited with status 1");
    assert_null(strstr(line.text, "again"));
    exit_with(f, REQUEST_ROLE_PAYLOAD, 1, 0);
    need_line(LOG_WARNING, "status 1; restarting it");
    exit_with(f, REQUEST_ROLE_COMMAND, 0, EVENT_NOT_AGAIN);
    need_line(LOG_INFO, "the command 3 exited with status 0");
    exit_with(f, REQUEST_ROLE_COMMAND, 9, EVENT_NOT_AGAIN);
    need_line(LOG_INFO, "the command 3 exited with status 9");
}

/* No guest makes the host's log louder than an error of the host's own. */
static void a_guest_is_at_most_as_loud_as_an_error(void **state)
{
    static const int levels[][2] = {
        {LOG_EMERG, LOG_ERR},       {LOG_CRIT, LOG_ERR},       {LOG_ERR, LOG_ERR},
        {LOG_WARNING, LOG_WARNING}, {LOG_NOTICE, LOG_NOTICE},  {LOG_INFO, LOG_INFO},
        {LOG_DEBUG, LOG_DEBUG},     {LOG_DEBUG + 1, LOG_INFO}, {UINT16_MAX, LOG_INFO}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        report_guest_log(f->vm, &(struct event_log_record){.level = (uint16_t)levels[i][0],
                                                           .text = wire_text_of("words")});
        need_line(levels[i][1], "guest log: words");
    }
}

static void what_a_guest_does_is_no_warning(void **state)
{
    struct fixture *f = *state;

    report_connected(f->vm, false);
    need_line(LOG_INFO, "the guest connected");
    report_connected(f->vm, true);
    need_line(LOG_INFO, "the guest is back");
    f->vm->boot.timings.ready_ms = 77;
    report_ready(f->vm, false);
    need_line(LOG_INFO, "ready, 77 ms after");
    report_ready(f->vm, true);
    need_line(LOG_INFO, "ready again");
    report_farewell(f->vm,
                    &(struct event_farewell){.how = REQUEST_HALT, .reason = EVENT_BY_PAYLOAD});
    need_line(LOG_INFO, "farewell: halt, requested by payload");
    report_farewell(f->vm, &(struct event_farewell){.how = 3, .reason = 4});
    need_line(LOG_INFO, "farewell: unknown, requested by unknown");
    report_disconnected(f->vm, "closed", 0);
    need_line(LOG_INFO, "disconnected: closed");
    assert_string_equal(line.text + strlen(line.text) - 6, "closed");
    report_disconnected(f->vm, "error", EPIPE);
    need_line(LOG_INFO, "disconnected: error: Broken pipe");
    report_output(f->vm, &(struct event_process_output){.data = wire_text_of("words\n")});
    need_line(LOG_INFO, "payload: words");
}

static void output_is_shown_line_by_line(void **state)
{
    struct fixture *f = *state;

    report_output(f->vm, &(struct event_process_output){.data = wire_text_of("a\n\nrest")});
    assert_int_equal(line.count, 3);
    assert_string_equal(line.text, "payload: rest");
}

static void what_fails_is_an_error_and_a_step_that_fails_a_warning(void **state)
{
    struct fixture *f = *state;

    report_payload(f->vm, 0, "");
    need_line(LOG_INFO, "started the payload /bin/true");
    report_payload(f->vm, ENOENT, "words");
    need_line(LOG_ERR, "/bin/true: No such file or directory (words)");
    report_step_failed(f->vm, "set-hostname", EIO, "");
    need_line(LOG_WARNING, "set-hostname failed in the guest: Input/output error; the guest");
    report_step_failed(f->vm, "set-hostname", EIO, "words");
    need_line(LOG_WARNING, "Input/output error: words; the guest");
    report_timeout(f->vm, "device", 5, "a");
    need_line(LOG_ERR, "phase device of a: no answer within 5 ms (timeouts_ms.device)");
    report_timeout(f->vm, "connect", 5, NULL);
    need_line(LOG_ERR, "phase connect: no answer");
    report_device_failed(f->vm, "share", "a", "mount", EIO, "");
    need_line(LOG_ERR, "share a failed in phase mount (Input/output error); everything");
    report_device_failed(f->vm, "share", "a", "mount", EIO, "words");
    need_line(LOG_ERR, "(Input/output error): words; everything");
    report_device_failed(f->vm, "share", "a", "mount", EIO, "Input/output error at X");
    need_line(LOG_ERR, "phase mount: Input/output error at X; everything");
    report_device_failed(f->vm, "share", "a", "mount", 9999, "share a: words");
    need_line(LOG_ERR, "phase mount (unknown error): words;");
    report_device_failed(f->vm, "share", "a", "mount", EIO, "share b: words");
    need_line(LOG_ERR, ": share b: words;");
    report_device_failed(f->vm, "share", "a", "mount", EIO, "share a; words");
    need_line(LOG_ERR, ": share a; words;");
    report_pool_exhausted(f->vm, &(struct event_pool_exhausted){.count = 7, .used = 2, .total = 3});
    need_line(LOG_WARNING, "2 of 3 slots used, 7 mappings failed so far");
}

static void trouble_with_the_pool_is_a_warning(void **state)
{
    static const struct {
        enum boot_pool_trouble trouble;
        const char *text;
    } troubles[] = {{BOOT_POOL_NOT_ASKED, "command line does not request one"},
                    {BOOT_POOL_OLD_KERNEL, "does not know hv_pci_swiotlb"},
                    {BOOT_POOL_NOT_MADE, "could not reserve its SWIOTLB pool"},
                    {BOOT_POOL_REJECTED, "refused the guest's SWIOTLB pool"}};
    struct fixture *f = *state;

    report_pool_trouble(f->vm, BOOT_POOL_FINE);
    assert_int_equal(line.count, 0);
    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
        report_pool_trouble(f->vm, troubles[i].trouble);
        need_line(LOG_WARNING, troubles[i].text);
    }
}

static void a_token_is_told_when_it_is_applied(void **state)
{
    struct fixture *f = *state;

    report_capabilities(f->vm, TELEMETRY_APPLY_GUEST_CAPABILITIES);
    assert_int_equal(line.count, 0);
    (void)strcpy(f->vm->boot.token, "swiotlb=1,2");
    report_capabilities(f->vm, TELEMETRY_READ_GUEST_CAPABILITIES);
    assert_int_equal(line.count, 0);
    report_capabilities(f->vm, TELEMETRY_APPLY_GUEST_CAPABILITIES);
    need_line(LOG_INFO, "devices get the token swiotlb=1,2");
}

static void a_device_and_its_remark_are_told(void **state)
{
    struct fixture *f = *state;
    struct attachment *a;
    struct virtio_device *device;

    connect_guest(f, 67108864);
    a = f->vm->attachments;
    device = a->device;
    line.count = 0;
    report_share_added(a);
    need_line(LOG_INFO, "share a: /usr is the virtiofs device a that existed already, options");
    device->created = true;
    report_share_added(a);
    need_line(LOG_INFO, "share a: /usr is the virtiofs device a, options");
    device->remark = strdup("words");
    report_share_added(a);
    assert_int_equal(line.count, 2);
    assert_int_equal(line.level, LOG_NOTICE);
    assert_string_equal(line.text, "share a: words");
    line.count = 0;
    report_share_removed(device);
    need_line(LOG_INFO, "removed the virtiofs device a of /usr");
    report_mount((const struct share *)a, 0, "");
    need_line(LOG_INFO, "share a is mounted at /a");
    report_mount((const struct share *)a, EIO, "words");
    assert_int_equal(line.count, 0); /* report_device_failed() tells it */
}

static void memory_that_is_open_to_virtiofsd_is_a_warning(void **state)
{
    struct fixture *f = *state;
    struct virtio_device *device;

    connect_guest(f, 67108864);
    device = f->vm->attachments->device;
    line.count = 0;
    device->aperture = (struct aperture_status){.bytes = 4096, .state = APERTURE_ENFORCED};
    report_aperture(device);
    need_line(LOG_INFO, "out of all but 4096 bytes");
    device->aperture =
        (struct aperture_status){.bytes = 4096, .reason = "words", .state = APERTURE_ENFORCED};
    report_aperture(device);
    need_line(LOG_WARNING, "out of all but 4096 bytes of the guest's memory; but words");
    device->aperture.state = APERTURE_NARROWED;
    report_aperture(device);
    need_line(LOG_WARNING, "asked to use only 4096 bytes");
    device->aperture.state = APERTURE_NONE;
    report_aperture(device);
    need_line(LOG_WARNING, "can reach all of the guest's memory: words");
}

static void an_adapter_is_told(void **state)
{
    struct fixture *f = *state;
    struct config_network network = {.id = (char *)"eth0"};
    struct virtio_device device = {.vm = f->vm, .name = (char *)"eth0", .network = &network};
    struct adapter adapter = {.attachment = {.vm = f->vm, .name = "eth0", .device = &device},
                              .config = &network};

    report_adapter_added(&adapter.attachment);
    need_line(LOG_INFO, "adapter eth0 is already plugged in");
    device.created = true;
    report_adapter_added(&adapter.attachment);
    need_line(LOG_INFO, "adapter eth0 is plugged in");
    device.remark = (char *)"words";
    report_adapter_added(&adapter.attachment);
    assert_int_equal(line.count, 2);
    assert_int_equal(line.level, LOG_NOTICE);
    assert_string_equal(line.text, "adapter eth0: words");
    line.count = 0;
    report_adapter_removed(&device);
    need_line(LOG_INFO, "removed adapter eth0");
    report_network(&adapter, 0, "");
    need_line(LOG_INFO, "adapter eth0 is configured");
    report_network(&adapter, EIO, "words");
    assert_int_equal(line.count, 0);
}

/* What did not pass an allowance is not said either. */
static void what_is_not_allowed_writes_no_line(void **state)
{
    struct fixture *f = *state;

    for (int kind = 0; kind < ALLOWANCE_KINDS; kind++)
        while (report_allow(f->vm, (enum allowance_kind)kind))
            ;
    line.count = 0;
    report_connected(f->vm, false);
    report_capabilities(f->vm, TELEMETRY_APPLY_GUEST_CAPABILITIES);
    report_pool_trouble(f->vm, BOOT_POOL_NOT_ASKED);
    report_pool_exhausted(f->vm, &(struct event_pool_exhausted){.count = 1});
    report_ready(f->vm, true);
    exit_with(f, REQUEST_ROLE_PAYLOAD, 1, 0);
    exit_with(f, REQUEST_ROLE_COMMAND, 1, 0);
    report_guest_log(f->vm, &(struct event_log_record){.text = wire_text_of("words")});
    report_output(f->vm, &(struct event_process_output){.data = wire_text_of("words")});
    report_farewell(f->vm, &(struct event_farewell){.how = 0});
    report_disconnected(f->vm, "closed", 0);
    report_payload(f->vm, EIO, "");
    report_step_failed(f->vm, "x", EIO, "");
    report_timeout(f->vm, "x", 1, NULL);
    report_device_failed(f->vm, "share", "a", "mount", EIO, "");
    report_device_failed(f->vm, "share", "a", "mount", ETIMEDOUT, "");
    report_device_failed(f->vm, "share", "a", "device", EIO, "");
    assert_int_equal(line.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_quietly, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_a_payload_that_failed_is_a_warning),
        TEST(a_guest_is_at_most_as_loud_as_an_error),
        TEST(what_a_guest_does_is_no_warning),
        TEST(output_is_shown_line_by_line),
        TEST(what_fails_is_an_error_and_a_step_that_fails_a_warning),
        TEST(trouble_with_the_pool_is_a_warning),
        TEST(a_token_is_told_when_it_is_applied),
        TEST(a_device_and_its_remark_are_told),
        TEST(memory_that_is_open_to_virtiofsd_is_a_warning),
        TEST(an_adapter_is_told),
        TEST(what_is_not_allowed_writes_no_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
