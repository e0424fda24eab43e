/* relay: a process with an aperture is told of the pool and its rings, and nothing else of the
 * guest's memory, whatever happens. The test plays QEMU and virtiofsd, which reports what it hears.
 */
#include "descriptors.h"
#include "hostd/base/aperture_status.h"
#include "hostd/relay/memory_table.h"
#include "hostd/relay/relay_backend.h"
#include "relay_play.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE UINT64_C(4096)
#define MB   UINT64_C(1048576)

#define TOKEN "swiotlb=0x400000,2097152"
#define ID    ";vmId=6c1f3f6e-8f0a-4a53-9d0b-2f6f7f1f0a01"

#define POOL      (4 * MB)
#define POOL_SIZE (2 * MB)
#define LOW_USER  UINT64_C(0x7f0000000000)
#define HIGH_USER UINT64_C(0x7f1000000000)
#define HIGH      (64 * MB)

static const struct vhost_user_region memory[] = {
    {0, 16 * MB, LOW_USER, 0},
    {HIGH, 16 * MB, HIGH_USER, 32 * MB},
};

/* Of the guest, without the seal that a dma-buf needs, or with it. */
static int make_memory(bool sealed)
{
    int fd = memfd_create("memory", MFD_CLOEXEC | (sealed ? MFD_ALLOW_SEALING : 0));

    assert_int_equal(ftruncate(fd, (off_t)(48 * MB)), 0);
    if (sealed)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    return fd;
}

static void say_memory(const struct play *play, int fd, uint32_t count)
{
    struct vhost_user_message message = {
        .request = VHOST_USER_SET_MEM_TABLE,
        .flags = VHOST_USER_VERSION | VHOST_USER_FLAG_NEED_REPLY,
        .size = (uint32_t)(8 + count * sizeof(memory[0])),
        .fd_count = count,
    };

    memcpy(message.payload, &count, sizeof(count));
    memcpy(message.payload + 8, memory, count * sizeof(memory[0]));
    for (size_t i = 0; i < count; i++)
        message.fds[i] = fd;
    assert_int_equal(vhost_user_send(play->qemu, &message), 0);
}

/* Sets up a ring at one place, to go on from an index. */
static void say_ring_from(const struct play *play, uint32_t index, uint64_t user_address,
                          uint32_t base)
{
    const struct vhost_user_vring_address address = {.index = index,
                                                     .flags = 1,
                                                     .descriptors = user_address,
                                                     .available = user_address + 2048,
                                                     .used = user_address + 3 * PAGE / 4,
                                                     .log = 1};

    say(play, VHOST_USER_SET_VRING_NUM, 0, (const uint32_t[]){index, 64}, 8);
    say(play, VHOST_USER_SET_VRING_BASE, 0, (const uint32_t[]){index, base}, 8);
    say(play, VHOST_USER_SET_VRING_ADDR, 0, &address, sizeof(address));
}

/* As the driver of a device that was reset does. */
static void say_ring(const struct play *play, uint32_t index, uint64_t user_address)
{
    say_ring_from(play, index, user_address, 0);
}

static void stop_ring(const struct play *play, uint32_t index)
{
    say(play, VHOST_USER_GET_VRING_BASE, 0, (const uint32_t[]){index, 0}, 8);
    assert_int_equal(answer_to(play, VHOST_USER_GET_VRING_BASE), index);
}

/* ---- what virtiofsd heard */

static void need_heard(int spy, uint32_t request, struct vhost_user_message *message)
{
    if (!hear(spy, message))
        fail_msg("virtiofsd ended and did not hear %u", request);
    if (message->request != request)
        fail_msg("virtiofsd heard %u, not %u", message->request, request);
    if (request != VHOST_USER_SET_MEM_TABLE)
        vhost_user_close(message);
}

static void need_bits(int spy, uint32_t request, uint64_t bits)
{
    struct vhost_user_message message;
    uint64_t heard;

    need_heard(spy, request, &message);
    memcpy(&heard, message.payload, sizeof(heard));
    assert_int_equal(heard, bits);
}

/* The pool, and pages of rings at such places of the file; by inode, if it is the guest's file. */
static void need_table(int spy, int fd, bool is_enforced, size_t pages, const uint64_t *addresses)
{
    struct vhost_user_message message;
    struct memory_table table = {.count = 0};
    struct stat guest, file;

    need_heard(spy, VHOST_USER_SET_MEM_TABLE, &message);
    assert_int_equal(memory_table_unpack(&message, &table), 0);
    assert_int_equal(table.count, 1 + pages);
    assert_int_equal(fstat(fd, &guest), 0);
    for (size_t i = 0; i < 1 + pages; i++) {
        const struct vhost_user_region *region = &table.regions[i];
        uint64_t address = i == 0 ? POOL : addresses[i - 1];

        assert_int_equal(fstat(message.fds[i], &file), 0);
        assert_int_equal(region->guest_address, address);
        assert_int_equal(region->user_address, address);
        assert_int_equal(region->size, i == 0 ? POOL_SIZE : PAGE);
        if (is_enforced) {
            assert_int_equal(region->file_offset, 0);
            assert_false(file.st_ino == guest.st_ino && file.st_dev == guest.st_dev);
            assert_int_equal(lseek(message.fds[i], 0, SEEK_END), region->size);
        } else {
            assert_int_equal(region->file_offset, address < HIGH ? address : address - 32 * MB);
            assert_true(file.st_ino == guest.st_ino && file.st_dev == guest.st_dev);
        }
    }
    vhost_user_close(&message);
}

