/*
 * Texts of a few hexadecimal digits among separators: uuids and hardware addresses. One case for
 * all letters; a text of upper case has a letter, so that case is never lost.
 */
#ifndef RH_MASK_MASK_HEX_INT_H
#define RH_MASK_MASK_HEX_INT_H

#include "base/text.h"

#define HEX_MAX_DIGITS 32

struct hex_text {
    unsigned char digits[HEX_MAX_DIGITS]; /* 0 to 15 */
    unsigned char places[HEX_MAX_DIGITS]; /* where in the text */
    size_t count;
    bool is_upper;
};

/* Other characters than digits are left to the caller. False: too many digits, or both cases. The
   text is no longer than 255 bytes. */
bool rh_hex_read(struct text value, struct hex_text *ret_hex);
/* `count` digits from `first` on, at most 16, as a number. */
uint64_t rh_hex_bits(const struct hex_text *hex, size_t first, size_t count);
void rh_hex_set_bits(struct hex_text *hex, size_t first, size_t count, uint64_t bits);
bool rh_hex_has_letter(const struct hex_text *hex);
/* `value`, which was read, with the digits as they are now. */
struct text rh_hex_write(const struct hex_text *hex, struct text value, struct arena *arena);

#endif
