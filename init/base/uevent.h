/*
 * uevent: what the kernel says when a device comes or is bound to its driver.
 */
#ifndef GUESTLINK_INIT_UEVENT_H
#define GUESTLINK_INIT_UEVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uevent {
    char action[16]; /* "add", "bind", … */
    char subsystem[32];
    char driver[32];
    char devpath[256];
};

/*
 * Reads one message of the kernel: strings that each end with a NUL, the first `ACTION@DEVPATH`,
 * then `KEY=VALUE`. What is too long is cut, what is missing is "".
 *
 * @return 0, or -EINVAL (messages of udev, and what is no uevent)
 */
int uevent_parse(const char *data, size_t size, struct uevent *ret);

/* Opens a non-blocking socket that gets the kernel's uevents. @return it, or a negative errno */
int uevent_open(void);

/*
 * Takes the next uevent that is there. Only the kernel's own are taken (by their sender).
 *
 * @return 0; -EAGAIN: none; -ENOBUFS: some were lost, so look at the state itself; or another
 *         negative errno
 */
int uevent_receive(int fd, struct uevent *ret);

/* True if @p event says that a device of @p subsystem came or was bound to a driver. */
bool uevent_is_arrival(const struct uevent *event, const char *subsystem);

#endif
