/*
 * relay: dma-bufs of a guest's memory, and what becomes of an aperture with them and without. The
 * device is played (CMakeLists.txt), for few machines have it; the memory and its seals are the
 * kernel's.
 */
#include "descriptors.h"
#include "folder.h"
#include "hostd/relay/aperture.h"
#include "hostd/relay/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/udmabuf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE  UINT64_C(4096)
#define MB    UINT64_C(1048576)
#define LIMIT "/sys/module/udmabuf/parameters/size_limit_mb"
#define TOKEN "swiotlb=0x400000,2097152"

static int open_error, make_error; /* of the device; 0: it does what it should */
static unsigned makes_until_error; /* that succeed before */
static const char *limit;          /* what is in LIMIT; NULL: there is none */
static int device = -1;
static unsigned makes;
static struct udmabuf_create made[16];
static char folder[FOLDER_BYTES], status_path[FOLDER_BYTES + 16];

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode = 0;

    va_start(arguments, flags);
    if (flags & O_CREAT)
        mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (strcmp(path, "/dev/udmabuf") != 0)
        return __real_open(path, flags, mode);
    assert_int_equal(flags, O_RDWR | O_CLOEXEC);
    errno = open_error;
    device = open_error ? -1 : __real_open("/dev/null", flags);
    return device;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
    if (strcmp(path, LIMIT) != 0)
        return __real_fopen(path, mode);
    errno = ENOENT;
    return limit ? fmemopen((char *)limit, strlen(limit), "r") : NULL;
}

int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    assert_int_equal(fd, device);
    assert_int_equal(request, UDMABUF_CREATE);
    assert_in_range(makes, 0, sizeof(made) / sizeof(made[0]) - 1);
    va_start(arguments, request);
    made[makes++] = *va_arg(arguments, struct udmabuf_create *);
    va_end(arguments);
    errno = make_error;
    if (make_error && makes > makes_until_error)
        return -1;
    return memfd_create("dma-buf", MFD_CLOEXEC);
}

static int set_up(void **state)
{
    (void)state;
    open_error = make_error = 0;
    makes = makes_until_error = 0;
    limit = NULL;
    folder_make(folder);
    (void)snprintf(status_path, sizeof(status_path), "%s/ap", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

/* A guest's memory, as QEMU makes it. */
static int make_memory(void)
{
    int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(fd, 16 * MB), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL), 0);
    return fd;
}

/* ---- udmabuf */

static void device_is_opened_or_its_error_is_told(void **state)
{
    int fd = udmabuf_open();

    (void)state;
    assert_true(fd >= 0 && fd == device);
    (void)close(fd);
    open_error = ENOENT;
    assert_int_equal(udmabuf_open(), -ENOENT);
    open_error = EACCES;
    assert_int_equal(udmabuf_open(), -EACCES);
    open_error = EPERM; /* by the unit's list of devices: another thing than unsealed memory */
    assert_int_equal(udmabuf_open(), -EACCES);
}

static void limit_is_the_kernels(void **state)
{
    static const struct {
        const char *text;
        uint64_t megabytes;
    } limits[] = {{NULL, 64},   {"128\n", 128}, {"1\n", 1}, {"0\n", 64},
                  {"-5\n", 64}, {"x\n", 64},    {"\n", 64}, {"4096\n", 4096}};

    (void)state;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        limit = limits[i].text;
        assert_int_equal(udmabuf_limit(), limits[i].megabytes * MB);
    }
}

static void part_of_sealed_memory_is_a_file(void **state)
{
    int memory = make_memory(), fd;

    (void)state;
    device = 77;
    fd = udmabuf_make(77, memory, 2 * MB, MB);
    assert_true(fd >= 0 && fd != memory);
    assert_int_equal(makes, 1);
    assert_int_equal(made[0].memfd, memory);
    assert_int_equal(made[0].offset, 2 * MB);
    assert_int_equal(made[0].size, MB);
    assert_int_equal(made[0].flags, UDMABUF_FLAGS_CLOEXEC);
    (void)close(fd);
    (void)close(memory);
}

