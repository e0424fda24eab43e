/*
 * limits: every bound and deadline that PID 1 keeps, each with its reason. What both sides keep
 * stands in protocol/limits.h. All tables are static: PID 1 allocates nothing after its start, so
 * that a machine without memory still has its PID 1.
 */
#ifndef GUESTLINK_INIT_LIMITS_H
#define GUESTLINK_INIT_LIMITS_H

#include "protocol/limits.h"

/* The kernel's own limit on x86 is 2048 bytes, on arm64 2048, on s390 4096. */
#define INIT_CMDLINE_SIZE 4096u

/* An image's module list: 256 modules of 128 bytes a path. The cloud kernel's whole virtio, vsock,
 * net and filesystem set is 30. */
#define INIT_MODULES          256u
#define INIT_MODULE_LIST_SIZE 32768u

/* Requests that may be worked on side by side, a child each. More are answered EAGAIN. */
#define INIT_JOBS 32u

/* Processes that the host started and that PID 1 reports on. More are answered EAGAIN. */
#define INIT_PROCESSES 64u

/* Words of one process: as many as a frame has room for, each being 2 bytes at least. */
#define INIT_WORDS (LIMITS_WORDS_BYTES / 2u)

/* Its variables, each of which is compared with all before it; and PID 1's own. */
#define INIT_VARIABLES 1024u

/* Exits of payloads that the host has not acknowledged yet; the newest are kept. */
#define INIT_EXIT_REPORTS 16u

/* Text of a result or a log line, with the NUL. */
#define INIT_TEXT_SIZE 256u
/* Wrong values on the command line that are named: one of each parameter. */
#define INIT_CMDLINE_WARNINGS 9u

/* What may wait to be written to the host. Frames of output are queued only while
 * INIT_OUTPUT_RESERVE bytes stay free for answers and events; requests are read only while
 * INIT_ANSWER_RESERVE bytes do: every job and every start of a process that is under way may still
 * answer, with 284 bytes at most each. */
#define INIT_OUTPUT_SIZE    131072u
#define INIT_OUTPUT_RESERVE 65536u
#define INIT_ANSWER_RESERVE 32768u

/* Input of one process that its pipe did not take yet; PROCESS_INPUT beyond it is answered
 * EAGAIN. */
#define INIT_INPUT_SIZE 16384u

/* Requests that are held while the real root is waited for: those of 128 shares, 16 adapters and a
 * payload, with the longest of names. More are answered EAGAIN. They are let go as fast as there
 * are children for them, which is looked at so often. */
#define INIT_HOLD_SIZE     262144u
#define INIT_HOLD_PAUSE_MS 20u

/* Frames that may be handled before other sources have their turn: a host that sends without end
 * cannot keep PID 1 from reaping. */
#define INIT_FRAMES_PER_TURN 16u

/* Log lines: a burst, then so many a second. A line is about 100 bytes, so that this is at most
 * 1 KiB/s of the kernel's log buffer (128 KiB at least). */
#define INIT_LOG_BURST      60u
#define INIT_LOG_PER_SECOND 10u

/* Records of the kernel's log that are read in search of its pool before the first frame: more than
 * a boot writes, but an end if somebody writes faster than we read. */
#define INIT_LOG_RECORDS 65536u

/* For a vsock connection to stand: the kernel's own deadline is 2 s, and a margin lets its better
 * error come first. The host's kernel or VMM reaches a listener at once, however busy the daemon; a
 * call that is dropped is better repeated soon. */
#define INIT_CONNECT_MS 3000u

/* How long PID 1 looks at nothing but the first connection before it sees to the rest. */
#define INIT_FIRST_CALL_MS 500

/* For a connection to a service of the guest: one that does not take it by then has no room. */
#define INIT_CONNECTION_MS 5000u

/* From CAPABILITIES to WELCOME, which a host that lives sends at once. One that died before it took
 * the call may never be heard of again: the end of a connection does not always arrive. */
#define INIT_WELCOME_MS 10000u

/* A host that said nothing for so long is asked whether it is there (PING), and has so long to say
 * anything at all: the end of a vsock connection does not always arrive (a VMM's device process
 * that loses it), and a guest that waits for a dead host can be reached by nobody. Wakes an idle
 * PID 1 twelve times a minute. A host may hold its reader back for a second. */
