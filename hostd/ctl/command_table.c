/* command table: the commands, what each takes, and which one the words name. */
#include "command_table.h"

#include "command.h"
#include "config/text.h"
#include "say.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define ANY_NUMBER INT_MAX

static const struct {
    const char *name, *more; /* `more`: its second word, NULL if it has none */
    int words_min, words_max;
    unsigned options;
    int (*fn)(const struct options *options, char **words);
    const char *usage;
} commands[] = {
    {"list", NULL, 0, 0, 0, command_list, "list"},
    {"show", NULL, 1, 1, 0, command_show, "show VM"},
    {"capabilities", NULL, 1, 1, OPTIONS_REFRESH, command_capabilities,
     "capabilities VM [--refresh]"},
    {"cmdline", NULL, 1, 1, OPTIONS_CONFIG, command_cmdline, "cmdline VM [--config FILE]"},
    {"share", "add", 4, 4, OPTIONS_READ_ONLY | OPTIONS_TRANSPORT, command_share_add,
     "share add VM TAG PATH TARGET [--read-only] [--transport auto|virtiofs|9p]"},
    {"share", "remove", 2, 2, 0, command_share_remove, "share remove VM TAG"},
    {"exec", NULL, 2, ANY_NUMBER,
     OPTIONS_ENVIRONMENT | OPTIONS_DIRECTORY | OPTIONS_UID | OPTIONS_GID | OPTIONS_NO_INPUT,
     command_exec,
     "exec VM [--env NAME=VALUE] [--directory DIR] [--uid N] [--gid N] [--no-input] -- ARGV..."},
    {"forward", NULL, 3, 3, OPTIONS_MODE, command_forward, "forward VM HERE THERE [--mode MODE]"},
    {"shutdown", NULL, 1, 1, OPTIONS_REBOOT | OPTIONS_GRACE, command_shutdown,
     "shutdown VM [--reboot] [--grace MS]"},
    {"telemetry", NULL, 0, 0,
     OPTIONS_FILE | OPTIONS_VM | OPTIONS_EVENT | OPTIONS_SINCE | OPTIONS_FOLLOW, command_telemetry,
     "telemetry [--file FILE] [--vm VM] [--event NAME] [--since TIME] [--follow]"},
    {"timeline", NULL, 1, 1, OPTIONS_SVG | OPTIONS_FILE, command_timeline,
     "timeline VM [--file FILE] [--svg FILE]"},
    {"doctor", NULL, 0, 1, OPTIONS_CONFIG, command_doctor, "doctor [VM] [--config FILE]"},
    {"metrics", NULL, 0, 0, 0, command_metrics, "metrics"},
    {"reload", NULL, 0, 0, 0, command_reload, "reload"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

void command_table_help(void)
{
    (void)fputs("guestlinkctl [--socket PATH] [--json] COMMAND\n\n"
                "  list                            all VMs\n"
                "  show VM                         everything about one VM\n"
                "  capabilities VM [--refresh]     what its guest's kernel can do\n"
                "  cmdline VM [--config FILE]      what to add to its kernel command line\n"
                "  share add VM TAG PATH TARGET [--read-only] [--transport auto|virtiofs|9p]\n"
                "  share remove VM TAG             add and remove shares while it runs\n"
                "  exec VM [--env N=V] [--directory DIR] [--uid N] [--gid N] [--no-input]\n"
                "       -- ARGV...                 run a command in the guest\n"
                "  forward VM HERE THERE [--mode MODE]\n"
                "                                  a port or Unix socket here is one in the guest\n"
                "  shutdown VM [--reboot] [--grace MS]\n"
                "  telemetry [--file FILE] [--vm VM] [--event NAME] [--since TIME] [--follow]\n"
                "  timeline VM [--file FILE] [--svg FILE]   what took how long until ready\n"
                "  doctor [VM] [--config FILE]     what is wrong on this host, and what to do\n"
                "  metrics                         its numbers, in Prometheus' format\n"
                "  reload                          read the configuration file again\n\n"
                "  -s, --socket PATH  control socket (" OPTIONS_DEFAULT_SOCKET ")\n"
                "      --json         the daemon's answer as JSON; telemetry's lines as they are\n"
                "  -h, --help   -V, --version\n\n"
                "Exit status: 0; 1 failed; 2 usage; exec: the command's. See guestlinkctl(1).\n",
                stdout);
}

static int refuse_command(const char *name)
{
    const char *nearest = NULL;
    size_t best = 4;

    for (size_t i = 0; i < COMMANDS; i++) {
        size_t distance = config_text_distance(name, commands[i].name);

        if (distance < best) {
            best = distance;
            nearest = commands[i].name;
        }
    }
    if (nearest != NULL)
        say_error("\"%s\" is no command, expected `%s`?", name, nearest);
    else
        say_error("\"%s\" is no command; `guestlinkctl --help` shows all", name);
    return 2;
}

int command_table_run(const struct options *options)
{
    bool known = false;

    if (options->word_count == 0) {
        say_error("expected a command; `guestlinkctl --help` shows all");
        return 2;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        int skip = commands[i].more != NULL ? 2 : 1, words = options->word_count - skip;

        if (strcmp(commands[i].name, options->words[0]) != 0)
            continue;
        known = true;
        if (skip == 2 && (words < 0 || strcmp(commands[i].more, options->words[1]) != 0))
            continue;
        if (words < commands[i].words_min || words > commands[i].words_max) {
            say_error("usage: guestlinkctl %s", commands[i].usage);
            return 2;
        }
        if ((options->given & ~commands[i].options) != 0) {
            say_error("--%s does not belong to `%s`; usage: guestlinkctl %s",
                      options_name(options->given & ~commands[i].options), commands[i].name,
                      commands[i].usage);
            return 2;
        }
        return commands[i].fn(options, options->words + skip);
    }
    if (!known)
        return refuse_command(options->words[0]);
    say_error("usage: guestlinkctl share add|remove VM TAG ...");
    return 2;
}
