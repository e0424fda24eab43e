/*
 * http request: what HTTP/1.1 (RFC 9112) says to the first bytes of a request. Pure.
 */
#ifndef GUESTLINK_HOSTD_HTTP_REQUEST_H
#define GUESTLINK_HOSTD_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

/* A request is a line and a few headers; what is longer is none. */
#define HTTP_REQUEST_BYTES 4096u

/*
 * Judges what was received so far.
 *
 * @param size      at most HTTP_REQUEST_BYTES
 * @param ret_head  the answer has no body: HEAD
 * @return 0: it is not whole; 200: GET or HEAD of anything; or the status of what is wrong: 400,
 *         405, 414, 431, 501, 505
 */
int http_request_judge(const char *data, size_t size, bool *ret_head);

/* "Bad Request" and so on, of each status above and of 408 and 503. Static. */
const char *http_request_reason(int status);

#endif
