/* jail libraries: what a program is loaded with. */
#include "jail_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* @return 1, with the path of its loader; 0: it has none; or -errno */
static int find_loader(int fd, char loader[PATH_MAX])
{
    ElfW(Ehdr) header;
    ElfW(Phdr) part;

    if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(part))
        return -ENOEXEC;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        off_t offset = (off_t)(header.e_phoff + i * sizeof(part));

        if (pread(fd, &part, sizeof(part), offset) != sizeof(part))
            return -ENOEXEC;
        if (part.p_type != PT_INTERP)
            continue;
        if (part.p_filesz == 0 || part.p_filesz > PATH_MAX ||
            pread(fd, loader, part.p_filesz, (off_t)part.p_offset) != (ssize_t)part.p_filesz ||
            loader[part.p_filesz - 1] != '\0')
            return -ENOEXEC;
        return 1;
    }
    return 0;
}

/* Runs the loader, which says what it would load; the program itself does not run. */
_Noreturn static void list(const char *loader, const char *program, int to)
{
    const char *const argv[] = {loader, "--list", program, NULL};

    if (dup2(to, STDOUT_FILENO) == STDOUT_FILENO)
        (void)execv(loader, (char *const *)argv);
    _exit(EXIT_FAILURE);
}

/* @return the size of what it said, or -errno */
static ssize_t run(const char *loader, const char *program, char *buffer, size_t capacity)
{
    size_t size = 0;
    ssize_t n = 0;
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        list(loader, program, ends[1]);
    (void)close(ends[1]);
    while (pid > 0 && size < capacity && (n = read(ends[0], buffer + size, capacity - size)) > 0)
        size += (size_t)n;
    (void)close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || n < 0)
        return -EIO;
    if (n > 0)
        return -E2BIG;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? (ssize_t)size : -EBADMSG;
}

/* Lines are "\tNAME => PATH (ADDRESS)" and "\tPATH (ADDRESS)"; ld.so(8). The kernel's own
 * ("linux-vdso.so.1") has no path. */
static const char *path_in(char *line)
{
    char *path = strchr(line, '/'), *end = path ? strstr(path, " (") : NULL;
    char *arrow = strstr(line, " => ");

    if (arrow && arrow[4] == '/') {
        path = arrow + 4;
        end = strstr(path, " (");
    }
    if (!end)
        return NULL;
    *end = '\0';
    return path;
}

int jail_libraries(const char *program, char *buffer, size_t capacity, const char **ret_paths)
{
    char loader[PATH_MAX], *rest = NULL;
    ssize_t size = 0;
    size_t count = 0;
    int fd = open(program, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r;

    if (fd < 0)
        return -errno;
    r = find_loader(fd, loader);
    (void)close(fd);
    if (r > 0)
        size = run(loader, program, buffer, capacity - 1);
    if (r < 0 || size < 0)
        return r < 0 ? r : (int)size;
    buffer[size] = '\0';
    for (char *line = strtok_r(buffer, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *path = path_in(line);

        if (path && count == JAIL_LIBRARIES)
            return -E2BIG;
        if (path)
            ret_paths[count++] = path;
    }
    ret_paths[count] = NULL;
    return 0;
}
