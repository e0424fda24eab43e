/*
 * qemu passt: what only an adapter of the backend "passt" needs: a QEMU that can do it, its
 * passt, and the chardev between them.
 */
#ifndef GUESTLINK_HOSTD_QEMU_PASST_H
#define GUESTLINK_HOSTD_QEMU_PASST_H

#include "task.h"

/*
 * Makes the task of an adapter one with a passt, and names its backend, by all that would make it
 * another one. @return 0; a positive errno: it cannot be done, and task->text says why; -errno
 */
int qemu_passt_begin(struct qemu_task *task, const struct device_adapter *adapter);

/* Watches the passt that an earlier daemon started. @return 0 or -errno: there is none */
int qemu_passt_adopt(struct qemu_task *task);

/*
 * Looks whether this QEMU can do it, starts a passt, and has QEMU connect to it.
 *
 * @param ready  its reply's error is not 0 if that failed; the text says what, and what to do
 */
void qemu_passt_make(struct qemu_task *task, qemu_step_fn ready);

/* Starts the passt, of a QEMU that can do it, and has QEMU connect to it; then the task goes on. */
void qemu_passt_start(struct qemu_task *task);

/* What was asked for with qemu_passt_make() is done, or failed. @param error  0 or an errno */
void qemu_passt_go_on(struct qemu_task *task, int error, const char *text);

/* The device is there: from now on the end of its passt is told. @return false: it ended already */
bool qemu_passt_succeed(struct qemu_task *task);

/* As device_host_get_adapter_aperture(). */
int qemu_passt_get_aperture(const struct device_host *host, const char *id,
                            struct aperture_status *ret_status);

/* As device_host_confirm_adapter_aperture(). */
int qemu_passt_confirm_aperture(const struct device_host *host, const char *id, uint64_t number);

/* The arguments of netdev_add. */
struct json_object *qemu_passt_netdev(const struct qemu_task *task);

/* Removes the chardev of a netdev, which is gone, and ends the passt behind it. Does nothing with
 * one that is not ours. */
void qemu_passt_remove(struct qemu_task *task, const char *netdev);

/* The same, and its netdev, of the passt that is known of that adapter, whatever QEMU says of the
 * device: it may have gone by itself. */
void qemu_passt_remove_own(struct qemu_task *task, const char *id);

/* Forgets the one that the task took over: its device is gone, and another one will be started. */
void qemu_passt_let_go(struct qemu_task *task);

/* Takes one off the list. @param stop  it ends, too. @return NULL */
struct qemu_passt *qemu_passt_free(struct qemu_passt *passt, bool stop);

/* Ends those that this daemon had, and the one before: QEMU is gone. */
void qemu_passts_clean_up(struct device_qemu *qemu);

/* {ID: NAME, …}, or NULL. */
struct json_object *qemu_passts_remember(const struct device_qemu *qemu);

#endif
