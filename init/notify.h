/*
 * notify: tells a VM manager that knows systemd's convention (the credential vmm.notify_socket)
 * that the guest is up, and that it goes down. Without the credential nothing is sent.
 */
#ifndef GUESTLINK_INIT_NOTIFY_H
#define GUESTLINK_INIT_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

#include "base/job.h"
#include "protocol/event.h"

struct notify_address {
    int type; /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET; 0: whatever the kernel can */
    uint32_t cid;
    uint32_t port;
};

/* Reads `vsock:CID:PORT`, `vsock-stream:…`, `vsock-dgram:…` or `vsock-seqpacket:…`.
 * @return 0 or -EINVAL */
int notify_parse_address(const char *text, struct notify_address *ret);

/*
 * Sends READY=1, and the timings as X_GUESTLINK_… lines. In a job; a failure is logged.
 *
 * @param modules  the job that loads modules, which is waited for if there is no credential yet; 0:
 *                 it has ended
 */
void notify_ready(struct jobs *jobs, const struct event_ready *timings, pid_t modules);

/* Sends STOPPING=1. @param how  "power off", … */
void notify_stopping(struct jobs *jobs, const char *how);

#endif
