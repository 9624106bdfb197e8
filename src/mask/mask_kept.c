/* Values that say "there is none": they pass a map unchanged, in any case and however padded. */
#include "mask/char_class_int.h"
#include "mask/mask_int.h"

/* Numbers are in no list: what is a sentinel among them, only their user knows. */
static const char *const sentinels[] = {
    "n/a",
    "none",
    "null",
    "unknown",
    "-",
    "infinity",
    "-infinity",
    "0000-00-00",
    "0000-00-00 00:00:00",
    "0001-01-01",
    "0001-01-01 00:00:00",
    "1970-01-01",
    "1970-01-01 00:00:00",
    "1970-01-01 00:00:00+00",
    "9999-12-31",
    "9999-12-31 00:00:00",
    "9999-12-31 00:00:00+00",
    "00000000-0000-0000-0000-000000000000",
    "0.0.0.0",
    "127.0.0.1",
    "::1",
};
#define SENTINEL_COUNT (sizeof(sentinels) / sizeof(sentinels[0]))

struct kept_values {
    struct text *folded; /* trimmed */
    size_t count;
    uint64_t lengths[MASK_KEPT_MAX_BYTES / 64 + 1]; /* a bit for each that is there */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Writes as many bytes as the value has, or the width of their partner in case; the count. */
static size_t fold(struct text value, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len;) {
        const unsigned char c = (unsigned char)value.data[i];
        uint32_t character;
        const int width = c < 0x80 ? 0
                                   : rh_char_decode((const unsigned char *)value.data + i,
                                                    value.len - i, &character);
        if (width <= 0) {
            out[len++] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : (char)c;
            i++;
            continue;
        }
        const uint32_t folded = rh_char_find(character, NULL).folded;
        rh_char_encode(folded, (unsigned char *)out + len);
        len += folded < 0x800 ? 2 : folded < 0x10000 ? 3 : 4;
        i += (size_t)width;
    }
    return len;
}

static void add(struct kept_values *kept, struct arena *arena, struct text value)
{
    value = rh_text_trim(value);
    if (value.len == 0 || value.len > MASK_KEPT_MAX_BYTES)
        return;
    char *folded = rh_arena_alloc(arena, 2 * value.len);
    const size_t len = fold(value, folded);
    kept->folded[kept->count++] = (struct text){folded, len};
    /* Two characters of a pair may differ by a byte: for what is not ASCII any length may do. */
    bool is_ascii = true;
    for (size_t i = 0; i < value.len; i++)
        is_ascii = is_ascii && (unsigned char)value.data[i] < 0x80;
    for (size_t i = is_ascii ? len : 0; i <= (is_ascii ? len : MASK_KEPT_MAX_BYTES); i++)
        kept->lengths[i / 64] |= (uint64_t)1 << (i % 64);
}

struct kept_values *rh_kept_values_new(const char *const *values, size_t count, struct arena *arena)
{
    struct kept_values *kept = RH_NEW(arena, struct kept_values);

    kept->folded = rh_arena_alloc_array(arena, SENTINEL_COUNT + count, sizeof(*kept->folded));
    for (size_t i = 0; i < SENTINEL_COUNT; i++)
        add(kept, arena, rh_text(sentinels[i]));
    for (size_t i = 0; i < count; i++)
        add(kept, arena, rh_text(values[i]));
    return kept;
}

bool rh_kept_values_has(const struct kept_values *kept, struct text value)
{
    const size_t whole = value.len;
    if (whole == 0)
        return true;
    if (is_blank(value.data[0]) || is_blank(value.data[value.len - 1]))
        value = rh_text_trim(value);
    if (value.len == 0)
        return true;
    if (whole > MASK_KEPT_MAX_BYTES || !(kept->lengths[value.len / 64] >> (value.len % 64) & 1))
        return false;
    char folded[2 * MASK_KEPT_MAX_BYTES];
    const size_t len = fold(value, folded);
    for (size_t i = 0; i < kept->count; i++)
        if (rh_text_equals(kept->folded[i], (struct text){folded, len}))
            return true;
    return false;
}
