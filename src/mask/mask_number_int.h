/*
 * Numbers as the server writes them, taken apart and put together again.
 */
#ifndef RH_MASK_MASK_NUMBER_INT_H
#define RH_MASK_MASK_NUMBER_INT_H

#include "mask/mask_int.h"
#include "mask/mask_order_int.h"

/* numeric: 131072 digits before the point and 16383 behind it (manual, section 8.1). */
#define NUMBER_MOST_DIGITS (131072 + 16383)

enum number_type {
    NUMBER_INT2,
    NUMBER_INT4,
    NUMBER_INT8,
    NUMBER_NUMERIC,
    NUMBER_FLOAT4,
    NUMBER_FLOAT8,
    NUMBER_NONE
};
enum number_type rh_number_type(const char *type);
/* The greatest value of an integer type; NULL for others. */
const char *rh_number_most(enum number_type type);

struct number {
    bool is_negative;
    struct decimal decimal; /* count 0: zero */
    size_t scale;           /* digits behind the point as written; of floats 0 */
};

/* False: not what the server writes for the type; NaN and infinities are not read either. Digits
   lie in `arena`, with room for one more. */
bool rh_number_read(struct text value, enum number_type type, struct arena *arena,
                    struct number *ret_number);
/* Floats as the server writes the float that is nearest. */
struct text rh_number_write(const struct number *number, enum number_type type,
                            struct arena *arena);

/* "NaN", "Infinity", "-Infinity": they stay. */
bool rh_number_is_special(struct text value);
/* What is special, or a number that is not in the server's own form for the type ("1E5" in a JSON
   text): its digits are shifted where they stand, but those of an exponent, and the first does not
   become a zero. */
void rh_number_shift(struct mask_map *map, struct text value, struct arena *scratch,
                     struct text *ret_masked);

/* The fewest digits that are read as the float that this decimal is read as. */
struct decimal rh_float_shortest(const struct decimal *decimal, enum number_type type,
                                 struct arena *arena);

/* Floats that have more digits than the decimal map can keep apart. */
#define FLOAT8_ORDERED_DIGITS 14
#define FLOAT4_ORDERED_DIGITS 5
struct number rh_float_map(EVP_CIPHER_CTX *order, EVP_CIPHER_CTX *bits, const struct number *number,
                           enum number_type type, struct arena *arena);

#endif
