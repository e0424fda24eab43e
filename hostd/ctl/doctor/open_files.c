/* doctor, its part that looks at how many files each virtiofsd has open: the guest's kernel keeps
 * what it knows, and with the last descriptor it is told EMFILE, which nobody on the host hears. */
#include "doctor.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many as virtiofsd wants by itself (relay/backend.c). */
#define USUAL 1000000ul

static FILE *open_of(const char *proc, const char *pid, const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s/%s", proc, pid, name);
    return fopen(path, "re");
}

/* Where the folder is in virtiofsd's jail (device/virtiofsd_command.c). */
#define PLACE "/share"

/* @return @p word behind @p prefix, if it begins so */
static const char *skip(const char *word, const char *prefix)
{
    size_t size = strlen(prefix);

    return strncmp(word, prefix, size) == 0 ? word + size : word;
}

/* True of the folder itself, alone or in an option: other folders may end with its path. */
static bool names_folder(const char *word, const char *folder)
{
    word = skip(skip(word, "source="), "--shared-dir=");
    return strcmp(word, folder) == 0 || strcmp(skip(word, PLACE), folder) == 0;
}

/* True of a virtiofsd one of whose words names the share's folder. */
static bool serves(const char *proc, const char *pid, const char *folder)
{
    char line[16384];
    FILE *file = open_of(proc, pid, "cmdline");
    size_t size = file != NULL ? fread(line, 1, sizeof(line) - 1, file) : 0;
    const char *slash, *program;
    bool found = false;

    if (file != NULL)
        (void)fclose(file);
    line[size] = '\0';
    slash = strrchr(line, '/'); /* of the first word: the program */
    program = slash != NULL ? slash + 1 : line;
    if (strncmp(program, "virtiofsd", 9) != 0)
        return false;
    for (const char *word = line; word < line + size; word += strlen(word) + 1)
        found = found || names_folder(word, folder);
    return found;
}

/* @return the limit, 0: it cannot be read */
static unsigned long read_limit(const char *proc, const char *pid)
{
    static const char name[] = "Max open files";
    FILE *file = open_of(proc, pid, "limits");
    unsigned long limit = 0;
    char line[256];

    while (file != NULL && limit == 0 && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, name, sizeof(name) - 1) == 0)
            limit = strtoul(line + sizeof(name) - 1, NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return limit;
}

static unsigned long count_open(const char *proc, const char *pid)
{
    unsigned long count = 0;
    char path[512];
    DIR *directory;

    (void)snprintf(path, sizeof(path), "%s/%s/fd", proc, pid);
    directory = opendir(path);
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        (void)closedir(directory);
    return count > 2 ? count - 2 : 0; /* . and .. */
}

static void look_at(struct doctor *doctor, const struct config_vm *vm,
                    const struct config_share *share, const char *pid)
{
    const char *proc = doctor->places.proc;
    unsigned long limit = read_limit(proc, pid), open = count_open(proc, pid);

    /* One that waits for the other, inside of its jail, has none of them open. */
    if (limit == 0 || open == 0 || (limit >= USUAL && open < limit / 2))
        return;
    doctor_find(doctor, open > limit / 3 * 2 ? DOCTOR_WRONG : DOCTOR_NOTE, "files", vm->name,
                "set \"file_handles\": true for the share, or raise the hard limit of open "
                "files (LimitNOFILE= of the unit, fs.nr_open), and restart the guest",
                "share %s: its virtiofsd (process %s) has %lu of at most %lu files open, one for "
                "each that the guest knows; beyond that the guest gets \"Too many open files\"",
                share->tag, pid, open, limit);
}

void doctor_look_at_open_files(struct doctor *doctor, const struct config_vm *vm)
{
    DIR *directory = opendir(doctor->places.proc);
    const struct dirent *entry;

    while (directory != NULL && (entry = readdir(directory)) != NULL)
        for (size_t i = 0; isdigit((unsigned char)entry->d_name[0]) && i < vm->share_count; i++)
            if (!vm->shares[i].serving.file_handles &&
                serves(doctor->places.proc, entry->d_name, vm->shares[i].path))
                look_at(doctor, vm, &vm->shares[i], entry->d_name);
    if (directory != NULL)
        (void)closedir(directory);
}
