/*
 * devices: what /dev has in addition to devtmpfs: names that udev and container runtimes
 * give it, and modes with which programs of any user can work.
 */
#ifndef GUESTLINK_INIT_DEVICES_H
#define GUESTLINK_INIT_DEVICES_H

/* Links /dev/fd, stdin, stdout, stderr and core. What is there already stays. */
void devices_link(void);

/*
 * Opens those devices to every user that udev's rules (50-udev-default.rules) open, where they
 * still have the kernel's mode, 0600. They come with modules: call this again when more may be
 * there.
 */
void devices_open(void);

#endif
