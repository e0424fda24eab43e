/*
 * replay: runs files through a fuzz target, with any compiler.
 *
 *     replay_NAME FILE_OR_FOLDER...
 *
 * A folder stands for the files in it; one that is not there has none. Each input is also cut at a
 * few places, so that a corpus of sound inputs tries the ends of things too. Exit status 0 if every
 * input was survived; the target itself ends the program where something is wrong, and the name
 * of the input was printed then.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define INPUT_MAX     (4u << 20) /* bytes */
#define SECONDS_MAX   1.0 /* the word for a hang, without sanitizers a thousandfold */
#define CUTS_PER_FILE 16u

/* Of this process, so that a busy machine makes no input slow. */
static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The target gets memory of exactly its size, so that a sanitizer sees one byte too many. */
static void run(const char *path, const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    double start = now();

    if (!copy)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    if (now() - start > SECONDS_MAX) {
        (void)fprintf(stderr, "%s: took %.1f s\n", path, now() - start);
        exit(EXIT_FAILURE);
    }
}

static unsigned run_file(const char *path)
{
    FILE *file = fopen(path, "re");
    uint8_t *data = malloc(INPUT_MAX);
    size_t size;

    if (!file || !data) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
    size = fread(data, 1, INPUT_MAX, file);
    (void)fclose(file);
    /* Seen only if the target ends the program. */
    (void)fprintf(stderr, "%s\r", path);
    for (size_t cut = 0; cut < CUTS_PER_FILE; cut++)
        run(path, data, size * cut / CUTS_PER_FILE);
    run(path, data, size);
    free(data);
    return 1;
}

static unsigned run_folder(const char *path, DIR *folder)
{
    unsigned count = 0;
    struct dirent *entry;

    while ((entry = readdir(folder))) {
        char file[PATH_MAX];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        count += run_file(file);
    }
    return count;
}

int main(int argc, char **argv)
{
    unsigned count = 0;

    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);

        if (folder) {
            count += run_folder(argv[i], folder);
            (void)closedir(folder);
        } else if (errno == ENOTDIR) {
            count += run_file(argv[i]);
        } else if (errno != ENOENT) {
            (void)fprintf(stderr, "%s: %s\n", argv[i], strerror(errno));
            return EXIT_FAILURE;
        }
    }
    (void)printf("%u inputs\n", count);
    if (count == 0) {
        (void)fprintf(stderr, "%s: no inputs in any of the folders\n", argv[0]);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
