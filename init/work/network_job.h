/*
 * network job: one interface that is being configured, and what the kernel says of it.
 */
#ifndef GUESTLINK_INIT_NETWORK_JOB_H
#define GUESTLINK_INIT_NETWORK_JOB_H

#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <stdint.h>

#include "base/inet.h"
#include "base/report.h"
#include "protocol/wire.h"

struct network_job {
    struct nl_sock *socket;
    int index;
    uint32_t metric;
    char name[IF_NAMESIZE];
    struct report *report;
    int kernel_errno;     /* of the newest request that the kernel refused, positive */
    char kernel_text[96]; /* what it said about it, or "" */
};

#define NETWORK_CACHE_FREE   __attribute__((cleanup(network_free_cache)))
#define NETWORK_ADDRESS_FREE __attribute__((cleanup(network_free_address)))

void network_free_cache(struct nl_cache **p);
void network_free_address(struct nl_addr **p);

/* From here on the job has the kernel's errno and words of each request that its socket makes. */
void network_job_listen(struct network_job *job);

/* @return why the newest request failed, a positive errno */
int network_job_error(const struct network_job *job);

/* Adds to the report that the newest request failed. @param value  of @p what; may be empty
 * @return the error, a positive errno */
int network_job_fail(struct network_job *job, int nl_error, const char *what,
                     struct wire_text value);

/* Adds to the report that @p value is not what was expected. @return EINVAL */
int network_job_refuse(struct network_job *job, const char *what, struct wire_text value,
                       const char *expected);

/* @return libnl's form of an address, the caller's; NULL: no memory */
struct nl_addr *network_address_of(const struct inet *inet);

#endif
