/* What `guestlink run` takes for busybox: a static program that lists commands. */
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], "--list") != 0)
        return 1;
    (void)puts("busybox\nls\nsh\nodd:name");
    return 0;
}
