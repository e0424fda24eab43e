/*
 * limits: every bound and deadline of the host's side that no operator sets, each with its reason.
 * What an operator may set stands in config.h (struct config_limits, struct config_timeouts); what
 * both sides keep stands in protocol/limits.h.
 */
#ifndef GUESTLINK_HOSTD_LIMITS_H
#define GUESTLINK_HOSTD_LIMITS_H

#include "protocol/limits.h"

/* Connections taken from one listening socket in one wake-up, so that a storm on one socket leaves
 * the others their turn. */
#define LIMITS_ACCEPTS_PER_WAKEUP 16u

/* Waiting connections that the kernel keeps for us (listen(2)); more than VMs that boot in the same
 * instant on one host. */
#define LIMITS_BACKLOG 1024

/* Without file descriptors there is nothing to accept with; so long until the next try. Guests call
 * again by themselves. */
#define LIMITS_ACCEPT_PAUSE_MS 250u

/* Bytes read from one connection in one wake-up, so that one loud guest leaves the others theirs;
 * it holds the usual frames of a boot. */
#define LIMITS_READ_CHUNK 16384u

/* Lines that all VMs together may cause by what costs its author nothing (connections that are
 * refused, what guests log). An event is two entries of the journal, which takes
 * 10,000 in 30 s from one unit and then drops whatever comes: half of that is left for what the
 * daemon has to say. If the operator's limits for one guest are higher, those are taken. A
 * guest that says less than its own few is heard, however much others say. */
#define LIMITS_SHARED_EVENTS_PER_S  50u
#define LIMITS_SHARED_EVENTS_BURST  1000u
#define LIMITS_OWN_EVENTS_IN_1000_S 500u
#define LIMITS_OWN_EVENTS_BURST     5u

/* Payload output is limited in bytes, apart from all other lines, so that it displaces none of
 * them. The operator sets the limit of one payload; this is the limit of all VMs together, if it is
 * less. A line counts its bytes and those that the log adds. */
#define LIMITS_SHARED_OUTPUT_PER_S 32768u
#define LIMITS_SHARED_OUTPUT_BURST (1024u * 1024u)
#define LIMITS_OUTPUT_LINE_BYTES   64u

/* So long after the first line that was dropped it is told how many were, by kind; and again not
 * before the second: telling is lines, too. */
#define LIMITS_DROPPED_TELL_MS  1000u
#define LIMITS_DROPPED_AGAIN_MS 10000u

/* A refused guest is given so long to read why, because bytes written right before a close may get
 * lost on vsock. */
#define LIMITS_REFUSAL_LINGER_MS 250u

/* Connections over a limit that are still heard, to be answered "too many"; those beyond are closed
 * unheard. Per VM and in all. As many strangers (of no VM, or not privileged) are heard at a time.
 */
#define LIMITS_REFUSED_PER_VM 4u
#define LIMITS_REFUSED_IN_ALL 64u

/* A guest answers a request that it acts on at once (hostname, entropy, ping, signals) within this,
 * or never. */
#define LIMITS_ANSWER_MS 10000u

/* The guest keeps the deadlines that it was given and says which step failed; the host waits this
 * much longer before it speaks up itself. */
#define LIMITS_ANSWER_SLACK_MS 2000u

/* After its grace a guest kills (2 s), unmounts (30 s) waits for its output to be taken (1 s) and
 * has its farewell acknowledged (1 s): the host waits longer than that for the farewell
 * (init/base/limits.h). */
#define LIMITS_FAREWELL_SLACK_MS 40000u

/* The guest's clock is set that often; not again before the second has passed; and once more if the
 * guest answered later than the third: it may have slept with the message unread. */
#define LIMITS_CLOCK_MS       120000u
#define LIMITS_CLOCK_AGAIN_MS 1000u
#define LIMITS_CLOCK_LATE_MS  1000u

/* A guest that is back in the same boot sooner than this was not asleep: a connection broke. */
#define LIMITS_CLOCK_AWAY_MS 5000u

/* From a guest's farewell, which it sends right before it powers off, to the end of its connection.
 * A VM that halts and does not power off never closes it. */
#define LIMITS_AFTER_FAREWELL_MS 10000u

/* Requests that may be outstanding to one guest: shares, adapters, and commands of operators. */
#define LIMITS_REQUESTS 1024u

/* Commands of operators running in one guest, and connections to its services: a process of the
 * guest's each, of which it has as many (init/base/limits.h). Connections leave room for commands.
 */
#define LIMITS_EXECS       64u
#define LIMITS_CONNECTIONS 32u

/* Shares of one VM, added at runtime included: QEMU takes far fewer devices. */
#define LIMITS_SHARES 256u

/* Text of a guest's that is kept, logged or reported; more is cut. */
#define LIMITS_TEXT 512u

/* "swiotlb buffer is full" after so long a quiet is news again. */
#define LIMITS_EXHAUSTED_QUIET_MS 60000u

/* A share whose server died is made again at most so often in so long; a server that always dies
 * is not started forever. */
#define LIMITS_SHARE_RETRIES          3u
#define LIMITS_SHARE_RETRY_FORGIVE_MS 60000u

/* A changed document is written after this, so that a burst of changes costs one write and two
 * fsync(2); devices are remembered at once. That, too, is bounded for each VM, because a guest that
 * boots without end has its devices made as often: a boot with dozens of them fits, and then one in
 * two seconds; what is beyond waits like any other change. */
#define LIMITS_SAVE_DELAY_MS   2000u
#define LIMITS_SAVES_BURST     64u
#define LIMITS_SAVES_IN_1000_S 500u

/* Kernel releases per VM for which a warning is remembered; the oldest is forgotten first. */
#define LIMITS_WARNED_RELEASES 16u

/* The vsock ports of 9P shares: from the one behind the daemon's own port upward. */
#define LIMITS_P9_PORT_FIRST 50001u
#define LIMITS_P9_PORT_LAST  59999u

/* 9P connections at one time for one share: a mount is one, a remount overlaps with its
 * predecessor. */
#define LIMITS_P9_CONNECTIONS 4u

/* Of one VM, in all: one for each share that is served by 9P, and so many more. As many may be
 * begun at once; then one a second, and another for every so many shares, so that a guest that
 * boots over and over finds its shares again. Each costs a process, and those who start it. */
#define LIMITS_P9_SPARE        4u
#define LIMITS_P9_SHARES_PER_S 8u
#define LIMITS_P9_STARTS_PER_S 1u
/* Refused connections after so long a quiet are news again. */
#define LIMITS_P9_QUIET_MS 60000u

/* What the server of one 9P connection may allocate and have open. Each request that it has not
 * answered holds 64 KiB (msize), and its threads ("-t", 16) a stack each; a file that the guest has
 * open is a descriptor. */
#define LIMITS_P9_MEMORY (UINT64_C(128) << 20)
#define LIMITS_P9_FILES  16384u

/* A VM taken out of the configuration gets so long to let its devices go. */
#define LIMITS_LEAVE_MS 30000u

/* The number that the payload of the configuration has in the guest; commands have others. */
#define LIMITS_PAYLOAD_PROCESS 1u

/* Fresh entropy for a guest that just booted, from getrandom(2). */
#define LIMITS_ENTROPY_BYTES 64u

#endif
