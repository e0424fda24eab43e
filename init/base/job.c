/* job: work that may block or fail hard, done in a child of PID 1. */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "kmsg_log.h"

/* Where the child keeps the pipe of its report; everything else of PID 1's is closed there. */
#define REPORT_FD 3

void job_reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &action, NULL); /* refused for SIGKILL, SIGSTOP and libc's own */
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

__attribute__((noreturn)) static void run_child(const struct job_order *order, int fd)
{
    struct report report = {0};

    job_reset_signals();
    kmsg_log_set_sink(NULL, NULL);
    if (fd != REPORT_FD)
        (void)dup2(fd, REPORT_FD);
    (void)close_range(REPORT_FD + 1, ~0u, 0);
    (void)fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC);
    kmsg_log_open();
    order->work(order->argument, &report);
    (void)!write(REPORT_FD, &report, sizeof(report));
    _exit(0);
}

/* What is done then may start a job in the same place of the table, or forget all. */
static void finish(struct job *job, const struct report *report)
{
    struct job ended;

    loop_disarm(job->jobs->loop, &job->deadline);
    job->report_fd = fd_close(job->report_fd);
    ended = *job;
    job->pid = 0;
    ended.order.done(&ended, report);
}

static void on_deadline(struct loop_timer *timer)
{
    struct job *job = LOOP_OWNER(timer, struct job, deadline);
    struct report report;

    (void)kill(job->pid, SIGKILL);
    (void)report_fail(&report, ETIMEDOUT, "%s did not exit within %u ms and was killed",
                      job->order.name, job->order.timeout_ms);
    /* It may hang in the kernel, where SIGKILL does not reach it: answer now, and let its place be
     * another's. Whenever it ends, it is nobody's. */
    finish(job, &report);
}

void jobs_init(struct jobs *jobs, struct loop *loop)
{
    jobs->loop = loop;
    for (size_t i = 0; i < INIT_JOBS; i++) {
        jobs->table[i].jobs = jobs;
        jobs->table[i].report_fd = -1;
        jobs->table[i].deadline.expired = on_deadline;
    }
}

int jobs_start(struct jobs *jobs, const struct job_order *order)
{
    struct job *job = NULL;
    int pipe_fds[2];
    pid_t pid;

    for (size_t i = 0; i < INIT_JOBS && !job; i++)
        if (jobs->table[i].pid == 0)
            job = &jobs->table[i];
    if (!job)
        return -EAGAIN;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    pid = fork();
    if (pid == 0)
        run_child(order, pipe_fds[1]);
    (void)fd_close(pipe_fds[1]);
    if (pid < 0) {
        int error = errno;

        (void)fd_close(pipe_fds[0]);
        return -error;
    }
    job->pid = pid;
    job->report_fd = pipe_fds[0];
    job->started_ns = clock_now_ns();
    job->order = *order;
    job->order.argument = NULL; /* the request's bytes are not ours to keep */
    loop_arm(jobs->loop, &job->deadline,
             clock_in_ms((uint64_t)order->timeout_ms + INIT_JOB_MARGIN_MS));
    return pid;
}

bool jobs_have_room(const struct jobs *jobs)
{
    for (size_t i = 0; i < INIT_JOBS; i++)
        if (jobs->table[i].pid == 0)
            return true;
    return false;
}

void jobs_forget(struct jobs *jobs)
{
    for (size_t i = 0; i < INIT_JOBS; i++) {
        struct job *job = &jobs->table[i];

        loop_disarm(jobs->loop, &job->deadline);
        job->report_fd = fd_close(job->report_fd);
        job->pid = 0;
    }
}

bool jobs_reaped(struct jobs *jobs, pid_t pid, int status)
{
    struct report report;
    struct job *job = NULL;

    for (size_t i = 0; i < INIT_JOBS && !job; i++)
        if (jobs->table[i].pid == pid)
            job = &jobs->table[i];
    if (!job)
        return false;
    if (read(job->report_fd, &report, sizeof(report)) != (ssize_t)sizeof(report))
        (void)report_fail(&report, EIO, "%s exited without a result (wait status 0x%x)",
                          job->order.name, (unsigned)status);
    report.text[sizeof(report.text) - 1] = '\0';
    finish(job, &report);
    return true;
}

bool jobs_adopt(struct jobs *jobs, uint64_t digest, uint32_t id, uint32_t generation)
{
    for (size_t i = 0; i < INIT_JOBS; i++) {
        struct job *job = &jobs->table[i];

        if (job->pid == 0 || job->order.id == 0 || job->order.digest != digest ||
            job->order.generation == generation)
            continue;
        job->order.id = id;
        job->order.generation = generation;
        return true;
    }
    return false;
}
