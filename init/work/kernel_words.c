/* kernel words: what the kernel logs about a mount that fails. */
#include "kernel_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/kmsg_record.h"

/* More than this in one mount is somebody else's noise. */
#define RECORDS 4096u

int kernel_words_begin(void)
{
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    (void)lseek(fd, 0, SEEK_END);
    return fd;
}

/* The kernel's messages begin with what they are about. */
static bool is_about_shares(const char *text)
{
    static const char *const begins[] = {"virtio-fs", "virtiofs", "virtio_fs", "fuse", "9p"};

    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(text, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

void kernel_words_add(int fd, struct report *report)
{
    char data[KMSG_RECORD_SIZE], last[sizeof(report->text)] = "";
    size_t used = strlen(report->text);

    for (unsigned i = 0; fd >= 0 && report->error != 0 && i < RECORDS; i++) {
        ssize_t n = read(fd, data, sizeof(data) - 1);
        struct kmsg_record record;

        if (n < 0 && errno == EPIPE) /* some were overwritten: what is left counts */
            continue;
        if (n <= 0)
            break;
        data[n] = '\0';
        if (kmsg_record_parse(data, &record) == 0 && record.by_kernel &&
            is_about_shares(record.text))
            (void)snprintf(last, sizeof(last), "%.*s", (int)strcspn(record.text, "\n"),
                           record.text);
    }
    if (last[0] != '\0')
        (void)snprintf(report->text + used, sizeof(report->text) - used, "; its kernel: %s", last);
}
