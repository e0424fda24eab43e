/* share server: virtiofsd behind its relay for a share. */
#include "share_server.h"

#include "base/program.h"
#include "device_server_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int share_server_spec_copy(struct share_server_spec *spec, const struct device_share *share)
{
    char *path = strdup(share->path);

    if (!path)
        return -ENOMEM;
    free(spec->path);
    *spec = (struct share_server_spec){
        .path = path,
        .read_only = share->read_only,
        /* Without an aperture QEMU could not have virtiofsd take it. */
        .iommu_platform = share->iommu_platform && share->aperture != CONFIG_APERTURE_OFF,
        .serving = share->serving,
        .aperture = share->aperture,
    };
    (void)snprintf(spec->options, sizeof(spec->options), "%s", share->options);
    return 0;
}

void share_server_spec_done(struct share_server_spec *spec)
{
    free(spec->path);
    spec->path = NULL;
}

void share_server_name(const char *vm_id, const struct device_share *share,
                       char name[DEVICE_NAME_HASH_SIZE])
{
    char how[8 + CONFIG_SERVING_SIZE], serving[CONFIG_SERVING_SIZE];
    uint64_t base, size;
    bool confined = share->aperture != CONFIG_APERTURE_OFF &&
                    options_read_token(share->options, &base, &size) > 0;

    /* One that is served in the usual way is named as daemons up to 0.1.0 named theirs. */
    (void)config_serving_format(&share->serving, serving);
    (void)snprintf(how, sizeof(how), "%s%s%s", share->read_only ? "ro" : "rw",
                   serving[0] ? "," : "", serving);
    device_name_hash(name, vm_id, share->tag, share->path, how, confined ? share->options : NULL,
                     config_aperture_names[share->aperture], NULL);
}

static int explain(int error, const struct config_vm *vm, const char *directory,
                   char text[SHARE_SERVER_TEXT_SIZE])
{
    switch (error) {
    case ENOENT:
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE,
                       "virtiofsd is not installed, or not at the path in device_host.virtiofsd; "
                       "install it, or fix that path: %s",
                       vm->device_host.virtiofsd ? vm->device_host.virtiofsd
                                                 : "(no path configured)");
        return ENOENT;
    case ENAMETOOLONG:
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE,
                       "the path of virtiofsd's socket would have more than 107 bytes; use a "
                       "shorter state_dir than: %s",
                       directory);
        return ENAMETOOLONG;
    case EOPNOTSUPP:
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE,
                       "the aperture is required, but guestlink-virtiofs-relay is not installed; "
                       "reinstall guestlink-hostd");
        return EPERM;
    default:
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE, "cannot start virtiofsd: %s",
                       strerrordesc_np(error));
        return error;
    }
}

int share_server_start(sd_event *event, const struct config_vm *vm,
                       const struct share_server_place *place, const char *name,
                       const struct share_server_spec *spec, enum config_aperture aperture,
                       const struct device_server_events *events, void *userdata,
                       struct device_server **ret_server, const char **ret_remark,
                       char text[SHARE_SERVER_TEXT_SIZE])
{
    const struct device_server_spec server = {
        .program = vm->device_host.virtiofsd,
        .directory = place->directory,
        .name = name,
        .path = spec->path,
        .read_only = spec->read_only,
        .serving = &spec->serving,
        .options = spec->options,
        .aperture = aperture,
        .uid = place->uid,
        .gid = place->gid,
    };
    char buffer[LIMITS_PATH];
    const char *program = program_find_virtiofsd(server.program, buffer), *obstacle = NULL;
    int r;

    *ret_remark = "";
    /* Owners or attributes that are others than those asked for are worse than no share. One that
     * is not there says so when it is started. */
    if (program)
        obstacle = config_serving_obstacle(&spec->serving, program, ret_remark);
    if (obstacle) {
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE, "%s", obstacle);
        return EOPNOTSUPP;
    }
    r = device_server_files_make_directory(place->parent);
    if (r < 0) {
        (void)snprintf(text, SHARE_SERVER_TEXT_SIZE,
                       "cannot create the folder for virtiofsd's sockets: %s", place->parent);
        return -r;
    }
    device_server_sweep(event, place->parent, name);
    r = device_server_start(event, &server, events, userdata, ret_server);
    return r < 0 ? explain(-r, vm, place->directory, text) : 0;
}