static void need_address(int spy, uint32_t index, uint64_t guest_address)
{
    struct vhost_user_message message;
    struct vhost_user_vring_address address;

    need_heard(spy, VHOST_USER_SET_VRING_ADDR, &message);
    memcpy(&address, message.payload, sizeof(address));
    assert_int_equal(address.index, index);
    assert_int_equal(address.flags, 0);
    assert_int_equal(address.log, 0);
    assert_int_equal(address.descriptors, guest_address);
    assert_int_equal(address.available, guest_address + 2048);
    assert_int_equal(address.used, guest_address + 3 * PAGE / 4);
}

/* It ends, at a moment of the relay's choice, and hears no address and no memory until then. */
static void need_nothing_of_rings(int spy)
{
    struct vhost_user_message message;

    while (hear(spy, &message)) {
        vhost_user_close(&message);
        assert_int_not_equal(message.request, VHOST_USER_SET_MEM_TABLE);
        assert_int_not_equal(message.request, VHOST_USER_SET_VRING_ADDR);
    }
}

static void need_ring(int spy, uint32_t index, uint64_t guest_address)
{
    struct vhost_user_message message;

    need_heard(spy, VHOST_USER_SET_VRING_NUM, &message);
    need_heard(spy, VHOST_USER_SET_VRING_BASE, &message);
    need_address(spy, index, guest_address);
}

static void need_status(const struct play *play, enum aperture_state state, uint64_t bytes,
                        const char *reason)
{
    struct aperture_status status = {.bytes = 77};

    assert_int_equal(aperture_status_read(play->status, &status), 0);
    assert_int_equal(status.state, state);
    assert_int_equal(status.bytes, bytes);
    if (!strstr(status.reason, reason))
        fail_msg("\"%s\" is not the reason, but: %s", reason, status.reason);
}

/* ---- from the beginning to a ring that runs */

/* Where rings 0 and 1 are: a page each. */
#define RING_0 (HIGH + PAGE)
#define RING_1 (HIGH + 3 * PAGE)

static const uint64_t rings[] = {RING_0, RING_1};

struct scene {
    struct play play;
    int spy, memory, kick;
    bool is_enforced;
};

static void begin(struct scene *scene, const char *how, bool sealed)
{
    *scene = (struct scene){.memory = make_memory(sealed), .kick = eventfd(0, EFD_CLOEXEC)};
    scene->is_enforced = sealed;
    play_start(&scene->play, how, "ro;" TOKEN ID, "auto");
    scene->spy = play_next_spy(&scene->play);
}

/* Waits for the relay to ask the daemon. @return with which number */
static uint64_t need_question(const struct scene *scene)
{
    struct aperture_status status = {.state = APERTURE_NONE};

    for (int left = WAIT_MS; status.state != APERTURE_WAITING; left--) {
        assert_true(left > 0);
        (void)poll(NULL, 0, 1);
        (void)aperture_status_read(scene->play.status, &status);
    }
    return status.bytes;
}

/* As the daemon does when the guest has answered. */
static void confirm(const struct scene *scene)
{
    assert_int_equal(aperture_status_confirm(scene->play.status, need_question(scene)), 0);
}

static void hand_over(struct scene *scene)
{
    say_memory(&scene->play, scene->memory, 2);
    assert_int_equal(answer_to(&scene->play, VHOST_USER_SET_MEM_TABLE), 0);
    need_table(scene->spy, scene->memory, scene->is_enforced, 0, rings);
}

static uint64_t in_qemu(uint64_t guest_address)
{
    return guest_address - HIGH + HIGH_USER;
}

static void run_rings(struct scene *scene)
{
    struct vhost_user_message message;

    for (uint32_t i = 0; i < 2; i++) {
        say_ring(&scene->play, i, in_qemu(rings[i]));
        need_heard(scene->spy, VHOST_USER_SET_VRING_NUM, &message);
        need_heard(scene->spy, VHOST_USER_SET_VRING_BASE, &message);
        need_table(scene->spy, scene->memory, scene->is_enforced, i + 1, rings);
        need_address(scene->spy, i, rings[i]);
        say_with(&scene->play, VHOST_USER_SET_VRING_KICK, 0, &(uint64_t){i}, 8, scene->kick);
        need_bits(scene->spy, VHOST_USER_SET_VRING_KICK, i);
    }
}

