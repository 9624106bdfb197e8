/*
 * A tree of decimal digits: the interval of a number's first i digits is cut into one for each next
 * digit, of keyed widths. Numbers with k digits before the point lie from lead(k) * 10^(k-1) up to
 * lead(k+1) * 10^k, with leads from 3 to 9, which makes the room: a strictly monotone map of a full
 * range into itself could only be the identity.
 */
#include "mask/mask_order_int.h"

#include "mask/mask_int.h"

#define CHILDREN 10
/* Every child has room for two, so that no part of the tree is the identity; and not for more than
   this, so that a long number stays within 64 bits. Units of the child's own digit. */
#define LEAST_WIDTH 2
#define MOST_WIDTH 1000000

/* With leads below three there may be too little room for nine children of two. */
#define LEAST_LEAD 3
#define MOST_LEAD 9

/* Where the walk down the tree is: the interval [0, width) in units of the digit at hand, and the
   chain of the digits so far. */
struct walk {
    EVP_CIPHER_CTX *cipher;
    unsigned char link[MASK_BLOCK_BYTES];
    uint64_t width;
    uint64_t starts[CHILDREN + 1]; /* of the children, in units of the next digit */
};

static void draw(EVP_CIPHER_CTX *cipher, unsigned char kind, int64_t number,
                 unsigned char out[MASK_BLOCK_BYTES])
{
    memset(out, 0, MASK_BLOCK_BYTES);
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)((uint64_t)number >> (8 * i));
    out[8] = kind;
    rh_mask_blocks(cipher, out, out, 1);
}

static unsigned lead(EVP_CIPHER_CTX *cipher, int64_t top)
{
    unsigned char drawn[MASK_BLOCK_BYTES];
    draw(cipher, 1, top, drawn);
    return LEAST_LEAD + (drawn[0] | (unsigned)drawn[1] << 8) % (MOST_LEAD - LEAST_LEAD + 1);
}

/* Cuts `slots` among the digits from `first` on, in keyed shares that differ up to threefold. */
static void cut(struct walk *walk, unsigned first, uint64_t offset, uint64_t slots)
{
    unsigned weights[CHILDREN], sum = 0;
    const uint64_t spare = slots - LEAST_WIDTH * (CHILDREN - first);

    for (unsigned i = first; i < CHILDREN; i++) {
        weights[i] = 64 + (walk->link[i] & 0x7f);
        sum += weights[i];
    }
    for (unsigned i = 0; i <= first; i++)
        walk->starts[i] = offset;
    for (unsigned i = first; i < CHILDREN; i++) {
        uint64_t width = LEAST_WIDTH + spare * weights[i] / sum;
        if (width > MOST_WIDTH)
            width = MOST_WIDTH;
        walk->starts[i + 1] = walk->starts[i] + width;
    }
}

static void begin(struct walk *walk, EVP_CIPHER_CTX *cipher, int64_t top)
{
    const unsigned from = lead(cipher, top);

    walk->cipher = cipher;
    draw(cipher, 2, top, walk->link);
    /* The first digit is 1 to 9. */
    cut(walk, 1, from, 10 * lead(cipher, top + 1) - from);
}

/* Into the child of a digit; its start is returned. */
static uint64_t step(struct walk *walk, unsigned digit)
{
    const uint64_t start = walk->starts[digit];

    walk->width = walk->starts[digit + 1] - start;
    walk->link[0] ^= (unsigned char)(digit + 1);
    rh_mask_blocks(walk->cipher, walk->link, walk->link, 1);
    cut(walk, 0, 0, CHILDREN * walk->width);
    return start;
}

/* Where inside its interval a number lies whose last digit was taken. */
static uint64_t place_in_leaf(const struct walk *walk, bool is_exact)
{
    uint64_t drawn = 0;
    if (!is_exact)
        return 0;
    for (size_t i = CHILDREN; i < MASK_BLOCK_BYTES; i++)
        drawn = drawn << 8 | walk->link[i];
    return drawn % walk->width;
}

void rh_order_map(EVP_CIPHER_CTX *cipher, const struct decimal *decimal, bool is_exact,
                  struct decimal *ret)
{
    struct walk walk;
    uint64_t carry = 0;
    /* What each place gets; carries run the other way than the walk. */
    RH_CLEANUP_ARENA struct arena *scratch = decimal->count > 64 ? rh_arena_new() : NULL;
    uint64_t few[64];
    uint64_t *sums = scratch ? rh_arena_alloc_array(scratch, decimal->count, sizeof(*sums)) : few;

    begin(&walk, cipher, decimal->top);
    for (size_t i = 0; i < decimal->count; i++)
        sums[i] = step(&walk, decimal->digits[i]);
    sums[decimal->count - 1] += place_in_leaf(&walk, is_exact);
    for (size_t i = decimal->count; i-- > 0;) {
        carry += sums[i];
        ret->digits[i + 1] = (unsigned char)(carry % 10);
        carry /= 10;
    }
    RH_ASSERT(carry < 10);
    ret->digits[0] = (unsigned char)carry;
    ret->count = decimal->count + 1;
    ret->top = decimal->top + 1;
    if (carry == 0) {
        memmove(ret->digits, ret->digits + 1, decimal->count);
        ret->count--;
        ret->top--;
    }
}

static bool only_zeros(const struct decimal *decimal, size_t from)
{
    for (size_t i = from; i < decimal->count; i++)
        if (decimal->digits[i] != 0)
            return false;
    return true;
}

bool rh_order_unmap(EVP_CIPHER_CTX *cipher, const struct decimal *decimal, bool is_exact,
                    size_t most_digits, struct decimal *ret)
{
    struct walk walk;
    const unsigned first = decimal->digits[0];
    size_t next = 1;
    uint64_t rest = first;

    ret->top = decimal->top;
    ret->count = 0;
    if (first < lead(cipher, decimal->top)) {
        /* The first two digits are the first step of a number with one digit less. */
        ret->top--;
        rest = 10 * rest + (decimal->count > 1 ? decimal->digits[1] : 0);
        next = 2;
        if (is_exact && decimal->count == 1)
            return false;
    }
    begin(&walk, cipher, ret->top);
    for (;;) {
        unsigned digit = 0;
        while (digit < CHILDREN && rest >= walk.starts[digit + 1])
            digit++;
        if (digit == CHILDREN || rest < walk.starts[digit])
            return false;
        ret->digits[ret->count++] = (unsigned char)digit;
        rest -= step(&walk, digit);
        if (is_exact ? next >= decimal->count : rest == 0 && only_zeros(decimal, next))
            return rest == place_in_leaf(&walk, is_exact);
        if (ret->count == most_digits)
            return false;
        rest = 10 * rest + (next < decimal->count ? decimal->digits[next] : 0);
        next++;
    }
}
