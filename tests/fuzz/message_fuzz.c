/*
 * Every decoder of a message: what is read can be written and read again and says the same.
 *
 * The first two bytes of the input are a type, folded into FUZZ_FIRST to FUZZ_LAST; the rest is its
 * payload.
 */
#include "fuzz.h"
#include "messages.h"
#include "protocol/pool.h"
#include "protocol/process_limit.h"
#include "protocol/token.h"

#include <string.h>

/* Walks a list to its end: as many texts as it says, none of them outside of the payload. */
static void walk(struct wire_list list, const uint8_t *payload, size_t size)
{
    uint16_t count = list.count, seen = 0;
    struct wire_text text;

    while (wire_list_next(&list, &text)) {
        const uint8_t *start = (const uint8_t *)text.data;

        FUZZ_CHECK(start >= payload && start + text.size <= payload + size);
        FUZZ_CHECK(wire_text_is_valid(text));
        seen++;
    }
    FUZZ_CHECK(seen == count && list.size == 0);
}

static void walk_limits(struct wire_list list)
{
    struct process_limit limit;
    struct wire_text text;

    while (wire_list_next(&list, &text))
        if (process_limit_parse(text, &limit) == 0)
            FUZZ_CHECK(limit.soft <= limit.hard && limit.resource >= 0);
}

/* A pool that is found usable keeps to every rule, and its token says it as it is. */
static void judge(const struct guest_capabilities *report)
{
    const uint64_t base = report->swiotlb_base, size = report->swiotlb_size;
    const struct pool_ram ram = pool_ram_x86(report->memory_bytes);
    enum pool_verdict verdict = pool_judge(report->features & CAPABILITIES_SWIOTLB_PUBLISHED, base,
                                           size, report->memory_bytes, &ram);
    uint64_t told_base = 0, told_size = 0;
    char token[TOKEN_SIZE];

    FUZZ_CHECK(strcmp(pool_verdict_name(verdict), "unknown") != 0);
    FUZZ_CHECK(strcmp(pool_verdict_text(verdict), "unknown") != 0);
    if (verdict != POOL_USABLE)
        return;
    FUZZ_CHECK(base != 0 && size != 0 && (base | size) % POOL_ALIGNMENT == 0);
    FUZZ_CHECK(base < POOL_LIMIT && size <= POOL_LIMIT - base);
    FUZZ_CHECK(size <= report->memory_bytes - size);
    FUZZ_CHECK(base + size <= UINT64_C(0xe0000000)); /* no RAM of a PC's ends above */
    token_format(token, base, size);
    FUZZ_CHECK(token_parse(token, &told_base, &told_size) == 0);
    FUZZ_CHECK(told_base == base && told_size == size);
}

static void walk_lists(uint16_t type, const union message *m, const uint8_t *payload, size_t size)
{
    if (type == FRAME_CONFIGURE_NETWORK) {
        walk(m->configure_network.addresses, payload, size);
        walk(m->configure_network.gateways, payload, size);
        walk(m->configure_network.routes, payload, size);
        walk(m->configure_network.dns, payload, size);
    } else if (type == FRAME_START_PROCESS) {
        walk(m->start_process.argv, payload, size);
        walk(m->start_process.environment, payload, size);
        walk(m->start_process.limits, payload, size);
        walk_limits(m->start_process.limits);
    } else if (type == FRAME_CAPABILITIES) {
        FUZZ_CHECK(strlen(m->capabilities.kernel_release) < CAPABILITIES_RELEASE_SIZE);
        FUZZ_CHECK(strlen(m->capabilities.init_version) < CAPABILITIES_VERSION_SIZE);
        FUZZ_CHECK(capabilities_same_facts(&m->capabilities, &m->capabilities));
        judge(&m->capabilities);
    } else if (type == FRAME_WELCOME) {
        FUZZ_CHECK(welcome_status_text(m->welcome.status)[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A list of empty items is two bytes longer written than read with an older struct. */
    static uint8_t once[2 * FRAME_PAYLOAD_MAX], twice[2 * FRAME_PAYLOAD_MAX];
    struct wire_writer first = {.data = once, .capacity = sizeof(once)};
    struct wire_writer second = {.data = twice, .capacity = sizeof(twice)};
    const struct message_kind *kind;
    union message message, again;
    uint16_t type;

    if (size < 2 || size - 2 > FRAME_PAYLOAD_MAX)
        return 0;
    type = (uint16_t)(data[0] | data[1] << 8);
    if (type < FUZZ_FIRST || type > FUZZ_LAST)
        type = (uint16_t)(FUZZ_FIRST + type % (FUZZ_LAST - FUZZ_FIRST + 1));
    kind = messages_find(type);
    if (!kind || kind->unpack(data + 2, size - 2, &message) != 0)
        return 0;
    walk_lists(type, &message, data + 2, size - 2);

    kind->pack(&first, &message);
    FUZZ_CHECK(!first.overflow);
    /* A report of another minor version is written as 1.0; everything else comes back as it was. */
    FUZZ_CHECK(kind->unpack(once, first.size, &again) == 0);
    kind->pack(&second, &again);
    FUZZ_CHECK(first.size == second.size && memcmp(once, twice, first.size) == 0);
    return 0;
}
