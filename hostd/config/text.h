/*
 * config text: what the texts of a configuration may be, each a check for reader.h: NULL if
 * it will do, else what was expected.
 */
#ifndef GUESTLINK_HOSTD_CONFIG_TEXT_H
#define GUESTLINK_HOSTD_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

const char *config_text_check_vm_name(const char *text);   /* LIMITS_VM_NAME */
const char *config_text_check_hostname(const char *text);  /* LIMITS_HOSTNAME */
const char *config_text_check_tag(const char *text);       /* LIMITS_TAG */
const char *config_text_check_id(const char *text);        /* of an adapter */
const char *config_text_check_path(const char *text);      /* absolute, of the host */
const char *config_text_check_socket(const char *text);    /* a path that fits sockaddr_un */
const char *config_text_check_target(const char *text);    /* absolute, of the guest */
const char *config_text_check_address(const char *text);   /* "10.0.2.15/24" */
const char *config_text_check_ip(const char *text);        /* "10.0.2.2", "fd00::1" */
const char *config_text_check_interface(const char *text); /* IFNAMSIZ */
const char *config_text_check_listen(const char *text);    /* "vsock:[CID]:PORT", "unix:/path" */
const char *config_text_check_word(const char *text);      /* of a command line, at most 64 KiB */
const char *config_text_check_variable(const char *text);  /* NAME=VALUE */
const char *config_text_check_uri(const char *text);       /* of libvirt's */
const char *config_text_check_domain(const char *text);    /* of libvirt's, by name */
const char *config_text_check_group(const char *text);

/* Writes an absolute path as it is compared everywhere: each `/` once, no `/.`, none at the end. */
void config_text_normalise_path(char *path);

/* "52:54:00:12:34:56": unicast, not all zero. @return false if it is none */
bool config_text_parse_mac(const char *text, uint8_t ret_mac[6]);

/* A UUID with dashes, of either case. @param ret_id lower-case. @return false if it is none */
bool config_text_parse_uuid(const char *text, char ret_id[37]);

/*
 * Reads a size: decimal digits and at most one of K, M, G, T (of either case, powers of 1024),
 * optionally followed by `B` or `iB`.
 *
 * @return 0; or -EINVAL if it is none, -ERANGE if it is over 2^64 - 1
 */
int config_text_parse_size(const char *text, uint64_t *ret_bytes);

/* What config_text_parse_memory() expects. */
#define CONFIG_TEXT_MEMORY "a size of at least 128M, such as 512M or 2G"

/*
 * Reads the memory of a guest that guestlink makes itself; cut to whole MiB. With less than 128 MiB
 * a guest does not get far enough to say so.
 *
 * @return 0; or -EINVAL or -ERANGE if it is none, or less
 */
int config_text_parse_memory(const char *text, uint64_t *ret_bytes);

/*
 * Reads the withdrawn form of a pool, `[0x]<base>,<size>`.
 *
 * @return 0, or -EINVAL if it is not of that form
 */
int config_text_parse_withdrawn_pool(const char *text, uint64_t *ret_bytes);

/* Edits (put in, take out, replace) between two short texts; at most their length. */
size_t config_text_distance(const char *a, const char *b);

/* Puts `?` for every control character. */
void config_text_sanitise(char *text);

#endif
