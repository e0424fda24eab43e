/* remains: parts of a device in QEMU that libvirt knows nothing of. */
#include "remains.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the device host's aliases begin; what libvirt makes of one for a part of a device: host…,
 * chr-vu-…, char…. */
#define OURS "ua-guestlink-"

#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

#define ID_SIZE 256

bool remains_find(const char *text, char *ret_id, size_t capacity)
{
    const char *ours = strstr(text, OURS), *begin = ours;
    size_t size;

    if (!ours || (!strstr(text, "uplicate") && !strstr(text, "already exists")))
        return false;
    while (begin > text && begin[-1] != '\'')
        begin--;
    size = strspn(begin, ID_CHARACTERS);
    if (begin == text || begin[size] != '\'' || begin + size <= ours || size >= capacity)
        return false;
    memcpy(ret_id, begin, size);
    ret_id[size] = '\0';
    return true;
}

/* By QEMU's name of it. */
static const char *command_for(const char *id)
{
    if (strncmp(id, OURS, strlen(OURS)) == 0)
        return "device_del";
    return strncmp(id, "host", 4) == 0 ? "netdev_del" : "chardev-remove";
}

bool remains_remove(virDomainPtr domain)
{
    char id[ID_SIZE], command[ID_SIZE + 128], *answer = NULL;

    if (!remains_find(virGetLastErrorMessage(), id, sizeof(id)))
        return false;
    (void)snprintf(command, sizeof(command), "{\"execute\":\"%s\",\"arguments\":{\"id\":\"%s\"}}",
                   command_for(id), id);
    (void)virDomainQemuMonitorCommand(domain, command, &answer, 0);
    free(answer);
    return true;
}
