/*
 * kmsg_record: one record of /dev/kmsg.
 *
 * Who may run a program can have the kernel say much of what he likes: a program's name and its
 * file's are in the line of its segmentation fault. What says that a pool is full is therefore read
 * as a whole, from the device in front to the last word, and the record's dictionary, which only
 * the kernel writes, must name the same device. What says where the default pool is has no device,
 * so its record must have no dictionary.
 */
#include "kmsg_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* PRINTK_INFO_DEVICE_LEN of include/linux/dev_printk.h, without the NUL. */
#define DEVICE_SIZE_MAX 47u

/* Every pool is made of whole segments: IO_TLB_SEGSIZE slots of 1 << IO_TLB_SHIFT bytes. */
#define POOL_SEGMENT UINT64_C(262144)

/* Takes a decimal number and the comma or semicolon behind it. */
static int take_number(const char **cursor, uint64_t *ret)
{
    char *end = NULL;

    if (**cursor < '0' || **cursor > '9')
        return -EINVAL;
    errno = 0;
    *ret = strtoull(*cursor, &end, 10);
    if (errno != 0 || (*end != ',' && *end != ';'))
        return -EINVAL;
    *cursor = end;
    return 0;
}

int kmsg_record_parse(const char *record, struct kmsg_record *ret)
{
    uint64_t priority, sequence, time_us;

    if (take_number(&record, &priority) < 0 || *record++ != ',' ||
        take_number(&record, &sequence) < 0 || *record++ != ',' ||
        take_number(&record, &time_us) < 0)
        return -EINVAL;
    record = strchr(record, ';');
    if (!record)
        return -EINVAL;
    *ret = (struct kmsg_record){
        .by_kernel = priority >> 3 == 0,
        .level = (int)(priority & 7),
        .sequence = sequence,
        .time_us = time_us,
        .text = record + 1,
    };
    return 0;
}

/* The values of a record's dictionary, lines ` KEY=VALUE` behind its text. */
struct source {
    const char *subsystem, *device;
    size_t subsystem_size, device_size;
};

static void find_source(const char *text, struct source *ret)
{
    *ret = (struct source){0};
    for (text = strchr(text, '\n'); text; text = strchr(text, '\n')) {
        size_t size = strcspn(++text, "\n");

        if (strncmp(text, " SUBSYSTEM=", 11) == 0) {
            ret->subsystem = text + 11;
            ret->subsystem_size = size - 11;
        } else if (strncmp(text, " DEVICE=", 8) == 0) {
            ret->device = text + 8;
            ret->device_size = size - 8;
        }
    }
}

/* Is it @p name's? DEVICE is +SUBSYSTEM:NAME, of which long ones are cut. */
static bool is_source(const struct source *source, const char *name, size_t size)
{
    size_t before = source->subsystem_size + 2;

    if (!source->subsystem || !source->device || source->device_size <= before ||
        source->device[0] != '+' ||
        memcmp(source->device + 1, source->subsystem, source->subsystem_size) != 0 ||
        source->device[before - 1] != ':')
        return false;
    if (source->device_size - before != size &&
        (source->device_size != DEVICE_SIZE_MAX || source->device_size - before > size))
        return false;
    return memcmp(source->device + before, name, source->device_size - before) == 0;
}

static bool take_word(const char **cursor, const char *word)
{
    size_t size = strlen(word);

    if (strncmp(*cursor, word, size) != 0)
        return false;
    *cursor += size;
    return true;
}

static bool take_count(const char **cursor, uint64_t *ret)
{
    char *end = NULL;

    if (**cursor < '0' || **cursor > '9')
        return false;
    errno = 0;
    *ret = strtoull(*cursor, &end, 10);
    *cursor = end;
    return errno == 0;
}

static bool is_end(const char *cursor)
{
    return *cursor == '\n' || *cursor == '\0';
}

/* Of the text, and of the record: no dictionary is behind it. */
static bool is_the_end(const char *cursor)
{
    return *cursor == '\0' || (*cursor == '\n' && cursor[1] == '\0');
}

