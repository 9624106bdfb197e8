/*
 * Numbers in network byte order, as protocols and files have them, at any address. Pure.
 */
#ifndef RH_BASE_BIG_ENDIAN_H
#define RH_BASE_BIG_ENDIAN_H

#include <stdint.h>

static inline uint32_t rh_load_be32(const void *bytes)
{
    const unsigned char *b = bytes;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline void rh_store_be32(void *bytes, uint32_t value)
{
    unsigned char *b = bytes;
    b[0] = (unsigned char)(value >> 24);
    b[1] = (unsigned char)(value >> 16);
    b[2] = (unsigned char)(value >> 8);
    b[3] = (unsigned char)value;
}

#endif
