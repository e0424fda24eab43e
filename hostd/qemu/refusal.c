/* qemu refusal: QEMU's words that decide something here. */
#include "refusal.h"

#include <errno.h>
#include <string.h>

/* Heard from QEMU 7.2 (Debian 12) and, of IOMMU, from 10.0 (Debian 13). In QEMU's sources the first
 * is since 5.0 (before, a second device_del was taken), the others are older. A QEMU that says it
 * otherwise costs: UNPLUGGING and UNKNOWN, a removal that fails; BUSY, a try to add it that fails;
 * IOMMU, the share. */
static const char *const words[] = {
    [QEMU_REFUSAL_UNPLUGGING] = "already in the process of unplug",
    [QEMU_REFUSAL_UNKNOWN] = "not found",
    [QEMU_REFUSAL_BUSY] = "busy",
    [QEMU_REFUSAL_IOMMU] = "iommu_platform",
};

bool qemu_refusal_is(enum qemu_refusal refusal, const struct qmp_reply *reply)
{
    return reply->error == EREMOTEIO && strstr(reply->text, words[refusal]) != NULL;
}
