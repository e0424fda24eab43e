/*
 * guestlink: what people do without a daemon of the system's: `guestlink run`, a VM for one
 * command.
 *
 * Exit status of `guestlink run`: see once.h. Of guestlink itself: 0, or 125 for a usage error.
 */
#include "base/streams.h"
#include "ctl/output.h"
#include "ctl/say.h"
#include "once.h"
#include "tool.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_USAGE = 125 };

static void print_help(void)
{
    (void)puts("Usage: guestlink run [OPTION]... [--] COMMAND [WORD]...\n"
               "       guestlink --help | --version\n"
               "\n"
               "run  starts a VM, runs COMMAND in it, and ends it: as an ordinary user, without\n"
               "     any daemon. `guestlink run --help` lists the options; guestlink-run(1) has\n"
               "     examples.\n"
               "\n"
               "guestlinkctl(1) is for VMs that guestlink-hostd(8) serves.");
}

static void print_run_help(void)
{
    (void)puts("Usage: guestlink run [OPTION]... [--] COMMAND [WORD]...\n"
               "  --kernel FILE|DIR  the kernel, or an unpacked package (default: the host's)\n"
               "  --root DIR         the root, read-only below a tmpfs (default: BusyBox)\n"
               "  --root-rw          write into that root itself\n"
               "  --share PATH:TARGET[:ro]  show a folder of the host\n"
               "  --disk FILE        a disk: raw, or qcow2 if it is called so\n"
               "  --memory SIZE      (1280M)\n"
               "  --cpus N           (1)\n"
               "  --net              a network; --publish [ADDR:]PORT:GUESTPORT opens a port\n"
               "  --aperture auto|require|off  what virtiofsd can reach of the guest's memory\n"
               "  -i, --interactive  pass standard input on\n"
               "  -t, --tty          give the command a terminal\n"
               "  --env NAME[=VALUE]  --user USER[:GROUP]  --directory DIR   of the command\n"
               "  --timeout TIME     end after so many seconds (or 5m, 2h): exit status 124\n"
               "  --keep             keep the folder with the logs\n"
               "  --verbose          show the guest's console and the host's log\n"
               "  --print-config     show hostd.json and QEMU's command line, run nothing\n"
               "  --accel auto|kvm|tcg  --qemu FILE  --virtiofsd FILE\n"
               "Exit status: the command's; 124 timed out, 125 not started, 126 not executable,\n"
               "127 not found, 128+N died of signal N.");
}

static int run(int argc, char **argv)
{
    struct request request = REQUEST_NULL;
    int status = request_parse(argc, argv, &request);

    if (status == 0 && request.help)
        print_run_help();
    else if (status == 0)
        status = once_run(&request);
    request_done(&request);
    return status;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (streams_open() < 0)
        return 125;
    output_wait();
    (void)setlocale(LC_CTYPE, "");
    say_set_program("guestlink");
    tool_extend_path();
    if (strcmp(word, "run") == 0) {
        argv[1] = argv[0]; /* getopt_long() says so */
        return run(argc - 1, argv + 1);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        (void)puts("guestlink " GUESTLINK_VERSION);
        return 0;
    }
    if (*word == '\0')
        say_error("no command, expected run; `guestlink --help` has more");
    else
        say_error("unknown command \"%s\", expected run; `guestlink --help` has more", word);
    return EXIT_USAGE;
}
