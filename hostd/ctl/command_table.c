/* command table: the commands, what each takes, and which one the words name. */
#include "command_table.h"

#include "command.h"
#include "config/text.h"
#include "say.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY_NUMBER INT_MAX

static const struct command {
    const char *name, *more;  /* `more`: its second word, NULL if it has none */
    const char *words, *rest; /* the others; `rest`: behind the options */
    int words_min, words_max;
    unsigned options;
    int (*fn)(const struct options *options, char **words);
    const char *about, *example;
} commands[] = {
    {"list", NULL, "", "", 0, 0, 0, command_list, "list all VMs, those with an error first", ""},
    {"show", NULL, " VM", "", 1, 1, 0, command_show, "show everything about one VM", " dev"},
    {"capabilities", NULL, " VM", "", 1, 1, OPTIONS_REFRESH, command_capabilities,
     "show the guest kernel's features", " dev --refresh"},
    {"cmdline", NULL, " VM", "", 1, 1, OPTIONS_CONFIG, command_cmdline,
     "print words for the guest's kernel command line", " dev"},
    {"new", NULL, " VM", "", 1, 1,
     OPTIONS_SHARE | OPTIONS_NETWORK | OPTIONS_MEMORY | OPTIONS_CID | OPTIONS_KERNEL |
         OPTIONS_INITRD | OPTIONS_CONFIG | OPTIONS_VMS | OPTIONS_DRY_RUN,
     command_new, "configure another VM, and make its image",
     " web --share /srv:/mnt/srv:ro --network"},
    {"share", "add", " VM TAG PATH TARGET", "", 4, 4, OPTIONS_READ_ONLY | OPTIONS_TRANSPORT,
     command_share_add, "share a folder while the VM runs",
     " dev doc /usr/share/doc /mnt/doc --read-only"},
    {"share", "remove", " VM TAG", "", 2, 2, 0, command_share_remove, "unmount and remove a share",
     " dev doc"},
    {"exec", NULL, " VM", " -- ARGV...", 2, ANY_NUMBER,
     OPTIONS_ENVIRONMENT | OPTIONS_DIRECTORY | OPTIONS_UID | OPTIONS_GID | OPTIONS_NO_INPUT |
         OPTIONS_INTERACTIVE | OPTIONS_TERMINAL,
     command_exec, "run a command in the guest", " dev -- ls /mnt/doc"},
    {"forward", NULL, " VM HERE THERE", "", 3, 3, OPTIONS_MODE, command_forward,
     "make a service of the guest reachable here", " dev 8080 80"},
    {"shutdown", NULL, " VM", "", 1, 1, OPTIONS_REBOOT | OPTIONS_GRACE, command_shutdown,
     "power the guest off, or reboot it", " dev"},
    {"telemetry", NULL, "", "", 0, 0,
     OPTIONS_FILE | OPTIONS_VM | OPTIONS_EVENT | OPTIONS_SINCE | OPTIONS_FOLLOW, command_telemetry,
     "print the events of all guests", " --vm dev --since 1h"},
    {"timeline", NULL, " VM", "", 1, 1, OPTIONS_SVG | OPTIONS_FILE, command_timeline,
     "show how long each step of the last boot took", " dev --svg boot.svg"},
    {"doctor", NULL, " [VM]", "", 0, 1, OPTIONS_CONFIG, command_doctor,
     "find problems on this host, and how to fix them", " dev"},
    {"metrics", NULL, "", "", 0, 0, 0, command_metrics, "print the daemon's numbers for Prometheus",
     ""},
    {"reload", NULL, "", "", 0, 0, 0, command_reload,
     "have the daemon read its configuration again", ""},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

enum options_shown { OPTIONS_NONE, OPTIONS_SHORT, OPTIONS_ALL };

/* "share add VM TAG PATH TARGET" */
static void print_words(FILE *to, const struct command *command, enum options_shown options)
{
    (void)fprintf(to, "%s%s%s%s", command->name, command->more != NULL ? " " : "",
                  command->more != NULL ? command->more : "", command->words);
    if (options == OPTIONS_ALL)
        options_describe(to, command->options, false);
    else if (options == OPTIONS_SHORT && command->options != 0)
        (void)fputs(" [OPTION]...", to);
    (void)fputs(command->rest, to);
}

/* @return malloc()ed; NULL: no memory */
static char *format_words(const struct command *command, enum options_shown options)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (to == NULL)
        return NULL;
    print_words(to, command, options);
    (void)fclose(to);
    return text;
}

