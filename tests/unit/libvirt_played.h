/*
 * libvirt played: guestlink-libvirt's side of the JSON, in the test's own process and event loop. A
 * program that is linked with it has domain_program_start() wrapped.
 */
#ifndef GUESTLINK_TESTS_LIBVIRT_PLAYED_H
#define GUESTLINK_TESTS_LIBVIRT_PLAYED_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define LIBVIRT_PLAYED_DEVICES 8u

/* A device of the domain. */
struct libvirt_played_device {
    char alias[128], xml[1024];
};

struct libvirt_played {
    /* The domain. */
    bool absent, inactive, not_shared, balloon;
    unsigned run, ports;
    unsigned uid, gid; /* QEMU's; 0: it does not say */
    struct libvirt_played_device devices[LIBVIRT_PLAYED_DEVICES];
    const char *hypervisor; /* its QEMU's version */
    /* What it does. */
    bool not_installed, mute;  /* it says nothing, not even that it is connected */
    bool hangs;                /* it answers nothing */
    bool holds_attach;         /* no answer until libvirt_played_release() */
    bool keeps, refuses;       /* the guest: lets no device go, and is silent, or says so */
    bool fails;                /* it cannot describe the domain */
    const char *attach_error;  /* for the next attachment alone */
    const char *attach_errors; /* for each that bounces (iommu='on') */
    /* What happened. */
    unsigned starts, attachments, detachments, describes, pings;
    char xml[1024]; /* of the last attachment */
    int64_t held;   /* its id; 0: none is held */

    sd_event *event;
    sd_event_source *source;
    int fd; /* -1: it does not run */
    char line[4096];
    size_t size;
};

extern struct libvirt_played libvirt_played;

/* Begins with a domain that runs, has its memory shared, and has four free ports. */
void libvirt_played_begin(void);

/* Ends it, as a crash does. */
void libvirt_played_end(void);

/* Says a line. */
void libvirt_played_say(const char *line);

/* Answers the attachment that was held with an error. */
void libvirt_played_release(void);

#endif
