/* pool: the threads in which libvirt's calls block. */
#include "pool.h"

#include "base/json.h"
#include "call.h"
#include "line.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#define NAME_MAX_BYTES ((size_t)1024)
#define NUDGE_US       200000u

/* A request that waits or is under way. */
struct job {
    TAILQ_ENTRY(job) of_all;
    struct json_object *request;
    const char *domain; /* the request's; "" if it names none */
    bool is_running;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    TAILQ_HEAD(, job) jobs; /* in the order in which they came */
    size_t count;
    unsigned running;
    pthread_cond_t crowded; /* another one runs beside the first */
    virConnectPtr connection;
} pool = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .changed = PTHREAD_COND_INITIALIZER,
    .crowded = PTHREAD_COND_INITIALIZER,
    .jobs = TAILQ_HEAD_INITIALIZER(pool.jobs),
};

/* True if an earlier one for its domain is not done. */
static bool is_blocked(const struct job *job)
{
    const struct job *other;

    TAILQ_FOREACH(other, &pool.jobs, of_all) {
        if (other == job)
            return false;
        if (strcmp(other->domain, job->domain) == 0)
            return true;
    }
    return false;
}

/* The first that can begin, or NULL. */
static struct job *find(void)
{
    struct job *job;

    TAILQ_FOREACH(job, &pool.jobs, of_all)
        if (!job->is_running && !is_blocked(job))
            return job;
    return NULL;
}

static void finish(struct job *job)
{
    TAILQ_REMOVE(&pool.jobs, job, of_all);
    pool.count--;
    pool.running--;
    json_object_put(job->request);
    free(job);
    (void)pthread_cond_broadcast(&pool.changed);
}

static void *work(void *argument)
{
    (void)argument;
    (void)pthread_mutex_lock(&pool.mutex);
    for (;;) {
        struct job *job = find();

        if (!job) {
            (void)pthread_cond_wait(&pool.changed, &pool.mutex);
            continue;
        }
        job->is_running = true;
        if (++pool.running == 2)
            (void)pthread_cond_signal(&pool.crowded);
        (void)pthread_mutex_unlock(&pool.mutex);
        line_write(call_answer(pool.connection, job->request));
        (void)pthread_mutex_lock(&pool.mutex);
        finish(job);
    }
    return NULL;
}

/* In libvirt 9.0 the thread that waits for the server can miss that another thread has queued a
 * call, which then stays unsent: a back end that hangs would hold up other domains. Another call,
 * made while that thread waits, makes it send all that is queued. */
static void *nudge(void *argument)
{
    (void)argument;
    (void)pthread_mutex_lock(&pool.mutex);
    for (;;) {
        unsigned long version;

        while (pool.running < 2)
            (void)pthread_cond_wait(&pool.crowded, &pool.mutex);
        (void)pthread_mutex_unlock(&pool.mutex);
        (void)usleep(NUDGE_US);
        (void)pthread_mutex_lock(&pool.mutex);
        if (pool.running < 2)
            continue;
        (void)pthread_mutex_unlock(&pool.mutex);
        (void)virConnectGetLibVersion(pool.connection, &version);
        (void)pthread_mutex_lock(&pool.mutex);
    }
    return NULL;
}

static int start(void *(*run)(void *argument))
{
    pthread_t thread;
    int r = pthread_create(&thread, NULL, run, NULL);

    return r != 0 ? -r : -pthread_detach(thread);
}

int pool_start(virConnectPtr connection)
{
    int r;

    pool.connection = connection;
    r = start(nudge);
    for (size_t i = 0; r == 0 && i < POOL_THREADS; i++)
        r = start(work);
    return r;
}

int pool_enqueue(struct json_object *request)
{
    const char *domain = json_as_text(json_member(request, "domain"), NAME_MAX_BYTES);
    struct job *job = calloc(1, sizeof(*job));
    int r = job ? 0 : -ENOMEM;

    (void)pthread_mutex_lock(&pool.mutex);
    if (job && pool.count >= POOL_WAITING_MAX)
        r = -ENOBUFS;
    if (r == 0) {
        job->request = request;
        job->domain = domain ? domain : "";
        TAILQ_INSERT_TAIL(&pool.jobs, job, of_all);
        pool.count++;
        (void)pthread_cond_broadcast(&pool.changed);
    }
    (void)pthread_mutex_unlock(&pool.mutex);
    if (r < 0) {
        free(job);
        json_object_put(request);
    }
    return r;
}