static int refuse_usage(const struct command *command)
{
    char *usage = format_words(command, OPTIONS_ALL);

    say_error("usage: guestlinkctl %s", usage != NULL ? usage : command->name);
    free(usage);
    return 2;
}

/* @param skip  the command's own words. @param max  of those behind them */
static void refuse_words(char **words, int skip, bool missing, int max)
{
    if (missing)
        say_error("cannot run `%s`: an argument is missing; nothing was done", words[0]);
    else
        say_error("cannot run `%s`: unexpected argument \"%s\"; nothing was done", words[0],
                  words[skip + max]);
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
        say_error("unknown command \"%s\", expected `%s`?", name, nearest);
    else
        say_error("unknown command \"%s\"; `guestlinkctl --help` lists all", name);
    return 2;
}

static void help_of_all(void)
{
    (void)puts("guestlinkctl [--socket PATH] [--json] COMMAND\n");
    for (size_t i = 0; i < COMMANDS; i++) {
        char *words = format_words(&commands[i], OPTIONS_NONE);

        (void)printf("  %-29s  %s\n", words != NULL ? words : "", commands[i].about);
        free(words);
    }
    (void)puts("\n  -s, --socket PATH  control socket (" OPTIONS_DEFAULT_SOCKET ")\n"
               "      --json         print JSON: what the daemon answered, telemetry's lines\n"
               "  -h, --help         with a command: its options, and an example\n"
               "  -V, --version\n"
               "Exit status: 0; 1 failed; 2 usage; exec: the command's. See guestlinkctl(1).");
}

static void help_of(const struct command *command)
{
    (void)fputs("guestlinkctl ", stdout);
    print_words(stdout, command, OPTIONS_SHORT);
    (void)printf("\n  %s\n", command->about);
    if (command->options != 0)
        (void)putchar('\n');
    options_describe(stdout, command->options, true);
    (void)printf("\nExample:\n  guestlinkctl %s%s%s%s\n", command->name,
                 command->more != NULL ? " " : "", command->more != NULL ? command->more : "",
                 command->example);
}

int command_table_help(const struct options *options)
{
    bool found = false;

    for (size_t i = 0; i < COMMANDS && options->word_count > 0; i++) {
        if (strcmp(commands[i].name, options->words[0]) != 0 ||
            (commands[i].more != NULL && options->word_count > 1 &&
             strcmp(commands[i].more, options->words[1]) != 0))
            continue;
        if (found)
            (void)putchar('\n');
        help_of(&commands[i]);
        found = true;
    }
    if (!found && options->word_count > 0)
        return refuse_command(options->words[0]);
    if (!found)
        help_of_all();
    return 0;
}

int command_table_run(const struct options *options)
{
    bool known = false;

    if (options->word_count == 0) {
        say_error("expected a command; `guestlinkctl --help` lists all");
        return 2;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        int skip = commands[i].more != NULL ? 2 : 1, words = options->word_count - skip;

        if (strcmp(commands[i].name, options->words[0]) != 0)
            continue;
        known = true;
        if (skip == 2 && (words < 0 || strcmp(commands[i].more, options->words[1]) != 0))
            continue;
        if ((options->given & ~commands[i].options) != 0) {
            say_error("--%s is not an option of `%s`",
                      options_name(options->given & ~commands[i].options), commands[i].name);
            return refuse_usage(&commands[i]);
        }
        if (words < commands[i].words_min || words > commands[i].words_max) {
            refuse_words(options->words, skip, words < commands[i].words_min,
                         commands[i].words_max);
            return refuse_usage(&commands[i]);
        }
        return commands[i].fn(options, options->words + skip);
    }
    if (!known)
        return refuse_command(options->words[0]);
    if (options->word_count > 1)
        say_error("cannot run `%s %s`: expected `add` or `remove`", options->words[0],
                  options->words[1]);
    say_error("usage: guestlinkctl share add|remove VM TAG ...");
    return 2;
}
