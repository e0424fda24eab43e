/* guestlinkctl: asks guestlink-hostd, changes things through it, and reads its telemetry. */
#include "command_table.h"
#include "say.h"

#include <locale.h>
#include <stdio.h>

/* What did not reach stdout is a failure, whatever the command said. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return status;
    say_error("stdout: cannot be written");
    return status != 0 ? status : 1;
}

int main(int argc, char **argv)
{
    struct options options = OPTIONS_NULL;
    int status;

    (void)setlocale(LC_CTYPE, "");
    status = options_parse(argc, argv, &options);
    if (status == 0) {
        if (options.help)
            command_table_help();
        else if (options.version)
            (void)puts("guestlinkctl " GUESTLINK_VERSION);
        else
            status = command_table_run(&options);
    }
    options_done(&options);
    return finish(status);
}
