/*
 * doctor, its part that looks at a VM's memory, as QEMU's command line has it: of the backends that
 * are named there, those of the machine, its NUMA nodes and its DIMMs are the guest's RAM.
 */
#include "doctor.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

#define ID_SIZE 128u

struct memory {
    bool known;  /* a backend of the guest's RAM is named */
    bool shared; /* all of those are */
    bool sealed; /* and each is the file of a memfd that can no longer shrink: the kernel can make
                  * dma-bufs of it */
    char private[ID_SIZE]; /* one that is not shared */
};

static bool is_on(const char *value)
{
    return strcmp(value, "on") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0;
}

/* Notes what is said of the backend @p id. */
static void note_backend(struct memory *memory, const struct words *words, const char *id)
{
    bool memfd = false, shared = false, sealed = false;
    const char *word = NULL;
    char name[ID_SIZE], value[16];

    while ((word = words_next(words, word)) != NULL) {
        if (strstr(word, "memory-backend-") == NULL ||
            !words_value(word, "id", name, sizeof(name)) || strcmp(name, id) != 0)
            continue;
        memfd = strstr(word, "memory-backend-memfd") != NULL;
        shared = memfd || strstr(word, "memory-backend-shm") != NULL;
        if (words_value(word, "share", value, sizeof(value)))
            shared = is_on(value);
        sealed = memfd && (!words_value(word, "seal", value, sizeof(value)) || is_on(value));
    }
    memory->known = true;
    memory->sealed = memory->sealed && sealed;
    if (shared)
        return;
    memory->shared = false;
    (void)snprintf(memory->private, sizeof(memory->private), "%s", id);
}

/* True if a word names the backend of a DIMM, or of a NUMA node. */
static bool is_of_ram(const char *word, const char *before)
{
    return strstr(word, "pc-dimm") != NULL || strstr(word, "virtio-mem") != NULL ||
           (before != NULL && (strcmp(before, "-numa") == 0 || strcmp(before, "--numa") == 0));
}

static struct memory read_memory(const struct words *words)
{
    struct memory memory = {.shared = true, .sealed = true};
    const char *word = NULL, *before = NULL;
    char id[ID_SIZE];

    for (; (word = words_next(words, word)) != NULL; before = word)
        if (words_value(word, "memory-backend", id, sizeof(id)) ||
            (is_of_ram(word, before) && words_value(word, "memdev", id, sizeof(id))))
            note_backend(&memory, words, id);
    return memory;
}

void doctor_look_at_memory(struct doctor *doctor, const struct config_vm *vm,
                           const struct words *words)
{
    struct memory memory = read_memory(words);
    char advice[256];

    if (doctor_count_virtiofs(doctor->config, vm) == 0 && !config_vm_has_passt(vm))
        return;
    (void)snprintf(advice, sizeof(advice),
                   "start QEMU with -object memory-backend-memfd,id=mem,size=%lluM,share=on "
                   "-machine memory-backend=mem",
                   (unsigned long long)(vm->memory >> 20));
    if (!memory.known)
        doctor_find(doctor, DOCTOR_WRONG, "memory", vm->name, advice,
                    "QEMU does not share the guest's memory; virtiofs and passt cannot work");
    else if (!memory.shared)
        doctor_find(doctor, DOCTOR_WRONG, "memory", vm->name, advice,
                    "QEMU does not share the memory backend %s, a part of the guest's memory; "
                    "virtiofs and passt cannot work",
                    memory.private);
    else if (vm->aperture != CONFIG_APERTURE_OFF && !memory.sealed)
        doctor_find(doctor, vm->aperture == CONFIG_APERTURE_REQUIRE ? DOCTOR_WRONG : DOCTOR_NOTE,
                    "memory", vm->name, advice,
                    "QEMU shares the guest's memory, but not in a sealed memfd: the kernel "
                    "cannot keep virtiofsd or passt out of any of it");
    else
        doctor_find(doctor, DOCTOR_RIGHT, "memory", vm->name, "",
                    "QEMU shares the guest's memory, as virtiofs and passt require");
}
