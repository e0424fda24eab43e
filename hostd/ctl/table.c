/* table: cells are collected first, because the widest of a column makes its width. */
#include "table.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct cell {
    enum say_colour colour, note_colour;
    char *text, *note; /* `note`: under the cell's row, NULL if there is none */
};

#define NOTE_MARGIN 2u

struct table {
    const char *const *headings;
    size_t columns;
    struct cell *cells;
    size_t count, capacity;
};

struct table *table_new(const char *const *headings)
{
    struct table *table = calloc(1, sizeof(*table));

    if (table == NULL)
        return NULL;
    table->headings = headings;
    while (headings[table->columns] != NULL)
        table->columns++;
    return table;
}

struct table *table_free(struct table *table)
{
    if (table == NULL)
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        free(table->cells[i].text);
        free(table->cells[i].note);
    }
    free(table->cells);
    free(table);
    return NULL;
}

void table_add(struct table *table, enum say_colour colour, const char *text)
{
    struct cell *cells;
    char *copy;

    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2 + 64;

        cells = realloc(table->cells, capacity * sizeof(*cells));
        if (cells == NULL)
            return;
        table->cells = cells;
        table->capacity = capacity;
    }
    copy = strdup(text);
    if (copy == NULL)
        return;
    say_sanitise(copy);
    table->cells[table->count++] = (struct cell){.colour = colour, .text = copy};
}

void table_note(struct table *table, enum say_colour colour, const char *text)
{
    struct cell *cell = table->count > 0 ? &table->cells[table->count - 1] : NULL;

    if (cell == NULL || text[0] == '\0')
        return;
    free(cell->note);
    cell->note = strdup(text);
    cell->note_colour = colour;
}

/* Prints at most @p width columns of it, padded to them unless it is the last of its row. */
static void print_cell(enum say_colour colour, const char *text, unsigned width, bool last)
{
    unsigned wanted = say_width(text), shown = 0;
    char *copy = strdup(text), *at = copy;
    const char *ellipsis = "";

    if (copy == NULL)
        return;
    if (wanted > width) {
        ellipsis = say_has_utf8() ? "…" : "~";
        while (*at != '\0' && shown + 1 < width) {
            int size = mblen(at, MB_CUR_MAX);

            at += size > 0 ? size : 1;
            shown++;
        }
        *at = '\0';
        wanted = width;
    }
    say_text(colour, copy);
    (void)fputs(ellipsis, stdout);
    if (!last)
        (void)printf("%*s", (int)(width - wanted + 2), "");
    free(copy);
}

void table_print(const struct table *table)
{
    unsigned widths[TABLE_COLUMNS] = {0}, total = 0, columns = say_columns();

    if (table->columns == 0)
        return;
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = say_width(table->headings[i]);
    for (size_t i = 0; i < table->count; i++) {
        unsigned width = say_width(table->cells[i].text);

        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t i = 0; i < table->columns; i++)
        total += widths[i] + (i > 0 ? 2 : 0);
    while (total > columns) {
        size_t widest = 0;

        for (size_t i = 1; i < table->columns; i++)
            if (widths[i] > widths[widest])
                widest = i;
        widths[widest]--;
        total--;
    }
    for (size_t i = 0; i < table->columns; i++)
        print_cell(SAY_BOLD, table->headings[i], widths[i], i + 1 == table->columns);
    (void)putchar('\n');
    for (size_t i = 0; i < table->count; i++) {
        const struct cell *cell = &table->cells[i];
        bool last = (i + 1) % table->columns == 0;

        print_cell(cell->colour, cell->text, widths[i % table->columns], last);
        if (last)
            (void)putchar('\n');
        if (cell->note != NULL) {
            (void)printf("%*s", (int)NOTE_MARGIN, "");
            say_wrapped(cell->note_colour, cell->note, NOTE_MARGIN);
        }
    }
    if (table->count % table->columns != 0)
        (void)putchar('\n');
}
