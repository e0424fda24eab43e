/* request: getopt_long(3); the command ends the options. */
#include "request.h"

#include "config/text.h"
#include "ctl/say.h"
#include "ctl/terminal.h"
#include "protocol/limits.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_NOT_STARTED 125
#define CPUS_MOST          255u

enum {
    KERNEL = 256,
    ROOT,
    ROOT_RW,
    DISK,
    MEMORY,
    CPUS,
    SHARE,
    NET,
    PUBLISH,
    APERTURE,
    ENVIRONMENT,
    USER,
    DIRECTORY,
    TIMEOUT,
    KEEP,
    VERBOSE,
    PRINT_CONFIG,
    ACCELERATOR,
    QEMU,
    VIRTIOFSD
};

static const struct option table[] = {
    {"kernel", required_argument, NULL, KERNEL},
    {"root", required_argument, NULL, ROOT},
    {"root-rw", no_argument, NULL, ROOT_RW},
    {"disk", required_argument, NULL, DISK},
    {"memory", required_argument, NULL, MEMORY},
    {"cpus", required_argument, NULL, CPUS},
    {"share", required_argument, NULL, SHARE},
    {"net", no_argument, NULL, NET},
    {"publish", required_argument, NULL, PUBLISH},
    {"aperture", required_argument, NULL, APERTURE},
    {"interactive", no_argument, NULL, 'i'},
    {"tty", no_argument, NULL, 't'},
    {"env", required_argument, NULL, ENVIRONMENT},
    {"user", required_argument, NULL, USER},
    {"directory", required_argument, NULL, DIRECTORY},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"keep", no_argument, NULL, KEEP},
    {"verbose", no_argument, NULL, VERBOSE},
    {"print-config", no_argument, NULL, PRINT_CONFIG},
    {"accel", required_argument, NULL, ACCELERATOR},
    {"qemu", required_argument, NULL, QEMU},
    {"virtiofsd", required_argument, NULL, VIRTIOFSD},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool refuse(const char *option, const char *value, const char *expected)
{
    say_error("cannot use --%s \"%.200s\": expected %s; nothing was started", option, value,
              expected);
    return false;
}

/* @param folder  true: it must be one. @return the absolute path, the caller's; NULL after saying
 * what is wrong */
static char *find_path(const char *option, const char *value, bool folder)
{
    char *path = realpath(value, NULL);
    struct stat status;

    if (path == NULL || stat(path, &status) < 0) {
        say_error("cannot use --%s \"%.200s\": %s; nothing was started", option, value,
                  strerror(errno));
    } else if (S_ISDIR(status.st_mode) != folder) {
        (void)refuse(option, value, folder ? "a folder" : "a file or a block device");
    } else if (config_text_check_path(path) != NULL) {
        (void)refuse(option, path, config_text_check_path(path));
    } else {
        return path;
    }
    free(path);
    return NULL;
}

static bool add_share(struct request *request, const char *value)
{
    struct request_share *share = &request->shares[request->share_count];
    const char *path, *target;
    char *text = strdup(value);
    bool taken = false;

    if (request->share_count == REQUEST_SHARES)
        (void)refuse("share", value, "at most 24 of them");
    else if (text == NULL || request_split_share(text, &path, &target, &share->read_only) < 0)
        (void)refuse("share", value, "PATH:TARGET or PATH:TARGET:ro, with an absolute TARGET");
    else if (config_text_check_target(target) != NULL)
        (void)refuse("share", target, config_text_check_target(target));
    else if ((share->path = find_path("share", path, true)) != NULL) {
        request->share_count++;
        share->target = strdup(target);
        taken = share->target != NULL;
    }
    free(text);
    return taken;
}

static bool names_qcow2(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && strcmp(dot, ".qcow2") == 0;
}

static bool add_disk(struct request *request, const char *value)
{
    char *path;

    if (request->disk_count == REQUEST_DISKS)
        return refuse("disk", value, "at most 8 of them");
    path = find_path("disk", value, false);
    if (path == NULL)
        return false;
    /* By a name; never by what is in the file, which its guest decides. */
    request->is_qcow2[request->disk_count] = names_qcow2(value) || names_qcow2(path);
    request->disks[request->disk_count++] = path;
    return true;
}

