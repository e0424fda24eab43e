/* Is taken for a passt with --vhost-user, and ends at once, as one does that cannot have a port. */
#include <stdio.h>

int main(void)
{
    fprintf(stderr, "--vhost-user: no such port\n");
    return 1;
}
