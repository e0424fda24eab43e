/* kmsg played: in place of base/kmsg_log.h's kmsg_log(), which the linker takes. */
#include "kmsg_played.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

char kmsg_played[8192];

__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...);
__attribute__((format(printf, 2, 3))) void __wrap_kmsg_log(int level, const char *format, ...)
{
    size_t used = strlen(kmsg_played);
    va_list arguments;

    used += (size_t)snprintf(kmsg_played + used, sizeof(kmsg_played) - used, "%d ", level);
    va_start(arguments, format);
    used += (size_t)vsnprintf(kmsg_played + used, sizeof(kmsg_played) - used, format, arguments);
    va_end(arguments);
    assert_in_range(used, 0, sizeof(kmsg_played) - 2);
    kmsg_played[used] = '\n';
    kmsg_played[used + 1] = '\0';
}

void kmsg_expect(const char *lines)
{
    assert_string_equal(kmsg_played, lines);
    kmsg_played[0] = '\0';
}