static void end(struct scene *scene)
{
    play_stop(&scene->play);
    (void)close(scene->spy);
    (void)close(scene->memory);
    (void)close(scene->kick);
}

/* The next virtiofsd that is started, and what it hears before the memory. */
static void next_spy(struct scene *scene)
{
    (void)close(scene->spy);
    scene->spy = play_next_spy(&scene->play);
}

/* The first child of a process, or -1. */
static pid_t child_of(pid_t parent)
{
    char path[64];
    int child = -1;
    FILE *file;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    file = fopen(path, "re");
    if (file) {
        if (fscanf(file, "%d", &child) != 1) /* NOLINT(cert-err34-c) */
            child = -1;
        (void)fclose(file);
    }
    return child;
}

static void stop_rings(struct scene *scene)
{
    struct vhost_user_message message;

    for (uint32_t i = 0; i < 2; i++) {
        stop_ring(&scene->play, i);
        need_heard(scene->spy, VHOST_USER_GET_VRING_BASE, &message);
    }
}

static void pool_and_rings_are_all_that_it_hears_of(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    need_status(&scene.play, APERTURE_NARROWED, POOL_SIZE, "");
    run_rings(&scene);
    need_status(&scene.play, APERTURE_NARROWED, POOL_SIZE + 2 * PAGE, "");
    end(&scene);
}

static void dma_bufs_are_all_that_it_gets(void **state)
{
    struct scene scene;

    (void)state;
    if (access("/dev/udmabuf", R_OK | W_OK) < 0) {
        print_message("this kernel has no /dev/udmabuf, or it may not be opened\n");
        skip();
    }
    begin(&scene, "spy", true);
    hand_over(&scene);
    need_status(&scene.play, APERTURE_ENFORCED, POOL_SIZE, "");
    run_rings(&scene);
    need_status(&scene.play, APERTURE_ENFORCED, POOL_SIZE + 2 * PAGE, "");
    end(&scene);
}

static void features_are_offered_and_hidden(void **state)
{
    const uint64_t platform = UINT64_C(1) << 33;
    struct vhost_user_message message;
    struct scene scene;
    uint64_t features;

    (void)state;
    begin(&scene, "spy", false);
    features = ask(&scene.play, VHOST_USER_GET_FEATURES);
    need_heard(scene.spy, VHOST_USER_GET_FEATURES, &message);
    assert_true(features & platform);
    assert_false(features & (UINT64_C(1) << 26 | UINT64_C(1) << 34));
    say(&scene.play, VHOST_USER_SET_FEATURES, 0, &features, 8);
    need_bits(scene.spy, VHOST_USER_SET_FEATURES, features & ~platform);
    features = ask(&scene.play, VHOST_USER_GET_PROTOCOL_FEATURES);
    need_heard(scene.spy, VHOST_USER_GET_PROTOCOL_FEATURES, &message);
    assert_int_equal(features, 0x3d);
    say(&scene.play, VHOST_USER_SET_PROTOCOL_FEATURES, 0, &features, 8);
    need_bits(scene.spy, VHOST_USER_SET_PROTOCOL_FEATURES, 0x1d);
    end(&scene);
}

/* It stays open, and virtiofsd hears nothing of it; nor does the one after it. */
static void backends_channel_ends_at_the_relay(void **state)
{
    struct vhost_user_message message;
    struct pollfd channel = {.events = POLLIN};
    struct scene scene;
    int ends[2];

    (void)state;
    begin(&scene, "spy", false);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    say_with(&scene.play, VHOST_USER_SET_BACKEND_REQ_FD, VHOST_USER_FLAG_NEED_REPLY, NULL, 0,
             ends[0]);
    (void)close(ends[0]);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_BACKEND_REQ_FD), 0);
    (void)ask(&scene.play, VHOST_USER_GET_QUEUE_NUM);
    need_heard(scene.spy, VHOST_USER_GET_QUEUE_NUM, &message);
    hand_over(&scene);
    run_rings(&scene);
    channel.fd = ends[1];
    assert_int_equal(poll(&channel, 1, 0), 0);
    end(&scene);
    assert_int_equal(poll(&channel, 1, WAIT_MS), 1);
    (void)close(ends[1]);
}

/* As a VM that is paused, or given more memory, does: one ring may be where it began. */
static void what_did_not_move_is_told_again_to_nobody(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    stop_rings(&scene);
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    for (uint32_t i = 0; i < 2; i++)
        say_ring_from(&scene.play, i, in_qemu(rings[i]), 7 * i);
    for (uint32_t i = 0; i < 2; i++) {
        need_heard(scene.spy, VHOST_USER_SET_VRING_NUM, &message);
        need_bits(scene.spy, VHOST_USER_SET_VRING_BASE, i | UINT64_C(7) * i << 32);
    }
    for (uint32_t i = 0; i < 2; i++)
        need_address(scene.spy, i, rings[i]);
    say_with(&scene.play, VHOST_USER_SET_VRING_KICK, 0, &(uint64_t){0}, 8, scene.kick);
    need_bits(scene.spy, VHOST_USER_SET_VRING_KICK, 0);
    need_status(&scene.play, APERTURE_NARROWED, POOL_SIZE + 2 * PAGE, "");
    end(&scene);
}

