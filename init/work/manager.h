/*
 * manager: a message to a VM manager that knows systemd's convention (the credential
 * vmm.notify_socket). Work of a job (base/job.h): it waits for the kernel and for the manager.
 */
#ifndef GUESTLINK_INIT_MANAGER_H
#define GUESTLINK_INIT_MANAGER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/report.h"

struct manager_message {
    pid_t loader; /* loads what the credential may be read by; 0: nobody does any more */
    char text[1024];
};

/* @param argument  a manager_message, to be sent: one datagram, or one connection. Without the
 *                  credential nothing is sent */
void manager_notify(const void *argument, struct report *report);

struct manager_address {
    int type; /* SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET; 0: whatever the kernel can */
    uint32_t cid;
    uint32_t port;
};

/* Reads `vsock:CID:PORT`, `vsock-stream:…`, `vsock-dgram:…` or `vsock-seqpacket:…`.
 * @return 0 or -EINVAL */
int manager_parse_address(const char *text, struct manager_address *ret);

#endif
