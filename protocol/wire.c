/* wire: bytes to integers and texts, and back. */
#include "wire.h"

#include <errno.h>
#include <string.h>

#define STRUCT_SIZE_MIN 8u

uint8_t wire_get_u8(struct wire_reader *reader)
{
    uint8_t value = 0;

    if (reader->offset < reader->size)
        value = reader->data[reader->offset++];
    return value;
}

uint16_t wire_get_u16(struct wire_reader *reader)
{
    uint16_t low = wire_get_u8(reader);

    return (uint16_t)(low | (uint16_t)(wire_get_u8(reader) << 8));
}

uint32_t wire_get_u32(struct wire_reader *reader)
{
    uint32_t low = wire_get_u16(reader);

    return low | ((uint32_t)wire_get_u16(reader) << 16);
}

uint64_t wire_get_u64(struct wire_reader *reader)
{
    uint64_t low = wire_get_u32(reader);

    return low | ((uint64_t)wire_get_u32(reader) << 32);
}

void wire_get_bytes(struct wire_reader *reader, void *ret_bytes, size_t size)
{
    size_t left = reader->size - reader->offset;
    size_t there = size < left ? size : left;

    if (there > 0)
        memcpy(ret_bytes, reader->data + reader->offset, there);
    memset((uint8_t *)ret_bytes + there, 0, size - there);
    reader->offset += there;
}

int wire_open_struct(const uint8_t *payload, size_t size, struct wire_reader *ret_fixed,
                     struct wire_reader *ret_tail)
{
    struct wire_reader head = {.data = payload, .size = size};
    uint32_t struct_size;

    if (size < STRUCT_SIZE_MIN)
        return WIRE_E_STRUCT_SIZE;
    struct_size = wire_get_u32(&head);
    if (struct_size < STRUCT_SIZE_MIN || struct_size > size)
        return WIRE_E_STRUCT_SIZE;

    *ret_fixed = (struct wire_reader){.data = payload, .size = struct_size, .offset = head.offset};
    *ret_tail = (struct wire_reader){.data = payload, .size = size, .offset = struct_size};
    return 0;
}

int wire_take_data(struct wire_reader *tail, size_t size, struct wire_text *ret_data)
{
    if (size > tail->size - tail->offset)
        return WIRE_E_TEXT;
    *ret_data = (struct wire_text){.data = (const char *)tail->data + tail->offset, .size = size};
    tail->offset += size;
    return 0;
}

int wire_take_text(struct wire_reader *tail, size_t size, struct wire_text *ret_text)
{
    struct wire_reader ahead = *tail;
    struct wire_text text;

    if (wire_take_data(&ahead, size, &text) != 0 || !wire_text_is_valid(text))
        return WIRE_E_TEXT;
    *tail = ahead;
    *ret_text = text;
    return 0;
}

int wire_take_list(struct wire_reader *tail, uint16_t count, struct wire_list *ret_list)
{
    struct wire_reader ahead = *tail;
    struct wire_text text;

    for (uint16_t i = 0; i < count; i++) {
        if (ahead.size - ahead.offset < sizeof(uint16_t))
            return WIRE_E_TEXT;
        if (wire_take_text(&ahead, wire_get_u16(&ahead), &text) != 0)
            return WIRE_E_TEXT;
    }
    *ret_list = (struct wire_list){
        .data = tail->data + tail->offset,
        .size = ahead.offset - tail->offset,
        .count = count,
    };
    *tail = ahead;
    return 0;
}

bool wire_list_next(struct wire_list *list, struct wire_text *ret_text)
{
    struct wire_reader reader = {.data = list->data, .size = list->size};
    struct wire_text text;

    if (list->count == 0 || wire_take_data(&reader, wire_get_u16(&reader), &text) != 0)
        return false;
    list->data += reader.offset;
    list->size -= reader.offset;
    list->count--;
    *ret_text = text;
    return true;
}

/*
 * The bytes of the UTF-8 sequence that @p lead begins, and the range of its second byte, which is
 * narrower than 80..BF where that keeps out overlong forms, surrogates and what is over U+10FFFF
 * (RFC 3629, section 4).
 */
static size_t utf8_sequence(uint8_t lead, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    if (lead >= 0xf0 && lead <= 0xf4)
        return 4;
    return 0;
}

size_t wire_character_size(struct wire_text text)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    uint8_t low, high;
    size_t length = text.size > 0 ? utf8_sequence(bytes[0], &low, &high) : 0;

    if (length > text.size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if (bytes[i] < low || bytes[i] > high)
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

bool wire_text_is_valid(struct wire_text text)
{
    while (text.size > 0) {
        size_t length = *text.data == '\0' ? 0 : wire_character_size(text);

        if (length == 0)
            return false;
        text.data += length;
        text.size -= length;
    }
    return true;
}

bool wire_text_has_control(struct wire_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = (uint8_t)text.data[i];

        if (byte < 0x20 || byte == 0x7f)
            return true;
    }
    return false;
}

struct wire_text wire_text_of(const char *string)
{
    return (struct wire_text){.data = string, .size = string ? strlen(string) : 0};
}

int wire_text_copy(struct wire_text text, char *buffer, size_t capacity)
{
    if (text.size >= capacity)
        return -ENAMETOOLONG;
    if (text.size > 0)
        memcpy(buffer, text.data, text.size);
    buffer[text.size] = '\0';
    return 0;
}

void wire_put_u8(struct wire_writer *writer, uint8_t value)
{
    wire_put_bytes(writer, &value, sizeof(value));
}

void wire_put_u16(struct wire_writer *writer, uint16_t value)
{
    uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};

    wire_put_bytes(writer, bytes, sizeof(bytes));
}

void wire_put_u32(struct wire_writer *writer, uint32_t value)
{
    wire_put_u16(writer, (uint16_t)value);
    wire_put_u16(writer, (uint16_t)(value >> 16));
}

void wire_put_u64(struct wire_writer *writer, uint64_t value)
{
    wire_put_u32(writer, (uint32_t)value);
    wire_put_u32(writer, (uint32_t)(value >> 32));
}

void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size)
{
    if (writer->overflow || size > writer->capacity - writer->size) {
        writer->overflow = true;
        return;
    }
    if (size > 0)
        memcpy(writer->data + writer->size, bytes, size);
    writer->size += size;
}

void wire_put_text(struct wire_writer *writer, struct wire_text text)
{
    wire_put_bytes(writer, text.data, text.size);
}

void wire_put_padded(struct wire_writer *writer, const char *string, size_t size)
{
    size_t length = strnlen(string, size - 1);

    wire_put_bytes(writer, string, length);
    for (size_t i = length; i < size; i++)
        wire_put_u8(writer, 0);
}

void wire_put_list_item(struct wire_writer *writer, struct wire_text text)
{
    if (text.size > UINT16_MAX) {
        writer->overflow = true;
        return;
    }
    wire_put_u16(writer, (uint16_t)text.size);
    wire_put_text(writer, text);
}
