/*
 * descriptors: a test program must end with the file descriptors that it began with.
 *
 * Give both to cmocka_run_group_tests() as set-up and tear-down of the group. The tear-down names
 * each descriptor that was leaked, or closed without being ours, and ends the program with 1.
 */
#ifndef GUESTLINK_TESTS_DESCRIPTORS_H
#define GUESTLINK_TESTS_DESCRIPTORS_H

int descriptors_note(void **state);
int descriptors_compare(void **state);

#endif
