/* device command message: what each answer of a device host command is taken for. */
#include "descriptors.h"
#include "device/device_command_message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void each_answer_has_its_meaning(void **state)
{
    static const struct {
        const char *answer;
        int error;
        bool created, iommu_platform;
        const char *text;
    } cases[] = {
        {"", 0, true, false, ""},
        {" \r\n\t", 0, true, false, ""},
        {"{}", 0, true, false, ""},
        {"{\"ok\": true}", 0, true, false, ""},
        {"{\"ok\": true, \"created\": false}", 0, false, false, ""},
        {"{\"ok\": true, \"iommu_platform\": true}", 0, true, true, ""},
        {"{\"created\": 1, \"iommu_platform\": \"yes\"}", 0, true, false, ""}, /* no flags */
        {"{\"ok\": true, \"text\": \"words\"}", 0, true, false, "words"},
        {"{\"error\": \"words\"}", EIO, true, false, "words"},
        {"{\"ok\": false, \"error\": \"words\"}", EIO, true, false, "words"},
        {"{\"error\": \"a\\nb\"}", EIO, true, false, "a b"},
        {"{\"error\": \"words\", \"errno\": 1}", EPERM, true, false, "words"},
        {"{\"error\": \"words\", \"errno\": 4095}", 4095, true, false, "words"},
        {"{\"error\": \"words\", \"errno\": 125}", EIO, true, false, "words"}, /* ECANCELED */
        {"{\"error\": \"words\", \"errno\": 0}", EIO, true, false, "words"},
        {"{\"error\": \"words\", \"errno\": -1}", EIO, true, false, "words"},
        {"{\"error\": \"words\", \"errno\": 4096}", EIO, true, false, "words"},
        {"{\"error\": \"words\", \"errno\": null}", EIO, true, false, "words"},
        {"{\"error\": 7, \"errno\": 1}", EPROTO, true, false, "the answer has no reason"},
        {"{\"ok\": false}", EPROTO, true, false, "the answer has no reason"},
        {"{\"ok\": false, \"errno\": 1}", EPROTO, true, false, "the answer has no reason"},
        {"[]", EPROTO, true, false, "the answer is not a JSON object"},
        {"words", EPROTO, true, false, "the answer is not a JSON object"},
        {"{\"ok\": ", EPROTO, true, false, "the answer is not a JSON object"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct device_command_answer answer;
        int r = device_command_answer_read(cases[i].answer, false, &answer);

        if (r != cases[i].error || r != answer.error || answer.created != cases[i].created ||
            answer.iommu_platform != cases[i].iommu_platform ||
            strncmp(answer.text, cases[i].text, strlen(cases[i].text)) != 0 ||
            (cases[i].text[0] == '\0' && answer.text[0] != '\0'))
            fail_msg("%s: %d, created %d, iommu_platform %d, \"%s\"", cases[i].answer, r,
                     answer.created, answer.iommu_platform, answer.text);
    }
}

static void one_that_was_cut_is_none(void **state)
{
    struct device_command_answer answer;

    (void)state;
    assert_int_equal(device_command_answer_read("", true, &answer), EPROTO);
    assert_string_equal(answer.text, "the answer has more than 64 KiB");
    assert_int_equal(device_command_answer_read("{\"ok\": true}", true, &answer), EPROTO);
    assert_false(answer.has_text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_meaning),
        cmocka_unit_test(one_that_was_cut_is_none),
    };

    return cmocka_run_group_tests(tests, descriptors_note, descriptors_compare);
}
