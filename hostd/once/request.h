/*
 * request: what `guestlink run` was asked for: its command line, read once.
 */
#ifndef GUESTLINK_ONCE_REQUEST_H
#define GUESTLINK_ONCE_REQUEST_H

#include "config/publish.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Devices that are plugged in at one PCIe root port each; QEMU's q35 has room for 31. */
#define REQUEST_SHARES  24u
#define REQUEST_DISKS   8u
#define REQUEST_PUBLISH CONFIG_PUBLISH_MAX
/* Bytes, without --memory: a round number, enough for a pool (POLICY_SWIOTLB_AUTO_MEMORY). */
#define REQUEST_MEMORY (UINT64_C(1280) << 20)

struct request_share {
    char *path;   /* absolute, of a folder that exists; the request's */
    char *target; /* in the guest; the request's */
    bool read_only;
};

struct request {
    const char *kernel; /* NULL: the host's own */
    char *root;         /* absolute; NULL: BusyBox alone; the request's */
    bool root_rw;
    uint64_t memory; /* bytes */
    unsigned cpus;
    struct request_share shares[REQUEST_SHARES];
    size_t share_count;
    char *disks[REQUEST_DISKS]; /* absolute; the request's */
    bool is_qcow2[REQUEST_DISKS];
    size_t disk_count;
    bool net;
    /* --publish: words of main()'s argv; and QEMU's for them, "tcp:127.0.0.1:8080-:80". */
    char *published[REQUEST_PUBLISH];
    char forwards[REQUEST_PUBLISH][CONFIG_PUBLISH_HOSTFWD];
    size_t forward_count;
    const char *aperture;              /* auto, require, off */
    struct config_strings environment; /* items are the request's */
    const char *user;                  /* "USER", "USER:GROUP"; NULL: root */
    const char *directory;             /* NULL: / */
    uint64_t timeout_ms;               /* 0: none */
    bool input;                        /* -i, -t */
    bool terminal;                     /* -t */
    bool keep, verbose, print_config;
    const char *accelerator; /* kvm, tcg; NULL: KVM where it can be used */
    const char *qemu;        /* program */
    char *virtiofsd;         /* absolute; NULL: the first of the usual places; the request's */
    bool help;
    char **argv; /* the command, of main()'s argv; NULL-terminated */
};

#define REQUEST_NULL                                                                               \
    ((struct request){                                                                             \
        .memory = REQUEST_MEMORY, .cpus = 1, .aperture = "auto", .qemu = "qemu-system-x86_64"})

/* @return 0; or 125 after an explanation on stderr */
int request_parse(int argc, char **argv, struct request *request);
void request_done(struct request *request);

/*
 * Reads "UID", "UID:GID" or "root". Names of other users are in the guest's root alone.
 *
 * @return 0, or -EINVAL: it is none of these
 */
int request_parse_ids(const char *text, uint32_t *ret_uid, uint32_t *ret_gid);

/* "90", "1.5m", "2h": seconds, or with s, m, h or d behind. @return 0, or -EINVAL */
int request_parse_duration(const char *text, uint64_t *ret_ms);

/* "PATH:TARGET" or "PATH:TARGET:ro" (":rw" too), PATH as it stands.
 * @param text  is cut up. @return 0, or -EINVAL */
int request_split_share(char *text, const char **ret_path, const char **ret_target,
                        bool *ret_read_only);

/* What config_publish_parse() takes, of IPv4 alone. @return 0, or -EINVAL */
int request_parse_publish(const char *text, char ret_forward[CONFIG_PUBLISH_HOSTFWD]);

#endif
