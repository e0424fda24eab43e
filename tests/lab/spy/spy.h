/*
 * spy: a virtiofsd or passt that somebody has taken over, and that serves as before.
 *
 * A library that a real one is linked with (spy.py does that to a copy): it has the program do
 * without its own filter and keep all capabilities that it was started with, keeps each descriptor
 * that comes in a message, and looks for a secret in all memory that it can get at. What holds it
 * is what it was started in, and what it was given.
 *
 * What it tried goes to its log, a line each:
 *
 *   told BYTES                         the program's own mappings of the guest's memory
 *   attempt NAME: refused|granted (WHY)
 *   found NAME: SECRET
 *
 * It looks once as soon as it is loaded, and again each time that it is ordered to. In virtiofsd
 * (virtiofsd.c) the log is SPY_LOG in the share's folder, and the order a file SPY_ORDER there,
 * which it renames to SPY_DONE at the end. A passt (passt.c) has no folder, but the host's network:
 * it connects to TCP port SPY_HOME of its loopback, writes its log there, takes each byte that
 * comes for an order, and says "done"; SPY_FORGE is one of another kind.
 */
#ifndef GUESTLINK_LAB_SPY_H
#define GUESTLINK_LAB_SPY_H

#include <stdbool.h>
#include <stddef.h>

#define SPY_LOG   "spy.log"
#define SPY_ORDER "spy.look"
#define SPY_DONE  "spy.done"
#define SPY_FORGE 'f' /* the order to send up what nobody asked for */

/* The secret's records are SPY_RECORD bytes each, at such multiples of the guest's memory: a mark,
 * and hexadecimal digits. */
#define SPY_RECORD 64u
#define SPY_DIGITS 32u
/* What the mark is made of by adding 1 to each byte: it stands in no program. */
#define SPY_MARK "ftdrskhmj\x1frdbqds"

#define SPY_FDS 64u /* more descriptors than the program is ever given */

struct spy {
    char stage[16]; /* "start" or "later" */
    int folder;     /* the jail's, where the program may write if anywhere */
    int log;
    /* What the program's root was, and a procfs, before it changed the one and lost the other. */
    int root, processes;
    int socket; /* to the relay; -1: none yet */
    int given[SPY_FDS];
    size_t given_count;
};

extern struct spy spy;

/*
 * Looks for the first time; the caller has set folder and log.
 *
 * @param name  for the log
 */
void spy_begin(const char *name);

/* The program's own: whether it is to look once more; and that it has. */
bool spy_is_ordered(void);
void spy_has_looked(void);

void spy_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says how an attempt went. @param error  0: granted; else why not, a negative errno */
void spy_attempt(const char *name, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Looks for the secret, and says so if it is there. @return bytes that could be read */
size_t spy_search(const char *name, const void *memory, size_t size);

/* What can be had of the descriptors that were given, and of what is mapped. */
void spy_try_given(void);

/* What can be had of other processes, and of the host. */
void spy_try_others(void);

#endif
