/*
 * device play: a device host of the daemon's whose other side, QEMU or guestlink-libvirt, is the
 * input of a fuzz target.
 *
 * Of the input, the first byte is what the device host is asked for (enum device_play_flags), the
 * second seeds the sizes of the pieces, and the rest are the other side's lines; `$` in one is the
 * id of the oldest request that has no answer yet. Whatever they are, in whatever pieces, every
 * operation ends, once.
 */
#ifndef GUESTLINK_TESTS_DEVICE_PLAY_H
#define GUESTLINK_TESTS_DEVICE_PLAY_H

#include "fuzz.h"
#include "hostd/device/device_host.h"

#define DEVICE_PLAY_REQUESTS 64u
#define DEVICE_PLAY_LINE     8192u

enum device_play_flags {
    DEVICE_PLAY_OPERATION = 0x07, /* what begins when the VM is there; see begin() */
    DEVICE_PLAY_RAW = 0x08,       /* the greeting, too, is the input's */
    DEVICE_PLAY_TOKEN = 0x10,
    DEVICE_PLAY_VIRTIOFSD = 0x20, /* there is a program that serves shares */
};

struct device_play {
    int connection;             /* the other side's end; -1: none */
    enum config_backend second; /* of adapters, besides CONFIG_BACKEND_USER */
    sd_event *event;
    struct device_host *host;
    uint8_t flags;
    uint32_t random;
    char requests[DEVICE_PLAY_LINE]; /* what of them was read, without whole lines */
    size_t size;
    int64_t ids[DEVICE_PLAY_REQUESTS]; /* of those that have no answer yet, oldest first */
    size_t open;
    unsigned begun, done;
};

/* The folder of this process, which is removed at its exit. */
const char *device_play_folder(void);

/* Makes the device host. @param play  all zero but its connection and second
 * @param data  at least the two first bytes of the input; @param vm  without virtiofsd */
void device_play_begin(struct device_play *play, const uint8_t *data, struct config_vm *vm);

/* Sends @p greeting, unless the input has its own, and then the lines of the input. */
void device_play_say(struct device_play *play, const char *greeting, const uint8_t *data,
                     size_t size);

/* Closes the connection and frees the device host: every operation must have ended by then. */
void device_play_end(struct device_play *play);

#endif
