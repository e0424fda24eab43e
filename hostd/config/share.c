/* config share: the keys of a share. */
#include "vm.h"

#include "strings.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

const char *const config_transport_names[] = {"auto", "virtiofs", "9p", NULL};

#define RANGE                                                                                      \
    "\"GUEST:HOST:COUNT\", such as \"0:1000:1\", of IDs below 4294967295, or a list of at "        \
    "most 8"

static void read_announce(struct config_reader *reader, const struct config_json *node,
                          const struct config_field *field, void *to)
{
    bool announce = true;

    config_read_bool(reader, node, field, &announce);
    *(bool *)to = !announce;
}

static bool overlaps(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
    return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

static void add_range(struct config_reader *reader, const struct config_json *node,
                      struct config_id_map *map)
{
    struct config_id_range range;

    if (node->type != CONFIG_JSON_TEXT || !config_id_range_read(node->text, &range)) {
        config_reader_expected(reader, node, RANGE);
        return;
    }
    for (unsigned i = 0; i < map->count; i++) {
        const struct config_id_range *other = &map->ranges[i];

        if (overlaps(range.guest, range.count, other->guest, other->count) ||
            overlaps(range.host, range.count, other->host, other->count))
            config_reader_error(reader, node,
                                "\"%s\" overlaps an earlier range, expected each ID once on "
                                "either side",
                                node->text);
    }
    map->ranges[map->count++] = range;
}

/* A text or a list of texts. */
static void read_map(struct config_reader *reader, const struct config_json *node,
                     const struct config_field *field, void *to)
{
    (void)field;
    if (node->type != CONFIG_JSON_LIST)
        add_range(reader, node, to);
    else if (node->count > CONFIG_ID_RANGES)
        config_reader_error(reader, node, "%zu entries, expected %s", node->count, RANGE);
    else
        for (const struct config_json *one = node->first; one != NULL; one = one->next)
            add_range(reader, one, to);
}

#define SERVING(name, how, member)                                                                 \
    {                                                                                              \
        .key = #name, .read = (how), .offset = offsetof(struct config_share, serving.member)       \
    }

static const struct config_field fields[] = {
    CONFIG_KEY(config_share, tag, text, .required = true, .check = config_text_check_tag),
    CONFIG_KEY(config_share, path, text, .required = true, .check = config_text_check_path),
    CONFIG_KEY(config_share, target, text, .required = true, .check = config_text_check_target),
    CONFIG_KEY(config_share, read_only, bool),
    CONFIG_KEY(config_share, transport, enum, .names = config_transport_names),
    SERVING(xattr, config_read_bool, xattr),
    SERVING(posix_acl, config_read_bool, posix_acl),
    SERVING(announce_submounts, read_announce, unannounced),
    SERVING(file_handles, config_read_bool, file_handles),
    {.key = "cache",
     .read = config_read_enum,
     .offset = offsetof(struct config_share, serving.cache),
     .names = config_cache_names},
    SERVING(map_uid, read_map, map_uid),
    SERVING(map_gid, read_map, map_gid),
};

static void check_serving(struct config_reader *reader, const struct config_json *node,
                          const struct config_share *share)
{
    const char *key = config_serving_needs_virtiofs(&share->serving);

    if (key != NULL && share->transport == CONFIG_TRANSPORT_9P)
        config_reader_error(reader, config_json_find(node, key),
                            "not supported by 9P, expected another \"transport\"");
    if (share->serving.posix_acl && key != NULL && strncmp(key, "map_", 4) == 0)
        config_reader_error(reader, config_json_find(node, key),
                            "virtiofsd cannot map IDs if posix_acl is true, expected one of them");
}

void config_share_read(struct config_reader *reader, const struct config_json *node,
                       struct config_share *share)
{
    share->line = node->line;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), share);
    if (share->path != NULL)
        config_text_normalise_path(share->path);
    if (share->target != NULL)
        config_text_normalise_path(share->target);
    check_serving(reader, node, share);
}

bool config_share_equal(const struct config_share *a, const struct config_share *b)
{
    return config_text_equal(a->tag, b->tag) && config_text_equal(a->path, b->path) &&
           config_text_equal(a->target, b->target) && a->read_only == b->read_only &&
           a->transport == b->transport && config_serving_equal(&a->serving, &b->serving);
}

void config_share_done(struct config_share *share)
{
    free(share->tag);
    free(share->path);
    free(share->target);
}
