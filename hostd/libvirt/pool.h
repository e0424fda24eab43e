/*
 * pool: the threads in which libvirt's calls block.
 *
 * A domain is in one call at a time (libvirt would have the second wait for the first anyway), so
 * that one that hangs holds one thread. libvirtd takes five calls of one client at once.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_POOL_H
#define GUESTLINK_HOSTD_LIBVIRT_POOL_H

#include <json-c/json.h>
#include <libvirt/libvirt.h>

/* One less than libvirtd's max_client_requests: the last is for what wakes them (pool.c). */
#define POOL_THREADS 4u

/* Requests that wait; hostd has a few for each VM. */
#define POOL_WAITING_MAX 4096u

/* Starts the threads. @return 0 or -errno */
int pool_start(virConnectPtr connection);

/* Has a request answered, behind those for the same domain. @param request  consumed. @return 0,
 * -ENOMEM or -ENOBUFS */
int pool_enqueue(struct json_object *request);

#endif
