/*
 * relay play: the relay, as the daemon starts it, between a QEMU and a virtiofsd that a test plays.
 * The test's own program is the virtiofsd: its main() gives play_virtiofsd() its arguments.
 */
#ifndef GUESTLINK_TESTS_RELAY_PLAY_H
#define GUESTLINK_TESTS_RELAY_PLAY_H

#include "hostd/relay/vhost_user.h"

#include <stdbool.h>
#include <sys/types.h>

/* For what must come, on however slow a machine. */
#define WAIT_MS 60000

/* What a virtiofsd of the test's answers to any question. */
#define ANSWER 42u

/* What one answers that spies, to be asked for its features. */
#define SPY_FEATURES          (~(UINT64_C(1) << 33))
#define SPY_PROTOCOL_FEATURES UINT64_MAX

struct play {
    char directory[32], listener[64], marker[64], log[64], end[64], status[64], spy[64];
    pid_t relay; /* its keeper, which is what the daemon watches */
    int qemu;
    int spies; /* whatever virtiofsd hears comes here, of each from a connection of its own */
};

/*
 * Runs the relay, and connects to it as QEMU.
 *
 * @param how      what virtiofsd does: sound, deaf, brief (ends with 7 at the first message),
 *                 mortal (likewise, when it has answered it), half,
 *                 generous, chatty; spy (says what it hears to play->spies); what the first one
 *                 answers to GET_FEATURES otherwise: spy-fd, spy-long, spy-other; and spy-busy: two
 *                 children of it count at the pool's beginning, and wake each other all the time
 * @param options  of the device, and
 * @param mode     the aperture's
 */
void play_start(struct play *play, const char *how, const char *options, const char *mode);

/* As play_start(), of another kind than virtiofsd (hostd/relay/kind.h). */
void play_start_kind(struct play *play, const char *kind, const char *how, const char *options,
                     const char *mode);

/* Closes QEMU's connection, waits for the relay's end and removes everything. */
void play_stop(struct play *play);

/* @return an exit status */
int play_virtiofsd(int argc, char *argv[]);

/* The connection of the next virtiofsd that spies. The caller closes it. */
int play_next_spy(const struct play *play);

/* Waits for the next message of a connection. @return false at its end */
bool hear(int fd, struct vhost_user_message *message);

void say(const struct play *play, uint32_t request, uint32_t flags, const void *payload,
         uint32_t size);
/* @param fd  -1: none */
void say_with(const struct play *play, uint32_t request, uint32_t flags, const void *payload,
              uint32_t size, int fd);

/* @return what the answer to @p request says */
uint64_t answer_to(const struct play *play, uint32_t request);
uint64_t ask(const struct play *play, uint32_t request);

bool is_hung_up(const struct play *play, int timeout_ms);

/* How the process ended that the daemon watches. */
int wait_for_end(struct play *play);
bool has_ended(struct play *play);

/* Fails unless the relay, or virtiofsd, said so. */
void need_said(const struct play *play, const char *text);

#endif
