/*
 * string list: a list of the configuration's in the form that a request carries.
 */
#ifndef GUESTLINK_HOSTD_STRING_LIST_H
#define GUESTLINK_HOSTD_STRING_LIST_H

#include "config/config.h"

#include "protocol/wire.h"

/*
 * Writes the items of @p strings into memory of @p writer.
 *
 * @return the list, pointing into that memory; if it did not fit, writer->overflow is set
 */
struct wire_list string_list_pack(struct wire_writer *writer, const struct config_strings *strings);

#endif