static bool add_publish(struct request *request, char *value)
{
    if (request->forward_count == REQUEST_PUBLISH)
        return refuse("publish", value, "at most 32 of them");
    if (request_parse_publish(value, request->forwards[request->forward_count]) < 0)
        return refuse("publish", value,
                      "[ADDRESS:]PORT:GUESTPORT[/tcp|/udp], with an IPv4 address of the host's");
    request->published[request->forward_count++] = value;
    request->net = true;
    return true;
}

/* NAME alone takes our own variable, and nothing if there is none. */
static bool add_variable(struct request *request, const char *value)
{
    struct config_strings *list = &request->environment;
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));
    const char *own = strchr(value, '=') == NULL ? getenv(value) : NULL;

    if (items == NULL)
        return refuse("env", value, "more memory");
    list->items = items;
    if (strchr(value, '=') == NULL && own == NULL && *value != '\0')
        return true;
    if (own == NULL && config_text_check_variable(value) != NULL)
        return refuse("env", value, config_text_check_variable(value));
    if (asprintf(&items[list->count], "%s%s%s", value, own != NULL ? "=" : "",
                 own != NULL ? own : "") < 0)
        return refuse("env", value, "more memory");
    list->count++;
    return true;
}

static bool set_number(const char *option, const char *value, unsigned most, unsigned *ret_number)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end != '\0' || number == 0 || number > most)
        return refuse(option, value, "a number from 1 to 255");
    *ret_number = (unsigned)number;
    return true;
}

static bool set_memory(struct request *request, const char *value)
{
    return config_text_parse_memory(value, &request->memory) == 0 ||
           refuse("memory", value, CONFIG_TEXT_MEMORY);
}

static bool set_word(const char *option, const char *value, const char *const words[],
                     const char *expected, const char **ret_word)
{
    for (size_t i = 0; words[i] != NULL; i++)
        if (strcmp(words[i], value) == 0) {
            *ret_word = words[i];
            return true;
        }
    return refuse(option, value, expected);
}

static bool set_user(struct request *request, const char *value)
{
    request->user = value;
    return *value != '\0' || refuse("user", value, "USER or USER:GROUP");
}

/* Options that have a value. */
static bool take_value(struct request *request, int option, char *value)
{
    static const char *const accelerators[] = {"auto", "kvm", "tcg", NULL};

    switch (option) {
    case KERNEL:
        request->kernel = value;
        return true;
    case ROOT:
        free(request->root);
        return (request->root = find_path("root", value, true)) != NULL;
    case DISK:
        return add_disk(request, value);
    case MEMORY:
        return set_memory(request, value);
    case CPUS:
        return set_number("cpus", value, CPUS_MOST, &request->cpus);
    case SHARE:
        return add_share(request, value);
    case PUBLISH:
        return add_publish(request, value);
    case APERTURE:
        return set_word("aperture", value, config_aperture_names, "auto, require or off",
                        &request->aperture);
    case ENVIRONMENT:
        return add_variable(request, value);
    case USER:
        return set_user(request, value);
    case DIRECTORY:
        request->directory = value;
        return *value == '/' || refuse("directory", value, "an absolute path of the guest");
    case TIMEOUT:
        return request_parse_duration(value, &request->timeout_ms) == 0 ||
               refuse("timeout", value, "seconds, or a number followed by s, m, h or d");
    case ACCELERATOR:
        return set_word("accel", value, accelerators, "auto, kvm or tcg", &request->accelerator);
    case QEMU:
        request->qemu = value;
        return true;
    default:
        free(request->virtiofsd);
        return (request->virtiofsd = find_path("virtiofsd", value, false)) != NULL;
    }
}