/* Behind the sentence: nothing, the size, or the slots as well, and then no more. */
static bool take_figures(const char *cursor, struct kmsg_pool_full *ret)
{
    *ret = (struct kmsg_pool_full){.count = 1};
    if (is_end(cursor))
        return true;
    if (!take_word(&cursor, " (sz: ") || !take_count(&cursor, &ret->bytes) ||
        !take_word(&cursor, " bytes)"))
        return false;
    if (is_end(cursor))
        return true;
    return take_word(&cursor, ", total ") && take_count(&cursor, &ret->total) &&
           take_word(&cursor, " (slots), used ") && take_count(&cursor, &ret->used) &&
           take_word(&cursor, " (slots)") && is_end(cursor);
}

/* kernel/dma/swiotlb.c, by dev_warn(): "DRIVER DEVICE: swiotlb buffer is full …". Behind the first
 * colon and blank stands what is said: there another's words may begin. */
static bool is_full(const char *text, struct kmsg_pool_full *ret)
{
    static const char sentence[] = ": swiotlb buffer is full";
    const char *colon = memmem(text, strcspn(text, "\n"), ": ", 2);
    const char *space = colon ? memrchr(text, ' ', (size_t)(colon - text)) : NULL;
    struct source source;

    if (!space || strncmp(colon, sentence, sizeof(sentence) - 1) != 0)
        return false;
    find_source(text, &source);
    return is_source(&source, space + 1, (size_t)(colon - space) - 1) &&
           take_figures(colon + sizeof(sentence) - 1, ret);
}

/* lib/ratelimit.c, for that same line of that function: no device, and no other word. */
static bool is_suppressed(const char *text, struct kmsg_pool_full *ret)
{
    *ret = (struct kmsg_pool_full){0};
    return take_word(&text, "swiotlb_tbl_map_single: ") && take_count(&text, &ret->count) &&
           take_word(&text, " callbacks suppressed") && is_end(text) && ret->count > 0;
}

bool kmsg_record_pool_full(const struct kmsg_record *record, struct kmsg_pool_full *ret)
{
    struct kmsg_pool_full full;

    if (!record->by_kernel ||
        (!is_full(record->text, &full) && !is_suppressed(record->text, &full)))
        return false;
    *ret = full;
    return true;
}

/* "0x" and lower-case hexadecimal digits: 8 at least up to Linux 5.9, then always 16 (8 where
 * addresses have 32 bits). */
static bool take_address(const char **cursor, uint64_t *ret)
{
    size_t digits;

    if (!take_word(cursor, "0x"))
        return false;
    digits = strspn(*cursor, "0123456789abcdef");
    if (digits < 8 || digits > 16)
        return false;
    *ret = strtoull(*cursor, NULL, 16);
    *cursor += digits;
    return true;
}

/* `[mem 0xBASE-0xEND] (NMB)`: if END were the last byte of the pool, the difference would be no
 * whole segments. N is rounded down. */
static bool take_mapped(const char *cursor, uint64_t *ret_base, uint64_t *ret_size)
{
    uint64_t base, end, size, mib;

    if (!take_word(&cursor, "[mem ") || !take_address(&cursor, &base) || !take_word(&cursor, "-") ||
        !take_address(&cursor, &end) || !take_word(&cursor, "] (") || !take_count(&cursor, &mib) ||
        !take_word(&cursor, "MB)") || !is_the_end(cursor) || end <= base)
        return false;
    size = end - base;
    if (size % POOL_SEGMENT != 0 || size >> 20 != mib)
        return false;
    *ret_base = base;
    *ret_size = size;
    return true;
}

enum kmsg_default_pool kmsg_record_default_pool(const struct kmsg_record *record,
                                                uint64_t *ret_base, uint64_t *ret_size)
{
    const char *text = record->text;

    if (!record->by_kernel || !take_word(&text, "software IO TLB"))
        return KMSG_DEFAULT_POOL_NOTHING;
    if (take_word(&text, ": tearing down default memory pool"))
        return is_the_end(text) ? KMSG_DEFAULT_POOL_GONE : KMSG_DEFAULT_POOL_NOTHING;
    if (take_word(&text, ": mapped "))
        return take_mapped(text, ret_base, ret_size) ? KMSG_DEFAULT_POOL_MAPPED
                                                     : KMSG_DEFAULT_POOL_UNREADABLE;
    /* up to Linux 4.19: `software IO TLB [mem 0xBASE-0xLAST] (NMB) mapped at [A-B]` */
    return take_word(&text, " [mem ") ? KMSG_DEFAULT_POOL_UNREADABLE : KMSG_DEFAULT_POOL_NOTHING;
}
