/* config share: the keys of a share. */
#include "vm.h"

#include "strings.h"
#include "text.h"

#include <stdlib.h>

const char *const config_transport_names[] = {"auto", "virtiofs", "9p", NULL};

#define AT(member) offsetof(struct config_share, member)

static const struct config_field fields[] = {
    {.key = "tag",
     .read = config_read_text,
     .offset = AT(tag),
     .required = true,
     .check = config_text_check_tag},
    {.key = "path",
     .read = config_read_text,
     .offset = AT(path),
     .required = true,
     .check = config_text_check_path},
    {.key = "target",
     .read = config_read_text,
     .offset = AT(target),
     .required = true,
     .check = config_text_check_target},
    {.key = "read_only", .read = config_read_bool, .offset = AT(read_only)},
    {.key = "transport",
     .read = config_read_enum,
     .offset = AT(transport),
     .names = config_transport_names},
};

void config_share_read(struct config_reader *reader, const struct config_json *node,
                       struct config_share *share)
{
    share->line = node->line;
    config_reader_object(reader, node, CONFIG_FIELDS(fields), share);
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
