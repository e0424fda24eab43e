/* Dies of a segmentation fault, whose line in the kernel's log has this program's name and file. */
#include <stdint.h>

int main(int argc, char **argv)
{
    (void)argv;
    *(volatile int *)(uintptr_t)(argc + 7) = 0; /* nobody's page */
    return 0;
}