static void other_memory_makes_none(void **state)
{
    int file = __real_open("/dev/null", O_RDWR | O_CLOEXEC),
        unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING),
        grown = memfd_create("grown", MFD_CLOEXEC | MFD_ALLOW_SEALING), memory = make_memory();
    static const struct {
        int error, told;
    } errors[] = {{EINVAL, -EMEDIUMTYPE},
                  {EBADFD, -EMEDIUMTYPE},
                  {ENOMEM, -ENOMEM},
                  {ENOTTY, -ENOTTY},
                  {EPERM, -EPERM}};

    (void)state;
    device = 77;
    assert_int_equal(fcntl(grown, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(udmabuf_make(77, file, 0, MB), -EBADF);
    assert_int_equal(udmabuf_make(77, unsealed, 0, MB), -EPERM);
    assert_int_equal(udmabuf_make(77, grown, 0, MB), -EPERM);
    assert_int_equal(makes, 0); /* what can be cut away is not handed to the kernel */
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        make_error = errors[i].error;
        assert_int_equal(udmabuf_make(77, memory, 0, MB), errors[i].told);
    }
    (void)close(file);
    (void)close(unsealed);
    (void)close(grown);
    (void)close(memory);
}

static void what_stays_is_explained(void **state)
{
    static const struct {
        int error;
        const char *words;
    } stays[] = {{ENOENT, "load its module"},  {ENODEV, "has no driver"},
                 {ENXIO, "has no driver"},     {EACCES, "cannot be opened"},
                 {EBADF, "is not a memfd"},    {EPERM, "is not sealed"},
                 {EMEDIUMTYPE, "such memory"}, {ENOTTY, "is not the kernel's udmabuf"}};
    static const int passes[] = {0, ENOMEM, EMFILE, EINTR, EINVAL};

    (void)state;
    for (size_t i = 0; i < sizeof(stays) / sizeof(stays[0]); i++)
        assert_non_null(strstr(udmabuf_obstacle(-stays[i].error), stays[i].words));
    for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++)
        assert_null(udmabuf_obstacle(-passes[i]));
}

/* ---- an aperture */

static int begin(struct aperture *aperture, const char *options, const char *mode)
{
    return aperture_open(aperture, options, mode, status_path, NULL);
}

static void end(const struct aperture *aperture)
{
    if (aperture->device >= 0)
        (void)close(aperture->device);
}

static void need_status(enum aperture_state state, uint64_t bytes, const char *reason)
{
    struct aperture_status status;

    assert_int_equal(aperture_status_read(status_path, &status), 0);
    assert_int_equal(status.state, state);
    assert_int_equal(status.bytes, bytes);
    if (!strstr(status.reason, reason) || !reason[0] != !status.reason[0])
        fail_msg("\"%s\", expected \"%s\"", status.reason, reason);
}

static void need_no_status(void)
{
    struct aperture_status status;

    assert_int_equal(aperture_status_read(status_path, &status), -ENOENT);
}

static void token_with_a_device_is_an_aperture(void **state)
{
    struct aperture aperture;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(begin(&aperture, "ro;" TOKEN, i ? "require" : "auto"), 0);
        assert_true(aperture_is_in_force(&aperture));
        assert_int_equal(aperture.base, 4 * MB);
        assert_int_equal(aperture.size, 2 * MB);
        assert_int_equal(aperture.piece, 64 * MB);
        assert_int_equal(aperture.device, device);
        assert_int_equal(aperture.is_required, i);
        assert_null(aperture.obstacle);
        need_no_status(); /* not before the memory is there */
        end(&aperture);
    }
}

