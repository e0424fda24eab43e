/* device support: a device host under test with its event loop, and what it said. */
#include "device_support.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int devices_set_up(void **state)
{
    struct devices *devices = calloc(1, sizeof(*devices));

    assert_non_null(devices);
    assert_int_equal(sd_event_new(&devices->event), 0);
    folder_make(devices->directory);
    devices->vm.name = "dev";
    strcpy(devices->vm.id, "6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01");
    *state = devices;
    return 0;
}

int devices_tear_down(void **state)
{
    struct devices *devices = *state;

    devices->host = device_host_free(devices->host);
    /* What was killed is waited for in the loop. */
    devices_run(devices, 100);
    sd_event_unref(devices->event);
    folder_remove(devices->directory);
    free(devices);
    return 0;
}

void devices_told_end(void *userdata, const struct child_end *end)
{
    struct devices_told *told = userdata;

    told->ends++;
    told->end = *end;
}

static void on_up(void *userdata)
{
    struct devices *devices = userdata;

    devices->ups++;
}

static void on_down(void *userdata, bool ended, const char *text)
{
    struct devices *devices = userdata;

    devices->downs++;
    devices->ended = ended;
    (void)snprintf(devices->text, sizeof(devices->text), "%s", text);
}

static void on_reset(void *userdata)
{
    struct devices *devices = userdata;

    devices->resets++;
}

static void on_share_lost(void *userdata, const char *tag, bool restored, const char *text)
{
    struct devices *devices = userdata;

    devices->losses++;
    devices->restorations += restored;
    (void)snprintf(devices->text, sizeof(devices->text), "%s: %s", tag, text);
}

static void on_share_refused(void *userdata, const char *tag, const char *reason)
{
    struct devices *devices = userdata;

    devices->refusals++;
    (void)snprintf(devices->text, sizeof(devices->text), "%s: %s", tag, reason);
}

static void on_aperture_changed(void *userdata, const char *tag)
{
    struct devices *devices = userdata;

    (void)tag;
    devices->apertures++;
}

void devices_start(struct devices *devices)
{
    static const struct device_host_events events = {
        .up = on_up,
        .down = on_down,
        .reset = on_reset,
        .share_lost = on_share_lost,
        .adapter_lost = on_share_lost,
        .share_refused = on_share_refused,
        .aperture_changed = on_aperture_changed,
        .adapter_refused = on_share_refused,
        .adapter_aperture_changed = on_aperture_changed,
    };

    assert_int_equal(device_host_new(devices->event, &devices->vm, devices->directory,
                                     devices->memory, &events, devices, &devices->host),
                     0);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void devices_wait(struct devices *devices, const unsigned *counter, unsigned value)
{
    uint64_t end = now_ms() + DEVICES_TIMEOUT_MS;

    while (*counter < value) {
        uint64_t now = now_ms();

        if (now >= end)
            fail_msg("waited %u ms in vain; told last: %s", DEVICES_TIMEOUT_MS, devices->text);
        assert_true(sd_event_run(devices->event, (end - now) * 1000) >= 0);
    }
}

void devices_run(struct devices *devices, uint32_t ms)
{
    uint64_t end = now_ms() + ms;

    for (uint64_t now = now_ms(); now < end; now = now_ms())
        assert_true(sd_event_run(devices->event, (end - now) * 1000) >= 0);
}

void devices_done(void *userdata, const struct device_outcome *outcome)
{
    struct devices *devices = userdata;

    devices->dones++;
    devices->downs_when_done = devices->downs;
    devices->outcome = *outcome;
    (void)snprintf(devices->text, sizeof(devices->text), "%s", outcome->text);
    devices->outcome.text = devices->text;
}

/* @return the outcome's error, after checking that `done` came later than the call */
static int finish(struct devices *devices, int r, unsigned dones)
{
    assert_int_equal(r, 0);
    assert_int_equal(devices->dones, dones);
    devices_wait(devices, &devices->dones, dones + 1);
    return devices->outcome.error;
}

int devices_add_share(struct devices *devices, const struct device_share *share)
{
    unsigned dones = devices->dones;

    return finish(devices, device_host_add_share(devices->host, share, devices_done, devices),
                  dones);
}

int devices_remove_share(struct devices *devices, const char *tag)
{
    unsigned dones = devices->dones;

    return finish(devices, device_host_remove_share(devices->host, tag, devices_done, devices),
                  dones);
}

int devices_add_adapter(struct devices *devices, const struct device_adapter *adapter)
{
    unsigned dones = devices->dones;

    return finish(devices, device_host_add_adapter(devices->host, adapter, devices_done, devices),
                  dones);
}

int devices_remove_adapter(struct devices *devices, const char *id)
{
    unsigned dones = devices->dones;

    return finish(devices, device_host_remove_adapter(devices->host, id, devices_done, devices),
                  dones);
}

const char *devices_script(const struct devices *devices, const char *name, const char *text)
{
    static char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

const char *devices_read(const struct devices *devices, const char *name, char *buffer,
                         size_t capacity)
{
    char path[128];
    FILE *file;
    size_t size = 0;

    (void)snprintf(path, sizeof(path), "%s/%s", devices->directory, name);
    file = fopen(path, "re");
    if (file) {
        size = fread(buffer, 1, capacity - 1, file);
        (void)fclose(file);
    }
    buffer[size] = '\0';
    return buffer;
}

pid_t devices_child_of(pid_t pid)
{
    char path[64];
    int child = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    file = pid > 0 ? fopen(path, "re") : NULL;
    if (!file)
        return 0;
    if (fscanf(file, "%d", &child) != 1) /* NOLINT(cert-err34-c): the kernel's */
        child = 0;
    (void)fclose(file);
    return child;
}
