/* reload: which VMs stay, change, come, go, or come anew when the file says something else, and
 * that nothing does when the file is wrong. The VMs are the test's. */
#include "config/settings.h"
#include "descriptors.h"
#include "folder.h"
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct vm {
    struct settings *settings;
    const struct config_vm *config;
    bool leaves;
};

static char folder[FOLDER_BYTES], path[96];
static struct fleet fleet;
static struct reload reload;
static unsigned made, freed, left, changed, rebased, forgotten, reopened, updated;
static unsigned warnings, errors;
static char said[1024];          /* in the log, since run() */
static const char *other_key;    /* its value in the file is another one */
static unsigned added, followed; /* by the discovery */
static int follow_error;
static int fail_at; /* the vm_new() that fails, from 1; 0: none */
static void (*on_left)(void *userdata, struct vm *vm);
static void *left_userdata;
static struct vm *leaving;

int __wrap_vm_new(struct services *services, struct settings *settings,
                  const struct config_vm *config, struct vm **ret_vm);
int __wrap_vm_new(struct services *services, struct settings *settings,
                  const struct config_vm *config, struct vm **ret_vm)
{
    assert_ptr_equal(services, &fleet.services);
    if (fail_at > 0 && --fail_at == 0)
        return -ENOMEM;
    *ret_vm = calloc(1, sizeof(struct vm));
    assert_non_null(*ret_vm);
    (*ret_vm)->settings = settings_ref(settings);
    (*ret_vm)->config = config;
    made++;
    return 0;
}

struct vm *__wrap_vm_free(struct vm *vm);
struct vm *__wrap_vm_free(struct vm *vm)
{
    (void)settings_unref(vm->settings);
    free(vm);
    freed++;
    return NULL;
}

const struct config_vm *__wrap_vm_config(const struct vm *vm);
const struct config_vm *__wrap_vm_config(const struct vm *vm)
{
    return vm->config;
}

static void take(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    assert_string_equal(vm->config->id, config->id);
    (void)settings_unref(vm->settings);
    vm->settings = settings_ref(settings);
    vm->config = config;
}

void __wrap_vm_change(struct vm *vm, struct settings *settings, const struct config_vm *config);
void __wrap_vm_change(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    take(vm, settings, config);
    changed++;
}

void __wrap_vm_rebase(struct vm *vm, struct settings *settings, const struct config_vm *config);
void __wrap_vm_rebase(struct vm *vm, struct settings *settings, const struct config_vm *config)
{
    take(vm, settings, config);
    rebased++;
}

void __wrap_vm_leave(struct vm *vm, void (*told)(void *userdata, struct vm *vm), void *userdata);
void __wrap_vm_leave(struct vm *vm, void (*told)(void *userdata, struct vm *vm), void *userdata)
{
    vm->leaves = true;
    leaving = vm;
    on_left = told;
    left_userdata = userdata;
    left++;
}

void __wrap_handshakes_forget(struct handshakes *handshakes, struct vm *vm);
void __wrap_handshakes_forget(struct handshakes *handshakes, struct vm *vm)
{
    (void)handshakes;
    (void)vm;
    forgotten++;
}

int __wrap_doors_update(struct doors *doors);
int __wrap_doors_update(struct doors *doors)
{
    (void)doors;
    updated++;
    return -EADDRINUSE; /* is told by the doors, and is no reason to refuse the file */
}

void __wrap_telemetry_reopen(struct telemetry *telemetry, const struct config_telemetry *config);
void __wrap_telemetry_reopen(struct telemetry *telemetry, const struct config_telemetry *config)
{
    (void)telemetry;
    assert_ptr_equal(config, &fleet.services.config->telemetry);
    reopened++;
}

void __wrap_log_line(int level, const char *format, ...);
void __wrap_log_line(int level, const char *format, ...)
{
    size_t size = strlen(said);
    va_list arguments;

    va_start(arguments, format);
    (void)snprintf(said + size, sizeof(said) - size, "<%d>", level);
    size = strlen(said);
    (void)vsnprintf(said + size, sizeof(said) - size, format, arguments);
    va_end(arguments);
}

void __wrap_discovery_add(struct discovery *discovery, struct config *config, config_remark_fn told,
                          void *userdata);
void __wrap_discovery_add(struct discovery *discovery, struct config *config, config_remark_fn told,
                          void *userdata)
{
    assert_ptr_equal(discovery, reload.discovery);
    assert_ptr_not_equal(config, fleet.settings->config); /* the new one, before it is taken */
    told(userdata, "swiotlb");
    added++;
}

