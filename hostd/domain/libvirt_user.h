/*
 * libvirt user: those that share one guestlink-libvirt, and what each of them learns.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_LIBVIRT_USER_H
#define GUESTLINK_HOSTD_DOMAIN_LIBVIRT_USER_H

#include "libvirt.h"

#include <sys/queue.h>

struct libvirt;

struct libvirt_users {
    LIST_HEAD(, libvirt_user) list;
    bool is_up; /* set before the callback runs */
};

struct libvirt_user {
    LIST_ENTRY(libvirt_user) of_all;
    struct libvirt_users *users;
    struct libvirt *libvirt;
    char *domain;
    struct libvirt_events events;
    void *userdata;
    bool knows;            /* whether it is up */
    sd_event_source *tell; /* of one that came later */
    uint64_t round;        /* of the walk that called it last */
};

/* Adds one; if libvirt is up by then, its callback runs later. @return 0 or -errno */
int libvirt_user_new(struct libvirt_users *users, struct libvirt *libvirt, sd_event *event,
                     const char *domain, const struct libvirt_events *events, void *userdata,
                     struct libvirt_user **ret_user);

/* Removes one. @return NULL */
struct libvirt_user *libvirt_user_free(struct libvirt_user *user);

/* Each calls all users; one may leave, or another join, while one is called. */
void libvirt_users_tell_up(struct libvirt_users *users);
void libvirt_users_tell_down(struct libvirt_users *users, const char *text);
/* Those of the domain that @p message names, and those of no domain. */
void libvirt_users_tell_event(struct libvirt_users *users, const char *name,
                              struct json_object *message);

#endif
