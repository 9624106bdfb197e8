/*
 * Text, inside base: the width table (text_width.c).
 */
#ifndef RH_BASE_TEXT_INT_H
#define RH_BASE_TEXT_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of one character on a terminal: 0, 1 or 2. Control characters count 1. */
size_t rh_text_width_of(uint32_t code_point);

#endif
