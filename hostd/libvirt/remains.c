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
    bool holds_slot = strstr(text, ", in use by ") != NULL; /* …,id=ID */
    char before = holds_slot ? '=' : '\'';
    size_t size;

    if (!ours || (!holds_slot && !strstr(text, "uplicate") && !strstr(text, "already exists")))
        return false;
    while (begin > text && begin[-1] != before)
        begin--;
    size = strspn(begin, ID_CHARACTERS);
    if (begin == text || begin + size <= ours || size >= capacity ||
        (holds_slot ? begin != ours : begin[size] != '\''))
        return false;
    memcpy(ret_id, begin, size);
    ret_id[size] = '\0';
    return true;
}

static void ask(virDomainPtr domain, const char *command, const char *id)
{
    char line[ID_SIZE + 128], *answer = NULL;

    (void)snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"arguments\":{\"id\":\"%s\"}}",
                   command, id);
    (void)virDomainQemuMonitorCommand(domain, line, &answer, 0);
    free(answer);
}

bool remains_remove(virDomainPtr domain)
{
    char id[ID_SIZE];

    if (!remains_find(virGetLastErrorMessage(), id, sizeof(id)))
        return false;
    ask(domain, "device_del", strstr(id, OURS)); /* its parts are busy as long as it is there */
    if (strncmp(id, OURS, strlen(OURS)) != 0)
        ask(domain, strncmp(id, "host", 4) == 0 ? "netdev_del" : "chardev-remove", id);
    return true;
}
