/* settings: a configuration that several hold at once. */
#include "settings.h"

#include <stdlib.h>

struct settings *settings_new(struct config *config)
{
    struct settings *settings = malloc(sizeof(*settings));

    if (!settings) {
        (void)config_free(config);
        return NULL;
    }
    *settings = (struct settings){.config = config, .references = 1};
    return settings;
}

struct settings *settings_ref(struct settings *settings)
{
    settings->references++;
    return settings;
}

struct settings *settings_unref(struct settings *settings)
{
    if (settings && --settings->references == 0) {
        (void)config_free(settings->config);
        free(settings);
    }
    return NULL;
}
