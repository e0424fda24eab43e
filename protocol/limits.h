/*
 * limits: every bound and deadline that both sides, or the protocol itself, keep; each with its
 * reason. What only one side knows stands in that side's own limits.h.
 */
#ifndef GUESTLINK_PROTOCOL_LIMITS_H
#define GUESTLINK_PROTOCOL_LIMITS_H

/* Bytes that one connection may make the host hold, in and out together: three full frames and
 * what the kernel's socket also holds; a guest that wants more must read its answers first. */
#define LIMITS_CONNECTION_BYTES (256u * 1024u)

/* The default port, on the host, of the connection (the reference system uses the same). */
#define LIMITS_PORT 50000u

/* Ports below it need privilege in the guest (include/uapi/linux/vm_sockets.h:
 * LAST_RESERVED_PORT is 1023). */
#define LIMITS_PRIVILEGED_PORTS 1024u

/* sethostname(2) takes at most 64 bytes. */
#define LIMITS_HOSTNAME 64u

/* A virtiofs tag is a field of 36 bytes in the device's configuration space (virtio 1.2, 5.11.4).
 */
#define LIMITS_TAG 36u

/* PATH_MAX of Linux, with the NUL. */
#define LIMITS_PATH 4096u

/* A VM's name, in WELCOME and everywhere else. */
#define LIMITS_VM_NAME 64u

/* What a guest asks for as it attaches to the 9P share behind a port, as user root: each such
 * server serves one directory, its own working directory, and the guest need not know where that
 * is. */
#define LIMITS_9P_ANAME "/proc/self/cwd/."

/* Data in one PROCESS_OUTPUT or PROCESS_INPUT: small enough that a log record never waits long
 * behind it. */
#define LIMITS_STREAM_CHUNK 16384u

/* Bytes of a connection's output that the host may not have taken yet: what a slow reader makes it
 * hold, and a round trip's worth for any other. */
#define LIMITS_CONNECTION_WINDOW 65536u

/* What one START_PROCESS may have of its frame: its directory, its words and its variables, each of
 * the latter with 2 bytes for its length. The rest is for its fixed part, which grows. */
#define LIMITS_WORDS_BYTES (64u * 1024u - 512u)

/* Entropy in one ADD_ENTROPY: twice what the kernel's pool can hold (32 bytes since 5.18). */
#define LIMITS_ENTROPY 512u

#endif
