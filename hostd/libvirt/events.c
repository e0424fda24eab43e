/* events: what libvirt tells by itself of its domains. */
#include "events.h"

#include "base/json.h"
#include "line.h"

#include <stddef.h>

static const char *const states[] = {
    [VIR_DOMAIN_EVENT_DEFINED] = "defined",   [VIR_DOMAIN_EVENT_UNDEFINED] = "undefined",
    [VIR_DOMAIN_EVENT_STARTED] = "started",   [VIR_DOMAIN_EVENT_SUSPENDED] = "suspended",
    [VIR_DOMAIN_EVENT_RESUMED] = "resumed",   [VIR_DOMAIN_EVENT_STOPPED] = "stopped",
    [VIR_DOMAIN_EVENT_SHUTDOWN] = "shutdown", [VIR_DOMAIN_EVENT_PMSUSPENDED] = "pmsuspended",
    [VIR_DOMAIN_EVENT_CRASHED] = "crashed",
};

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *opaque)
{
    (void)connection;
    (void)detail;
    (void)opaque;
    if (event >= 0 && (size_t)event < sizeof(states) / sizeof(states[0]) && states[event])
        line_write(json_texts("event", "lifecycle", "domain", virDomainGetName(domain), "state",
                              states[event], NULL));
    return 0;
}

static void on_reboot(virConnectPtr connection, virDomainPtr domain, void *opaque)
{
    (void)connection;
    (void)opaque;
    line_write(json_texts("event", "reboot", "domain", virDomainGetName(domain), NULL));
}

static void on_removed(virConnectPtr connection, virDomainPtr domain, const char *alias,
                       void *opaque)
{
    (void)connection;
    (void)opaque;
    line_write(
        json_texts("event", "removed", "domain", virDomainGetName(domain), "alias", alias, NULL));
}

static void on_removal_failed(virConnectPtr connection, virDomainPtr domain, const char *alias,
                              void *opaque)
{
    (void)connection;
    (void)opaque;
    line_write(json_texts("event", "removal-failed", "domain", virDomainGetName(domain), "alias",
                          alias, NULL));
}

static void on_metadata(virConnectPtr connection, virDomainPtr domain, int type, const char *uri,
                        void *opaque)
{
    (void)connection;
    (void)type;
    (void)uri;
    (void)opaque;
    line_write(json_texts("event", "metadata", "domain", virDomainGetName(domain), NULL));
}

int events_register(virConnectPtr connection)
{
    static const struct {
        int id;
        virConnectDomainEventGenericCallback fn;
    } wanted[] = {
        {VIR_DOMAIN_EVENT_ID_LIFECYCLE, VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)},
        {VIR_DOMAIN_EVENT_ID_REBOOT, VIR_DOMAIN_EVENT_CALLBACK(on_reboot)},
        {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, VIR_DOMAIN_EVENT_CALLBACK(on_removed)},
        {VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, VIR_DOMAIN_EVENT_CALLBACK(on_removal_failed)},
        {VIR_DOMAIN_EVENT_ID_METADATA_CHANGE, VIR_DOMAIN_EVENT_CALLBACK(on_metadata)},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (virConnectDomainEventRegisterAny(connection, NULL, wanted[i].id, wanted[i].fn, NULL,
                                             NULL) < 0)
            return -1;
    return 0;
}