static uint64_t counted(const struct scene *scene)
{
    uint64_t counters[2];

    assert_int_equal(pread(scene->memory, counters, sizeof(counters), (off_t)POOL),
                     sizeof(counters));
    return counters[0] + counters[1];
}

/* It works on the pool all the time, or not at all. */
static void need_work(const struct scene *scene, bool is_running)
{
    uint64_t before = counted(scene);

    if (is_running)
        while (counted(scene) == before)
            (void)poll(NULL, 0, 1);
    else
        (void)poll(NULL, 0, 50);
    assert_true((counted(scene) != before) == is_running);
}

/* What QEMU has not heard the end of, the guest has not: then it may use the pool for anything. */
static void nobody_works_on_the_pool_of_a_guest_that_was_reset(void **state)
{
    struct vhost_user_message message;
    struct scene scene;
    uint64_t first;

    (void)state;
    begin(&scene, "spy-busy", false);
    hand_over(&scene);
    run_rings(&scene);
    need_work(&scene, true);
    for (int i = 0; i < 20; i++) { /* each time another moment of theirs */
        stop_ring(&scene.play, 0);
        stop_ring(&scene.play, 1);
        need_work(&scene, false);
        say_ring(&scene.play, 0, in_qemu(rings[0]));
        first = need_question(&scene);
        need_work(&scene, false);
        /* Another driver: what is said of the one before says nothing. */
        stop_ring(&scene.play, 0);
        say_ring(&scene.play, 1, in_qemu(rings[1]));
        assert_int_equal(aperture_status_confirm(scene.play.status, first), 0);
        while (need_question(&scene) == first)
            (void)poll(NULL, 0, 1);
        need_work(&scene, false);
        if (i > 0)
            continue;
        confirm(&scene);
        while (hear(scene.spy, &message)) /* that process had the pool of before */
            vhost_user_close(&message);
        next_spy(&scene);
        need_work(&scene, true);
        say_ring(&scene.play, 0, in_qemu(rings[0]));
    }
    end(&scene);
}

/* Whoever takes over, gives nothing, and answers QEMU, which does not wait. */
static void process_of_a_device_without_driver_has_no_successor(void **state)
{
    struct pollfd coming = {.events = POLLIN};
    struct scene scene;

    (void)state;
    for (int i = 0; i < 2; i++) {
        begin(&scene, "spy", false);
        hand_over(&scene);
        run_rings(&scene);
        stop_rings(&scene);
        assert_int_equal(
            kill(i == 0 ? child_of(scene.play.relay) : child_of(child_of(scene.play.relay)),
                 SIGKILL),
            0);
        need_nothing_of_rings(scene.spy);
        say_memory(&scene.play, scene.memory, 2);
        assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
        for (uint32_t j = 0; j < 2; j++)
            say_ring(&scene.play, j, in_qemu(rings[j]));
        for (uint32_t j = 0; j < 2; j++)
            stop_ring(&scene.play, j);
        coming.fd = scene.play.spies;
        assert_int_equal(poll(&coming, 1, 50), 0);
        say_ring_from(&scene.play, 0, in_qemu(rings[0]), 3);
        next_spy(&scene);
        need_table(scene.spy, scene.memory, false, 0, rings); /* where ring 0 is, comes after */
        end(&scene);
    }
}

/* QEMU hears of the ring's stop from the relay, and the device is held as if the process had said
 * it.
 */
static void process_that_dies_before_its_last_ring_stopped_is_followed_by_a_hold(void **state)
{
    const uint16_t used = 7;
    struct vhost_user_message message;
    struct scene scene;
    pid_t virtiofsd;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    assert_int_equal(pwrite(scene.memory, &used, sizeof(used),
                            (off_t)(RING_1 - HIGH + 32 * MB + 3 * PAGE / 4 + 2)),
                     sizeof(used));
    stop_ring(&scene.play, 0);
    need_heard(scene.spy, VHOST_USER_GET_VRING_BASE, &message);
    virtiofsd = child_of(child_of(scene.play.relay));
    assert_true(virtiofsd > 0);
    assert_int_equal(kill(virtiofsd, SIGSTOP), 0);
    say(&scene.play, VHOST_USER_GET_VRING_BASE, 0, (const uint32_t[]){1, 0}, 8);
    (void)poll(NULL, 0, 50);
    assert_int_equal(kill(virtiofsd, SIGKILL), 0);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_GET_VRING_BASE), 1 | (uint64_t)used << 32);
    say(&scene.play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
    assert_true(is_hung_up(&scene.play, WAIT_MS));
    need_said(&scene.play, "while it has no driver");
    end(&scene);
}

