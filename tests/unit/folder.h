/*
 * folder: a folder of the test's own in /tmp.
 */
#ifndef GUESTLINK_TESTS_FOLDER_H
#define GUESTLINK_TESTS_FOLDER_H

#define FOLDER_BYTES 64

/* Makes one; fails the test if it cannot. @p path gets its name */
void folder_make(char path[FOLDER_BYTES]);

/* Removes it with all that is in it. */
void folder_remove(const char *path);

#endif
