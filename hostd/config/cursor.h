/*
 * config cursor: a place in the text of a configuration, that moves forward.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_CURSOR_H
#define GUESTLINK_HOSTD_CONFIG_CURSOR_H

#include "json.h"

struct config_cursor {
    const char *at, *end;
    unsigned line; /* from 1 */
    struct config_json_error *error;
};

/* Notes what is wrong at this line. @return 1 */
__attribute__((format(printf, 2, 3))) int config_cursor_fail(struct config_cursor *cursor,
                                                             const char *format, ...);

/* Notes what stands here, as no more than a person needs to find it, and what was expected.
 * @return 1 */
int config_cursor_fail_here(struct config_cursor *cursor, const char *expected);

bool config_cursor_starts_with(const struct config_cursor *cursor, const char *word);

/* Moves over blanks, line ends and comments. @return 0, or 1: a comment has no end */
int config_cursor_skip_blank(struct config_cursor *cursor);

/* Moves over one character if it is that one. @return whether it was */
bool config_cursor_take(struct config_cursor *cursor, char wanted);

/*
 * Moves over a text in double quotes.
 *
 * @param ret_text  what it says, UTF-8 without NUL; free() it
 * @return 0, 1 (noted), or -ENOMEM
 */
int config_cursor_take_text(struct config_cursor *cursor, char **ret_text);

#endif
