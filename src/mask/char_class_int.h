/*
 * Classes of characters beyond ASCII, inside of which the text core moves them: one script, one
 * general category, one width in UTF-8, and for letters with case one case. The table is made by
 * tools/make-char-classes; what is in no class stays.
 */
#ifndef RH_MASK_CHAR_CLASS_INT_H
#define RH_MASK_CHAR_CLASS_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum char_kind { CHAR_PLAIN, CHAR_LOWER, CHAR_UPPER, CHAR_TITLE, CHAR_ALTERNATE };

/* Consecutive characters; of CHAR_ALTERNATE upper and lower case take turns. */
struct char_run {
    uint32_t first;
    uint16_t count;
    uint16_t class; /* 0: these stay */
    uint8_t kind;
    uint16_t index; /* of the first, inside its class */
};

struct char_place {
    uint32_t character;
    const struct char_run *run; /* NULL: unassigned or private; moved inside 64 of its like */
    uint32_t folded;            /* one for all cases of a letter */
    uint32_t index, size;       /* inside the class; size 1: stays */
    unsigned variant;           /* 0 lower or without case, 1 upper, 2 title */
};

/* `character` is at least 0x80. `*hint` makes text of one script cheap; it may be NULL. */
struct char_place rh_char_find(uint32_t character, const struct char_run **hint);
/* The character `shift` (below the size) places on in its class, in the same case. */
uint32_t rh_char_shifted(const struct char_place *place, uint32_t shift);

/* Length of the valid UTF-8 character at `data`, and which it is; 0: none begins here, -1: one may,
   but `len` ends before it does. */
int rh_char_decode(const unsigned char *data, size_t len, uint32_t *ret_character);
/* Writes 2 to 4 bytes. */
void rh_char_encode(uint32_t character, unsigned char *out);

extern const struct char_run rh_char_runs[];
extern const size_t rh_char_run_count;
/* By class: its size; where the runs of its variants begin in the order; and that order. */
extern const uint16_t rh_char_class_sizes[], rh_char_class_starts[], rh_char_class_order[];

#endif