int __wrap_discovery_follow(struct discovery *discovery, const struct config *config);
int __wrap_discovery_follow(struct discovery *discovery, const struct config *config)
{
    assert_ptr_equal(discovery, reload.discovery);
    assert_ptr_equal(config, fleet.settings->config);
    followed++;
    return follow_error;
}

static void on_warning(void *userdata, const char *remark)
{
    assert_ptr_equal(userdata, &reload);
    assert_non_null(strstr(remark, "swiotlb"));
    warnings++;
}

static void on_error(void *userdata, const char *remark)
{
    assert_ptr_equal(userdata, &reload);
    assert_non_null(remark);
    errors++;
}

static const char *end_of(const char *key)
{
    return other_key && strcmp(key, other_key) == 0 ? "2" : "";
}

static void write_file(const char *vms)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    (void)fprintf(file,
                  "{\"listen\": [\"vsock::50000\"], \"state_dir\": \"%s/s%s\","
                  " \"control\": \"%s/c%s\", \"metrics\": \"%s/m%s\", \"control_group\": \"g%s\","
                  " \"telemetry\": {\"journal\": false, \"file\": \"%s/t\"}, \"vms\": [%s]}",
                  folder, end_of("state_dir"), folder, end_of("control"), folder, end_of("metrics"),
                  end_of("control_group"), folder, vms);
    assert_int_equal(fclose(file), 0);
}

/* A VM of that name and UUID, with more keys. */
#define VM(name, id, more)                                                                         \
    "{\"name\": \"" name "\", \"id\": \"" id "0000000-0000-0000-0000-000000000000\", " more "}"
#define A     VM("a", "a", "\"cid\": 11, \"memory\": \"1G\"")
#define B     VM("b", "b", "\"cid\": 12, \"memory\": \"1G\"")
#define C     VM("c", "c", "\"cid\": 13, \"memory\": \"1G\"")
#define ID(c) c "0000000-0000-0000-0000-000000000000"

static int run(const char *vms)
{
    write_file(vms);
    made = freed = left = changed = rebased = forgotten = reopened = updated = 0;
    warnings = errors = added = followed = 0;
    said[0] = '\0';
    return reload_run(&reload);
}

static struct vm *find(const char *id)
{
    return registry_find_id(fleet.registry, id);
}

static int set_up(void **state)
{
    struct config *config = NULL;

    (void)state;
    fail_at = follow_error = 0;
    leaving = NULL;
    other_key = NULL;
    folder_make(folder);
    (void)snprintf(path, sizeof(path), "%s/hostd.json", folder);
    write_file("");
    assert_int_equal(config_load(path, NULL, NULL, NULL, &config), 0);
    fleet = (struct fleet){.registry = registry_new(), .settings = settings_new(config)};
    fleet.services.config = config;
    reload = (struct reload){
        .fleet = &fleet, .on_warning = on_warning, .on_error = on_error, .userdata = &reload};
    return run(A ", " B);
}

static int tear_down(void **state)
{
    (void)state;
    fleet.registry = registry_free(fleet.registry);
    fleet.settings = settings_unref(fleet.settings);
    folder_remove(folder);
    return 0;
}

static void new_ones_are_made_and_found(void **state)
{
    (void)state;
    assert_int_equal(made, 2);
    assert_int_equal(freed + left + changed + rebased, 0);
    assert_int_equal(reopened, 1);
    assert_int_equal(updated, 1);
    assert_int_equal(registry_count(fleet.registry), 2);
    assert_string_equal(find(ID("a"))->config->name, "a");
    assert_ptr_equal(fleet.services.config, fleet.settings->config);
    assert_int_equal(fleet.services.counters.reloads, 1);
    assert_int_equal(fleet.services.counters.reloads_refused, 0);
}

static void equal_ones_stay_in_whatever_order(void **state)
{
    struct vm *a = find(ID("a")), *b = find(ID("b"));

    (void)state;
    assert_int_equal(run(B ", " A), 0);
    assert_int_equal(rebased, 2);
    assert_int_equal(made + freed + left + changed + forgotten, 0);
    assert_ptr_equal(find(ID("a")), a);
    assert_ptr_equal(find(ID("b")), b);
    assert_ptr_equal(registry_get(fleet.registry, 0), b);
    assert_int_equal(fleet.services.counters.reloads, 2);
}

