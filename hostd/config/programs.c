/* config programs: whether the programs that a device host names can be run on this host now. */
#include "config.h"

#include "base/program.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* @return what is wrong with the program, or NULL. What only root may see is not judged by others.
 */
static const char *find_trouble(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == EACCES && geteuid() != 0 ? NULL : strerrordesc_np(errno);
    if (!S_ISREG(status.st_mode))
        return "not a program";
    return (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0 ? "not executable" : NULL;
}

static const char *find_trouble_of_passt(const char *path)
{
    const char *trouble = find_trouble(path);
    char found[LIMITS_PATH];
    int r;

    if (trouble != NULL || access(path, R_OK | X_OK) < 0)
        return trouble;
    r = program_find_passt(path, found);
    return r == -ENOEXEC      ? "a script, which cannot run in passt's jail"
           : r == -EOPNOTSUPP ? "too old for vhost-user"
                              : NULL;
}

void config_tell_missing_programs(const struct config *config, config_remark_fn on_warning,
                                  void *userdata)
{
    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_vm *vm = &config->vms[i];
        const struct config_device_host *host = &vm->device_host;
        const struct {
            const char *key, *path, *loss;
            unsigned line;
        } programs[] = {
            {"virtiofsd", host->virtiofsd, "virtiofs shares", host->virtiofsd_line},
            {"passt", host->passt, "adapters of \"backend\": \"passt\"", host->passt_line},
        };

        for (size_t k = 0; k < sizeof(programs) / sizeof(programs[0]); k++) {
            const char *path = programs[k].path, *trouble = NULL;
            char text[9000];

            if (path != NULL)
                trouble = k == 0 ? find_trouble(path) : find_trouble_of_passt(path);
            if (trouble == NULL)
                continue;
            (void)snprintf(text, sizeof(text),
                           "%.4000s:%u: vm %s: cannot use the %s \"%.4000s\": %s; the guest will "
                           "not get %s; install that program, or fix \"%s\" in \"device_host\"",
                           config->file, programs[k].line, vm->name, programs[k].key, path, trouble,
                           programs[k].loss, programs[k].key);
            on_warning(userdata, text);
        }
    }
}
