/* network job: the kernel's words, and the report. */
#include "network_job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#include "base/kmsg_log.h"

void network_free_cache(struct nl_cache **p)
{
    nl_cache_free(*p);
}

void network_free_address(struct nl_addr **p)
{
    nl_addr_put(*p);
}

/*
 * The kernel's own errno and words, before libnl makes one of its few dozen numbers of them: most
 * would become "Unspecific failure".
 */
static int on_kernel_error(struct sockaddr_nl *address, struct nlmsgerr *error, void *context)
{
    struct network_job *job = context;
    const struct nlmsghdr *header =
        (const struct nlmsghdr *)(const void *)((const char *)error - NLMSG_HDRLEN);
    size_t skip = sizeof(*error);

    (void)address;
    job->kernel_errno = -error->error;
    job->kernel_text[0] = '\0';
    if (!(header->nlmsg_flags & NLM_F_CAPPED))
        skip += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
    if ((header->nlmsg_flags & NLM_F_ACK_TLVS) && header->nlmsg_len > NLMSG_HDRLEN + skip) {
        struct nlattr *text =
            nla_find((const struct nlattr *)(const void *)((char *)error + skip),
                     (int)(header->nlmsg_len - NLMSG_HDRLEN - skip), NLMSGERR_ATTR_MSG);

        if (text)
            (void)nla_strlcpy(job->kernel_text, text, sizeof(job->kernel_text));
    }
    return -nl_syserr2nlerr(error->error);
}

void network_job_listen(struct network_job *job)
{
    const int on = 1;

    /* Kernels before 4.12 send no error text. */
    (void)setsockopt(nl_socket_get_fd(job->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)nl_socket_modify_err_cb(job->socket, NL_CB_CUSTOM, on_kernel_error, job);
}

/* Failures of libnl itself have no errno of the kernel's. */
int network_job_error(const struct network_job *job)
{
    return job->kernel_errno != 0 ? job->kernel_errno : EINVAL;
}

/* Notes one of several failures. @return @p error */
static int add_failure(struct network_job *job, int error, const char *text)
{
    struct report *report = job->report;

    if (strlen(report->text) + strlen(text) + IF_NAMESIZE >= sizeof(report->text))
        kmsg_log(LOG_WARNING, "network: %s: %s", job->name, text); /* what PID 1 logs is cut */
    return report->text[0] == '\0' ? report_add(report, error, "%s: %s", job->name, text)
                                   : report_add(report, error, "%s", text);
}

int network_job_fail(struct network_job *job, int nl_error, const char *what,
                     struct wire_text value)
{
    const char *said = job->kernel_errno != 0 ? strerror(job->kernel_errno) : nl_geterror(nl_error);
    char text[INIT_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s%s%.*s: %s%s%s", what, value.size > 0 ? " " : "",
                   (int)(value.size > 60 ? 60 : value.size), value.data ? value.data : "", said,
                   job->kernel_text[0] ? ": " : "", job->kernel_text);
    return add_failure(job, network_job_error(job), text);
}

int network_job_refuse(struct network_job *job, const char *what, struct wire_text value,
                       const char *expected)
{
    char text[INIT_TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "%s '%.*s': expected %s", what,
                   (int)(value.size > 60 ? 60 : value.size), value.data, expected);
    return add_failure(job, EINVAL, text);
}

struct nl_addr *network_address_of(const struct inet *inet)
{
    struct nl_addr *address = nl_addr_build(inet->family, inet->bytes, inet_size(inet->family));

    if (address)
        nl_addr_set_prefixlen(address, inet->prefix);
    return address;
}
