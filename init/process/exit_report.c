/* exit_report: ends of processes that the host has yet to be told of. */
#include "exit_report.h"

#include <string.h>

#include "protocol/request.h"

static void take_out(struct exit_reports *reports, size_t index)
{
    reports->count--;
    memmove(&reports->table[index], &reports->table[index + 1],
            (reports->count - index) * sizeof(reports->table[0]));
}

/* The oldest of a command, else the oldest. */
static size_t least_missed(const struct exit_reports *reports)
{
    for (size_t i = 0; i < reports->count; i++)
        if (reports->table[i].event.role != REQUEST_ROLE_PAYLOAD)
            return i;
    return 0;
}

void exit_report_add(struct exit_reports *reports, struct link *link,
                     const struct event_child_exited *event)
{
    bool payload = event->role == REQUEST_ROLE_PAYLOAD;

    if (!payload && link->state != LINK_UP)
        return; /* who asked for the command is gone */
    if (reports->count == INIT_EXIT_REPORTS)
        take_out(reports, least_missed(reports));
    reports->table[reports->count].id = 0;
    reports->table[reports->count].event = *event;
    reports->count++;
    exit_report_send(reports, link);
}

void exit_report_send(struct exit_reports *reports, struct link *link)
{
    for (size_t i = 0; i < reports->count; i++) {
        struct wire_writer *writer;
        uint32_t id;

        if (reports->table[i].id != 0 || link_room(link) < INIT_ANSWER_RESERVE)
            continue;
        id = link_new_id(link);
        writer = link_begin(link, FRAME_CHILD_EXITED, 0, id);
        if (!writer)
            return;
        event_child_exited_pack(writer, &reports->table[i].event);
        if (link_end(link) == 0)
            reports->table[i].id = id;
    }
}

void exit_report_lost(struct exit_reports *reports)
{
    for (size_t i = reports->count; i > 0; i--) {
        reports->table[i - 1].id = 0;
        if (reports->table[i - 1].event.role != REQUEST_ROLE_PAYLOAD)
            take_out(reports, i - 1);
    }
}

bool exit_report_acknowledge(struct exit_reports *reports, uint32_t id)
{
    for (size_t i = 0; i < reports->count; i++)
        if (id != 0 && reports->table[i].id == id) { /* 0: not sent yet */
            take_out(reports, i);
            return true;
        }
    return false;
}
