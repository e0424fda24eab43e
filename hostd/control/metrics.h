/*
 * metrics: a Unix socket on which scrapers read the daemon's numbers by HTTP
 * (`curl --unix-socket PATH http://localhost/metrics`).
 */
#ifndef GUESTLINK_HOSTD_METRICS_H
#define GUESTLINK_HOSTD_METRICS_H

struct fleet;
struct metrics;

/*
 * Listens.
 *
 * @param path   of the socket
 * @param group  who may connect in addition to root, as for the control socket; NULL: nobody
 * @return 0 or -errno (-EADDRINUSE: another daemon has that socket)
 */
int metrics_new(struct fleet *fleet, const char *path, const char *group,
                struct metrics **ret_metrics);
struct metrics *metrics_free(struct metrics *metrics);

#endif
