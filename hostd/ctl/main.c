/* guestlinkctl: asks guestlink-hostd, changes things through it, and reads its telemetry. */
#include "base/streams.h"
#include "command_table.h"
#include "output.h"
#include "say.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* What did not reach stdout is a failure, whatever the command said. */
static int finish(int status)
{
    errno = 0;
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    say_error("cannot write standard output: %s", strerror(errno != 0 ? errno : EIO));
    return status != 0 ? status : 1;
}

int main(int argc, char **argv)
{
    struct options options = OPTIONS_NULL;
    int status;

    if (streams_open() < 0)
        return 1;
    output_wait();
    (void)setlocale(LC_CTYPE, "");
    status = options_parse(argc, argv, &options);
    if (status == 0) {
        if (options.help)
            status = command_table_help(&options);
        else if (options.version)
            (void)puts("guestlinkctl " GUESTLINK_VERSION);
        else
            status = command_table_run(&options);
    }
    options_done(&options);
    return finish(status);
}
