/*
 * search_path: where PID 1's programs look for programs, and that nobody else can put any there.
 */
#ifndef GUESTLINK_INIT_SEARCH_PATH_H
#define GUESTLINK_INIT_SEARCH_PATH_H

#define SEARCH_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Gives `/` and each folder on the way of SEARCH_PATH to root, with mode 0755, if another user owns
 * it or could write there: an initramfs without an entry for `/` has it with mode 1777. What was
 * changed, and what could not be, is logged. Folders that do not exist are safe once what they
 * would be in is.
 */
void search_path_guard(void);

#endif
