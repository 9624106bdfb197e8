/*
 * Characters by their bytes, as escapes of JSON and XML need them: of valid text; of bytes that are
 * none, whatever they are, so many as the first promises.
 */
#ifndef RH_MASK_MASK_CHARACTER_H
#define RH_MASK_MASK_CHARACTER_H

#include "base/text.h"
#include "mask/char_class_int.h"

static inline size_t rh_character_bytes(struct text text, size_t at, bool is_single_byte)
{
    unsigned char c = (unsigned char)text.data[at];
    size_t len = is_single_byte || c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return len <= text.len - at ? len : text.len - at;
}

/* The number of the character that is `text`; of a single byte that byte. */
static inline uint32_t rh_character_point(struct text text)
{
    uint32_t point;
    const unsigned char *bytes = (const unsigned char *)text.data;
    return text.len > 1 && rh_char_decode(bytes, text.len, &point) > 0 ? point : bytes[0];
}

/* Writes it in UTF-8, 1 to 4 bytes; returns how many. */
static inline size_t rh_character_put(uint32_t point, char *out)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    rh_char_encode(point, (unsigned char *)out);
    return point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

#endif
