/*
 * qemu memory: is what the guest uses as RAM shared with the processes that serve its devices?
 *
 * A VM may have memory backends that are not its RAM (of an ivshmem, of an NVDIMM, of nothing), and
 * RAM of several (NUMA nodes, plugged DIMMs): each of those has to be shared, and no other.
 */
#ifndef GUESTLINK_HOSTD_QEMU_MEMORY_H
#define GUESTLINK_HOSTD_QEMU_MEMORY_H

#include "task.h"

#define QEMU_MEMORY_ADVICE                                                                         \
    "start QEMU with -object memory-backend-memfd,id=mem,size=<the VM's memory>,share=on "         \
    "-machine memory-backend=mem, and have every -numa node and DIMM use a backend with share=on"

/*
 * Asks QEMU, as steps of @p task.
 *
 * @param judged  its reply's error is 0: all is shared; ENOTSUP: @p text says of which backend that
 *                is not so; or what QEMU could not say
 * @return 0 or -errno, then @p judged is not called
 */
int qemu_memory_begin(struct qemu_task *task, qemu_step_fn judged);

/* As qemu_memory_begin(), from within a step. */
void qemu_memory_next(struct qemu_task *task, qemu_step_fn judged);

#endif
