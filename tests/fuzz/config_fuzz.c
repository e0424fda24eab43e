/* The configuration: any bytes are either read or told what is wrong with them, line by line. */
#include "fuzz.h"
#include "hostd/config/config.h"

struct remarks {
    unsigned errors;
};

static void check_remark(const char *remark)
{
    FUZZ_CHECK(strncmp(remark, "fuzz:", 5) == 0);
    FUZZ_CHECK(!strchr(remark, '\n'));
}

static void on_warning(void *userdata, const char *remark)
{
    (void)userdata;
    check_remark(remark);
}

static void on_error(void *userdata, const char *remark)
{
    struct remarks *remarks = userdata;

    check_remark(remark);
    remarks->errors++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = NULL;
    struct remarks remarks = {0};
    int r = config_parse((const char *)data, size, "fuzz", on_warning, on_error, &remarks, &config);

    if (r != 0) {
        FUZZ_CHECK(r == 1 && remarks.errors > 0 && !config);
        return 0;
    }
    FUZZ_CHECK(config && remarks.errors == 0);
    for (size_t i = 0; i < config->vm_count; i++)
        FUZZ_CHECK(config_vm_equal(&config->vms[i], &config->vms[i]));
    (void)config_free(config);
    return 0;
}
