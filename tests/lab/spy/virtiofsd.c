/* spy virtiofsd: what is virtiofsd's alone. */
#include "spy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool spy_is_ordered(void)
{
    return faccessat(spy.folder, SPY_ORDER, F_OK, 0) == 0;
}

void spy_has_looked(void)
{
    (void)renameat(spy.folder, SPY_ORDER, spy.folder, SPY_DONE);
}

/* virtiofsd's own filter, and its own giving up of capabilities: neither is to be what holds. */
int seccomp_load(const void *filter);
int seccomp_load(const void *filter)
{
    (void)filter;
    return 0;
}

int capng_apply(int set);
int capng_apply(int set)
{
    (void)set;
    return 0;
}

/* "-o source=FOLDER" or "--shared-dir FOLDER"; what virtiofsd asks of it is not in there. */
static const char *folder_of(int argc, char *argv[])
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--shared-dir") == 0)
            return argv[i + 1];
        if (strncmp(argv[i + 1], "source=", 7) == 0)
            return argv[i + 1] + 7;
    }
    return NULL;
}

__attribute__((constructor)) static void begin(int argc, char *argv[])
{
    const char *folder = folder_of(argc, argv);

    if (!folder)
        return;
    spy.folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    spy.log = openat(spy.folder, SPY_LOG, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    spy_begin(argv[0]);
}
