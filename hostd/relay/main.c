/*
 * guestlink-virtiofs-relay: stands between QEMU and the process that serves a vhost-user device, so
 * that the guest loses nothing for good when that process dies: virtiofsd, or passt (kind.h).
 *
 * The relay passes on the few messages with which QEMU sets the process up (the data takes no part
 * in it: the process works on the guest's memory itself) and remembers them. When the process dies,
 * another one is set up in the same way.
 *
 * What a guest asked of a virtiofsd that died is never answered, and its kernel waits for that for
 * ever, even when the device is taken away. A second virtiofsd does not know the guest's mount, and
 * answers everything with an error: nothing hangs, and the device can be removed. Of a passt that
 * died a guest misses some packets; the second one serves.
 *
 *   descriptor 0: words, each ended by a NUL:
 *                 the path of a socket to use,
 *                 that of a file to note the end in (end.h),
 *                 that of a file for the aperture's status (base/aperture_status.h), or "",
 *                 the device's option string, verbatim (protocol/options.h): with a token in it,
 *                 the process gets an aperture (aperture.h),
 *                 whether it does: auto, require, off,
 *                 the folder of the jail that it runs in, or "": an empty one,
 *                 where it finds that; or "": it runs in none,
 *                 whether it may write there: ro, rw; or none: nothing keeps it from the relay's
 *                 memory, and so it has no aperture that holds,
 *                 whether it opens files by their handles: handles, or "",
 *                 a library for the jail (base/jail.h), or "",
 *                 what it is: virtiofsd or passt,
 *                 its command line; descriptor 3 is its listening socket, or passt's connection
 *   descriptor 2: for its words, too
 *   descriptor 3: the listening socket to which QEMU connects
 *
 * It ends as virtiofsd does: with its exit status, or by its signal; likewise as a passt that has
 * not served yet, else when QEMU is gone. When virtiofsd dies while QEMU is connected, a child goes
 * on for as long as QEMU is. That the relay itself is killed is no different: it is two processes,
 * and each goes on without the other (keeper.h). SIGTERM is for the process; the relay does not
 * heed it.
 */
#include "../base/streams.h"
#include "end.h"
#include "keeper.h"
#include "kind.h"
#include "relay_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_JAIL                                                                                    \
    "virtiofsd does not run in a jail and can reach the memory of QEMU and of the relay: "         \
    "set device_host.virtiofsd to the program itself, not a script, or to a newer virtiofsd"

/* In their order. */
enum word {
    WORD_SOCKET,
    WORD_END_FILE,
    WORD_STATUS_FILE,
    WORD_OPTIONS,
    WORD_MODE,
    WORD_JAIL_FOLDER,
    WORD_JAIL_PLACE,
    WORD_JAIL_ACCESS,
    WORD_JAIL_HANDLES,
    WORD_JAIL_LIBRARY,
    WORD_KIND,
    WORD_PROGRAM, /* and what follows */
};

/* Six paths, and options, of which each published port takes two. */
#define WORDS_SIZE 24576u
#define WORDS_MAX  128u

struct words {
    char text[WORDS_SIZE];
    char *items[WORDS_MAX + 1];
};

/* What the daemon said is nothing that virtiofsd may read, or write: descriptor 0 is /dev/null from
 * then on. */
static int read_words(struct words *words)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    size_t size = 0, count = 0;
    ssize_t n;

    while ((n = read(STDIN_FILENO, words->text + size, sizeof(words->text) - 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0 || size == sizeof(words->text) - 1 || null < 0 || dup2(null, STDIN_FILENO) < 0)
        return -EIO;
    (void)close(null);
    for (char *word = words->text; word < words->text + size && count < WORDS_MAX;
         word += strlen(word) + 1)
        words->items[count++] = word;
    return count > WORD_PROGRAM ? 0 : -EINVAL;
}

/* @return 0 or -EINVAL */
static int take_words(struct words *words, struct relay *relay)
{
    char **items = words->items;

    relay->kind = kind_find(items[WORD_KIND]);
    if (!relay->kind)
        return -EINVAL;
    relay->argv = items + WORD_PROGRAM;
    if (items[WORD_JAIL_PLACE][0])
        relay->jail = (struct jail){
            .folder = items[WORD_JAIL_FOLDER][0] ? items[WORD_JAIL_FOLDER] : NULL,
            .place = items[WORD_JAIL_PLACE],
            .read_only = strcmp(items[WORD_JAIL_ACCESS], "rw") != 0,
            .network = relay->kind->network,
            .processes = true,
            .capabilities =
                relay->kind->capabilities |
                (items[WORD_JAIL_HANDLES][0] ? JAIL_CAPABILITY(CAP_DAC_READ_SEARCH) : 0),
            .library = items[WORD_JAIL_LIBRARY][0] ? items[WORD_JAIL_LIBRARY] : NULL,
        };
    if (aperture_open(&relay->aperture, items[WORD_OPTIONS], items[WORD_MODE],
                      items[WORD_STATUS_FILE],
                      strcmp(items[WORD_JAIL_ACCESS], "none") == 0 ? NO_JAIL : NULL) < 0)
        end_as(relay->end_file, W_EXITCODE(RELAY_EXIT_REFUSED, 0));
    return 0;
}

int main(void)
{
    static struct words words;
    struct relay relay = RELAY_NULL;
    int r;

    if (streams_open() < 0)
        return RELAY_EXIT_REFUSED;
    /* Both have all of the guest's memory: nobody attaches to them, nor takes a descriptor. */
    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN); /* what QEMU calls an eventfd may be a pipe */
    r = read_words(&words);
    relay.socket = words.items[WORD_SOCKET];
    relay.end_file = words.items[WORD_END_FILE];
    if (r == 0)
        r = take_words(&words, &relay);
    if (r == 0)
        r = keeper_split(&relay.journal, relay.kind, relay.end_file);
    if (r == KEEPER_SUCCESSOR)
        relay_begin_next(&relay);
    else if (r == KEEPER_RELAY)
        r = relay_start_backend(&relay);
    if (r < 0) {
        (void)dprintf(STDERR_FILENO, "relay: cannot start %s: %s\n",
                      relay.kind ? relay.kind->name : "the device's process", strerrordesc_np(-r));
        return RELAY_EXIT_REFUSED;
    }
    relay_run(&relay);
    session_clear(&relay.journal.session);
    return 0;
}
