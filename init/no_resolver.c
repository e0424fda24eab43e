/*
 * no_resolver: the C library's resolver, which PID 1 does not have.
 *
 * libnl refers to these to print and to read names of hosts and protocols. In a static program they
 * would load shared libraries at run time (NSS), and they are a fifth of its size. guestlink-init
 * knows addresses and numbers alone, so that names are simply not found here.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *restrict name, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict ret)
{
    (void)name;
    (void)service;
    (void)hints;
    (void)ret;
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

struct protoent *getprotobyname(const char *name)
{
    (void)name;
    return NULL;
}

struct protoent *getprotobynumber(int number)
{
    (void)number;
    return NULL;
}
