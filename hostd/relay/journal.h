/*
 * journal: what a process must know to take the relay's place, and how it is told as it happens.
 *
 * The relay writes it, and its keeper (keeper.h) receives each entry in a separate record, which
 * holds nothing of QEMU's but as the message of the first:
 *
 *     relay -> keeper    QEMU sent this (with the descriptors that came with it)
 *     relay -> keeper    QEMU connected (its connection comes along)
 *     relay -> keeper    the question was answered
 *     relay -> keeper    virtiofsd has got dma-bufs (aperture.h)
 *     relay -> keeper    the device is held (relay_hold.h), or not any more
 *     relay -> keeper    virtiofsd ended, thus; the relay goes on, the keeper ends in the same way
 */
#ifndef GUESTLINK_HOSTD_RELAY_JOURNAL_H
#define GUESTLINK_HOSTD_RELAY_JOURNAL_H

#include "session.h"

#include <stdbool.h>

struct journal {
    int keeper; /* hears each entry; -1: there is none. One that is gone is no error */
    int qemu;   /* -1: has not connected yet */
    struct session session;
    struct vhost_user_message asked; /* the question that waits for its answer */
    bool is_asked;                   /* until it is answered, nothing more of QEMU's is read */
    bool is_setting;                 /* the question: the session has it, too */
    bool is_forgetful;               /* a message could not be remembered */
    bool is_enforced;                /* a process got dma-bufs, and no other gets less */
    bool is_held;                    /* nothing of the process runs (relay_hold.h) */
};

#define JOURNAL_NULL                                                                               \
    {                                                                                              \
        .keeper = -1, .qemu = -1                                                                   \
    }

/* Each blocks until the keeper has room: it does nothing but read. */
void journal_note_message(struct journal *journal, const struct vhost_user_message *message);
/* @param qemu  the journal's from now on; negative: it did not connect after all */
void journal_note_qemu(struct journal *journal, int qemu);
void journal_note_answered(struct journal *journal);
void journal_note_enforced(struct journal *journal);
void journal_note_held(struct journal *journal, bool is_held);
/* There is no keeper from then on. @param status  waitpid(2)'s */
void journal_note_ended(struct journal *journal, int status);

enum journal_news {
    JOURNAL_SILENCE, /* the relay is gone */
    JOURNAL_ENTRY,   /* taken down */
    JOURNAL_ENDED,   /* virtiofsd ended; the relay needs no keeper */
};

/*
 * Waits for the relay's next entry, and takes it down.
 *
 * @param connection  the other end of a relay's journal's `keeper`
 * @param ret_status  waitpid(2)'s, of JOURNAL_ENDED
 */
enum journal_news journal_hear(struct journal *journal, int connection, int *ret_status);

#endif
