/* command new: a VM's entry in hostd.json, its image, and the file that its unit reads. */
#include "base/fd.h"
#include "base/program.h"
#include "client.h"
#include "command.h"
#include "config/text.h"
#include "new_file.h"
#include "new_vm.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "/etc/guestlink"
#define IMAGES "/var/lib/guestlink/images"
#define EMPTY  "{\n  \"vms\": []\n}\n"

struct plan {
    char config[LIMITS_PATH], unit[LIMITS_PATH]; /* hostd.json, and the VM's .conf */
    char kernel[LIMITS_PATH], image[LIMITS_PATH];
    const char *release; /* whose modules the image gets; NULL: there is an image */
    char *text;          /* hostd.json's new one */
    char unit_text[2 * LIMITS_PATH + 128];
};

static void tell(void *userdata, const char *remark)
{
    (void)userdata;
    say_error("%s", remark);
}

/* An absolute path that needs no quotes in the unit's file. @return false after saying why not */
static bool take_file(const char *option, const char *file, char path[LIMITS_PATH])
{
    char *real = realpath(file, NULL);
    bool plain = real != NULL && strpbrk(real, " \t\n\"'\\$") == NULL && strlen(real) < LIMITS_PATH;

    if (real == NULL || access(real, R_OK) < 0)
        say_error("cannot read the %s \"%s\": %s; name another one with --%s", option, file,
                  strerror(errno), option);
    else if (!plain)
        say_error("cannot use the %s \"%s\": expected a path without blanks, quotes, `\\` and `$`",
                  option, file);
    if (plain)
        (void)snprintf(path, LIMITS_PATH, "%s", real);
    free(real);
    return plain && access(path, R_OK) == 0;
}

/* What to do where a folder cannot be used. */
static const char *what_next(int error)
{
    return error == EACCES   ? "; run guestlinkctl new as root"
           : error == ENOENT ? "; create that folder, or name another one with --config and --vms"
                             : "";
}

/* The kernel, and the image that is given or will be made. */
static bool plan_files(struct plan *plan, const char *name, const struct options *options,
                       const struct utsname *host)
{
    const char *wanted = options->vms ? options->vms : FOLDER "/vms";
    char vms[LIMITS_PATH - LIMITS_VM_NAME - 8], *real = realpath(wanted, NULL);

    if (real == NULL || strlen(real) >= sizeof(vms)) {
        say_error("cannot write into the folder \"%s\": %s; nothing was changed%s", wanted,
                  strerror(real ? ENAMETOOLONG : errno), what_next(errno));
        free(real);
        return false;
    }
    (void)snprintf(vms, sizeof(vms), "%s", real);
    free(real);
    (void)snprintf(plan->unit, sizeof(plan->unit), "%s/%.64s.conf", vms, name);
    (void)snprintf(plan->kernel, sizeof(plan->kernel), "/boot/vmlinuz-%s", host->release);
    if (options->kernel == NULL && access(plan->kernel, F_OK) < 0)
        (void)snprintf(plan->kernel, sizeof(plan->kernel), "/lib/modules/%s/vmlinuz",
                       host->release);
    if (!take_file("kernel", options->kernel ? options->kernel : plan->kernel, plan->kernel))
        return false;
    if (options->initrd != NULL)
        return take_file("initrd", options->initrd, plan->image);
    (void)snprintf(plan->image, sizeof(plan->image), "%s/%.64s.img", options->vms ? vms : IMAGES,
                   name);
    plan->release = host->release;
    if (options->kernel != NULL) {
        plan->release = strstr(plan->kernel, "/vmlinuz-");
        if (plan->release == NULL) {
            say_error("cannot make an image for the kernel \"%s\": its name does not contain "
                      "its version, as vmlinuz-VERSION does; name an image with --initrd",
                      plan->kernel);
            return false;
        }
        plan->release += strlen("/vmlinuz-");
    }
    if (access(plan->image, F_OK) == 0)
        say_error(
            "cannot make the image \"%s\": it exists already; use it with --initrd, or remove it",
            plan->image);
    return access(plan->image, F_OK) < 0;
}

/* The file as it will be, checked as the daemon checks it. @return the VM, the caller's; or NULL
 * after saying why not */
static struct json_object *plan_config(struct plan *plan, const char *name,
                                       const struct options *options)
{
    struct config *before = NULL, *after = NULL;
    struct json_object *vm = NULL;
    char *text = NULL;
    size_t size = 0;
    int r = new_file_read(plan->config, &text, &size);

    if (r == -ENOENT) {
        text = strdup(EMPTY);
        size = strlen(EMPTY);
    } else if (r < 0) {
        say_error("cannot read \"%s\": %s", plan->config, strerror(-r));
    }
    if (text != NULL && config_parse(text, size, plan->config, NULL, tell, NULL, &before) == 0)
        vm = new_vm_make(name, options, before);
    if (vm != NULL && new_vm_insert(text, size, vm, &plan->text) == 0 &&
        config_parse(plan->text, strlen(plan->text), plan->config, NULL, tell, NULL, &after) == 0 &&
        after->vm_count == before->vm_count + 1)
        (void)snprintf(plan->unit_text, sizeof(plan->unit_text),
                       "KERNEL=%s\nINITRD=%s\nCID=%s\nMEMORY=%s\n", plan->kernel, plan->image,
                       command_text(vm, "cid"), command_text(vm, "memory"));
    else
        say_error("cannot add VM \"%s\" to \"%s\"; nothing was changed", name, plan->config);
    if (after == NULL) {
        json_object_put(vm);
        vm = NULL;
    }
    (void)config_free(before);
    (void)config_free(after);
    free(text);
    return vm;
}

