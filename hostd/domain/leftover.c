/* leftover: a device whose removal failed, to be removed when the domain is found again. */
#include "leftover.h"

#include "domain.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* For so long the VM may ask for what it wants again, whose name a removal would take. */
#define PAUSE_US          UINT64_C(1000000)
#define PAUSE_ACCURACY_US UINT64_C(100000)

struct domain_leftover {
    struct domain_leftover *next;
    bool is_share;
    char name[];
};

static struct domain_leftover **find(struct device_domain *domain, bool is_share, const char *name)
{
    struct domain_leftover **position = &domain->leftovers;

    while (*position && ((*position)->is_share != is_share || strcmp((*position)->name, name) != 0))
        position = &(*position)->next;
    return position;
}

void domain_leftover_note(struct device_domain *domain, bool is_share, const char *name)
{
    struct domain_leftover **position = find(domain, is_share, name);
    size_t size = strlen(name) + 1;

    if (*position)
        return;
    *position = calloc(1, sizeof(**position) + size);
    if (!*position)
        return;
    (*position)->is_share = is_share;
    memcpy((*position)->name, name, size);
}

void domain_leftover_drop(struct device_domain *domain, bool is_share, const char *name)
{
    struct domain_leftover **position = find(domain, is_share, name), *leftover = *position;

    if (!leftover)
        return;
    *position = leftover->next;
    free(leftover);
}

void domain_leftovers_drop(struct device_domain *domain)
{
    struct domain_leftover *leftover;

    domain->leftovers_timer = sd_event_source_disable_unref(domain->leftovers_timer);
    while ((leftover = domain->leftovers)) {
        domain->leftovers = leftover->next;
        free(leftover);
    }
}

static void remove_all(struct device_domain *domain)
{
    struct domain_leftover *leftover = domain->leftovers, *next;

    domain->leftovers = NULL;
    for (; leftover; leftover = next) {
        next = leftover->next;
        /* Refused: an operation of its name is under way, or libvirt is away again. */
        if ((leftover->is_share
                 ? device_host_remove_share(&domain->host, leftover->name, NULL, NULL)
                 : device_host_remove_adapter(&domain->host, leftover->name, NULL, NULL)) < 0)
            domain_leftover_note(domain, leftover->is_share, leftover->name);
        free(leftover);
    }
}

static int on_pause_over(sd_event_source *source, uint64_t now, void *userdata)
{
    struct device_domain *domain = userdata;

    (void)source;
    (void)now;
    domain->leftovers_timer = sd_event_source_disable_unref(domain->leftovers_timer);
    if (domain->is_up)
        remove_all(domain);
    return 0;
}

void domain_leftovers_remove(struct device_domain *domain)
{
    if (domain->leftovers && !domain->leftovers_timer)
        (void)sd_event_add_time_relative(domain->host.event, &domain->leftovers_timer,
                                         CLOCK_BOOTTIME, PAUSE_US, PAUSE_ACCURACY_US, on_pause_over,
                                         domain);
}
