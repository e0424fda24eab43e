/*
 * log: one line on stderr for a person.
 *
 * "guestlink-hostd: vm NAME: boot 1a2b3c4d: TEXT". Where stderr is the journal, the line begins
 * with sd-daemon's <level> instead of the program's name. The whole line passes text_clean(),
 * the sender, so that a guest can neither forge lines nor steer a terminal.
 */
#ifndef GUESTLINK_HOSTD_LOG_H
#define GUESTLINK_HOSTD_LOG_H

#include <stdarg.h>
#include <syslog.h>

/* @param level  LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */
void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As log_line(), about a VM; for what keeps an allowance (vm/report.h).
 * @param boot_id  UUID text, of which the first 8 digits are shown; NULL or "": none */
void log_vm(int level, const char *vm, const char *boot_id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void log_vm_list(int level, const char *vm, const char *boot_id, const char *format,
                 va_list arguments) __attribute__((format(printf, 4, 0)));

#endif
