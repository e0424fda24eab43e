/*
 * credential: what a VM manager tells systemd's way: SMBIOS type 11 strings, QEMU's fw_cfg.
 */
#ifndef GUESTLINK_INIT_CREDENTIAL_H
#define GUESTLINK_INIT_CREDENTIAL_H

#include <stddef.h>
#include <stdint.h>

/*
 * Finds `io.systemd.credential:NAME=VALUE` in the strings of one SMBIOS structure of type 11.
 *
 * @param entry  the whole structure, as /sys/firmware/dmi/entries/11-N/raw has it
 * @return 0; -ENOENT; -EINVAL: no such structure; -ENAMETOOLONG
 */
int credential_find_smbios(const uint8_t *entry, size_t size, const char *name, char *value,
                           size_t capacity);

/* Looks for a credential in both places. @return 0 or -ENOENT */
int credential_read(const char *name, char *value, size_t capacity);

#endif
