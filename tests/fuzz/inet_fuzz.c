/* Addresses and routes as the host writes them. */
#include "fuzz.h"
#include "init/base/inet.h"

#include <sys/socket.h>

static void check(const struct inet *address)
{
    FUZZ_CHECK(address->family == AF_INET || address->family == AF_INET6);
    FUZZ_CHECK(address->prefix <= 8 * inet_size(address->family));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_text text = {.data = (const char *)data, .size = size};
    struct inet_route route;
    struct inet address;

    if (inet_parse(text, &address) == 0)
        check(&address);
    if (inet_parse_route(text, &route) == 0) {
        check(&route.destination);
        check(&route.gateway);
        FUZZ_CHECK(route.destination.family == route.gateway.family);
    }
    return 0;
}
