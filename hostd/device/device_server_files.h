/*
 * device_server files: what a device's process leaves where a later daemon finds it, in a
 * directory, named for what is served.
 */
#ifndef GUESTLINK_HOSTD_DEVICE_SERVER_FILES_H
#define GUESTLINK_HOSTD_DEVICE_SERVER_FILES_H

#include "base/child.h"

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#define DEVICE_SERVER_FILE_SIZE (sizeof(((struct sockaddr_un *)NULL)->sun_path))

struct device_server_files {
    char socket[DEVICE_SERVER_FILE_SIZE]; /* NAME.sock: where QEMU connects */
    char record[DEVICE_SERVER_FILE_SIZE]; /* NAME.pid: a child's (base/child.h) */
    /* NAME.log: a FIFO of which the process holds both ends. Its stderr: bounded, and kept while
     * nobody reads. */
    char log[DEVICE_SERVER_FILE_SIZE];
    char inner[DEVICE_SERVER_FILE_SIZE]; /* NAME.in: between relay and process, for a moment */
    char ended[DEVICE_SERVER_FILE_SIZE]; /* NAME.end: how it did, by the relay (relay/end.h) */
    /* NAME.ap: its status, by the relay, and NAME.ap.ok (base/aperture_status.h). */
    char aperture[DEVICE_SERVER_FILE_SIZE];
};

/* @return 0, or -ENAMETOOLONG: the socket's path does not fit */
int device_server_files_name(const char *directory, const char *name,
                             struct device_server_files *ret_files);

/* Makes a folder that others may pass through, as QEMU's user must, but not look around in. Its
 * parent is there. @return 0 or -errno */
int device_server_files_make_directory(const char *path);

/* Makes the socket where QEMU, of that user and group (-1: ours), connects. It is there before QEMU
 * asks. @return the listening socket, to be closed by the caller; or -errno */
int device_server_files_listen(const struct device_server_files *files, uid_t uid, gid_t gid);

/* How it ended, by what the relay noted: another daemon's child cannot be waited for. Leaves @p end
 * as it is if nothing is noted. */
void device_server_files_recall_end(const struct device_server_files *files, struct child_end *end);

void device_server_files_remove(const struct device_server_files *files);

#endif
