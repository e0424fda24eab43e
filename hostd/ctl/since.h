/*
 * since: points in time as people write them.
 */
#ifndef GUESTLINK_CTL_SINCE_H
#define GUESTLINK_CTL_SINCE_H

#include <stdint.h>

/*
 * Reads one of: "10m", "2h", "30s", "1d", "1w" (that long ago); "today", "yesterday";
 * "15:04[:05]" (today); "2026-11-21", "2026-11-21 15:04[:05]" (local time);
 * "2026-11-21T15:04:05[.123456]Z" (RFC 3339, UTC, or +HH:MM).
 *
 * @param now_us  now, µs of CLOCK_REALTIME
 * @return 0 or -EINVAL
 */
int since_parse(const char *text, uint64_t now_us, uint64_t *ret_us);

/* Reads the `ts` of a telemetry line, "2026-11-21T15:04:05.123456Z". @return 0 or -EINVAL */
int since_parse_timestamp(const char *text, uint64_t *ret_us);

#endif
