/*
 * wire: bytes to integers and texts, and back.
 *
 * A wire_reader is a bounded cursor over bytes that somebody else sent; a wire_writer is a bounded
 * cursor over memory of the caller's. Both are the only code in guestlink that turns bytes into
 * integers or integers into bytes; all integers are little-endian. Neither allocates nor does I/O.
 */
#ifndef GUESTLINK_PROTOCOL_WIRE_H
#define GUESTLINK_PROTOCOL_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text as it stands in a frame: not NUL-terminated; the bytes belong to the frame's payload. */
struct wire_text {
    const char *data;
    size_t size; /* bytes */
};

/* A list of texts as it stands in a frame; walk it with wire_list_next(). */
struct wire_list {
    const uint8_t *data;
    size_t size;    /* bytes left */
    uint16_t count; /* texts left */
};

/*
 * A cursor over a struct of a message. Bytes behind its end read as 0, which is how a struct of an
 * older minor version is read: the fields that it lacks are 0.
 */
struct wire_reader {
    const uint8_t *data;
    size_t size;   /* bytes */
    size_t offset; /* of the next byte, at most size */
};

uint8_t wire_get_u8(struct wire_reader *reader);
uint16_t wire_get_u16(struct wire_reader *reader);
uint32_t wire_get_u32(struct wire_reader *reader);
uint64_t wire_get_u64(struct wire_reader *reader);
/* Copies @p size bytes to @p ret_bytes; the missing ones are 0. */
void wire_get_bytes(struct wire_reader *reader, void *ret_bytes, size_t size);

enum {
    WIRE_E_STRUCT_SIZE = 1, /* struct_size below 8 or beyond the payload */
    WIRE_E_TEXT,            /* a text that does not fit, holds a NUL, or is not UTF-8 */
};

/*
 * Opens the struct at the start of a payload.
 *
 * @param payload, size   the whole payload of a frame
 * @param ret_fixed       reads the struct, behind its struct_size field
 * @param ret_tail        reads what follows the struct: texts, lists, data
 * @return 0, or WIRE_E_STRUCT_SIZE
 */
int wire_open_struct(const uint8_t *payload, size_t size, struct wire_reader *ret_fixed,
                     struct wire_reader *ret_tail);

/*
 * Takes the next @p size bytes of @p tail as text: they must be there, be UTF-8 and hold no NUL.
 *
 * @return 0, or WIRE_E_TEXT
 */
int wire_take_text(struct wire_reader *tail, size_t size, struct wire_text *ret_text);

/*
 * Takes the next @p size bytes of @p tail as they are (data of any kind, in wire_text's form).
 *
 * @return 0, or WIRE_E_TEXT if they are not all there
 */
int wire_take_data(struct wire_reader *tail, size_t size, struct wire_text *ret_data);

/*
 * Takes a list of @p count texts, each a u16 length and its bytes, and checks every one.
 *
 * @return 0, or WIRE_E_TEXT
 */
int wire_take_list(struct wire_reader *tail, uint16_t count, struct wire_list *ret_list);

/* Moves to the next text of a list that wire_take_list() made. @return false at its end. */
bool wire_list_next(struct wire_list *list, struct wire_text *ret_text);

/* The bytes of the UTF-8 character (RFC 3629) that @p text begins with; 0: it begins with none. */
size_t wire_character_size(struct wire_text text);

/* True if @p text is UTF-8 (RFC 3629: no overlong forms, no surrogates) without a NUL. */
bool wire_text_is_valid(struct wire_text text);

/* True if @p text has a C0 control character or DEL. */
bool wire_text_has_control(struct wire_text text);

/* A wire_text of a C string; the string is not copied. NULL is the empty text. */
struct wire_text wire_text_of(const char *string);

/*
 * Copies @p text into @p buffer as a C string.
 *
 * @return 0, or -ENAMETOOLONG (the buffer is then unchanged)
 */
int wire_text_copy(struct wire_text text, char *buffer, size_t capacity);

/*
 * A cursor over memory to be filled. What does not fit is not written and `overflow` stays set, so
 * that a caller checks once, at the end.
 */
struct wire_writer {
    uint8_t *data;
    size_t capacity; /* bytes */
    size_t size;     /* bytes written */
    bool overflow;
};

void wire_put_u8(struct wire_writer *writer, uint8_t value);
void wire_put_u16(struct wire_writer *writer, uint16_t value);
void wire_put_u32(struct wire_writer *writer, uint32_t value);
void wire_put_u64(struct wire_writer *writer, uint64_t value);
void wire_put_bytes(struct wire_writer *writer, const void *bytes, size_t size);
void wire_put_text(struct wire_writer *writer, struct wire_text text);
/* Puts @p string, cut to @p size - 1 bytes, and NULs up to @p size. */
void wire_put_padded(struct wire_writer *writer, const char *string, size_t size);
/* Puts a u16 length and the text; one that is longer than a u16 can say sets overflow. */
void wire_put_list_item(struct wire_writer *writer, struct wire_text text);

#endif
