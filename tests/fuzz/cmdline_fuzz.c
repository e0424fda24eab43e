/* The kernel's command line: whatever it says, PID 1 starts, with values that can be used. */
#include "fuzz.h"
#include "init/kernel/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *words = fuzz_text(data, size);
    struct cmdline cmdline;
    struct host_address address;

    cmdline_parse(words, &cmdline);
    FUZZ_CHECK(cmdline.log_level >= 0 && cmdline.log_level <= 7);
    FUZZ_CHECK(strnlen(cmdline.modules, sizeof(cmdline.modules)) < sizeof(cmdline.modules));
    FUZZ_CHECK(cmdline.warning_count <= INIT_CMDLINE_WARNINGS);
    for (size_t i = 0; i < cmdline.warning_count; i++)
        FUZZ_CHECK(cmdline.warnings[i].word >= words && cmdline.warnings[i].word < words + size);
    FUZZ_CHECK(strnlen(cmdline.host.name, sizeof(cmdline.host.name)) < sizeof(cmdline.host.name));
    FUZZ_CHECK(!memchr(cmdline.host.name, '/', strlen(cmdline.host.name)));
    FUZZ_CHECK(cmdline.payload_words <= size);
    if (host_address_parse(text, &address) == 0 && address.kind == HOST_ADDRESS_VIRTIO_PORT)
        FUZZ_CHECK(!strchr(address.name, '/'));
    free(words);
    free(text);
    return 0;
}
