/*
 * say: what guestlinkctl writes to people.
 *
 * Whatever a guest or a file said goes through here: text_clean() has it, so that none of it can
 * steer a terminal or look like something else.
 */
#ifndef GUESTLINK_CTL_SAY_H
#define GUESTLINK_CTL_SAY_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

enum say_colour { SAY_PLAIN, SAY_BOLD, SAY_DIM, SAY_RED, SAY_GREEN, SAY_YELLOW, SAY_COLOURS };

/* Whose name stands before errors: another program than guestlinkctl says so first. Static. */
void say_set_program(const char *name);

/* "guestlinkctl: …" and a newline, on stderr; on a terminal in lines of its width. */
__attribute__((format(printf, 1, 2))) void say_error(const char *format, ...);

/* Writes sanitised text to stdout, in a colour if stdout is a terminal that NO_COLOR allows it. */
void say_text(enum say_colour colour, const char *text);

/* As say_text(), in lines of say_columns() and with a newline; @p margin columns are taken in the
 * first, and left blank in the others. */
void say_wrapped(enum say_colour colour, const char *text, unsigned margin);

/* As say_text(), of formatted text. */
__attribute__((format(printf, 2, 3))) void say_format(enum say_colour colour, const char *format,
                                                      ...);

/* Writes lines to stdout, sanitised if it is a terminal, else as they are; the last one gets its
 * newline if it has none. */
void say_lines(const char *text);

/* One JSON value and a newline on stdout; on a terminal indented, and sanitised. */
void say_json(struct json_object *object);

/* text_clean(), and `?` for what a terminal that is not UTF-8 cannot show; in place. */
void say_sanitise(char *text);

/* Columns that text may take: the terminal's, or 80. */
unsigned say_columns(void);

/* Columns that @p text, already sanitised, takes. */
unsigned say_width(const char *text);

/* True if box-drawing characters can be shown. */
bool say_has_utf8(void);

/* "64 MiB", "1.5 GiB", "512 bytes". @return @p buffer of at least 32 bytes */
const char *say_size(uint64_t bytes, char *buffer);

#endif