/* It cannot be made to forget the pages that it had: another one takes its place. */
static void ring_that_moved_is_another_processs(void **state)
{
    static const uint64_t moved[] = {RING_0, HIGH + 9 * PAGE};
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    stop_rings(&scene);
    say_ring(&scene.play, 1, in_qemu(moved[1]));
    confirm(&scene);
    need_nothing_of_rings(scene.spy);
    next_spy(&scene);
    need_table(scene.spy, scene.memory, false, 1, moved + 1);
    need_heard(scene.spy, VHOST_USER_SET_VRING_NUM, &message); /* of ring 0, which is stopped */
    need_heard(scene.spy, VHOST_USER_SET_VRING_BASE, &message);
    need_ring(scene.spy, 1, moved[1]);
    need_status(&scene.play, APERTURE_NARROWED, POOL_SIZE + PAGE, "");
    /* Where ring 0 is now is more than that one has, and no less. */
    say_ring(&scene.play, 0, in_qemu(moved[0]));
    need_heard(scene.spy, VHOST_USER_SET_VRING_NUM, &message);
    need_heard(scene.spy, VHOST_USER_SET_VRING_BASE, &message);
    need_table(scene.spy, scene.memory, false, 2, moved);
    need_address(scene.spy, 0, moved[0]);
    end(&scene);
}

static void ring_that_never_ran_can_be_stopped(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    stop_ring(&scene.play, 1);
    need_heard(scene.spy, VHOST_USER_GET_VRING_BASE, &message);
    hand_over(&scene);
    run_rings(&scene);
    end(&scene);
}

/* What may have been exchanged behind a dma-buf is not what a device starts on; and nobody takes it
 * from under one that runs. */
static void device_starts_on_new_dma_bufs(void **state)
{
    struct scene scene;

    (void)state;
    if (access("/dev/udmabuf", R_OK | W_OK) < 0) {
        print_message("this kernel has no /dev/udmabuf, or it may not be opened\n");
        skip();
    }
    begin(&scene, "spy", true);
    hand_over(&scene);
    run_rings(&scene);
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    stop_rings(&scene);
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    say_ring_from(&scene.play, 0, in_qemu(rings[0]), 1);
    need_table(scene.spy, scene.memory, true, 2, rings);
    end(&scene);
}

/* What a driver leaves may be anything of the guest's by the time that another virtiofsd comes. */
static void nothing_is_read_out_of_a_ring_that_stopped(void **state)
{
    const uint16_t secret = 0x5ec7;
    const uint64_t moved = HIGH + 9 * PAGE;
    struct vhost_user_vring_state base;
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    stop_rings(&scene);
    assert_int_equal(pwrite(scene.memory, &secret, sizeof(secret),
                            (off_t)(RING_0 - HIGH + 32 * MB + 3 * PAGE / 4 + 2)),
                     sizeof(secret));
    say_ring(&scene.play, 1, in_qemu(moved));
    confirm(&scene);
    need_nothing_of_rings(scene.spy);
    next_spy(&scene);
    need_table(scene.spy, scene.memory, false, 1, &moved);
    need_heard(scene.spy, VHOST_USER_SET_VRING_NUM, &message);
    need_heard(scene.spy, VHOST_USER_SET_VRING_BASE, &message);
    assert_true(vhost_user_read(&message, 0, &base, sizeof(base)));
    assert_int_equal(base.index, 0);
    assert_int_equal(base.number, 0);
    end(&scene);
}

/* Between a ring's size and its place the two are of different drivers. */
static void ring_that_grows_takes_nothing_of_where_it_was(void **state)
{
    const uint64_t places[] = {RING_0, RING_1};
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    stop_ring(&scene.play, 0);
    need_heard(scene.spy, VHOST_USER_GET_VRING_BASE, &message);
    say(&scene.play, VHOST_USER_SET_VRING_NUM, 0, (const uint32_t[]){0, 4096}, 8);
    need_heard(scene.spy, VHOST_USER_SET_VRING_NUM, &message);
    say_ring(&scene.play, 1, in_qemu(RING_1));
    need_nothing_of_rings(scene.spy);
    next_spy(&scene);
    need_table(scene.spy, scene.memory, false, 1, places + 1);
    end(&scene);
}

/* The same addresses, and other memory. */
static void memory_that_was_exchanged_is_another_processs(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    (void)close(scene.memory);
    scene.memory = make_memory(false);
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    assert_false(hear(scene.spy, &message));
    next_spy(&scene);
    need_table(scene.spy, scene.memory, false, 0, rings);
    end(&scene);
}

static void need_refused(struct scene *scene, const char *reason)
{
    int status = wait_for_end(&scene->play);

    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 125);
    assert_true(is_hung_up(&scene->play, WAIT_MS));
    need_said(&scene->play, reason);
    need_status(&scene->play, APERTURE_REFUSED, 0, reason);
}

