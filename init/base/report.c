/* report: how a piece of work ended. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int report_fail(struct report *report, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(report->text, sizeof(report->text), format, arguments);
    va_end(arguments);
    report->error = error;
    return error;
}

int report_add(struct report *report, int error, const char *format, ...)
{
    size_t used = strlen(report->text);
    va_list arguments;

    if (used > 0)
        used += (size_t)snprintf(report->text + used, sizeof(report->text) - used, "; ");
    if (used < sizeof(report->text)) {
        va_start(arguments, format);
        (void)vsnprintf(report->text + used, sizeof(report->text) - used, format, arguments);
        va_end(arguments);
    }
    if (report->error == 0)
        report->error = error;
    return error;
}
