/*
 * pool: the threads in which libvirt's calls block.
 *
 * A domain is in one call at a time (libvirt would have the second wait for the first anyway), so
 * that one that hangs holds one thread. Each thread has its own connection, opened for its first
 * call: on a shared one, libvirt 9.0 can leave a thread's call unsent while another one hangs.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_POOL_H
#define GUESTLINK_HOSTD_LIBVIRT_POOL_H

#include <json-c/json.h>
#include <libvirt/libvirt.h>

/* How many domains can hang before others wait. libvirtd has 20 threads for all of its clients. */
#define POOL_THREADS 8u

/* Requests that wait; hostd has a few for each VM. */
#define POOL_WAITING_MAX 4096u

/*
 * Starts the threads.
 *
 * @param uri      where they connect to; stays
 * @param prepare  gets each new connection
 * @return 0 or -errno
 */
int pool_start(const char *uri, void (*prepare)(virConnectPtr connection));

/* Has a request answered, behind those for the same domain. @param request  consumed. @return 0,
 * -ENOMEM or -ENOBUFS */
int pool_enqueue(struct json_object *request);

#endif
