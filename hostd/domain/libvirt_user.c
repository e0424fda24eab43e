/* libvirt user: those that share one guestlink-libvirt, and what each of them learns. */
#include "libvirt_user.h"

#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A user may leave, or another join, while one is called: begins anew behind each call. @return the
 * next that this round has not called, or NULL */
static struct libvirt_user *next_of_round(struct libvirt_users *users, uint64_t round)
{
    struct libvirt_user *user;

    LIST_FOREACH(user, &users->list, of_all) {
        if (user->round != round) {
            user->round = round;
            return user;
        }
    }
    return NULL;
}

static uint64_t new_round(void)
{
    static uint64_t last;

    return ++last;
}

void libvirt_users_tell_up(struct libvirt_users *users)
{
    uint64_t round = new_round();
    struct libvirt_user *user;

    while (users->is_up && (user = next_of_round(users, round))) {
        user->knows = true;
        user->events.up(user->userdata);
    }
}

void libvirt_users_tell_down(struct libvirt_users *users, const char *text)
{
    uint64_t round = new_round();
    struct libvirt_user *user;

    while (!users->is_up && (user = next_of_round(users, round))) {
        user->knows = true;
        user->events.down(user->userdata, text);
    }
}

void libvirt_users_tell_event(struct libvirt_users *users, const char *name,
                              struct json_object *message)
{
    const char *domain = json_as_text(json_member(message, "domain"), LIBVIRT_TEXT_MAX);
    uint64_t round = new_round();
    struct libvirt_user *user;

    while (domain && users->is_up && (user = next_of_round(users, round)))
        if (user->knows && (!user->domain || strcmp(user->domain, domain) == 0))
            user->events.event(user->userdata, name, message);
}

static int on_tell(sd_event_source *source, void *userdata)
{
    struct libvirt_user *user = userdata;

    (void)source;
    if (!user->knows && user->users->is_up) {
        user->knows = true;
        user->events.up(user->userdata);
    }
    return 0;
}

int libvirt_user_new(struct libvirt_users *users, struct libvirt *libvirt, sd_event *event,
                     const char *domain, const struct libvirt_events *events, void *userdata,
                     struct libvirt_user **ret_user)
{
    struct libvirt_user *user = calloc(1, sizeof(*user));
    int r = -ENOMEM;

    if (!user)
        return r;
    LIST_INSERT_HEAD(&users->list, user, of_all);
    user->users = users;
    user->libvirt = libvirt;
    user->events = *events;
    user->userdata = userdata;
    if (!domain || (user->domain = strdup(domain)))
        r = sd_event_add_defer(event, &user->tell, on_tell, user);
    if (r < 0) {
        (void)libvirt_user_free(user);
        return r;
    }
    *ret_user = user;
    return 0;
}

struct libvirt_user *libvirt_user_free(struct libvirt_user *user)
{
    LIST_REMOVE(user, of_all);
    sd_event_source_disable_unref(user->tell);
    free(user->domain);
    free(user);
    return NULL;
}
