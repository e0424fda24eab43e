/* qemu refusal: QEMU's words that decide something here. */
#include "refusal.h"

#include <errno.h>
#include <string.h>

/* Heard from QEMU 7.2 (all four) and 10.0 (IOMMU). Of another QEMU that says it otherwise, a
 * removal fails (UNPLUGGING, UNKNOWN), a share that comes right behind its removal (BUSY), or each
 * share of a guest with a token (IOMMU). */
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
