/* renumber: numbers for the files of a share that lie in other file systems than its folder does.
 */
#include "renumber.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Of the working directory, which a jail sets to the folder. */
static dev_t home;

__attribute__((constructor)) static void find_home(void)
{
    struct stat st;

    if (fstatat(AT_FDCWD, ".", &st, 0) == 0)
        home = st.st_dev;
}

bool renumber_is_foreign(dev_t device)
{
    return device != home;
}

dev_t renumber_device(void)
{
    return home;
}

/* The low bits, in which devices differ, first: file systems use the high bits of numbers last. */
static uint64_t reverse(uint64_t bits)
{
    uint64_t reversed = 0;

    for (int i = 0; i < 64; i++)
        reversed |= (bits >> i & 1) << (63 - i);
    return reversed;
}

static uint64_t word_of(dev_t device)
{
    return (uint64_t)major(device) << 20 ^ minor(device);
}

ino_t renumber(ino_t number, dev_t device)
{
    return number ^ reverse(word_of(device) ^ word_of(home));
}
