/*
 * vector: a test vector, bytes written down by hand in tests/vectors/NAME.hex.
 *
 * Two hexadecimal digits a byte, blanks between, `#` begins a comment. A vector is one frame, or
 * the bytes that should have been one.
 */
#ifndef GUESTLINK_TESTS_VECTOR_H
#define GUESTLINK_TESTS_VECTOR_H

#include <stddef.h>
#include <stdint.h>

/* A copy of bytes in memory of exactly their size, so that a sanitizer sees one byte too many. */
struct vector {
    uint8_t *data;
    size_t size;
};

/* Frees the bytes; a zeroed vector is fine. */
void vector_done(struct vector *vector);

#define VECTOR_CLEANUP __attribute__((cleanup(vector_done)))

/* Makes a vector of @p size bytes, copied from @p data. Aborts without memory. */
struct vector vector_of(const void *data, size_t size);

/* Makes a vector of @p size zeros. Aborts without memory. */
struct vector vector_zeroed(size_t size);

/*
 * Reads tests/vectors/@p name.hex.
 *
 * @return 0; a negative errno if the file cannot be read; -EINVAL if it is not as above
 */
int vector_read(const char *name, struct vector *ret_vector);

#endif
