/*
 * place: a machine of the test's own, so that it can mount, move roots and set up networks for
 * real.
 */
#ifndef GUESTLINK_TESTS_PLACE_H
#define GUESTLINK_TESTS_PLACE_H

/*
 * Runs @p tests as root of a user namespace, and of namespaces for mounts, processes, networks, IPC
 * and the hostname. The root is an empty tmpfs with a /proc; nothing of this machine is below it. A
 * test that is started by root gives that up first: it would still be root of this machine's /proc.
 *
 * Exits with the status of @p tests; with 77 if such namespaces cannot be made here, which it
 * prints.
 */
_Noreturn void place_run(int (*tests)(void));

/* Creates a folder, or a file with @p text; fails the test if it cannot. */
void place_folder(const char *path);
void place_file(const char *path, const char *text);

/* Fails the test unless the file at @p path is @p text. */
void place_expect(const char *path, const char *text);

/* Mounts a tmpfs on @p path, which is created; fails the test if it cannot. */
void place_tmpfs(const char *path);

/* Unmounts all but the root and /proc, and empties the root, which becomes writable again. */
void place_clear(void);

#endif
