/* Credentials in SMBIOS strings: a structure whose own length, and whose strings, may lie. */
#include "fuzz.h"
#include "init/work/credential.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char value[32];

    memset(value, '#', sizeof(value));
    if (credential_find_smbios(data, size, "vmm.notify_socket", value, sizeof(value)) == 0)
        FUZZ_CHECK(strnlen(value, sizeof(value)) < sizeof(value));
    return 0;
}
