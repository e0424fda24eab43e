/* notify: what the daemon tells the service manager. */
#include "notify.h"

#include "clock.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>

void notify_ready(size_t vms)
{
    (void)sd_notifyf(0, "READY=1\nSTATUS=Serving %zu VM%s", vms, vms == 1 ? "" : "s");
}

/* Type=notify-reload pairs the two messages by the time in this one. */
void notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reading the configuration",
                     clock_now_us());
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1\n"
                       "STATUS=Stopping; guests and devices keep running");
}
