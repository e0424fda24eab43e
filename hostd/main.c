/*
 * guestlink-hostd: serves the guests of one host.
 *
 * Exit status 0: stopped in good order; 1: failed; 2: the command line or the configuration is
 * wrong.
 */
#include "base/log.h"
#include "base/notify.h"
#include "base/streams.h"
#include "config/config.h"
#include "config/policy.h"
#include "daemon.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

enum { EXIT_USAGE = 2 };

struct options {
    const char *config;
    bool check;
};

static void print_help(void)
{
    printf("Usage: guestlink-hostd --config FILE [--check-config]\n"
           "\n"
           "Serves the guests whose PID 1 is guestlink-init, and gives their VMs devices.\n"
           "\n"
           "  --config FILE   the configuration, JSON with comments\n"
           "  --check-config  report errors in it, and exit\n"
           "  -h, --help      show this, and exit\n"
           "  -V, --version   show the version, and exit\n"
           "\n"
           "Exit status: 0, 1 (failed), 2 (usage or configuration error).\n"
           "Signals: HUP reads FILE again, USR1 reopens the telemetry file, TERM stops the\n"
           "daemon; guests and their devices keep running.\n");
}

/* @return -1: go on; else the exit status */
static int parse_options(int argc, char *argv[], struct options *ret_options)
{
    static const struct option known[] = {{"config", required_argument, NULL, 'c'},
                                          {"check-config", no_argument, NULL, 'k'},
                                          {"help", no_argument, NULL, 'h'},
                                          {"version", no_argument, NULL, 'V'},
                                          {0}};
    int option;

    while ((option = getopt_long(argc, argv, "c:hV", known, NULL)) >= 0) {
        switch (option) {
        case 'c':
            ret_options->config = optarg;
            break;
        case 'k':
            ret_options->check = true;
            break;
        case 'h':
            print_help();
            return EXIT_SUCCESS;
        case 'V':
            printf("guestlink-hostd " GUESTLINK_VERSION "\n");
            return EXIT_SUCCESS;
        default: /* getopt has told */
            fprintf(stderr, "guestlink-hostd: see --help\n");
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "guestlink-hostd: unexpected argument \"%s\"; see --help\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (!ret_options->config) {
        fprintf(stderr, "guestlink-hostd: --config FILE is missing; see --help\n");
        return EXIT_USAGE;
    }
    return -1;
}

static void on_warning(void *userdata, const char *remark)
{
    (void)userdata;
    log_line(LOG_WARNING, "%s", remark);
}

static void on_error(void *userdata, const char *remark)
{
    (void)userdata;
    log_line(LOG_ERR, "%s", remark);
}

/* The daemon tells the warnings of policy as it makes its VMs; a check tells them here. */
static int check(struct config *config)
{
    for (size_t i = 0; i < config->vm_count; i++)
        (void)policy_decide(config, &config->vms[i], on_warning, NULL);
    config_tell_unreachable(config, on_warning, NULL);
    config_tell_missing_folders(config, on_warning, NULL);
    config_tell_missing_programs(config, on_warning, NULL);
    printf("%s: %zu VM%s, no error\n", config->file, config->vm_count,
           config->vm_count == 1 ? "" : "s");
    (void)config_free(config);
    return EXIT_SUCCESS;
}

/* sd-event takes signals from a file descriptor; a peer that closes is an error code, no signal. */
static int prepare_signals(void)
{
    static const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(blocked) / sizeof(blocked[0]); i++)
        (void)sigaddset(&set, blocked[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -errno : 0;
}

/* A connection a VM, a listening socket, a QMP connection: the usual 1,024 are soon used up. */
static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* @param config  consumed */
static int serve(struct config *config)
{
    struct daemon *daemon = NULL;
    sd_event *event = NULL;
    int r;

    r = prepare_signals();
    if (r >= 0)
        r = sd_event_new(&event);
    if (r < 0) {
        (void)config_free(config);
        log_line(LOG_ERR, "cannot create the event loop: %s", strerrordesc_np(-r));
        return EXIT_FAILURE;
    }
    raise_file_limit();
    (void)sd_event_set_watchdog(event, true);
    r = daemon_new(event, config, &daemon);
    if (r >= 0) {
        r = sd_event_loop(event);
        notify_stopping();
    }
    (void)daemon_free(daemon);
    (void)sd_event_unref(event);
    if (r < 0)
        log_line(LOG_ERR, "exiting: %s", strerrordesc_np(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    struct options options = {0};
    struct config *config = NULL;
    int r;

    if (streams_open() < 0)
        return EXIT_FAILURE;
    r = parse_options(argc, argv, &options);
    if (r >= 0)
        return r;
    r = config_load(options.config, on_warning, on_error, NULL, &config);
    if (r != 0)
        return r == -ENOMEM ? EXIT_FAILURE : EXIT_USAGE;
    return options.check ? check(config) : serve(config);
}