/* Options that have none. @return false: refused */
static bool take_flag(struct request *request, int option)
{
    switch (option) {
    case 'i':
        request->input = true;
        return true;
    case 't':
        request->terminal = request->input = true;
        return true;
    case 'h':
        request->help = true;
        return true;
    case ROOT_RW:
        request->root_rw = true;
        return true;
    case NET:
        request->net = true;
        return true;
    case KEEP:
        request->keep = true;
        return true;
    case VERBOSE:
        request->verbose = true;
        return true;
    case PRINT_CONFIG:
        request->print_config = true;
        return true;
    default: /* getopt_long() said what */
        return false;
    }
}

/* To keep a guest from writing to a folder its virtiofsd sees the folder read-only; of the root,
 * that would be all that virtiofsd itself has. */
static bool shows_slash(const struct request *request)
{
    bool slash = request->root != NULL && !request->root_rw && strcmp(request->root, "/") == 0;

    for (size_t i = 0; i < request->share_count; i++)
        slash =
            slash || (request->shares[i].read_only && strcmp(request->shares[i].path, "/") == 0);
    if (slash)
        say_error(
            "cannot show the guest the host's whole root \"/\" read-only; nothing was started; "
            "name another root (mmdebstrap(1) makes one), or folders below /");
    return slash;
}

/* The guest's overlay opens what is below it with O_NOATIME, which is for a file's owner and for
 * root: without root, nothing in a root of others could be opened. */
static bool owns_root(const struct request *request)
{
    static const char *const parts[] = {"", "/usr", "/bin", "/etc"};
    char path[LIMITS_PATH + 8];
    struct stat status;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", request->root, parts[i]);
        if (stat(path, &status) < 0 || status.st_uid == geteuid() || geteuid() == 0)
            continue;
        say_error("cannot use --root \"%s\": \"%s\" belongs to user %u, and the guest could not "
                  "open other users' files (O_NOATIME); nothing was started; unpack that root "
                  "as yourself (mmdebstrap SUITE - | tar -x -C DIR --exclude=./dev), or use "
                  "--root-rw with a copy",
                  request->root, path, (unsigned)status.st_uid);
        return false;
    }
    return true;
}

/* What one option says of another. */
static bool fits(const struct request *request)
{
    uint32_t uid, gid;

    if (request->terminal && !request->print_config && !terminal_is_there()) {
        say_error("cannot give the command a terminal (-t): standard input is not a terminal; "
                  "nothing was started; -i alone passes standard input");
        return false;
    }
    if (request->root_rw && request->root == NULL) {
        say_error("cannot use --root-rw: --root DIR is missing; nothing was started");
        return false;
    }
    if (request->user != NULL && request->root == NULL &&
        request_parse_ids(request->user, &uid, &gid) < 0)
        return refuse("user", request->user,
                      "root, UID or UID:GID: without --root the guest has no other names");
    if (request->root != NULL && request->share_count == REQUEST_SHARES)
        return refuse("root", request->root, "at most 23 other shares");
    if (request->root != NULL && !request->root_rw && !owns_root(request))
        return false;
    return !shows_slash(request);
}

int request_parse(int argc, char **argv, struct request *request)
{
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "+ith", table, NULL)) >= 0) {
        bool taken = optarg != NULL && option >= KERNEL ? take_value(request, option, optarg)
                                                        : take_flag(request, option);

        if (!taken) {
            say_error("`guestlink run --help` lists the options");
            return STATUS_NOT_STARTED;
        }
    }
    request->argv = argv + optind;
    if (request->help)
        return 0;
    if (request->argv[0] == NULL && !request->print_config) {
        say_error("cannot run a command: none after the options; `guestlink run --help` has "
                  "examples");
        return STATUS_NOT_STARTED;
    }
    return fits(request) ? 0 : STATUS_NOT_STARTED;
}

void request_done(struct request *request)
{
    for (size_t i = 0; i < request->share_count; i++) {
        free(request->shares[i].path);
        free(request->shares[i].target);
    }
    for (size_t i = 0; i < request->disk_count; i++)
        free(request->disks[i]);
    for (size_t i = 0; i < request->environment.count; i++)
        free(request->environment.items[i]);
    free(request->environment.items);
    free(request->root);
    free(request->virtiofsd);
    *request = REQUEST_NULL;
}
