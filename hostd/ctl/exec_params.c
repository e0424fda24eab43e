/* exec params: what the daemon is asked to run. */
#include "exec_params.h"

#include "base/json.h"
#include "command.h"
#include "protocol/limits.h"
#include "say.h"
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATUS_USAGE 2

/* "TERM=xterm", of a reasonable length. */
#define TERM_SIZE 64u

static int refuse(const char *reason)
{
    say_error("cannot run the command: %s; nothing was started", reason);
    return STATUS_USAGE;
}

/* @return 0, or the exit status after saying what is wrong */
static int check_options(const struct options *options)
{
    bool terminal = (options->given & OPTIONS_TERMINAL) != 0;

    if ((options->given & OPTIONS_NO_INPUT) != 0 &&
        (options->given & (OPTIONS_INTERACTIVE | OPTIONS_TERMINAL)) != 0)
        return refuse("--no-input excludes -i and -t, which pass standard input");
    if (terminal && options->json)
        return refuse("--json excludes -t, which shows the output as it is");
    if (terminal && !terminal_is_there())
        return refuse("-t needs a terminal, and standard input is not one; without -t, standard "
                      "input is passed as it is");
    return 0;
}

/* The kind of our terminal, unless --env names another. */
static void find_term(const struct options *options, char ret_term[TERM_SIZE])
{
    const char *term = getenv("TERM");

    ret_term[0] = '\0';
    for (size_t i = 0; i < options->environment.count; i++)
        if (strncmp(options->environment.items[i], "TERM=", 5) == 0)
            return;
    if (term != NULL && *term != '\0' && strlen(term) < TERM_SIZE - 5)
        (void)snprintf(ret_term, TERM_SIZE, "TERM=%s", term);
}

/* What does not fit into the daemon's message to the guest is said before it is sent. */
static bool check_size(const struct options *options, const char *term, char **argv)
{
    size_t bytes = options->directory != NULL ? strlen(options->directory) : 0;

    for (char **word = argv; *word != NULL; word++)
        bytes += strlen(*word) + 2;
    for (size_t i = 0; i < options->environment.count; i++)
        bytes += strlen(options->environment.items[i]) + 2;
    if (*term != '\0')
        bytes += strlen(term) + 2;
    if (bytes <= LIMITS_WORDS_BYTES)
        return true;
    say_error("cannot pass %zu bytes of arguments and variables (2 more for each): expected at "
              "most %u; nothing was started; pass the command its data on standard input or in "
              "a share",
              bytes, LIMITS_WORDS_BYTES);
    return false;
}

void exec_params_add_size(struct json_object *params, struct terminal_size size)
{
    json_add_number(params, "rows", size.rows);
    json_add_number(params, "columns", size.columns);
}

static struct json_object *make(const struct options *options, const char *term, char **words)
{
    struct json_object *params = command_vm_params(words[0]), *argv = json_object_new_array();
    struct json_object *environment = json_object_new_array();

    for (char **word = words + 1; *word != NULL; word++)
        json_object_array_add(argv, json_object_new_string(*word));
    for (size_t i = 0; i < options->environment.count; i++)
        json_object_array_add(environment, json_object_new_string(options->environment.items[i]));
    if (*term != '\0')
        json_object_array_add(environment, json_object_new_string(term));
    json_object_object_add(params, "argv", argv);
    json_object_object_add(params, "environment", environment);
    if (options->directory != NULL)
        json_add_text(params, "directory", options->directory);
    json_add_number(params, "uid", options->uid);
    json_add_number(params, "gid", options->gid);
    json_add_flag(params, "input", (options->given & OPTIONS_NO_INPUT) == 0);
    if ((options->given & OPTIONS_TERMINAL) != 0) {
        json_add_flag(params, "terminal", true);
        exec_params_add_size(params, terminal_size());
    }
    return params;
}

int exec_params_make(const struct options *options, char **words, struct json_object **ret_params)
{
    char term[TERM_SIZE] = "";
    int status = check_options(options);

    if (status != 0)
        return status;
    if ((options->given & OPTIONS_TERMINAL) != 0)
        find_term(options, term);
    if (!check_size(options, term, words + 1))
        return EXEC_PARAMS_FAILED;
    *ret_params = make(options, term, words);
    return 0;
}
