/*
 * folder: the private folder of one run: sockets, the daemon's configuration and state, logs.
 *
 * It lies in $XDG_RUNTIME_DIR, or in /tmp, and is locked for as long as the run has a process. One
 * whose run was killed altogether has no lock and is removed by the next run.
 */
#ifndef GUESTLINK_ONCE_FOLDER_H
#define GUESTLINK_ONCE_FOLDER_H

#include <stdbool.h>

/* hostd's state_dir has room for 65 bytes; a folder of ours is at most this, with its NUL. */
#define FOLDER_SIZE 56u

/* What is in it. */
#define FOLDER_CONTROL "control.sock"
#define FOLDER_GUEST   "guest.sock"
#define FOLDER_QMP     "qmp.sock"
#define FOLDER_CONFIG  "hostd.json"
#define FOLDER_STATE   "state"
#define FOLDER_EVENTS  "telemetry.jsonl"
#define FOLDER_CONSOLE "console.log"
#define FOLDER_LOG     "host.log" /* what the daemon and QEMU say */

/* The name that a folder would have; nothing is made. */
void folder_name(char ret_path[FOLDER_SIZE]);

/*
 * Makes one, and removes those of this user's runs that are gone.
 *
 * @param keep  it stays after the end, until somebody removes it
 * @return a descriptor that holds its lock, also in children; -errno
 */
int folder_make(bool keep, char ret_path[FOLDER_SIZE]);

/* Removes a folder with all that is in it. What cannot be removed stays. */
void folder_remove(const char *path);

#endif
