/*
 * telemetry file: a file of whole lines that rotates by size.
 *
 * FILE is moved to FILE.1, FILE.1 to FILE.2, and so on up to FILE.<keep>. A line is written with
 * one write(2); of one that does not fit on the disk nothing stays.
 */
#ifndef GUESTLINK_HOSTD_TELEMETRY_FILE_H
#define GUESTLINK_HOSTD_TELEMETRY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct telemetry_file {
    char *path; /* NULL: there is no file to write */
    uint64_t max_bytes;
    unsigned keep;
    int fd;        /* -1: not open now */
    bool regular;  /* neither a pipe nor a terminal: may be rotated and cut */
    bool torn;     /* its last line is not whole: the next one begins with a newline */
    uint64_t size; /* bytes */
    dev_t device;  /* which file it is */
    ino_t inode;
    uint64_t lines;     /* written into it since it was opened */
    uint64_t looked_us; /* when telemetry_file_look() looked last (clock_coarse_us()) */
    uint64_t named_us;  /* when it looked up the name */
};

/* Its name is not looked up for each of many lines. */
#define TELEMETRY_FILE_LOOK_MS 100u

#define TELEMETRY_FILE_NULL ((struct telemetry_file){.fd = -1})

/* @param path  copied; NULL for no file. @return 0 or -ENOMEM */
int telemetry_file_init(struct telemetry_file *file, const char *path, uint64_t max_bytes,
                        unsigned keep);
void telemetry_file_done(struct telemetry_file *file);

/* Opens it by its name, again if it was open. @return 0 or -errno */
int telemetry_file_open(struct telemetry_file *file);

enum telemetry_file_fate {
    TELEMETRY_FILE_THERE, /* or not open: to be opened by the next line */
    TELEMETRY_FILE_MOVED, /* it has another name now */
    TELEMETRY_FILE_GONE,  /* it was removed, with its lines */
};

/* Looks whether the file is still the one of that name; closes it if not. */
enum telemetry_file_fate telemetry_file_look(struct telemetry_file *file);

/*
 * Appends a line, opening and rotating where that is due.
 *
 * @param line  ends with its newline
 * @return 0, or -errno: the line is lost
 */
int telemetry_file_append(struct telemetry_file *file, const char *line, size_t size);

#endif