static void what_changed_is_changed(void **state)
{
    struct vm *a = find(ID("a"));

    (void)state;
    assert_int_equal(run(VM("a", "a", "\"cid\": 11, \"memory\": \"2G\"") ", " B), 0);
    assert_int_equal(changed, 1);
    assert_int_equal(rebased, 1);
    assert_int_equal(made + freed, 0);
    assert_ptr_equal(find(ID("a")), a);
    assert_int_equal(a->config->memory, UINT64_C(2) << 30);
}

#define HOST(more) VM("a", "a", "\"cid\": 11, \"memory\": \"1G\", \"device_host\": {" more "}")
#define QEMU(more) HOST("\"type\": \"qemu\"" more)
#define LIBVIRT(uri, domain)                                                                       \
    HOST("\"type\": \"libvirt\", \"uri\": \"" uri "\", \"domain\": \"" domain "\"")
#define WITH_QMP QEMU(", \"qmp\": \"/q\"")

/* The VM that was made of the one cannot become the other. */
static void another_machine_comes_anew(void **state)
{
    static const char *const pairs[][2] = {
        {A, VM("z", "a", "\"cid\": 11, \"memory\": \"1G\"")},
        {A, VM("a", "a", "\"cid\": 19, \"memory\": \"1G\"")},
        {A, VM("a", "a", "\"socket\": \"/s\", \"memory\": \"1G\"")},
        {VM("a", "a", "\"socket\": \"/s\", \"memory\": \"1G\""),
         VM("a", "a", "\"socket\": \"/t\", \"memory\": \"1G\"")},
        {A, WITH_QMP},
        {WITH_QMP, QEMU(", \"qmp\": \"/p\"")},
        {WITH_QMP, QEMU(", \"qmp\": \"/q\", \"virtiofsd\": \"/v\"")},
        {WITH_QMP, QEMU(", \"qmp\": \"/q\", \"passt\": \"/p\"")},
        {WITH_QMP, QEMU(", \"qmp\": \"/q\", \"timeout_ms\": 7777")},
        {HOST("\"type\": \"command\", \"argv\": [\"/c\"]"),
         HOST("\"type\": \"command\", \"argv\": [\"/d\"]")},
        {HOST("\"type\": \"command\", \"argv\": [\"/c\"]"),
         HOST("\"type\": \"command\", \"argv\": [\"/c\", \"x\"]")},
        {LIBVIRT("qemu:///system", "d"), LIBVIRT("qemu:///session", "d")},
        {LIBVIRT("qemu:///system", "d"), LIBVIRT("qemu:///system", "e")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (run(pairs[i][0]) != 0 || run(pairs[i][0]) != 0 || rebased != 1)
            fail_msg("pair %zu: the first", i);
        if (run(pairs[i][1]) != 0 || made != 1 || freed != 1 || changed + rebased + left != 0 ||
            forgotten != 1)
            fail_msg("pair %zu: made %u, freed %u", i, made, freed);
        assert_int_equal(registry_count(fleet.registry), 1);
    }
}

static void one_that_cannot_come_anew_is_left_out_until_the_next_time(void **state)
{
    (void)state;
    fail_at = 1;
    assert_int_equal(run(VM("z", "a", "\"cid\": 11, \"memory\": \"1G\"") ", " B), 0);
    assert_non_null(strstr(said, "<3>cannot recreate vm z: Cannot allocate memory; will retry"));
    assert_int_equal(registry_count(fleet.registry), 1);
    assert_null(find(ID("a")));
    assert_non_null(find(ID("b")));
    assert_int_equal(run(VM("z", "a", "\"cid\": 11, \"memory\": \"1G\"") ", " B), 0);
    assert_int_equal(made, 1);
    assert_string_equal(find(ID("a"))->config->name, "z");
}

static void one_that_is_gone_from_the_file_leaves_and_may_come_back(void **state)
{
    struct vm *b = find(ID("b"));

    (void)state;
    assert_int_equal(run(A), 0);
    assert_int_equal(left, 1);
    assert_int_equal(forgotten, 1);
    assert_ptr_equal(leaving, b);
    assert_int_equal(freed, 0);
    assert_null(find(ID("b")));
    assert_ptr_equal(registry_find_retired(fleet.registry, ID("b")), b);
    on_left(left_userdata, leaving);
    assert_int_equal(freed, 1);
    assert_null(registry_find_retired(fleet.registry, ID("b")));
    assert_int_equal(run(""), 0);
    assert_int_equal(left, 1);
    assert_int_equal(run(A), 0); /* before it had gone */
    assert_int_equal(freed, 1);
    assert_int_equal(made, 1);
    assert_null(registry_find_retired(fleet.registry, ID("a")));
}

static void a_wrong_file_changes_nothing(void **state)
{
    struct vm *a = find(ID("a"));
    const struct config *config = fleet.services.config;

    (void)state;
    assert_int_equal(run(VM("a", "a", "\"cid\": 2, \"swiotlb\": \"much\"")), 1);
    assert_int_equal(warnings, 1);
    assert_int_equal(errors, 1);
    assert_int_equal(fleet.services.counters.reloads_refused, 1);
    assert_int_equal(unlink(path), 0);
    assert_int_not_equal(reload_run(&reload), 0);
    assert_int_equal(fleet.services.counters.reloads_refused, 2);
    assert_int_equal(fleet.services.counters.reloads, 1);
    assert_int_equal(made + freed + left + changed + rebased + updated + reopened, 0);
    assert_ptr_equal(fleet.services.config, config);
    assert_ptr_equal(find(ID("a")), a);
}

static void without_memory_nothing_changes(void **state)
{
    const struct config *config = fleet.services.config;

    (void)state;
    fail_at = 2;
    assert_int_equal(run(C ", " A ", " VM("d", "d", "\"cid\": 14, \"memory\": \"1G\"")), -ENOMEM);
    assert_int_equal(made, 1);
    assert_int_equal(freed, 1); /* the new one alone */
    assert_int_equal(left + changed + rebased + updated + reopened, 0);
    assert_ptr_equal(fleet.services.config, config);
    assert_int_equal(registry_count(fleet.registry), 2);
    assert_null(find(ID("c")));
    reload.on_warning = reload.on_error = NULL;
    assert_int_equal(run(C), 0);
    assert_int_equal(left, 2);
}

static void a_warning_refuses_nothing_and_is_told_as_one(void **state)
{
    (void)state;
    assert_int_equal(run(VM("a", "a", "\"cid\": 11, \"swiotlb\": \"much\"")), 0);
    assert_int_equal(warnings, 1);
    assert_int_equal(errors, 0);
}

static void what_stays_until_the_next_start_is_told(void **state)
{
    static const char *const keys[] = {"control", "control_group", "metrics", "state_dir"};

    (void)state;
    assert_null(strstr(said, "<4>"));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        other_key = keys[i];
        assert_int_equal(run(A), 0);
        if (!strstr(said, "<4>") || !strstr(said, "when the daemon restarts; keeping the old"))
            fail_msg("%s: %s", keys[i], said);
        assert_int_equal(run(A), 0); /* as it was in the file before */
        assert_null(strstr(said, "<4>"));
        other_key = NULL;
        assert_int_equal(run(A), 0);
        assert_non_null(strstr(said, "<4>"));
    }
}

