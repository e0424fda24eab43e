/* swiotlb: the bounce pool that the kernel published for its host. */
#include "swiotlb.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"

int swiotlb_parse(const char *text, uint64_t *ret_value)
{
    char *end = NULL;
    unsigned long long value;

    /* strtoull() takes blanks and signs; the kernel writes neither. */
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    value = strtoull(text, &end, 0);
    if (errno == ERANGE)
        return -ERANGE;
    if (*end == '\n')
        end++;
    if (*end != '\0')
        return -EINVAL;
    *ret_value = value;
    return 0;
}

int swiotlb_read_number(const char *path, uint64_t *ret_value)
{
    char text[64];
    int r = fd_read_line(path, text, sizeof(text));

    return r < 0 ? r : swiotlb_parse(text, ret_value);
}

int swiotlb_read(uint64_t *ret_base, uint64_t *ret_size)
{
    uint64_t base = 0, size = 0;
    int r;

    *ret_base = 0;
    *ret_size = 0;
    r = swiotlb_read_number(SWIOTLB_DIRECTORY "swiotlb_base", &base);
    if (r == 0)
        r = swiotlb_read_number(SWIOTLB_DIRECTORY "swiotlb_size", &size);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    *ret_base = base;
    *ret_size = size;
    return 1;
}
