/* report: how a piece of work ended. */
#include "report.h"

#include <stdarg.h>
#include <stdio.h>

int report_fail(struct report *report, int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(report->text, sizeof(report->text), format, arguments);
    va_end(arguments);
    report->error = error;
    return error;
}
