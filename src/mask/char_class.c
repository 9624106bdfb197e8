#include "mask/char_class_int.h"

/* The unlisted ones move inside an aligned block of 64, which UTF-8's last byte spans. */
#define BLOCK 64
/* Letters that stay, with another case that stays: Greek sigma and its final form, sharp s. */
#define CAPITAL_SIGMA 0x3a3
#define SIGMA 0x3c3
#define FINAL_SIGMA 0x3c2
#define CAPITAL_SHARP_S 0x1e9e
#define SHARP_S 0xdf

static const struct char_run *find_run(uint32_t character)
{
    size_t low = 0, high = rh_char_run_count;

    while (low < high) {
        const size_t middle = (low + high) / 2;
        const struct char_run *run = &rh_char_runs[middle];
        if (character < run->first)
            high = middle;
        else if (character - run->first >= run->count)
            low = middle + 1;
        else
            return run;
    }
    return NULL;
}

static uint32_t fold_of_fixed(uint32_t character)
{
    if (character == CAPITAL_SIGMA || character == FINAL_SIGMA)
        return SIGMA;
    return character == CAPITAL_SHARP_S ? SHARP_S : character;
}

/* The member of a class at an index, in one of its cases. */
static uint32_t member(uint16_t class, unsigned variant, uint32_t index)
{
    const uint16_t *starts = &rh_char_class_starts[3 * class + variant];
    size_t low = starts[0], high = starts[1];

    /* The last run that begins at or before the index. */
    while (high - low > 1) {
        const size_t middle = (low + high) / 2;
        if (rh_char_runs[rh_char_class_order[middle]].index <= index)
            low = middle;
        else
            high = middle;
    }
    const struct char_run *run = &rh_char_runs[rh_char_class_order[low]];
    const uint32_t offset = index - run->index;
    return run->kind == CHAR_ALTERNATE ? run->first + 2 * offset + (variant == 0)
                                       : run->first + offset;
}

static void place_unlisted(struct char_place *place)
{
    const uint32_t first = place->character & ~(uint32_t)(BLOCK - 1);
    for (uint32_t other = first; other < first + BLOCK; other++) {
        if (find_run(other))
            continue;
        place->index += other < place->character;
        place->size++;
    }
}

struct char_place rh_char_find(uint32_t character, const struct char_run **hint)
{
    struct char_place place = {.character = character, .folded = character};
    const struct char_run *run = hint ? *hint : NULL;

    if (!run || character < run->first || character - run->first >= run->count)
        run = find_run(character);
    if (hint && run)
        *hint = run;
    place.run = run;
    if (!run) {
        place_unlisted(&place);
        return place;
    }
    if (run->class == 0) {
        place.size = 1;
        place.folded = fold_of_fixed(character);
        return place;
    }
    const uint32_t offset = character - run->first;
    place.size = rh_char_class_sizes[run->class];
    if (run->kind == CHAR_ALTERNATE) {
        place.index = run->index + offset / 2;
        place.variant = offset % 2 == 0;
        place.folded = run->first + (offset | 1);
        return place;
    }
    place.index = run->index + offset;
    place.variant = run->kind == CHAR_UPPER ? 1 : run->kind == CHAR_TITLE ? 2 : 0;
    if (place.variant > 0)
        place.folded = member(run->class, 0, place.index);
    return place;
}

uint32_t rh_char_shifted(const struct char_place *place, uint32_t shift)
{
    uint32_t index = place->index + shift;

    if (index >= place->size)
        index -= place->size;
    if (place->run)
        return place->run->class == 0 ? place->character
                                      : member(place->run->class, place->variant, index);
    for (uint32_t other = place->character & ~(uint32_t)(BLOCK - 1);; other++)
        if (!find_run(other) && index-- == 0)
            return other;
}

int rh_char_decode(const unsigned char *data, size_t len, uint32_t *ret_character)
{
    const unsigned char lead = data[0];
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    const int width = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    uint32_t character = lead & (0xff >> (width + 1));
    for (int i = 1; i < width; i++) {
        if ((size_t)i >= len)
            return -1;
        if ((data[i] & 0xc0) != 0x80)
            return 0;
        /* Overlong, surrogates, beyond U+10FFFF: the second byte tells (Unicode, table 3-7). */
        if (i == 1 && ((lead == 0xe0 && data[1] < 0xa0) || (lead == 0xed && data[1] > 0x9f) ||
                       (lead == 0xf0 && data[1] < 0x90) || (lead == 0xf4 && data[1] > 0x8f)))
            return 0;
        character = character << 6 | (data[i] & 0x3f);
    }
    *ret_character = character;
    return width;
}

void rh_char_encode(uint32_t character, unsigned char *out)
{
    if (character < 0x800) {
        *out++ = (unsigned char)(0xc0 | character >> 6);
    } else if (character < 0x10000) {
        *out++ = (unsigned char)(0xe0 | character >> 12);
        *out++ = (unsigned char)(0x80 | (character >> 6 & 0x3f));
    } else {
        *out++ = (unsigned char)(0xf0 | character >> 18);
        *out++ = (unsigned char)(0x80 | (character >> 12 & 0x3f));
        *out++ = (unsigned char)(0x80 | (character >> 6 & 0x3f));
    }
    *out = (unsigned char)(0x80 | (character & 0x3f));
}
