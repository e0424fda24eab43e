/* Where a share may be mounted: nothing that is let through leads to /proc, /sys or /dev. */
#include "fuzz.h"
#include "init/base/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const forbidden[] = {"/proc", "/sys", "/dev"};
    char *text = fuzz_text(data, size);
    struct report report = {0};

    if (target_check(text, &report) == 0) {
        FUZZ_CHECK(text[0] == '/' && text[1] != '\0');
        FUZZ_CHECK(!strstr(text, "//") && !strstr(text, "/../") && !strstr(text, "/./"));
        for (size_t i = 0; i < 3; i++) {
            size_t length = strlen(forbidden[i]);

            FUZZ_CHECK(strncmp(text, forbidden[i], length) != 0 ||
                       (text[length] != '/' && text[length] != '\0'));
        }
    } else {
        FUZZ_CHECK(report.error != 0 && report.text[0] != '\0');
    }
    free(text);
    return 0;
}