#define INIT_IDLE_MS 5000u
#define INIT_PING_MS 10000u

/* Pauses between attempts to reach the host: from the first, doubled up to the last, each ± 25 %
 * so that a hundred guests do not knock at once. A refusal is not going to change soon. */
#define INIT_PAUSE_FIRST_MS   50u
#define INIT_PAUSE_LAST_MS    5000u
#define INIT_PAUSE_REFUSED_MS 30000u

/* When the payload is started if no host ever answered (guestlink.connect_timeout_ms). */
#define INIT_CONNECT_TIMEOUT_MS 30000u

/* A job has said for itself that it timed out by then, with a better text than PID 1's. */
#define INIT_JOB_MARGIN_MS 500u

/* The most that a host may give a request: one hour. */
#define INIT_JOB_LONGEST_MS 3600000u

/* The metric of an interface's routes for which the host names none is this and its index: before
 * the kernel's own of IPv6 (1024, IP6_RT_PRIO_USER). */
#define INIT_METRIC_FIRST 100u

/* Unmounting has no deadline of the host's. */
#define INIT_UNMOUNT_MS 10000u

/* Loading all the late modules; software emulation needs about 1 s. */
#define INIT_MODULES_MS 60000u

/* For the device of the real root to come, and for its mount: what distributions give it. */
#define INIT_ROOT_MS 90000u

/* For the real root's `poweroff` and the like to end; some wait for much of the way down. */
#define INIT_TELL_MS 60000u

/* A message to the VM manager; it is there or it is not. */
#define INIT_NOTIFY_MS 5000u

/* Between the exit of a process and its report, if somebody else holds its pipes open: until they
 * are quiet for so long, but no longer than INIT_STREAMS_LONGEST_MS, and no more of each than
 * INIT_AFTER_EXIT bytes, which is more than a pipe may hold (fs.pipe-max-size). What was in a pipe
 * at the exit is taken in any case. Else a program that inherited them could write without end, and
 * nobody would be told of the exit. */
#define INIT_STREAMS_MS         1000u
#define INIT_STREAMS_LONGEST_MS 10000u
#define INIT_AFTER_EXIT         ((size_t)1048576 + 65536)

/* What is read of a control group's list of processes to signal them: about 10,000. */
#define INIT_SIGNALED_BYTES ((size_t)65536)

/* Open files of a program, soft and hard, where nobody says otherwise: systemd's. Of the kernel's
 * 4096 databases and proxies complain; more than 1024 by default breaks select(2). */
#define INIT_FILES_SOFT 1024u
#define INIT_FILES_HARD 524288u

/* Between starts of a payload that ends: from the first, doubled up to the last; a payload that
 * ran for INIT_RESTART_CALM_MS begins again. */
#define INIT_RESTART_FIRST_MS 100u
#define INIT_RESTART_LAST_MS  30000u
#define INIT_RESTART_CALM_MS  10000u

/* Shut-down: what SIGTERM gives if nobody said (a signal, a lost host), what SIGKILL gives, what
 * unmounting gets, how long the farewell waits for output and exits that a host did not read yet,
 * looked at every INIT_SENT_LOOK_MS, and how long the host may take to say that it has read our
 * farewell. The host waits longer than all of that: LIMITS_FAREWELL_SLACK_MS of
 * hostd/base/limits.h.
 */
#define INIT_GRACE_MS         5000u
#define INIT_GRACE_LONGEST_MS 3600000u
#define INIT_KILL_MS          2000u
#define INIT_SYNC_MS          30000u
#define INIT_SENT_MS          1000u
#define INIT_SENT_LOOK_MS     20u
#define INIT_FAREWELL_MS      1000u

/* Of INIT_SYNC_MS: what the guest's own filesystems get, which may have much to write, and then the
 * shares, which have nothing. One that takes longer than INIT_UNMOUNT_ONE_MS goes on beside the
 * others. What the kernel is told to do by itself is looked at every INIT_UNMOUNT_LOOK_MS. */
#define INIT_UNMOUNT_OWN_MS    22000u
#define INIT_UNMOUNT_SHARES_MS 5000u
#define INIT_UNMOUNT_ONE_MS    1000u
#define INIT_UNMOUNT_LOOK_MS   100u

#endif
