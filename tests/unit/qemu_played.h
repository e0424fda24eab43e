/*
 * hostd devices played: a QEMU that says what a test wants, for what a real one never says. It is a
 * process of its own, and serves one connection after the other.
 */
#ifndef GUESTLINK_TESTS_QEMU_PLAYED_H
#define GUESTLINK_TESTS_QEMU_PLAYED_H

#include <sys/types.h>

/* What it says when it hears a command. */
struct played_line {
    const char *command; /* NULL ends a table */
    const char *words;   /* `$` is the command's id. NULL: it closes the connection */
};

/* No command: what it says when it is connected to. */
#define PLAYED_GREETING "QMP"
#define PLAYED_VERSION(major)                                                                      \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 9, \"minor\": 2, \"major\": " major            \
    "}, \"package\": \"\"}, \"capabilities\": []}}\n"

/* Usual answers of an empty machine with one free port. */
#define PLAYED_OK     "{\"return\": {}, \"id\": $}\n"
#define PLAYED_MEMORY "{\"return\": [{\"id\": \"mem\", \"share\": true}], \"id\": $}\n"
#define PLAYED_DEVICES                                                                             \
    "{\"return\": [{\"name\": \"rp1\", \"type\": \"child<pcie-root-port>\"}], \"id\": $}\n"
#define PLAYED_SHARE_THERE                                                                         \
    "{\"return\": [{\"name\": \"guestlink-fs-c\", \"type\": \"child<vhost-user-fs-pci>\"}], "      \
    "\"id\": $}\n"
#define PLAYED_GONE "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"guestlink-fs-c\"}}\n"

/*
 * Starts one that listens at @p path.
 *
 * @param lines  the first unused one for a command is used; the last of its name again and again.
 *               A command that is not there is answered PLAYED_OK; it is a QEMU 10.2 if they do
 *               not say another greeting.
 */
pid_t played_start(const char *path, const struct played_line *lines);
void played_stop(pid_t pid);

/*
 * Waits until the one that was started last, at @p path, has heard as much more as @p expected has,
 * and fails the test if that was anything else. A line for each command but the negotiation: its
 * name, a blank and its arguments as JSON without blanks, or its name alone.
 */
void played_expect(const char *path, const char *expected);

/* Fails the test if it has heard more than was expected. */
void played_expect_no_more(const char *path);

#endif
