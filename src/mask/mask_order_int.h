/*
 * Order-preserving maps of positive decimal numbers of any length: strictly monotone, so injective;
 * a number of n digits becomes one of n or n + 1 digits, some 3 to 15 times as large.
 */
#ifndef RH_MASK_MASK_ORDER_INT_H
#define RH_MASK_MASK_ORDER_INT_H

#include "base/text.h"

#include <openssl/evp.h>

/* 0.d1d2d3... times ten to the `top`; d1 is not zero. So `top` is the number of digits before the
   point, and count - top of those behind it. */
struct decimal {
    unsigned char *digits; /* 0 to 9 */
    size_t count;
    int64_t top;
};

/*
 * `is_exact`: all numbers have as many digits behind the point as this one (integers have none);
 * then the last digit hides more. Else trailing zeros mean nothing: 1.5 and 1.50 become one number.
 * `ret` has room for one digit more than `decimal`.
 */
void rh_order_map(EVP_CIPHER_CTX *cipher, const struct decimal *decimal, bool is_exact,
                  struct decimal *ret);
/* The number of at most `most_digits` that becomes `decimal`; false: none does. Not exact: without
   zeros at its end. `ret` has room for `most_digits`. */
bool rh_order_unmap(EVP_CIPHER_CTX *cipher, const struct decimal *decimal, bool is_exact,
                    size_t most_digits, struct decimal *ret);

#endif
