/* hostd VM: what outlives the daemon comes back as it was, and nonsense in its file harms nobody.
 */
#include "vm_support.h"

#include "state/store.h"
#include "vm/share.h"
#include "vm/virtio_device.h"
#include "vm/vm_parts.h"
#include "vm/vm_store.h"

#include <json-c/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define POOL UINT64_C(67108864)

static void next_daemon(struct fixture *f)
{
    f->vm = vm_free(f->vm);
    assert_int_equal(vm_new(&f->services, f->settings, &f->settings->config->vms[0], &f->vm), 0);
}

static void what_is_known_of_a_boot_comes_back(void **state)
{
    const struct config_share share = {.tag = (char *)"new",
                                       .path = (char *)"/tmp",
                                       .target = (char *)"/new",
                                       .read_only = true,
                                       .transport = CONFIG_TRANSPORT_VIRTIOFS};
    struct fixture *f = *state;
    struct vm_timings timings = {0};
    struct boot boot;
    struct share *found;
    uint32_t number = 100;

#define SET_HOST(name)  timings.name = (__typeof__(timings.name))number++;
#define SET_GUEST(name) timings.guest.name = number++;
    VM_TIMINGS_HOST(SET_HOST)
    VM_TIMINGS_GUEST(SET_GUEST)
    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
    f->vm->ended = f->vm->boot.ready = true;
    f->vm->boot.timings = timings;
    f->vm->payload.state = VM_PAYLOAD_EXITED;
    f->vm->payload.status = 3;
    f->vm->payload.signal = 9;
    f->vm->payload.restarts = 4;
    boot = f->vm->boot;
    (void)warned_note(&f->vm->warned, "6.1.0-old");
    vm_store_save(f->vm);
    assert_false(f->vm->unsaved);

    next_daemon(f);
    assert_true(f->vm->boot.known && f->vm->boot.ready && f->vm->boot.payload_started);
    assert_true(f->vm->ended);
    assert_memory_equal(&f->vm->boot.capabilities, &boot.capabilities, sizeof(boot.capabilities));
    assert_string_equal(f->vm->boot.token, boot.token);
    assert_memory_equal(&f->vm->boot.timings, &timings, sizeof(timings));
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_EXITED);
    assert_int_equal(f->vm->payload.status, 3);
    assert_int_equal(f->vm->payload.signal, 9);
    assert_int_equal(f->vm->payload.restarts, 4);
    assert_false(warned_note(&f->vm->warned, "6.1.0-old"));
    assert_int_equal(attachment_count(f->vm, &share_kind), 3); /* two of the configuration's */
    found = share_next(f->vm, NULL);
    while (found && strcmp(found->config.tag, "new") != 0)
        found = share_next(f->vm, found);
    assert_non_null(found);
    if (!found)
        return;
    assert_string_equal(found->config.path, "/tmp");
    assert_string_equal(found->config.target, "/new");
    assert_true(found->config.read_only);
    assert_int_equal(found->config.transport, CONFIG_TRANSPORT_VIRTIOFS);
    assert_false(found->configured);
}

/* The other way round: of a boot that is not ready the times are not. */
static void what_is_not_true_is_not_remembered(void **state)
{
    struct fixture *f = *state;
    const struct vm_timings none = {0};

    connect_guest(f, POOL);
    assert_false(f->vm->boot.ready);
    assert_int_not_equal(f->vm->boot.timings.accepted_us, 0);
    f->vm->boot.payload_started = false;
    f->vm->payload.state = VM_PAYLOAD_WAITING;
    vm_store_save(f->vm);
    next_daemon(f);
    assert_true(f->vm->boot.known);
    assert_false(f->vm->boot.ready || f->vm->ended || f->vm->boot.payload_started);
    assert_memory_equal(&f->vm->boot.timings, &none, sizeof(none));
    assert_int_equal(f->vm->payload.state, VM_PAYLOAD_NONE);
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
}