static void without_a_token_or_switched_off_there_is_none(void **state)
{
    struct aperture aperture;

    (void)state;
    assert_int_equal(begin(&aperture, "ro", "auto"), 0);
    assert_false(aperture_is_in_force(&aperture));
    need_no_status();
    assert_int_equal(begin(&aperture, "ro", "off"), 0);
    assert_false(aperture_is_in_force(&aperture));
    need_no_status();
    assert_int_equal(begin(&aperture, TOKEN, "off"), 0);
    assert_false(aperture_is_in_force(&aperture));
    need_status(APERTURE_NONE, 0, "switched off");
    assert_int_equal(begin(&aperture, "ro", "require"), -ENOTSUP);
    need_status(APERTURE_REFUSED, 0, "the aperture is required, but the VM has no token");
    assert_int_equal(begin(&aperture, TOKEN, "maybe"), -EINVAL);
    need_status(APERTURE_REFUSED, 0, "mode is not auto, require or off");
    assert_int_equal(begin(&aperture, "swiotlb=x", "auto"), -EINVAL);
    need_status(APERTURE_REFUSED, 0, "options are malformed");
}

static void pool_is_of_whole_pages(void **state)
{
    static const char *const wrong[] = {"swiotlb=0x400000,0", "swiotlb=0x400000,4095",
                                        "swiotlb=0x400001,4096", "swiotlb=0xfffffffffffff000,8192"};
    struct aperture aperture;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(begin(&aperture, wrong[i], "auto"), -EINVAL);
        need_status(APERTURE_REFUSED, 0, "whole pages");
    }
    assert_int_equal(begin(&aperture, "swiotlb=0xffffffffffffe000,4096", "auto"), 0);
    end(&aperture);
}

static void without_a_device_it_is_narrowed_or_refused(void **state)
{
    struct aperture aperture;

    (void)state;
    open_error = ENOENT;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_true(aperture_is_in_force(&aperture));
    assert_non_null(strstr(aperture.obstacle, "load its module"));
    assert_int_equal(aperture.piece, 2 * MB); /* in one */
    assert_int_equal(begin(&aperture, TOKEN, "require"), -ENOTSUP);
    need_status(APERTURE_REFUSED, 0, "load its module");
    open_error = EMFILE; /* which has no text of its own */
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_string_equal(aperture.obstacle, "Too many open files");
    assert_int_equal(aperture_open(&aperture, TOKEN, "auto", status_path, "no jail"), 0);
    assert_string_equal(aperture.obstacle, "no jail");
    assert_int_equal(aperture.device, -1); /* is not even tried */
}

/* A region is no larger than a dma-buf, and four of the eight are the rings'. */
static void pool_of_too_many_pieces_has_none(void **state)
{
    static const struct {
        const char *token, *limit;
        bool fits;
    } pools[] = {
        {"swiotlb=0x400000,268435456", "64\n", true}, {"swiotlb=0x400000,268439552", "64\n", false},
        {"swiotlb=0x400000,268439552", "65\n", true}, {"swiotlb=0x400000,335544320", "64\n", false},
        {"swiotlb=0x400000,1048576", "1\n", true},    {"swiotlb=0x400000,5242880", "1\n", false},
    };
    struct aperture aperture;

    (void)state;
    for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
        limit = pools[i].limit;
        assert_int_equal(begin(&aperture, pools[i].token, "auto"), 0);
        if (!aperture.obstacle != pools[i].fits)
            fail_msg("pool %zu", i);
        if (!pools[i].fits && aperture.obstacle) {
            assert_non_null(strstr(aperture.obstacle, "larger than the kernel's limit"));
            assert_int_equal(aperture.piece, aperture.size);
        }
        end(&aperture);
    }
}

/* Two regions of a file of the guest's. */
static struct memory_table table_of(int memory)
{
    return (struct memory_table){
        .regions = {{4 * MB, 2 * MB, 4 * MB, 4 * MB}, {8 * MB, PAGE, 8 * MB, 8 * MB}},
        .files = {{.fd = memory}, {.fd = memory}},
        .count = 2};
}

