/*
 * share server: virtiofsd behind its relay for a share, as every device host that has QEMU connect
 * to a socket starts it.
 */
#ifndef GUESTLINK_HOSTD_SHARE_SERVER_H
#define GUESTLINK_HOSTD_SHARE_SERVER_H

#include "device_host.h"
#include "device_name.h"
#include "device_server.h"
#include "protocol/options.h"

/* What an error of a share says at most. */
#define SHARE_SERVER_TEXT_SIZE 1024u

/* The share as it was asked for, kept while its device is made. */
struct share_server_spec {
    char *path;
    bool read_only, iommu_platform;
    struct config_serving serving;
    char options[OPTIONS_SIZE];
    enum config_aperture aperture;
};

/* Where the files are, and whose the socket is. */
struct share_server_place {
    const char *directory; /* this VM's */
    const char *parent;    /* of it: made too, and cleared of files of daemons up to 0.1.0 */
    uid_t uid;             /* QEMU's user and group; -1: ours */
    gid_t gid;
};

/* @return 0 or -ENOMEM */
int share_server_spec_copy(struct share_server_spec *spec, const struct device_share *share);
void share_server_spec_done(struct share_server_spec *spec);

/*
 * Names the server of a share by all that would make it another one. One of another aperture is not
 * equal: of another token, or of another mode.
 */
void share_server_name(const char *vm_id, const struct device_share *share,
                       char name[DEVICE_NAME_HASH_SIZE]);

/*
 * Starts it.
 *
 * @param vm          its device_host says which virtiofsd
 * @param aperture    CONFIG_APERTURE_OFF: the device does not bounce
 * @param ret_remark  what virtiofsd does without, static; "" if nothing
 * @param text        why it could not be started, and what to do
 * @return 0 or a positive errno
 */
int share_server_start(sd_event *event, const struct config_vm *vm,
                       const struct share_server_place *place, const char *name,
                       const struct share_server_spec *spec, enum config_aperture aperture,
                       const struct device_server_events *events, void *userdata,
                       struct device_server **ret_server, const char **ret_remark,
                       char text[SHARE_SERVER_TEXT_SIZE]);

#endif
