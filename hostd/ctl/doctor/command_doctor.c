/* command doctor: looks at the host and at its VMs, with the daemon's help where it runs. */
#include "client.h"
#include "command.h"
#include "doctor.h"
#include "say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/guestlink/hostd.json"
#define EMPTY          "{\"vms\": []}"
/* "WRONG  allocation  " */
#define MARGIN 19u

static void tell(void *userdata, const char *remark)
{
    (void)userdata;
    say_error("%s", remark);
}

static void look_at_vm(const struct options *options, struct doctor *doctor,
                       const struct config_vm *vm)
{
    struct json_object *reply = client_ask(options->socket, "Show", command_vm_params(vm->id));

    doctor_look_at_shares(doctor, vm);
    doctor_look_at_qemu(doctor, vm, json_member(reply, "vm"));
    doctor_look_at_domain(doctor, vm, json_member(reply, "vm"));
    doctor_look_at_open_files(doctor, vm);
    doctor_look_at_nested(doctor, vm, json_member(reply, "vm"));
    doctor_look_at_aperture(doctor, vm, json_member(reply, "vm"));
    json_object_put(reply);
}

/* The worst first. */
static const struct {
    const char *state, *shown;
    enum say_colour colour;
} states[] = {{"wrong", "WRONG", SAY_RED},
              {"note", "NOTE", SAY_YELLOW},
              {"unknown", "?", SAY_DIM},
              {"right", "ok", SAY_GREEN}};

#define STATES (sizeof(states) / sizeof(states[0]))

static void print_finding(struct json_object *finding, size_t state)
{
    const char *advice = command_text(finding, "advice");

    say_format(states[state].colour, "%-5s", states[state].shown);
    say_format(SAY_PLAIN, "  %-10s  ", command_text(finding, "check"));
    say_wrapped(SAY_PLAIN, command_text(finding, "text"), MARGIN);
    if (advice[0] == '\0')
        return;
    (void)printf("%*s", (int)MARGIN - 3, "");
    say_text(SAY_BOLD, "-> ");
    say_wrapped(SAY_BOLD, advice, MARGIN);
}

/* Of a VM's findings, or of the host's, for which @p vm is "". @return STATES: there is none */
static size_t worst_of(const struct doctor *doctor, const char *vm)
{
    size_t worst = STATES;

    for (size_t i = 0; i < json_count(doctor->findings); i++)
        for (size_t state = 0; state < worst; state++)
            if (strcmp(vm, command_text(json_element(doctor->findings, i), "vm")) == 0 &&
                strcmp(states[state].state,
                       command_text(json_element(doctor->findings, i), "state")) == 0)
                worst = state;
    return worst;
}

static void print_findings_of(const struct doctor *doctor, const char *vm)
{
    say_text(SAY_BOLD, vm[0] == '\0' ? "host" : vm);
    (void)putchar('\n');
    for (size_t state = 0; state < STATES; state++)
        for (size_t i = 0; i < json_count(doctor->findings); i++) {
            struct json_object *finding = json_element(doctor->findings, i);

            if (strcmp(vm, command_text(finding, "vm")) == 0 &&
                strcmp(states[state].state, command_text(finding, "state")) == 0)
                print_finding(finding, state);
        }
}

static void print(const struct doctor *doctor)
{
    for (size_t worst = 0; worst < STATES; worst++) {
        if (worst_of(doctor, "") == worst)
            print_findings_of(doctor, "");
        for (size_t i = 0; i < doctor->config->vm_count; i++)
            if (worst_of(doctor, doctor->config->vms[i].name) == worst)
                print_findings_of(doctor, doctor->config->vms[i].name);
    }
}

static void look(const struct options *options, struct doctor *doctor, const struct config_vm *vm,
                 struct json_object *files)
{
    const struct config *config = doctor->config;

    if (files != NULL)
        doctor_find(doctor, DOCTOR_RIGHT, "daemon", "", "", "guestlink-hostd answers at %s",
                    options->socket);
    else
        doctor_find(doctor, DOCTOR_UNKNOWN, "daemon", "",
                    "systemctl start guestlink-hostd; or --socket PATH names another",
                    "guestlink-hostd does not answer at %s; skipping the checks that need it",
                    options->socket);
    if (doctor->has_config)
        doctor_look_at_host(doctor);
    else
        doctor_look_at_machine(doctor);
    doctor_look_at_state(doctor, files);
    for (size_t i = 0; i < config->vm_count; i++)
        if (vm == NULL || vm == &config->vms[i])
            look_at_vm(options, doctor, &config->vms[i]);
    if (doctor->has_config) /* which names its file */
        doctor_look_at_telemetry(doctor, vm ? vm : config->vms, vm ? 1 : config->vm_count);
}

/* @return the file; or an empty one, after noting what is wrong with it */
static struct config *load(struct doctor *doctor, const char *file)
{
    struct config *config = NULL;
    int reason = access(file, R_OK) < 0 ? errno : 0;

    if (reason == 0 && config_load(file, tell, tell, NULL, &config) == 0) {
        doctor->has_config = true;
        return config;
    }
    (void)config_parse(EMPTY, strlen(EMPTY), file, NULL, NULL, NULL, &config);
    if (reason == ENOENT)
        doctor_find(doctor, DOCTOR_WRONG, "config", "",
                    "create one with `guestlinkctl new VM`, or name it with --config FILE",
                    "%s does not exist; checking only what every VM needs", file);
    else if (reason != 0)
        doctor_find(doctor, DOCTOR_WRONG, "config", "",
                    reason == EACCES ? "run guestlinkctl doctor as root" : "fix that",
                    "cannot read %s: %s; skipping the checks that need it", file, strerror(reason));
    else
        doctor_find(doctor, DOCTOR_WRONG, "config", "",
                    "fix the errors that `guestlink-hostd --config FILE --check-config` reports",
                    "cannot use %s; skipping the checks that need it", file);
    return config;
}

/* The daemon's own file, or none that can be read: another one may be what is to come. */
static bool is_daemons(const struct doctor *doctor, const char *file, struct json_object *files)
{
    return files != NULL &&
           (!doctor->has_config || strcmp(file, command_text(files, "configuration")) == 0);
}

int command_doctor(const struct options *options, char **words)
{
    struct doctor doctor = {.places = DOCTOR_PLACES, .findings = json_object_new_array()};
    struct json_object *files = client_ask(options->socket, "Files", NULL);
    const char *file = command_text(files, "configuration");
    const struct config_vm *vm = NULL;
    struct config *config;
    bool named = false;
    int status = 1;

    doctor.socket = files != NULL ? options->socket : NULL;
    if (options->config != NULL)
        file = options->config;
    else if (file[0] == '\0')
        file = DEFAULT_CONFIG;
    config = load(&doctor, file);
    if (config != NULL && is_daemons(&doctor, file, files))
        doctor_add_running(config, options->socket);
    if (config != NULL) /* without a file or a daemon there is no VM to find */
        named = words[0] != NULL && (doctor.has_config || config->vm_count > 0);
    if (named)
        vm = command_find_vm(config, words[0]);
    if (config != NULL && (!named || vm != NULL)) {
        doctor.config = config;
        look(options, &doctor, vm, files);
        if (options->json)
            say_json(doctor.findings);
        else
            print(&doctor);
        status = doctor.wrong ? 1 : 0;
    }
    json_object_put(doctor.findings);
    (void)config_free(config);
    json_object_put(files);
    return status;
}
