/* discovery: the VMs that are not in hostd.json, but in the metadata of libvirt's domains. */
#include "discovery.h"

#include "base/json.h"
#include "base/log.h"
#include "domain/libvirt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define LIST_TIMEOUT_MS 60000u

/* Events come in bursts: of a `virsh define` there are several. */
#define SETTLE_US UINT64_C(100000)

/* Bytes of an element. */
#define ELEMENT_MAX ((size_t)65536)

struct found {
    TAILQ_ENTRY(found) of_all;
    char *domain;
    char *id;
    char *text;
    char *good; /* the last that was right; NULL: none was */
    bool told;  /* what is wrong with it */
    uint32_t cid;
};

TAILQ_HEAD(found_list, found);

struct discovery {
    sd_event *event;
    discovery_changed_fn changed;
    void *userdata;
    char *uri; /* NULL: nothing is looked for */
    struct libvirt_user *libvirt;
    sd_event_source *timer;
    struct found_list all;
    bool looking, look_again;
};

static struct found *found_free(struct found *found)
{
    if (!found)
        return NULL;
    free(found->domain);
    free(found->id);
    free(found->text);
    free(found->good);
    free(found);
    return NULL;
}

static void clear(struct found_list *list)
{
    struct found *found;

    while ((found = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, found, of_all);
        (void)found_free(found);
    }
}

static struct found *find(const struct found_list *list, const char *domain)
{
    struct found *found;

    TAILQ_FOREACH(found, list, of_all)
        if (strcmp(found->domain, domain) == 0)
            return found;
    return NULL;
}

/* @param entry  {"name", "uuid", "vm", "cid"}, any value. @return NULL: it is not that */
static struct found *found_read(struct json_object *entry)
{
    const char *domain = json_as_text(json_member(entry, "name"), LIBVIRT_TEXT_MAX);
    const char *id = json_as_text(json_member(entry, "uuid"), LIBVIRT_TEXT_MAX);
    const char *text = json_as_text(json_member(entry, "vm"), ELEMENT_MAX);
    struct found *found = domain && id && text ? calloc(1, sizeof(*found)) : NULL;
    int64_t cid = 0;

    if (!found)
        return NULL;
    if (json_as_number(json_member(entry, "cid"), &cid) && cid > 2 && cid < UINT32_MAX)
        found->cid = (uint32_t)cid;
    found->domain = strdup(domain);
    found->id = strdup(id);
    found->text = strdup(text);
    return found->domain && found->id && found->text ? found : found_free(found);
}

/* What is known of the same domain goes over to the new list. @return true: it is as before */
static bool inherit(struct found *found, const struct found_list *old)
{
    struct found *former = find(old, found->domain);

    if (!former)
        return false;
    found->good = former->good;
    former->good = NULL;
    found->told = former->told && strcmp(former->text, found->text) == 0;
    return strcmp(former->text, found->text) == 0 && strcmp(former->id, found->id) == 0 &&
           former->cid == found->cid;
}

/* @return true if anything is other than before */
static bool take(struct discovery *discovery, struct json_object *list)
{
    struct found_list now = TAILQ_HEAD_INITIALIZER(now);
    size_t count = 0, before = 0;
    bool changed = false;
    struct found *found;

    TAILQ_FOREACH(found, &discovery->all, of_all)
        before++;
    for (size_t i = 0; i < json_count(list) && count < DISCOVERY_MAX; i++) {
        found = found_read(json_element(list, i));
        if (!found || find(&now, found->domain)) {
            (void)found_free(found);
            continue;
        }
        changed = !inherit(found, &discovery->all) || changed;
        TAILQ_INSERT_TAIL(&now, found, of_all);
        count++;
    }
    clear(&discovery->all);
    TAILQ_CONCAT(&discovery->all, &now, of_all);
    return changed || count != before;
}

static void look(struct discovery *discovery);

static void on_list(void *userdata, const struct libvirt_reply *reply)
{
    struct discovery *discovery = userdata;
    bool changed;

    discovery->looking = false;
    if (reply->error == ECANCELED)
        return;
    if (reply->error == EREMOTEIO)
        log_line(LOG_WARNING, "cannot look for domains that are guestlink's VMs: libvirt: %s",
                 reply->text);
    changed = !reply->error && take(discovery, reply->result);
    if (discovery->look_again || reply->error == ETIMEDOUT)
        look(discovery);
    if (changed)
        discovery->changed(discovery->userdata);
}

