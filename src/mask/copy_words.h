/*
 * Eight bytes at a time in an ordinary register: which of them are equal to this, or below that.
 * (Exact for every byte: Mycroft's test without its false positives, see Warren, "Hacker's
 * Delight", 2nd edition, 6-1.)
 */
#ifndef RH_MASK_COPY_WORDS_H
#define RH_MASK_COPY_WORDS_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD_ONES UINT64_C(0x0101010101010101)
#define WORD_LOW7 (WORD_ONES * 0x7f)

/* The first byte in memory is the lowest. */
static inline uint64_t rh_word_load(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* Up to eight bytes, zeros behind; reads no other. */
static inline uint64_t rh_word_load_part(const char *at, size_t len)
{
    uint64_t word = 0;
    memcpy(&word, at, len);
    return le64toh(word);
}

/* The high bit of each byte that is zero. */
static inline uint64_t rh_word_zeros(uint64_t word)
{
    return ~(((word & WORD_LOW7) + WORD_LOW7) | word | WORD_LOW7);
}

static inline uint64_t rh_word_equals(uint64_t word, unsigned char byte)
{
    return rh_word_zeros(word ^ (WORD_ONES * byte));
}

/* The high bit of each byte that is below 0x20. */
static inline uint64_t rh_word_controls(uint64_t word)
{
    return rh_word_zeros(word & (WORD_ONES * 0xe0));
}

/* Index of the lowest byte that is marked; `marks` is not zero. */
static inline size_t rh_word_first(uint64_t marks)
{
    return (size_t)__builtin_ctzll(marks) / 8;
}

#endif
