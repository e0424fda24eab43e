/*
 * config serving: how a share's virtiofsd is to serve it, by names that are the same for each kind
 * of virtiofsd. All zero is the default.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_SERVING_H
#define GUESTLINK_HOSTD_CONFIG_SERVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ranges of ids that a share maps; each is a word of virtiofsd's command line. */
#define CONFIG_ID_RANGES 8u

/* `count` ids from `guest` on in the guest are those from `host` on on the host, and back. */
struct config_id_range {
    uint32_t guest, host, count;
};

struct config_id_map {
    struct config_id_range ranges[CONFIG_ID_RANGES];
    unsigned count;
};

enum config_cache { CONFIG_CACHE_AUTO, CONFIG_CACHE_ALWAYS, CONFIG_CACHE_NEVER };

/* "auto", "always", "never", NULL. */
extern const char *const config_cache_names[];

struct config_serving {
    bool xattr;
    bool posix_acl;    /* with xattr */
    bool unannounced;  /* the guest is not told which folders are mount points */
    bool file_handles; /* instead of a descriptor for each file that the guest knows */
    enum config_cache cache;
    struct config_id_map map_uid, map_gid;
};

/* A range as a person writes it: "GUEST:HOST:COUNT". @return false if @p text is none */
bool config_id_range_read(const char *text, struct config_id_range *ret_range);

/* Room for config_serving_format(): each range has three numbers of at most 10 digits. */
#define CONFIG_SERVING_SIZE (128u + 2u * CONFIG_ID_RANGES * 40u)

/* Writes what is not the default, "" if all is: "xattr,cache=always,uid=0:1000:1". Equal texts are
 * equal settings. @return @p buffer */
const char *config_serving_format(const struct config_serving *serving,
                                  char buffer[CONFIG_SERVING_SIZE]);

bool config_serving_equal(const struct config_serving *a, const struct config_serving *b);

/*
 * What of it only virtiofs can do, and a share without would be another one: owners, attributes.
 *
 * @return the name of the first such key that is set, NULL: none
 */
const char *config_serving_needs_virtiofs(const struct config_serving *serving);

/*
 * What a program cannot do of it.
 *
 * @param program     a virtiofsd, executable; a script is asked for nothing
 * @param ret_remark  static, of what it does without, or "": the files are the same all the same
 * @return NULL, or why it cannot serve the share; static
 */
const char *config_serving_obstacle(const struct config_serving *serving, const char *program,
                                    const char **ret_remark);

#endif
