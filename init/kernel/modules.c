/* modules: loads the modules of a list into the kernel. */
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/module.h>

#include "base/fd.h"
#include "base/kmsg_log.h"

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4 /* linux/module.h, from Linux 5.17 */
#endif

/* A transport that is built in is in no list. */
static void warn_of_vsock(struct module_list *list)
{
    static const char name[] = "vmw_vsock_virtio_transport";
    const struct module *module = module_list_find(list, name, strlen(name));

    if (module && !module->wanted)
        kmsg_log(LOG_ERR,
                 "guestlink.modules does not name %s: the guest cannot reach the host over "
                 "vsock without it; add it there",
                 name);
}

void modules_read(struct module_list *list, const struct cmdline *cmdline)
{
    char missing[MODULE_NAME_SIZE] = "";
    unsigned line = 0;
    int r;

    if (access(MODULES_LIST_PATH, F_OK) < 0 && errno == ENOENT && !cmdline->has_modules)
        return; /* all is built in: not a page of the list is touched */
    r = fd_read_file(MODULES_LIST_PATH, list->text, sizeof(list->text));
    if (r < 0 && r != -ENOENT)
        kmsg_log(LOG_WARNING, "cannot read %s: %s; loading no modules", MODULES_LIST_PATH,
                 strerror(-r));
    if (r == (int)sizeof(list->text) - 1)
        kmsg_log(LOG_WARNING, "%s is longer than %zu bytes; ignoring the rest", MODULES_LIST_PATH,
                 sizeof(list->text) - 1);
    r = module_list_parse(list, &line);
    if (r == MODULE_LIST_E_LINE)
        kmsg_log(LOG_WARNING, "%s:%u: expected the absolute path of a .ko file; ignoring it",
                 MODULES_LIST_PATH, line);
    else if (r == MODULE_LIST_E_FULL)
        kmsg_log(LOG_WARNING, "%s:%u: more than %u modules; ignoring the rest", MODULES_LIST_PATH,
                 line, INIT_MODULES);
    if (cmdline->has_modules)
        module_list_choose(list, cmdline->modules, missing);
    if (cmdline->has_modules && cmdline->host.kind == HOST_ADDRESS_VSOCK)
        warn_of_vsock(list);
    if (missing[0] != '\0')
        kmsg_log(LOG_WARNING, "guestlink.modules: %s is not in %s; ignoring it", missing,
                 MODULES_LIST_PATH);
}

static bool is_compressed(const struct module *module)
{
    return strstr(strrchr(module->path, '/'), ".ko")[3] != '\0';
}

static int load(const struct module *module)
{
    FD_CLOSE int fd = -1;

    fd = open(module->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (syscall(SYS_finit_module, fd, "", is_compressed(module) ? MODULE_INIT_COMPRESSED_FILE : 0) <
        0)
        return errno == EEXIST ? 0 : -errno;
    return 0;
}

/* Kernels from 5.17 on say EOPNOTSUPP, older ones do not know the flag; and each unpacks what it
 * was configured for only. */
static const char *why_packed(const char *suffix)
{
    static const struct {
        const char *suffix;
        const char *reason;
    } table[] = {
#define UNPACKED_WITH(name)                                                                        \
    "this kernel cannot decompress it (CONFIG_MODULE_DECOMPRESS, CONFIG_MODULE_COMPRESS_" name ")"
        {".xz", UNPACKED_WITH("XZ")},
        {".zst", UNPACKED_WITH("ZSTD")},
        {".gz", UNPACKED_WITH("GZIP")},
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(suffix, table[i].suffix) == 0)
            return table[i].reason;
    return NULL;
}

static const char *reason_of(const struct module *module, int error)
{
    const char *reason = NULL;

    switch (error) {
    case EOPNOTSUPP:
    case EINVAL:
        reason = why_packed(strrchr(module->path, '.'));
        break;
    case ENOKEY: /* before Linux 5.4 */
    case EKEYREJECTED:
        reason = "not signed with a key of this kernel, which requires it (module.sig_enforce; "
                 "--strip-signatures)";
        break;
    case EPERM:
        reason = "forbidden (lockdown= requires signed modules: --strip-signatures? or "
                 "kernel.modules_disabled)";
        break;
    default:
        break;
    }
    return reason ? reason : strerror(error);
}

void modules_load(struct module_list *list, bool late, char *failures, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct module *module = &list->modules[i];
        int r;

        if (!module->wanted || module->late != late)
            continue;
        r = load(module);
        if (r == 0)
            continue;
        module->failed = true;
        kmsg_log(LOG_WARNING, "cannot load module %s (%s): %s; continuing without it", module->name,
                 module->path, reason_of(module, -r));
        if (failures && used < size) {
            int n = snprintf(failures + used, size - used, "%s%s", used ? " " : "", module->name);

            used += n > 0 ? (size_t)n : 0;
        }
    }
}

bool modules_has(struct module_list *list, const char *name)
{
    const struct module *module = module_list_find(list, name, strlen(name));

    return module && module->wanted && !module->failed && access(module->path, R_OK) == 0;
}
