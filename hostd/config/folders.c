/* config folders: whether what shares name exists on this host now. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* @return what is wrong with the folder, or NULL. What only root may see is not judged by others.
 */
static const char *find_trouble(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == EACCES && geteuid() != 0 ? NULL : strerrordesc_np(errno);
    return S_ISDIR(status.st_mode) ? NULL : strerrordesc_np(ENOTDIR);
}

void config_tell_missing_folders(const struct config *config, config_remark_fn on_warning,
                                 void *userdata)
{
    char text[9000];

    for (size_t i = 0; i < config->vm_count; i++) {
        const struct config_vm *vm = &config->vms[i];

        for (size_t k = 0; k < vm->share_count; k++) {
            const struct config_share *share = &vm->shares[k];
            const char *trouble = find_trouble(share->path);

            if (trouble == NULL)
                continue;
            (void)snprintf(text, sizeof(text),
                           "%.4000s:%u: vm %s: share %s: cannot use the path \"%s\": %s; the guest "
                           "will not get this share; create that folder, or fix \"path\"",
                           config->file, share->line, vm->name, share->tag, share->path, trouble);
            on_warning(userdata, text);
        }
    }
}
