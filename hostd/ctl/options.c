/* options: getopt_long(3), one table for all commands, so that options may stand anywhere. */
#include "options.h"

#include "config/text.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Values of getopt_long() for options without a letter begin behind the letters. */
enum { JSON = 256, BIT };

static const struct option table[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, JSON},
    {"refresh", no_argument, NULL, BIT},
    {"config", required_argument, NULL, BIT + 1},
    {"read-only", no_argument, NULL, BIT + 2},
    {"transport", required_argument, NULL, BIT + 3},
    {"reboot", no_argument, NULL, BIT + 4},
    {"grace", required_argument, NULL, BIT + 5},
    {"file", required_argument, NULL, BIT + 6},
    {"vm", required_argument, NULL, BIT + 7},
    {"event", required_argument, NULL, BIT + 8},
    {"since", required_argument, NULL, BIT + 9},
    {"follow", no_argument, NULL, BIT + 10},
    {"svg", required_argument, NULL, BIT + 11},
    {"env", required_argument, NULL, BIT + 12},
    {"directory", required_argument, NULL, BIT + 13},
    {"uid", required_argument, NULL, BIT + 14},
    {"gid", required_argument, NULL, BIT + 15},
    {"no-input", no_argument, NULL, BIT + 16},
    {"interactive", no_argument, NULL, BIT + 17},
    {"tty", no_argument, NULL, BIT + 18},
    {"mode", required_argument, NULL, BIT + 19},
    {"share", required_argument, NULL, BIT + 20},
    {"network", no_argument, NULL, BIT + 21},
    {"memory", required_argument, NULL, BIT + 22},
    {"cid", required_argument, NULL, BIT + 23},
    {"kernel", required_argument, NULL, BIT + 24},
    {"initrd", required_argument, NULL, BIT + 25},
    {"vms", required_argument, NULL, BIT + 26},
    {"dry-run", no_argument, NULL, BIT + 27},
    {0},
};

/* By the number of the bit: the name of the value, "" if it takes none, and what the option does.
 */
static const char *const abouts[][2] = {
    {"", "ask the guest again"},
    {"FILE", "another file than /etc/guestlink/hostd.json"},
    {"", "the guest cannot write"},
    {"auto|virtiofs|9p", "how the share gets to the guest"},
    {"", "reboot instead of powering off"},
    {"MS", "time between SIGTERM and SIGKILL"},
    {"FILE", "the telemetry file to read"},
    {"VM", "events of this VM only"},
    {"NAME", "events of this name only"},
    {"TIME", "no older events: 10m, 2h, today, 15:04"},
    {"", "wait for more events"},
    {"FILE", "draw a picture (-: on standard output)"},
    {"NAME=VALUE", "set a variable; may be repeated"},
    {"DIR", "the working directory in the guest"},
    {"N", "the user ID in the guest"},
    {"N", "the group ID in the guest"},
    {"", "standard input is /dev/null"},
    {"", "-i: pass standard input, as by default"},
    {"", "-t: give the command a terminal"},
    {"MODE", "the Unix socket's mode, by default 0600"},
    {"PATH:TARGET[:ro]", "share a folder of the host; may be repeated"},
    {"", "give the VM an adapter in QEMU's user network"},
    {"SIZE", "the guest's memory, by default 1280M"},
    {"N", "the vsock CID, by default the next free one"},
    {"FILE", "the guest's kernel, by default the host's own"},
    {"FILE", "the guest's image; without it, one is made"},
    {"DIR", "another folder than /etc/guestlink/vms"},
    {"", "show what would be written; change nothing"},
};

const char *options_name(unsigned bits)
{
    for (size_t i = 0; table[i].name != NULL; i++)
        if (table[i].val >= BIT && (bits & 1u << (table[i].val - BIT)) != 0)
            return table[i].name;
    return "";
}