/* @param offset  of the first region in the file that the process has */
static void need_message(const struct vhost_user_message *message, int memory, uint64_t offset)
{
    struct vhost_user_region region;

    assert_int_equal(message->request, VHOST_USER_SET_MEM_TABLE);
    assert_int_equal(message->fd_count, 2);
    memcpy(&region, message->payload + VHOST_USER_REGIONS_OFFSET, sizeof(region));
    assert_int_equal(region.guest_address, 4 * MB);
    assert_int_equal(region.size, 2 * MB);
    assert_int_equal(region.file_offset, offset);
    for (size_t i = 0; i < 2; i++) {
        assert_true(message->fds[i] >= 0 && message->fds[i] != memory);
        assert_true(fcntl(message->fds[i], F_GETFD) & FD_CLOEXEC);
    }
}

static void process_is_given_dma_bufs(void **state)
{
    int memory = make_memory();
    const struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    need_message(&message, memory, 0);
    assert_int_equal(makes, 2);
    assert_int_equal(made[1].offset, 8 * MB);
    assert_int_equal(made[1].size, PAGE);
    assert_true(aperture.is_enforced);
    assert_int_equal(aperture.told.count, 2);
    need_status(APERTURE_ENFORCED, 2 * MB + PAGE, "");
    vhost_user_close(&message);

    /* the same is not told again */
    aperture_status_remove(status_path);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    vhost_user_close(&message);
    need_no_status();

    /* What was enforced is enforced or ends, and nothing is left of a half. */
    make_error = EINVAL;
    makes_until_error = makes + 1;
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), -EMEDIUMTYPE);
    assert_non_null(strstr(reason, "such memory"));
    assert_null(aperture.obstacle);
    make_error = ENOMEM;
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), -ENOMEM);
    assert_string_equal(reason, "Cannot allocate memory");
    end(&aperture);
    (void)close(memory);
}

static void memory_of_which_there_are_none_is_narrowed_or_refused(void **state)
{
    int memory = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    need_message(&message, memory, 4 * MB); /* the file itself */
    vhost_user_close(&message);
    assert_false(aperture.is_enforced);
    assert_non_null(strstr(aperture.obstacle, "is not sealed"));
    need_status(APERTURE_NARROWED, 2 * MB + PAGE, "is not sealed");
    assert_int_equal(makes, 0);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    vhost_user_close(&message);
    end(&aperture);

    assert_int_equal(begin(&aperture, TOKEN, "require"), 0);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), -EPERM);
    assert_non_null(strstr(reason, "is not sealed"));
    assert_int_equal(aperture.told.count, 0);
    end(&aperture);
    (void)close(memory);
}

/* An error that may pass is no reason to hand over all. */
static void passing_error_narrows_nothing(void **state)
{
    int memory = make_memory();
    const struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;

    (void)state;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    make_error = ENOMEM;
    makes_until_error = 1;
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), -ENOMEM);
    assert_string_equal(reason, "Cannot allocate memory");
    assert_null(aperture.obstacle);
    need_no_status();
    end(&aperture);
    (void)close(memory);
}

/* A part of a huge page is nothing that a process can map. */
static void huge_pages_are_handed_over_whole(void **state)
{
    int memory = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
    struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;
    struct statfs info = {0};
    uint64_t page;

    (void)state;
    if (memory < 0 || fstatfs(memory, &info) < 0 || info.f_type != HUGETLBFS_MAGIC) {
        (void)close(memory);
        skip(); /* this kernel has none */
    }
    page = (uint64_t)info.f_bsize;
    assert_int_equal(aperture_open(&aperture, TOKEN, "auto", status_path, "no jail"), 0);
    table.count = 1;
    for (unsigned i = 0; i < 4; i++) {
        bool is_whole = i == 0;

        table.regions[0] = (struct vhost_user_region){.guest_address = 4 * MB,
                                                      .size = i == 1 ? PAGE : page,
                                                      .file_offset = i == 2 ? PAGE : 2 * page};
        if (i == 3) { /* the second of two */
            table.regions[1] = table.regions[0];
            table.regions[1].size += PAGE;
            table.count = 2;
        }
        assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason),
                         is_whole ? 0 : -ENOTSUP);
        if (is_whole)
            vhost_user_close(&message);
        else
            assert_non_null(strstr(reason, "huge pages"));
    }
    (void)close(memory);
}

