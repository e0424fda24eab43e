/* once: the steps of a run, in order. */
#include "once.h"

#include "base/fd.h"
#include "base/program.h"
#include "ctl/say.h"
#include "ctl/signal_watch.h"
#include "image.h"
#include "inside.h"
#include "ready.h"
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Shows what a run would be made of. The image is made, since QEMU's command line names it. */
static int print(struct plan *plan)
{
    struct json_object *config;
    char scratch[FOLDER_SIZE];
    WORDS qemu = WORDS_NULL;
    struct signalfd_siginfo info;
    FD signals = signal_watch(), lock = folder_make(false, scratch);
    int r = lock;

    if (lock < 0) {
        say_error("cannot create a folder for the image: %s", strerror(-lock));
    } else {
        r = image_get(plan->request, plan->kernel, scratch, signals, plan->image);
        folder_remove(scratch);
    }
    if (r == -ECANCELED && read(signals, &info, sizeof(info)) == sizeof(info))
        return 128 + (int)info.ssi_signo;
    if (r < 0)
        return READY_NOT_STARTED;
    folder_name(plan->folder);
    config = plan_make_config(plan);
    r = plan_make_qemu(plan, config, &qemu);
    if (r == 0)
        plan_print(config, &qemu);
    json_object_put(config);
    return r < 0 ? READY_NOT_STARTED : 0;
}

static int run(struct plan *plan)
{
    struct supervisor supervisor;
    int signals = signal_watch(), status;
    int folder = folder_make(plan->request->keep, plan->folder);
    int r = folder < 0 ? folder : supervisor_start(plan, folder, &supervisor);

    if (r < 0) {
        say_error("cannot create a folder and a process for the VM: %s; nothing was started",
                  strerror(-r));
        return READY_NOT_STARTED;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* the command then gets it, by its own output's end */
    status = ready_wait(plan, &supervisor, signals);
    if (status == 0) {
        status = inside_run(plan, &supervisor);
        inside_shut_down(plan, &supervisor);
    }
    supervisor_end(&supervisor);
    if (signals >= 0)
        (void)close(signals);
    if (plan->request->keep)
        say_error("kept \"%s\"", plan->folder);
    return status;
}

/* QEMU would exit because of that, with its own error message. */
static bool ports_are_free(const struct request *request)
{
    const struct config_strings list = {.items = (char **)(uintptr_t)request->published,
                                        .count = request->forward_count};
    char text[512];

    if (config_publish_probe(&list, geteuid() != 0, text, sizeof(text)) == 0)
        return true;
    say_error("%s; nothing was started", text);
    return false;
}

/* Without one of them, the VM would end or the guest wait, in words of the daemon's. */
static bool programs_exist(const struct request *request)
{
    bool shares = request->share_count > 0 || request->root != NULL;
    char path[LIMITS_PATH];
    int r = program_find(request->qemu, path, sizeof(path));

    if (r < 0) {
        say_error("cannot run \"%s\": %s; nothing was started; install QEMU (the package "
                  "qemu-system-x86), or name it with --qemu FILE",
                  request->qemu, strerror(-r));
        return false;
    }
    if (!shares || program_find_virtiofsd(request->virtiofsd, path) != NULL)
        return true;
    say_error("cannot run \"%s\", which serves shares and root: not an executable program; nothing "
              "was started; install virtiofsd (Debian 12: qemu-system-common; later: virtiofsd), "
              "or name it with --virtiofsd FILE",
              request->virtiofsd != NULL ? request->virtiofsd : "virtiofsd");
    return false;
}

int once_run(const struct request *request)
{
    struct kernel kernel;
    struct plan plan = {.request = request, .kernel = &kernel};

    if (!request->print_config && !ports_are_free(request))
        return READY_NOT_STARTED;
    if (!request->print_config && !programs_exist(request))
        return READY_NOT_STARTED;
    if (kernel_find(request->kernel, &kernel) < 0)
        return READY_NOT_STARTED;
    return request->print_config ? print(&plan) : run(&plan);
}