/* A file that somebody else wrote. */
static void nonsense_is_nothing(void **state)
{
#define SHARE(tag, path, target)                                                                   \
    "{\"shares\": [{\"tag\": " tag ", \"path\": " path ", \"target\": " target "}]}"
    static const char *const documents[] = {
        "{}",
        "{\"capabilities\": 1}",
        "{\"capabilities\": \"00\"}",
        "{\"payload\": [], \"shares\": {}, \"warned\": 1, \"devices\": 1, \"timings\": \"\"}",
        SHARE("1", "\"/p\"", "\"/t\""),
        SHARE("\"t\"", "null", "\"/t\""),
        SHARE("\"t\"", "\"/p\"", "[]"),
        SHARE("\"t\"", "\"p\"", "\"/t\""),
        SHARE("\"t\"", "\"/p\"", "\"t\""),
        SHARE("\"1234567890123456789012345678901234567\"", "\"/p\"", "\"/t\""),
    };
    struct fixture *f = *state;
    const char *id = f->vm->config->id;

    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct json_object *document = json_tokener_parse(documents[i]);

        assert_non_null(document);
        f->vm = vm_free(f->vm);
        assert_int_equal(store_save(f->services.store, id, document), 0);
        json_object_put(document);
        next_daemon(f);
        assert_false(f->vm->boot.known || f->vm->ended);
        assert_int_equal(attachment_count(f->vm, &share_kind), 2);
    }
}

/* A report that is as long as one, and none: not hexadecimal, or of another version. */
static void report_that_is_none_is_no_boot(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"0g", "g0", "  ", "00"};
    const char *id = f->vm->config->id;

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct json_object *document;
        char *hex;

        connect_guest(f, POOL);
        vm_store_save(f->vm);
        f->vm = vm_free(f->vm);
        document = store_load(f->services.store, id);
        hex = strdup(json_object_get_string(json_object_object_get(document, "capabilities")));
        assert_non_null(hex);
        memcpy(hex, ends[i], 2); /* the first byte is its size: 176 */
        json_object_object_add(document, "capabilities", json_object_new_string(hex));
        free(hex);
        assert_int_equal(store_save(f->services.store, id, document), 0);
        json_object_put(document);
        next_daemon(f);
        assert_false(f->vm->boot.known);
    }
}

static void share_of_another_transport_comes_back(void **state)
{
    struct fixture *f = *state;
    struct json_object *document = json_tokener_parse(
        "{\"shares\": [{\"tag\": \"123456789012345678901234567890123456\", \"path\": \"/p\", "
        "\"target\": \"/t\", \"transport\": \"9p\"}, {\"tag\": \"u\", \"path\": \"/p\", "
        "\"target\": \"/u\", \"transport\": \"pigeon\"}]}");
    const char *id = f->vm->config->id;
    struct share *share;

    f->vm = vm_free(f->vm);
    assert_int_equal(store_save(f->services.store, id, document), 0);
    json_object_put(document);
    next_daemon(f);
    assert_int_equal(attachment_count(f->vm, &share_kind), 4);
    for (share = share_next(f->vm, NULL); share; share = share_next(f->vm, share)) {
        assert_false(share->config.read_only);
        assert_int_equal(share->config.transport, strcmp(share->config.target, "/t") == 0
                                                      ? CONFIG_TRANSPORT_9P
                                                      : CONFIG_TRANSPORT_AUTO);
    }
}

/* Of the payload's states those that outlive a daemon. */
static void payload_that_was_started_is_remembered(void **state)
{
    static const enum vm_payload_state states[] = {VM_PAYLOAD_NONE, VM_PAYLOAD_WAITING,
                                                   VM_PAYLOAD_RUNNING, VM_PAYLOAD_EXITED,
                                                   VM_PAYLOAD_FAILED};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        bool started = states[i] != VM_PAYLOAD_NONE && states[i] != VM_PAYLOAD_WAITING;

        f->vm->payload.state = states[i];
        vm_store_save(f->vm);
        next_daemon(f);
        assert_int_equal(f->vm->payload.state, started ? states[i] : VM_PAYLOAD_NONE);
    }
}

static void need_folder(const struct vm *vm, const char *device, const struct stat *status)
{
    struct json_object *folder = json_object_object_get(vm->folders, device);

    if (!status) {
        assert_null(folder);
        return;
    }
    assert_int_equal(json_object_array_length(folder), 2);
    assert_int_equal(json_object_get_uint64(json_object_array_get_idx(folder, 0)), status->st_dev);
    assert_int_equal(json_object_get_uint64(json_object_array_get_idx(folder, 1)), status->st_ino);
}

