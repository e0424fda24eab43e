/*
 * client: guestlinkctl's side of the control socket: one Varlink connection, one call at a time.
 */
#ifndef GUESTLINK_CTL_CLIENT_H
#define GUESTLINK_CTL_CLIENT_H

#include <json-c/json.h>
#include <stdbool.h>

/* What the daemon answers without asking a guest. */
#define CLIENT_QUICK_MS 15000
/* What waits for a guest has deadlines of the daemon's; this is behind all of them. */
#define CLIENT_SLOW_MS 600000

struct client;

/* What a call is answered with. */
enum client_answer {
    CLIENT_ONE,
    CLIENT_MORE,    /* several replies */
    CLIENT_UPGRADE, /* one, and then bytes that are no replies */
};

/*
 * Connects.
 *
 * @return 0, or 1 after saying on stderr what is wrong
 */
int client_new(const char *socket, struct client **ret_client);
struct client *client_free(struct client *client);

/* For poll(2). */
int client_fd(const struct client *client);

/*
 * Sends a call of io.guestlink.
 *
 * @param method  "List"
 * @param params  consumed; NULL for none
 * @return 0 or -errno (-EILSEQ: something of it is not UTF-8, as a message must be)
 */
int client_send(struct client *client, const char *method, struct json_object *params,
                enum client_answer answer);

/*
 * Takes the next reply, waiting for it.
 *
 * @param timeout_ms  -1: forever; 0: only what is here already
 * @param ret_params  the caller's
 * @return 0: one is there, and more follow; 1: the last one; -EAGAIN: not yet (timeout 0);
 *         -ETIMEDOUT; -ECONNRESET: the daemon closed; -EPROTO; -EREMOTE: an error, see
 *         client_error()
 */
int client_receive(struct client *client, int timeout_ms, struct json_object **ret_params);

/* Of an upgraded connection: takes what was received behind the reply. @return bytes, at most @p
 * capacity, of which 65536 are enough */
size_t client_take_rest(struct client *client, void *buffer, size_t capacity);

/* What is wrong, as a sentence, after client_receive() or client_send() returned @p r < 0. The
 * client's own, until its next call. */
const char *client_error(const struct client *client, int r);

/* Connects, calls and disconnects, without saying anything. @param params  consumed
 * @return the reply, the caller's; NULL: no daemon, or it refuses */
struct json_object *client_ask(const char *socket, const char *method, struct json_object *params);

/* Sends a call and takes its one reply. @return 0, or 1 after saying what is wrong */
int client_call(struct client *client, const char *method, struct json_object *params,
                int timeout_ms, struct json_object **ret_params);

#endif
