/*
 * kernel: which kernel a guest boots, and where that one's modules are.
 */
#ifndef GUESTLINK_ONCE_KERNEL_H
#define GUESTLINK_ONCE_KERNEL_H

#include "protocol/limits.h"

struct kernel {
    char image[LIMITS_PATH];
    char release[65];          /* as uname -r shows it in the guest */
    char modules[LIMITS_PATH]; /* the folder of this release's modules */
};

/*
 * Finds it.
 *
 * @param wanted  a kernel's file, or a folder into which a kernel's packages were unpacked; NULL:
 *                the host's own
 * @return 0; or -ENOENT after an explanation on stderr
 */
int kernel_find(const char *wanted, struct kernel *ret_kernel);

#endif