static void guest_that_moves_its_rings_all_the_time_loses_its_device(void **state)
{
    struct vhost_user_message message;
    struct scene scene;
    unsigned processes = 1;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    /* Two places, by turns, without stopping in between. */
    for (uint64_t i = 0; processes <= RELAY_RENEWALS_MAX; i++) {
        say_ring(&scene.play, 0, in_qemu(RING_0 + i % 2 * 4 * PAGE));
        if (i == 0)
            continue;
        while (hear(scene.spy, &message))
            vhost_user_close(&message);
        next_spy(&scene);
        processes++;
    }
    say_ring(&scene.play, 0, in_qemu(HIGH + 7 * PAGE));
    need_refused(&scene, "the guest's driver keeps moving its rings");
    end(&scene);
}

/* Waits until a virtiofsd that spies has heard of the kick of ring 1, the last of a session. */
static void need_session(struct scene *scene)
{
    struct vhost_user_message message;

    need_table(scene->spy, scene->memory, scene->is_enforced, 2, rings);
    for (uint32_t i = 0; i < 2; i++) {
        need_heard(scene->spy, VHOST_USER_SET_VRING_NUM, &message);
        need_heard(scene->spy, VHOST_USER_SET_VRING_BASE, &message);
    }
    for (uint32_t i = 0; i < 2; i++)
        need_address(scene->spy, i, rings[i]);
    for (uint32_t i = 0; i < 2; i++)
        need_bits(scene->spy, VHOST_USER_SET_VRING_KICK, i);
}

static void next_virtiofsd_gets_no_more(void **state)
{
    struct scene scene;
    pid_t virtiofsd;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    virtiofsd = child_of(child_of(scene.play.relay));
    assert_true(virtiofsd > 0);
    assert_int_equal(kill(virtiofsd, SIGKILL), 0);
    next_spy(&scene);
    need_session(&scene);
    /* Nor is it told more later. */
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    end(&scene);
}

static void kill_relay(const struct scene *scene)
{
    pid_t relay = child_of(scene->play.relay);

    assert_true(relay > 0);
    assert_int_equal(kill(relay, SIGKILL), 0);
}

static void killed_relays_successor_gives_no_more(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    kill_relay(&scene);
    next_spy(&scene);
    need_session(&scene);
    say_memory(&scene.play, scene.memory, 2);
    assert_int_equal(answer_to(&scene.play, VHOST_USER_SET_MEM_TABLE), 0);
    end(&scene);
}

/* Nothing of both is a ring's: it has a size, and its place is the one of before. */
static void relay_killed_before_a_ring_has_its_place_gives_the_pool(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    begin(&scene, "spy", false);
    hand_over(&scene);
    run_rings(&scene);
    stop_rings(&scene);
    say(&scene.play, VHOST_USER_SET_VRING_NUM, 0, (const uint32_t[]){0, 32768}, 8);
    kill_relay(&scene);
    say(&scene.play, VHOST_USER_SET_VRING_BASE, 0, (const uint32_t[]){0, 1}, 8);
    next_spy(&scene);
    need_table(scene.spy, scene.memory, false, 0, rings);
    for (uint32_t i = 0; i < 2; i++)
        say_ring(&scene.play, i, in_qemu(rings[i]));
    while (hear(scene.spy, &message) && message.request != VHOST_USER_SET_MEM_TABLE)
        vhost_user_close(&message);
    assert_int_equal(message.fd_count, 2);
    vhost_user_close(&message);
    end(&scene);
}

/* The relay is killed, and by the time that the keeper notices there can be no dma-buf of the
 * memory any more. */
static void successor_enforces_what_was_enforced(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    if (access("/dev/udmabuf", R_OK | W_OK) < 0) {
        print_message("this kernel has no /dev/udmabuf, or it may not be opened\n");
        skip();
    }
    begin(&scene, "spy", true);
    hand_over(&scene);
    run_rings(&scene);
    assert_int_equal(kill(scene.play.relay, SIGSTOP), 0);
    kill_relay(&scene);
    while (hear(scene.spy, &message)) /* virtiofsd ends with it */
        vhost_user_close(&message);
    assert_int_equal(fcntl(scene.memory, F_ADD_SEALS, F_SEAL_WRITE), 0);
    assert_int_equal(kill(scene.play.relay, SIGCONT), 0);
    assert_true(is_hung_up(&scene.play, WAIT_MS));
    need_said(&scene.play, "cannot set up a second virtiofsd");
    end(&scene);
}

