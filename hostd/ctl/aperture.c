/* aperture: what a share's virtiofsd, or passt, can reach of its guest's memory, in words. */
#include "aperture.h"

#include "command.h"
#include "say.h"

#include <string.h>

#define MIB (1024.0 * 1024.0)

bool aperture_is_enforced(struct json_object *share)
{
    return strcmp(command_text(share, "aperture"), "enforced") == 0;
}

bool aperture_describe(struct json_object *vm, struct json_object *share, char *buffer,
                       size_t capacity)
{
    struct json_object *capabilities = json_member(vm, "capabilities");
    const char *tag = command_text(share, "tag"), *id = command_text(share, "id");
    const char *program = tag[0] ? "virtiofsd of share" : "passt of adapter";
    const char *name = tag[0] ? tag : id, *aperture = command_text(share, "aperture");
    uint64_t bytes = command_number(share, "aperture_bytes");
    uint64_t pool = command_number(capabilities, "swiotlb_size");
    uint64_t memory = command_number(vm, "memory_bytes");
    char rings[32], all[32];

    if (memory == 0)
        memory = command_number(capabilities, "memory_bytes");
    (void)say_size(memory, all);
    /* Without a reason there is no process that the daemon knows of. */
    if (aperture[0] == '\0' || (bytes == 0 && command_text(share, "aperture_reason")[0] == '\0'))
        return false;
    if (bytes < pool || bytes == 0)
        (void)snprintf(buffer, capacity, "%s %s can reach all of %s", program, name, all);
    else
        (void)snprintf(buffer, capacity, "%s %s can reach %.1f MiB + %s of %s (%s)", program, name,
                       (double)pool / MIB, say_size(bytes - pool, rings), all,
                       aperture_is_enforced(share) ? "enforced by the kernel"
                                                   : "by request; not enforced");
    return true;
}