static void domains_are_found_before_the_vms_are_made(void **state)
{
    (void)state;
    reload.discovery = (struct discovery *)&added; /* any address */
    assert_int_equal(run(A), 0);
    assert_int_equal(added, 1);
    assert_int_equal(followed, 1);
    assert_int_equal(warnings, 1);
    follow_error = -ENOMEM;
    assert_int_equal(run(A), 0);
    assert_non_null(strstr(said, "<4>cannot look for domains of libvirt's: out of memory"));
    assert_int_equal(run("nonsense"), 1);
    assert_int_equal(added + followed, 0);
    assert_non_null(strstr(said, "; keeping the previous configuration"));
    fail_at = 1;
    assert_int_equal(run(C), -ENOMEM);
    assert_int_equal(followed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_ones_are_made_and_found),
        TEST(equal_ones_stay_in_whatever_order),
        TEST(what_changed_is_changed),
        TEST(another_machine_comes_anew),
        TEST(one_that_cannot_come_anew_is_left_out_until_the_next_time),
        TEST(one_that_is_gone_from_the_file_leaves_and_may_come_back),
        TEST(a_wrong_file_changes_nothing),
        TEST(a_warning_refuses_nothing_and_is_told_as_one),
        TEST(without_memory_nothing_changes),
        TEST(what_stays_until_the_next_start_is_told),
        TEST(domains_are_found_before_the_vms_are_made),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
