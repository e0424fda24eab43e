/*
 * process_stream: standard input and output of a process, over the link.
 *
 * Output is read only while there is room for it in the link, so that a program that writes faster
 * than the host reads has to wait; while there is no host it is read and dropped. Input is answered
 * when it is taken, so that a host that feeds faster than the program reads has to wait, too. Of a
 * connection no more output is sent than its window holds. process_input(), process_output_taken()
 * and process_resume() of process.h are here as well.
 */
#ifndef GUESTLINK_INIT_PROCESS_STREAM_H
#define GUESTLINK_INIT_PROCESS_STREAM_H

#include "process.h"
#include "spawn.h"

void process_stream_init(struct process *process);

/* Takes the pipes of @p spawned over. processes->stream_ended is called when an output ends. */
void process_stream_open(struct process *process, const struct spawned *spawned);

/* Closes the terminal or the connection of the process: none of its output is read any more.
 * Whoever has the terminal as its own gets SIGHUP. */
void process_stream_hang_up(struct process *process);

/* Closes stdin, if it is open; input that it did not take is answered EPIPE. */
void process_stream_close_input(struct process *process);

/* Notes how many bytes were in the outputs when the process exited. */
void process_stream_note_owed(struct process *process);

/* Closes the outputs of a process that exited which have nothing to read now, or of which enough
 * was read since. */
void process_stream_close_quiet(struct process *process);

#endif
