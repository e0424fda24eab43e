/* config share: the keys of a share. */
#include "vm.h"

#include "strings.h"
#include "text.h"

#include <stdlib.h>

const char *const config_transport_names[] = {"auto", "virtiofs", "9p", NULL};

static const struct config_field fields[] = {
    CONFIG_KEY(config_share, tag, text, .required = true, .check = config_text_check_tag),
    CONFIG_KEY(config_share, path, text, .required = true, .check = config_text_check_path),
    CONFIG_KEY(config_share, target, text, .required = true, .check = config_text_check_target),
    CONFIG_KEY(config_share, read_only, bool),
    CONFIG_KEY(config_share, transport, enum, .names = config_transport_names),
};

void config_share_read(struct config_reader *reader, const struct config_json *node,
                       struct config_share *share)
{
    share->line = node->line;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), share);
    if (share->path != NULL)
        config_text_normalise_path(share->path);
    if (share->target != NULL)
        config_text_normalise_path(share->target);
}

bool config_share_equal(const struct config_share *a, const struct config_share *b)
{
    return config_text_equal(a->tag, b->tag) && config_text_equal(a->path, b->path) &&
           config_text_equal(a->target, b->target) && a->read_only == b->read_only &&
           a->transport == b->transport;
}

void config_share_done(struct config_share *share)
{
    free(share->tag);
    free(share->path);
    free(share->target);
}
