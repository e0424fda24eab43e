/*
 * shares played: mounts of devices that a test has not, each a tmpfs that the kernel's table shows
 * as what was asked for. The linker takes mount() and fopen().
 */
#ifndef GUESTLINK_TESTS_SHARES_PLAYED_H
#define GUESTLINK_TESTS_SHARES_PLAYED_H

extern struct shares_played {
    int errors[8];                    /* of the next mounts; 0: it is mounted */
    int count;                        /* of those that were tried */
    void (*fill)(const char *target); /* puts something into one that is mounted; or NULL */
    char source[300], target[256], type[16], data[512]; /* of the last one, data of NULL: "-" */
    unsigned long flags;
    unsigned long remount_flags; /* of the last change of a mount */
    char remounted[256];         /* its target */
} shares_played;

/* Forgets all of it. */
void shares_played_clear(void);

/* Mounts one on @p target, which is created. */
void shares_played_mount(const char *type, const char *source, const char *target);

#endif
