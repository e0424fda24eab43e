/*
 * line: what guestlink-libvirt says to the daemon, one JSON object a line on standard output.
 */
#ifndef GUESTLINK_HOSTD_LIBVIRT_LINE_H
#define GUESTLINK_HOSTD_LIBVIRT_LINE_H

#include <json-c/json.h>

/*
 * Writes a line whole, whichever thread calls. Ends the program if nobody reads any more: the
 * daemon is gone.
 *
 * @param object  consumed; NULL (no memory) ends the program, too: the daemon starts another one
 */
void line_write(struct json_object *object);

/* Says why the program ends, and ends it. */
_Noreturn void line_end(const char *text);

#endif