static bool make_image(const struct plan *plan)
{
    static const char maker[] = "guestlink-mkinitramfs";
    char path[LIMITS_PATH];
    int status = 0;
    pid_t pid;

    if (program_find_own(maker, path) == NULL) {
        say_error("cannot find %s; install the package guestlink-init", maker);
        return false;
    }
    /* standard output may be JSON */
    (void)fprintf(stderr, "making the image %s (some seconds)\n", plan->image);
    pid = fork();
    if (pid == 0) {
        (void)execl(path, maker, "--busybox", plan->release, plan->image, NULL);
        say_error("cannot run %s: %s", path, strerror(errno));
        _exit(127);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
        return true;
    say_error("cannot make the image \"%s\"; nothing was changed", plan->image);
    return false;
}

/* The .conf comes first: a VM of hostd.json without one could not be started. */
static bool write_all(const struct plan *plan, const struct options *options)
{
    const char *file = plan->unit;
    int r;

    if (plan->release != NULL && options->vms == NULL)
        (void)mkdir(IMAGES, 0755);
    if (plan->release != NULL && !make_image(plan))
        return false;
    r = new_file_create(plan->unit, plan->unit_text);
    if (r == 0) {
        file = plan->config;
        r = new_file_replace(plan->config, plan->text);
        if (r < 0)
            (void)unlink(plan->unit);
    }
    if (r == 0)
        return true;
    if (plan->release != NULL)
        (void)unlink(plan->image);
    say_error("cannot write \"%s\": %s; nothing was changed", file, strerror(-r));
    return false;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat left, right;

    return stat(a, &left) == 0 && stat(b, &right) == 0 && left.st_dev == right.st_dev &&
           left.st_ino == right.st_ino;
}

/* The units, and a daemon that runs, may read other files than what was written. */
static void tell_next(const struct plan *plan, const char *name, const struct options *options)
{
    struct json_object *files = client_ask(options->socket, "Files", NULL);
    const char *read = files ? command_text(files, "configuration") : FOLDER "/hostd.json";
    char unit[LIMITS_PATH];

    (void)snprintf(unit, sizeof(unit), FOLDER "/vms/%.64s.conf", name);
    (void)printf("wrote %s and %s; next:\n", plan->config, plan->unit);
    if (access("/dev/kvm", F_OK) < 0)
        (void)printf("  echo ACCEL=tcg >>%s    # no KVM here: emulation, which is slow and\n"
                     "                         # no security boundary\n",
                     plan->unit);
    if (access("/dev/vhost-vsock", F_OK) < 0)
        (void)puts("  modprobe vhost_vsock");
    if (!is_same_file(plan->unit, unit))
        (void)printf("  ln -s %s %s\n", plan->unit, unit);
    if (!is_same_file(plan->config, read))
        (void)printf("  # instead of %s, which reads %s:\n"
                     "  guestlink-hostd --config %s\n",
                     files ? "the running daemon" : "guestlink-hostd.service", read, plan->config);
    else if (files != NULL)
        (void)puts("  guestlinkctl reload");
    else
        (void)puts("  systemctl enable --now guestlink-hostd.socket guestlink-hostd.service");
    (void)printf("  systemctl start guestlink-vm@%s\n  guestlinkctl show %s\n", name, name);
    json_object_put(files);
}

/* @param folder  of hostd.json: its lock makes one `new` at a time */
static int add(struct plan *plan, const char *name, const struct options *options)
{
    struct json_object *vm = plan_config(plan, name, options);
    int status = vm == NULL;

    if (vm != NULL && (options->given & OPTIONS_DRY_RUN)) {
        if (options->json)
            say_json(vm);
        else
            (void)printf("# %s\n%s# %s\n%s", plan->config, plan->text, plan->unit, plan->unit_text);
    } else if (vm != NULL) {
        status = !write_all(plan, options);
        if (status == 0 && options->json)
            say_json(vm);
        else if (status == 0)
            tell_next(plan, name, options);
    }
    json_object_put(vm);
    return status;
}

int command_new(const struct options *options, char **words)
{
    const char *wanted = options->config ? options->config : FOLDER "/hostd.json";
    struct plan plan = {0};
    struct utsname host;
    char *real = realpath(wanted, NULL), *slash;
    FD folder = -1;
    int status = 1;

    (void)uname(&host);
    (void)snprintf(plan.config, sizeof(plan.config), "%s", real ? real : wanted);
    free(real);
    if (config_text_check_vm_name(words[0]) != NULL) {
        say_error("cannot name a VM \"%s\": expected %s", words[0],
                  config_text_check_vm_name(words[0]));
        return 2;
    }
    if (!plan_files(&plan, words[0], options, &host))
        return 1;
    slash = strrchr(plan.config, '/');
    if (slash != NULL)
        *slash = '\0';
    folder = open(slash ? plan.config : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || flock(folder, LOCK_EX) < 0)
        say_error("cannot lock the folder of \"%s\": %s; nothing was changed%s", wanted,
                  strerror(errno), what_next(errno));
    if (slash != NULL)
        *slash = '/';
    if (folder >= 0 && access(plan.unit, F_OK) == 0)
        say_error("cannot add VM \"%s\": \"%s\" exists; nothing was changed", words[0], plan.unit);
    else if (folder >= 0)
        status = add(&plan, words[0], options);
    free(plan.text);
    return status;
}
