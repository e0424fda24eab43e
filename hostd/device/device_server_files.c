/* device_server files: what a device's process leaves where a later daemon finds it. */
#include "device_server_files.h"

#include "base/aperture_status.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int device_server_files_name(const char *directory, const char *name,
                             struct device_server_files *ret_files)
{
    const size_t size = sizeof(ret_files->socket);

    /* The longest of them. */
    if (snprintf(ret_files->socket, size, "%s/%s.sock", directory, name) >= (int)size)
        return -ENAMETOOLONG;
    (void)snprintf(ret_files->record, size, "%s/%s.pid", directory, name);
    (void)snprintf(ret_files->log, size, "%s/%s.log", directory, name);
    (void)snprintf(ret_files->inner, size, "%s/%s.in", directory, name);
    (void)snprintf(ret_files->ended, size, "%s/%s.end", directory, name);
    (void)snprintf(ret_files->aperture, size, "%s/%s.ap", directory, name);
    return 0;
}

void device_server_files_remove(const struct device_server_files *files)
{
    (void)unlink(files->socket);
    (void)unlink(files->record);
    (void)unlink(files->log);
    (void)unlink(files->inner);
    (void)unlink(files->ended);
    aperture_status_remove(files->aperture);
}

void device_server_files_recall_end(const struct device_server_files *files, struct child_end *end)
{
    char text[32] = "";
    const char *number = text;
    FD fd = open(files->ended, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return;
    if (read(fd, text, sizeof(text) - 1) > 0)
        number = strchrnul(text, ' ');
    if (*number) {
        end->known = true;
        end->signaled = strncmp(text, "signal ", 7) == 0;
        end->status = (int)strtol(number, NULL, 10);
    }
}

int device_server_files_listen(const struct device_server_files *files, uid_t uid, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, files->socket, sizeof(files->socket));
    /* If it is not ours to give away, QEMU runs as the same user or cannot connect, and says so. */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(files->socket, 0600) < 0 || (chown(files->socket, uid, gid) < 0 && errno != EPERM) ||
        listen(fd, 1) < 0)
        return -errno;
    return fd_take(&fd);
}

int device_server_files_make_directory(const char *path)
{
    /* Whatever the umask. */
    return (mkdir(path, 0711) < 0 && errno != EEXIST) || (chmod(path, 0711) < 0 && errno != EPERM)
               ? -errno
               : 0;
}