static int open_memory_of(pid_t pid)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The same user with the same rights. @return an exit status */
static int look_into_relay(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct rights[2] = {{0}};
    struct scene scene;
    bool is_mine, is_relays;

    /* Who has this one may look into anybody; root's programs have what the bounding set has. */
    (void)prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE);
    if (syscall(SYS_capget, &header, rights) < 0)
        return 1;
    rights[0].permitted &= ~(1u << CAP_SYS_PTRACE);
    rights[0].effective &= ~(1u << CAP_SYS_PTRACE);
    if (syscall(SYS_capset, &header, rights) < 0)
        return 2;
    begin(&scene, "spy", false);
    is_mine = open_memory_of(child_of(child_of(scene.play.relay))) >= 0;
    is_relays =
        open_memory_of(scene.play.relay) >= 0 || open_memory_of(child_of(scene.play.relay)) >= 0;
    end(&scene);
    return is_relays ? 3 : is_mine ? 0 : 4;
}

static void relay_and_keeper_cannot_be_looked_into(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    if (pid == 0)
        _exit(look_into_relay());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void ring_outside_of_memory_ends_the_device(void **state)
{
    static const uint64_t places[] = {
        0, HIGH, HIGH_USER - PAGE, LOW_USER + 16 * MB, LOW_USER + POOL - 64, UINT64_MAX - 63};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct scene scene;

        begin(&scene, "spy", false);
        hand_over(&scene);
        say_ring(&scene.play, 0, places[i]);
        need_nothing_of_rings(scene.spy);
        need_refused(&scene, "the guest's driver placed a ring");
        end(&scene);
    }
}

static void pool_outside_of_memory_ends_the_device(void **state)
{
    struct vhost_user_message message;
    struct scene scene;

    (void)state;
    scene = (struct scene){.memory = make_memory(false), .kick = -1};
    play_start(&scene.play, "spy", "swiotlb=0xf00000,2097152" ID, "auto");
    scene.spy = play_next_spy(&scene.play);
    say_memory(&scene.play, scene.memory, 2);
    assert_false(hear(scene.spy, &message));
    need_refused(&scene, "part of the token's pool is outside the memory");
    end(&scene);
}

/* The process could map no part of it that is smaller than a huge page. */
static void part_of_a_huge_page_is_not_handed_over(void **state)
{
    struct vhost_user_message message;
    struct scene scene = {.memory = memfd_create("memory", MFD_CLOEXEC | MFD_HUGETLB), .kick = -1};

    (void)state;
    if (scene.memory < 0) {
        print_message("this kernel has no huge pages\n");
        skip();
    }
    assert_int_equal(ftruncate(scene.memory, (off_t)(48 * MB)), 0);
    play_start(&scene.play, "spy", TOKEN ID, "auto");
    scene.spy = play_next_spy(&scene.play);
    hand_over(&scene); /* the pool is whole ones */
    say_ring(&scene.play, 0, in_qemu(RING_0));
    while (hear(scene.spy, &message))
        assert_int_not_equal(message.request, VHOST_USER_SET_MEM_TABLE);
    need_refused(&scene, "the VM's memory is huge pages");
    end(&scene);
}

/* As each message that the protocol has and that an aperture does not. */
static void other_ways_to_memory_end_the_device(void **state)
{
    static const uint32_t requests[] = {
        VHOST_USER_SET_LOG_BASE,      VHOST_USER_SET_LOG_FD,          VHOST_USER_IOTLB_MSG,
        VHOST_USER_SET_INFLIGHT_FD,   VHOST_USER_POSTCOPY_ADVISE,     VHOST_USER_ADD_MEM_REG,
        VHOST_USER_GPU_SET_SOCKET,    VHOST_USER_SET_DEVICE_STATE_FD, VHOST_USER_GET_INFLIGHT_FD,
        VHOST_USER_GET_SHARED_OBJECT,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct vhost_user_message message;
        struct scene scene;

        begin(&scene, "spy", false);
        say_with(&scene.play, requests[i], VHOST_USER_FLAG_NEED_REPLY, memory, 40, scene.memory);
        assert_false(hear(scene.spy, &message));
        need_refused(&scene, "");
        end(&scene);
    }
}

static void lie_of_virtiofsd_does_not_come_up(void **state)
{
    static const char *const lies[] = {"spy-fd", "spy-long", "spy-other"};

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct vhost_user_message message;
        struct scene scene;

        begin(&scene, lies[i], false);
        say(&scene.play, VHOST_USER_GET_FEATURES, 0, NULL, 0);
        assert_true(hear(scene.play.qemu, &message));
        assert_int_equal(message.request, VHOST_USER_GET_FEATURES);
        assert_int_equal(message.size, 8);
        assert_int_equal(message.fd_count, 0);
        need_said(&scene.play, "virtiofsd sent an answer without a question");
        end(&scene);
    }
}