/* Where standard input is closed, the next one to be opened is 0. */
static void zero_is_a_descriptor_like_any_other(void **state)
{
    int input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 50), first = make_memory(),
        memory = fcntl(first, F_DUPFD_CLOEXEC, 50);
    const struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;

    (void)state;
    (void)close(first); /* which is 0 if that is closed already */
    (void)close(STDIN_FILENO);
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_int_equal(aperture.device, STDIN_FILENO);
    assert_null(aperture.obstacle);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    assert_int_equal(makes, 2);
    vhost_user_close(&message);
    end(&aperture);

    aperture.device = device = 77; /* at 0 there is what it makes */
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    assert_int_equal(message.fds[0], STDIN_FILENO);
    need_message(&message, memory, 0);
    vhost_user_close(&message);
    aperture.obstacle = "no jail";
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    assert_int_equal(message.fds[0], STDIN_FILENO);
    vhost_user_close(&message);
    open_error = EPERM;
    assert_int_equal(udmabuf_open(), -EACCES);
    (void)dup2(input, STDIN_FILENO);
    (void)close(input);
    (void)close(memory);
}

static void daemon_is_asked_who_runs(void **state)
{
    struct aperture aperture;

    (void)state;
    open_error = ENOENT;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_false(aperture_is_confirmed(&aperture));
    aperture_ask(&aperture, 0); /* nothing was asked, and nothing told */
    need_no_status();
    aperture_ask(&aperture, 41);
    need_status(APERTURE_WAITING, 41, "");
    assert_false(aperture_is_confirmed(&aperture));
    assert_int_equal(aperture_status_confirm(status_path, 41), 0);
    assert_true(aperture_is_confirmed(&aperture));
    aperture_ask(&aperture, 42);
    need_status(APERTURE_WAITING, 42, "");
    assert_false(aperture_is_confirmed(&aperture)); /* another driver */
    aperture_ask(&aperture, 0);
    assert_false(aperture_is_confirmed(&aperture));
}

/* What was so before it was asked is so again. */
static void answer_restores_what_was_told(void **state)
{
    int memory = make_memory();
    const struct memory_table table = table_of(memory);
    struct vhost_user_message message;
    struct aperture aperture;
    const char *reason = NULL;

    (void)state;
    open_error = ENOENT;
    assert_int_equal(begin(&aperture, TOKEN, "auto"), 0);
    assert_int_equal(aperture_hand_over(&aperture, &table, &message, &reason), 0);
    vhost_user_close(&message);
    aperture_ask(&aperture, 1);
    aperture_ask(&aperture, 2);
    need_status(APERTURE_WAITING, 2, "");
    aperture_status_remove(status_path);
    aperture_ask(&aperture, 2);
    need_no_status();
    aperture_ask(&aperture, 0);
    need_status(APERTURE_NARROWED, 2 * MB + PAGE, "load its module");
    (void)close(memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(device_is_opened_or_its_error_is_told),
        TEST(limit_is_the_kernels),
        TEST(part_of_sealed_memory_is_a_file),
        TEST(other_memory_makes_none),
        TEST(what_stays_is_explained),
        TEST(token_with_a_device_is_an_aperture),
        TEST(without_a_token_or_switched_off_there_is_none),
        TEST(pool_is_of_whole_pages),
        TEST(without_a_device_it_is_narrowed_or_refused),
        TEST(pool_of_too_many_pieces_has_none),
        TEST(process_is_given_dma_bufs),
        TEST(memory_of_which_there_are_none_is_narrowed_or_refused),
        TEST(passing_error_narrows_nothing),
        TEST(huge_pages_are_handed_over_whole),
        TEST(zero_is_a_descriptor_like_any_other),
        TEST(daemon_is_asked_who_runs),
        TEST(answer_restores_what_was_told),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
