/* Holds a secret in its memory, many times over, for ever: 32 hexadecimal digits behind a mark.
 * spy/spy.h has the form of a record. What it is told on its command line it hides there. */
#include "../spy/spy.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BYTES ((size_t)8 << 20)

int main(int argc, char *argv[])
{
    static const char mark[] = SPY_MARK;
    char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (argc != 2 || strlen(argv[1]) != SPY_DIGITS || memory == MAP_FAILED)
        return 1;
    for (char *record = memory; record < memory + BYTES; record += SPY_RECORD) {
        for (size_t i = 0; i < sizeof(mark) - 1; i++)
            record[i] = (char)(mark[i] + 1);
        memcpy(record + sizeof(mark) - 1, argv[1], SPY_DIGITS);
    }
    memset(argv[1], 0, SPY_DIGITS);
    puts("held");
    (void)fflush(stdout);
    for (;;)
        (void)pause();
}
