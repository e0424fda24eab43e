/*
 * kernel words: what the kernel logs about a mount that fails. mount(2) gives a number; the sentence
 * is in the kernel's log. For jobs.
 */
#ifndef GUESTLINK_INIT_KERNEL_WORDS_H
#define GUESTLINK_INIT_KERNEL_WORDS_H

#include "base/report.h"

/* Begins to listen, from now on. @return a file descriptor, the caller's; or a negative errno */
int kernel_words_begin(void);

/* Puts the kernel's last line since then that is about virtiofs, FUSE or 9P behind @p report's
 * text, if there is one and the report has failed. @param fd  kernel_words_begin()'s */
void kernel_words_add(int fd, struct report *report);

#endif