void options_describe(FILE *to, unsigned bits, bool about)
{
    char words[64];

    for (size_t i = 0; table[i].name != NULL; i++) {
        unsigned bit = (unsigned)(table[i].val - BIT);

        if (table[i].val < BIT || (bits & 1u << bit) == 0)
            continue;
        (void)snprintf(words, sizeof(words), "--%s%s%s", table[i].name,
                       abouts[bit][0][0] != '\0' ? " " : "", abouts[bit][0]);
        if (about)
            (void)fprintf(to, "  %-31s  %s\n", words, abouts[bit][1]);
        else
            (void)fprintf(to, " [%s]", words);
    }
}

static bool parse_number(const char *name, const char *text, uint32_t *ret_number)
{
    unsigned long long value;
    char *end;

    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || value >= UINT32_MAX) {
        say_error("cannot use --%s \"%s\": expected a whole number; nothing was done", name, text);
        return false;
    }
    *ret_number = (uint32_t)value;
    return true;
}

static bool parse_mode(const char *text, uint32_t *ret_mode)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (*text < '0' || *text > '7' || *end != '\0' || mode > 0777) {
        say_error("cannot use --mode \"%s\": expected an octal number up to 0777, such as 0660; "
                  "nothing was done",
                  text);
        return false;
    }
    *ret_mode = (uint32_t)mode;
    return true;
}

static bool add(struct config_strings *list, char *item)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof(*items));

    if (items == NULL) {
        say_error("%s", strerror(ENOMEM));
        return false;
    }
    list->items = items;
    items[list->count++] = item;
    return true;
}

static bool add_variable(struct options *options, char *variable)
{
    if (config_text_check_variable(variable) == NULL)
        return add(&options->environment, variable);
    say_error("--env: \"%.80s\", expected %s", variable, config_text_check_variable(variable));
    return false;
}

/* An option that belongs to commands. */
static bool take(struct options *options, unsigned bit, char *value)
{
    const struct {
        unsigned bit;
        const char **text;
    } texts[] = {{OPTIONS_CONFIG, &options->config}, {OPTIONS_TRANSPORT, &options->transport},
                 {OPTIONS_FILE, &options->file},     {OPTIONS_VM, &options->vm},
                 {OPTIONS_EVENT, &options->event},   {OPTIONS_SINCE, &options->since},
                 {OPTIONS_SVG, &options->svg},       {OPTIONS_DIRECTORY, &options->directory},
                 {OPTIONS_MEMORY, &options->memory}, {OPTIONS_KERNEL, &options->kernel},
                 {OPTIONS_INITRD, &options->initrd}, {OPTIONS_VMS, &options->vms}};

    options->given |= bit;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (texts[i].bit == bit)
            *texts[i].text = value;
    switch (bit) {
    case OPTIONS_ENVIRONMENT:
        return add_variable(options, value);
    case OPTIONS_SHARE:
        return add(&options->shares, value);
    case OPTIONS_CID:
        return parse_number("cid", value, &options->cid);
    case OPTIONS_GRACE:
        return parse_number("grace", value, &options->grace_ms);
    case OPTIONS_MODE:
        return parse_mode(value, &options->mode);
    case OPTIONS_UID:
        return parse_number("uid", value, &options->uid);
    case OPTIONS_GID:
        return parse_number("gid", value, &options->gid);
    default:
        return true;
    }
}

int options_parse(int argc, char **argv, struct options *options)
{
    int letter;

    while ((letter = getopt_long(argc, argv, "hVs:fit", table, NULL)) >= 0) {
        switch (letter) {
        case 'h':
            options->help = true;
            break;
        case 'V':
            options->version = true;
            break;
        case 's':
            options->socket = optarg;
            break;
        case JSON:
            options->json = true;
            break;
        case 'f':
            options->given |= OPTIONS_FOLLOW;
            break;
        case 'i':
            options->given |= OPTIONS_INTERACTIVE;
            break;
        case 't':
            options->given |= OPTIONS_TERMINAL;
            break;
        case '?': /* getopt_long() said what */
            say_error("`guestlinkctl --help` lists the options");
            return 2;
        default:
            if (!take(options, 1u << (letter - BIT), optarg))
                return 2;
        }
    }
    options->words = argv + optind;
    options->word_count = argc - optind;
    return 0;
}

void options_done(struct options *options)
{
    free(options->environment.items);
    free(options->shares.items);
    options->environment = options->shares = (struct config_strings){0};
}