static void what_cannot_be_confined_is_not_started(void **state)
{
    static const struct {
        const char *options, *mode, *reason;
    } rows[] = {
        {"ro;ro", "auto", "the device's options are malformed"},
        {TOKEN "0;" TOKEN, "auto", "the device's options are malformed"},
        {"swiotlb=0x400000,0", "auto", "whole pages"},
        {"swiotlb=0x400000,4095", "auto", "whole pages"},
        {"swiotlb=0x400001,4096", "auto", "whole pages"},
        {"swiotlb=0xfffffffffffff000,8192", "auto", "whole pages"},
        {TOKEN, "", "not auto, require or off"},
        {TOKEN, "Auto", "not auto, require or off"},
        {"ro", "require", "the VM has no token"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene = {.memory = -1, .kick = -1, .spy = -1};

        play_start(&scene.play, "spy", rows[i].options, rows[i].mode);
        need_refused(&scene, rows[i].reason);
        end(&scene);
    }
}

/* Whether the kernel has no dma-bufs, or none of such memory. */
static void narrowed_is_too_wide_if_an_aperture_is_required(void **state)
{
    struct scene scene = {.memory = make_memory(false), .kick = -1, .spy = -1};
    bool has_device = access("/dev/udmabuf", R_OK | W_OK) == 0;

    (void)state;
    play_start(&scene.play, "spy", TOKEN, "require");
    if (has_device) {
        scene.spy = play_next_spy(&scene.play);
        say_memory(&scene.play, scene.memory, 2);
    }
    need_refused(&scene, has_device ? "memory-backend-memfd" : "/dev/udmabuf");
    end(&scene);
}

static void without_token_nothing_is_changed(void **state)
{
    static const struct {
        const char *options, *mode, *reason;
    } rows[] = {{"ro" ID, "auto", NULL}, {TOKEN ID, "off", "switched off"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scene scene = {.memory = make_memory(false), .kick = -1};
        struct vhost_user_message message;

        play_start(&scene.play, "spy", rows[i].options, rows[i].mode);
        scene.spy = play_next_spy(&scene.play);
        assert_int_equal(ask(&scene.play, VHOST_USER_GET_FEATURES), SPY_FEATURES);
        need_heard(scene.spy, VHOST_USER_GET_FEATURES, &message);
        say_memory(&scene.play, scene.memory, 2);
        need_heard(scene.spy, VHOST_USER_SET_MEM_TABLE, &message);
        assert_int_equal(message.fd_count, 2);
        assert_memory_equal(message.payload + 8, memory, sizeof(memory));
        vhost_user_close(&message);
        if (rows[i].reason)
            need_status(&scene.play, APERTURE_NONE, 0, rows[i].reason);
        else
            assert_int_equal(access(scene.play.status, F_OK), -1);
        end(&scene);
    }
}

int main(int argc, char *argv[])
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool_and_rings_are_all_that_it_hears_of),
        cmocka_unit_test(dma_bufs_are_all_that_it_gets),
        cmocka_unit_test(features_are_offered_and_hidden),
        cmocka_unit_test(backends_channel_ends_at_the_relay),
        cmocka_unit_test(what_did_not_move_is_told_again_to_nobody),
        cmocka_unit_test(nobody_works_on_the_pool_of_a_guest_that_was_reset),
        cmocka_unit_test(process_of_a_device_without_driver_has_no_successor),
        cmocka_unit_test(process_that_dies_before_its_last_ring_stopped_is_followed_by_a_hold),
        cmocka_unit_test(ring_that_moved_is_another_processs),
        cmocka_unit_test(ring_that_never_ran_can_be_stopped),
        cmocka_unit_test(device_starts_on_new_dma_bufs),
        cmocka_unit_test(nothing_is_read_out_of_a_ring_that_stopped),
        cmocka_unit_test(ring_that_grows_takes_nothing_of_where_it_was),
        cmocka_unit_test(memory_that_was_exchanged_is_another_processs),
        cmocka_unit_test(guest_that_moves_its_rings_all_the_time_loses_its_device),
        cmocka_unit_test(next_virtiofsd_gets_no_more),
        cmocka_unit_test(killed_relays_successor_gives_no_more),
        cmocka_unit_test(relay_killed_before_a_ring_has_its_place_gives_the_pool),
        cmocka_unit_test(successor_enforces_what_was_enforced),
        cmocka_unit_test(relay_and_keeper_cannot_be_looked_into),
        cmocka_unit_test(ring_outside_of_memory_ends_the_device),
        cmocka_unit_test(pool_outside_of_memory_ends_the_device),
        cmocka_unit_test(part_of_a_huge_page_is_not_handed_over),
        cmocka_unit_test(other_ways_to_memory_end_the_device),
        cmocka_unit_test(lie_of_virtiofsd_does_not_come_up),
        cmocka_unit_test(what_cannot_be_confined_is_not_started),
        cmocka_unit_test(narrowed_is_too_wide_if_an_aperture_is_required),
        cmocka_unit_test(without_token_nothing_is_changed),
    };

    if (argc > 1 && strcmp(argv[1], "virtiofsd") == 0)
        return play_virtiofsd(argc, argv);
    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
