/*
 * table: rows of cells in columns as wide as they need to be, within the terminal.
 */
#ifndef GUESTLINK_CTL_TABLE_H
#define GUESTLINK_CTL_TABLE_H

#include "say.h"

#define TABLE_COLUMNS 8u

struct table;

/* @param headings  NULL at the end, at most TABLE_COLUMNS; static. @return NULL: no memory */
struct table *table_new(const char *const *headings);
struct table *table_free(struct table *table);

/* Adds the next cell; rows fill from left to right. @param text  copied and sanitised */
void table_add(struct table *table, enum say_colour colour, const char *text);

/* Sets what stands under the row of the last cell, indented, in as many lines as it takes.
 * @param text  copied; "": nothing */
void table_note(struct table *table, enum say_colour colour, const char *text);

/* Prints it. Where it is too wide the widest column gives way, its texts cut with an ellipsis. */
void table_print(const struct table *table);

#endif
