/*
 * seeds: makes seed corpora for the fuzz targets of the test vectors.
 *
 *     fuzz_seeds VECTORS SEEDS
 *
 * Every vector is a seed of `frame`, behind a byte that says in which pieces it is fed; its payload
 * is one of `handshake`, `request` or `event`, behind its type; all sound vectors in a row, as a
 * guest would send them, make one of `session`.
 */
#include "protocol/frame.h"
#include "vector.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void write_seed(const char *seeds, const char *target, const char *name,
                       const uint8_t *prefix, size_t prefix_size, struct vector bytes)
{
    char path[PATH_MAX];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", seeds, target);
    (void)mkdir(path, 0777);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", seeds, target, name);
    file = fopen(path, "we");
    if (!file || fwrite(prefix, 1, prefix_size, file) != prefix_size ||
        fwrite(bytes.data, 1, bytes.size, file) != bytes.size || fclose(file) != 0) {
        (void)fprintf(stderr, "fuzz_seeds: %s: %s\n", path, strerror(errno));
        exit(EXIT_FAILURE);
    }
}

static void write_seeds(const char *seeds, const char *name)
{
    VECTOR_CLEANUP struct vector vector = {0};
    uint8_t pieces = 7;
    struct frame frame;
    size_t size;
    int r = vector_read(name, &vector);

    if (r < 0) {
        (void)fprintf(stderr, "fuzz_seeds: %s: %s\n", name, strerror(-r));
        exit(EXIT_FAILURE);
    }
    write_seed(seeds, "frame", name, &pieces, 1, vector);
    write_seed(seeds, "session", name, &pieces, 1, vector);
    if (frame_decode(vector.data, vector.size, &frame, &size) == 0) {
        uint8_t type[] = {(uint8_t)frame.type, (uint8_t)(frame.type >> 8)};
        const char *target = frame.type <= FRAME_RESULT          ? "handshake"
                             : frame.type <= FRAME_COMPLETE_BOOT ? "request"
                                                                 : "event";
        struct vector payload = {.data = vector.data + FRAME_HEADER_SIZE, .size = frame.length};

        write_seed(seeds, target, name, type, sizeof(type), payload);
    }
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    DIR *vectors;

    if (argc != 3) {
        (void)fprintf(stderr, "usage: fuzz_seeds VECTORS SEEDS\n");
        return 2;
    }
    (void)mkdir(argv[2], 0777);
    vectors = opendir(argv[1]);
    if (!vectors) {
        (void)fprintf(stderr, "fuzz_seeds: %s: %s\n", argv[1], strerror(errno));
        return EXIT_FAILURE;
    }
    while ((entry = readdir(vectors))) {
        char name[256];

        if (sscanf(entry->d_name, "%250[a-z0-9_].hex", name) == 1)
            write_seeds(argv[2], name);
    }
    (void)closedir(vectors);
    return EXIT_SUCCESS;
}
