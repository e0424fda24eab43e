/*
 * orphans: leaves ten thousand orphans to PID 1, a hundred at a time.
 *
 * Each of a hundred children makes a hundred children of its own and ends before them. Exit 0 once
 * all were made; whether PID 1 reaped them is for others to see.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORPHANS_PARENTS  100
#define ORPHANS_CHILDREN 100
#define ORPHANS_PAUSE_US 20000 /* an orphan lives long enough to become one */

static int make_children(void)
{
    for (int i = 0; i < ORPHANS_CHILDREN; i++) {
        pid_t pid = fork();

        if (pid < 0)
            return 1;
        if (pid == 0) {
            (void)usleep(ORPHANS_PAUSE_US);
            _exit(0);
        }
    }
    return 0;
}

int main(void)
{
    for (int i = 0; i < ORPHANS_PARENTS; i++) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0)
            _exit(make_children());
        if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) {
            perror("orphans");
            return 1;
        }
    }
    return 0;
}