/* Of the devices that are there. */
static void folders_that_are_served_are_remembered(void **state)
{
    struct fixture *f = *state;
    struct virtio_device *device;
    struct stat status;

    assert_int_equal(stat("/usr", &status), 0);
    connect_guest(f, POOL);
    device = f->vm->devices;
    assert_non_null(device);
    vm_store_save(f->vm);
    device->state = VIRTIO_DEVICE_REMOVING;
    next_daemon(f);
    need_folder(f->vm, "a", &status);

    connect_guest(f, POOL);
    f->vm->devices->state = VIRTIO_DEVICE_ADDING;
    vm_store_save(f->vm);
    f->vm->devices->state = VIRTIO_DEVICE_THERE;
    f->vm->saver.timer = sd_event_source_disable_unref(f->vm->saver.timer);
    next_daemon(f);
    need_folder(f->vm, "a", NULL);

    connect_guest(f, POOL);
    f->vm->devices->folder.inode = 0; /* an adapter has none */
    vm_store_save(f->vm);
    f->vm->saver.timer = sd_event_source_disable_unref(f->vm->saver.timer);
    next_daemon(f);
    need_folder(f->vm, "a", NULL);
}

static void folders_behind_another_are_remembered(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;
    struct virtio_device *device;
    struct stat status;

    assert_int_equal(stat("/usr", &status), 0);
    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
    device = f->vm->devices;
    assert_string_equal(device->name, "new"); /* the newest is first */
    device->state = VIRTIO_DEVICE_ADDING;
    vm_store_save(f->vm);
    device->state = VIRTIO_DEVICE_THERE;
    f->vm->saver.timer = sd_event_source_disable_unref(f->vm->saver.timer);
    next_daemon(f);
    need_folder(f->vm, "a", &status);
    need_folder(f->vm, "new", NULL);
}

static void what_is_not_saved_yet_is_saved_at_the_end(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;

    run(f);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    next_daemon(f);
    assert_non_null(share_find(f->vm, "new"));
}

/* The file was edited while no daemon ran. */
static void share_that_the_file_names_since_is_the_files(void **state)
{
    const struct config_share share = {
        .tag = (char *)"a", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;
    struct settings *without = configure(f, "\"shares\": []");
    const struct share *found;

    vm_change(f->vm, without, &without->config->vms[0]);
    run(f);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    run(f);
    next_daemon(f);
    (void)settings_unref(without);
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
    found = share_find(f->vm, "a");
    assert_non_null(found);
    assert_true(found->configured);
    assert_string_equal(found->config.path, "/usr");
    assert_string_equal(found->config.target, "/a");
}

static void share_that_goes_is_forgotten(void **state)
{
    const struct config_share share = {
        .tag = (char *)"new", .path = (char *)"/tmp", .target = (char *)"/new"};
    struct fixture *f = *state;

    connect_guest(f, POOL);
    assert_int_equal(vm_add_share(f->vm, &share, note_done, f), 0);
    settle(f);
    assert_int_equal(vm_remove_share(f->vm, "new", note_done, f), 0);
    run(f); /* the guest has not unmounted it yet */
    vm_store_save(f->vm);
    f->done = 0;
    next_daemon(f);
    assert_int_equal(attachment_count(f->vm, &share_kind), 2);
    assert_int_equal(f->error, ECANCELED);
}

static void state_that_cannot_be_saved_is_told_and_kept_for_later(void **state)
{
    struct fixture *f = *state;
    char path[FOLDER_BYTES + 8], text[1024];
    uint64_t saves = f->services.counters.saves;
    FILE *file;
    int saved;

    file = capture_stderr(&saved);
    vm_store_save(f->vm);
    assert_string_equal(captured(file, saved, text, sizeof(text)), "");
    (void)snprintf(path, sizeof(path), "%s/vms", f->folder);
    folder_remove(path);
    file = capture_stderr(&saved);
    vm_store_save(f->vm);
    (void)captured(file, saved, text, sizeof(text));
    assert_non_null(strstr(text, "cannot save VM state in"));
    assert_non_null(strstr(text, "No such file or directory"));
    assert_true(f->vm->unsaved);
    assert_int_equal(f->services.counters.saves, saves + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_known_of_a_boot_comes_back),
        TEST(what_is_not_true_is_not_remembered),
        TEST(nonsense_is_nothing),
        TEST(report_that_is_none_is_no_boot),
        TEST(share_of_another_transport_comes_back),
        TEST(payload_that_was_started_is_remembered),
        TEST(folders_that_are_served_are_remembered),
        TEST(folders_behind_another_are_remembered),
        TEST(what_is_not_saved_yet_is_saved_at_the_end),
        TEST(share_that_the_file_names_since_is_the_files),
        TEST(share_that_goes_is_forgotten),
        TEST(state_that_cannot_be_saved_is_told_and_kept_for_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
