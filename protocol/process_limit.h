/*
 * process limit: an item of START_PROCESS's list of resource limits, "NAME SOFT HARD", as
 * "nofile 1024 524288" or "core 0 unlimited".
 *
 * A name is that of setrlimit(2) in lower case, without RLIMIT_; a number is what setrlimit takes:
 * bytes, seconds, pieces.
 */
#ifndef GUESTLINK_PROTOCOL_PROCESS_LIMIT_H
#define GUESTLINK_PROTOCOL_PROCESS_LIMIT_H

#include "wire.h"

#define PROCESS_LIMIT_UNLIMITED UINT64_MAX

/* Bytes of an item at most, with a NUL: a name and two numbers of 20 digits. */
#define PROCESS_LIMIT_SIZE 64u

/* All names, in one line, for people. */
#define PROCESS_LIMIT_NAMES                                                                        \
    "as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, "     \
    "rttime, sigpending or stack"

struct process_limit {
    int resource; /* RLIMIT_… */
    uint64_t soft, hard;
};

/* @return RLIMIT_…, or -1 if no limit has that name */
int process_limit_resource(const char *name);

/* @return 0, or -EINVAL: no such name, no two numbers, or soft is above hard */
int process_limit_parse(struct wire_text item, struct process_limit *ret);

/* Writes an item into @p buffer of PROCESS_LIMIT_SIZE bytes, as a C string. */
void process_limit_compose(char *buffer, const char *name, uint64_t soft, uint64_t hard);

#endif