static void look(struct discovery *discovery)
{
    discovery->look_again = discovery->looking;
    if (!discovery->looking)
        discovery->looking = libvirt_call(discovery->libvirt, "list", NULL, LIST_TIMEOUT_MS,
                                          on_list, discovery) == 0;
}

static int on_timer(sd_event_source *source, uint64_t now, void *userdata)
{
    (void)source;
    (void)now;
    look(userdata);
    return 0;
}

static void look_soon(struct discovery *discovery)
{
    uint64_t now = 0;

    (void)sd_event_now(discovery->event, CLOCK_BOOTTIME, &now);
    (void)sd_event_source_set_time(discovery->timer, now + SETTLE_US);
    (void)sd_event_source_set_enabled(discovery->timer, SD_EVENT_ONESHOT);
}

static void on_up(void *userdata)
{
    look_soon(userdata);
}

static void on_down(void *userdata, const char *text)
{
    (void)userdata;
    log_line(LOG_WARNING, "cannot look for domains that are guestlink's VMs: %s; will retry", text);
}

static void on_event(void *userdata, const char *name, struct json_object *message)
{
    (void)message;
    if (strcmp(name, "lifecycle") == 0 || strcmp(name, "metadata") == 0)
        look_soon(userdata);
}

int discovery_new(sd_event *event, discovery_changed_fn changed, void *userdata,
                  struct discovery **ret_discovery)
{
    struct discovery *discovery = calloc(1, sizeof(*discovery));
    int r;

    if (!discovery)
        return -ENOMEM;
    discovery->event = sd_event_ref(event);
    discovery->changed = changed;
    discovery->userdata = userdata;
    TAILQ_INIT(&discovery->all);
    r = sd_event_add_time(event, &discovery->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_timer,
                          discovery);
    if (r >= 0)
        r = sd_event_source_set_enabled(discovery->timer, SD_EVENT_OFF);
    if (r < 0) {
        (void)discovery_free(discovery);
        return r;
    }
    *ret_discovery = discovery;
    return 0;
}

/* Looks nowhere. */
static void stop(struct discovery *discovery)
{
    (void)sd_event_source_set_enabled(discovery->timer, SD_EVENT_OFF);
    discovery->libvirt = libvirt_leave(discovery->libvirt);
    discovery->looking = discovery->look_again = false;
    clear(&discovery->all);
    free(discovery->uri);
    discovery->uri = NULL;
}

struct discovery *discovery_free(struct discovery *discovery)
{
    if (!discovery)
        return NULL;
    stop(discovery);
    sd_event_source_disable_unref(discovery->timer);
    sd_event_unref(discovery->event);
    free(discovery);
    return NULL;
}

int discovery_follow(struct discovery *discovery, const struct config *config)
{
    static const struct libvirt_events events = {.up = on_up, .down = on_down, .event = on_event};
    const char *uri = config->libvirt.discover ? config->libvirt.uri : NULL;

    if (uri ? discovery->uri && strcmp(discovery->uri, uri) == 0 : !discovery->uri)
        return 0;
    stop(discovery);
    if (!uri)
        return 0;
    discovery->uri = strdup(uri);
    return discovery->uri
               ? libvirt_join(discovery->event, uri, NULL, &events, discovery, &discovery->libvirt)
               : -ENOMEM;
}

/* @return false: there is no memory, or what it says is wrong */
static bool adopt(const struct discovery *discovery, const struct found *found, const char *text,
                  struct config *config, config_remark_fn on_error, void *userdata)
{
    const struct config_found from = {
        .uri = discovery->uri,
        .domain = found->domain,
        .id = found->id,
        .cid = found->cid,
        .text = text,
    };

    return config_adopt(config, &from, on_error, on_error, userdata) == 0;
}

void discovery_add(struct discovery *discovery, struct config *config, config_remark_fn on_error,
                   void *userdata)
{
    struct found *found;

    TAILQ_FOREACH(found, &discovery->all, of_all) {
        if (adopt(discovery, found, found->text, config, found->told ? NULL : on_error, userdata)) {
            char *good = strdup(found->text);

            free(found->good);
            found->good = good;
        } else if (found->good) {
            (void)adopt(discovery, found, found->good, config, NULL, NULL);
        }
        found->told = true;
    }
}
