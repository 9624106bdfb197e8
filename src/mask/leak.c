#include "mask/leak.h"

#include <string.h>
#include <xxhash.h>

/* One word of letters alone ("Jordan", "active") is also a place, a product, a state: it counts
   from this length on. */
#define LONE_WORD_MIN 16
#define DIGITS_MIN 8

void rh_leak_init(struct leak_filter *filter, uint64_t seed)
{
    filter->seed = seed;
    rh_value_sample_init(&filter->values, LEAK_VALUES_MAX);
}

void rh_leak_deinit(struct leak_filter *filter)
{
    rh_value_sample_deinit(&filter->values);
}

bool rh_leak_is_whole(const struct leak_filter *filter)
{
    return rh_value_sample_is_whole(&filter->values);
}

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct text trim(struct text text)
{
    while (text.len > 0 && is_blank((unsigned char)text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank((unsigned char)text.data[text.len - 1]))
        text.len--;
    return text;
}

/* Whether its being somewhere else is no chance. */
static bool is_telling(struct text value)
{
    size_t letters = 0, digits = 0, others = 0;

    if (value.len < LEAK_VALUE_MIN || value.len > LEAK_PART_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        letters += is_letter(c);
        digits += is_digit(c);
        others += !is_letter(c) && !is_digit(c);
    }
    if (letters == value.len)
        return value.len >= LONE_WORD_MIN;
    if (letters == 0)
        return digits >= DIGITS_MIN;
    return letters + digits >= LEAK_VALUE_MIN;
}

/* Without case: an address is the same address in capitals. */
static uint64_t hash_of(const struct leak_filter *filter, struct text value)
{
    char folded[LEAK_PART_MAX];

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        folded[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    return XXH3_64bits_withSeed(folded, value.len, filter->seed);
}

void rh_leak_add(struct leak_filter *filter, uint64_t column, struct text original)
{
    struct text value = trim(original);

    if (!is_telling(value))
        return;
    struct sampled_value *kept = rh_value_sample_count(&filter->values, hash_of(filter, value));
    if (kept && kept->count == 1)
        kept->other = column;
}

static int64_t look_up(const struct leak_filter *filter, struct text part, uint64_t *ret_column)
{
    part = trim(part);
    if (!is_telling(part))
        return 0;
    const struct sampled_value *found = rh_value_sample_find(&filter->values,
                                                             hash_of(filter, part));
    if (!found)
        return 0;
    *ret_column = found->other;
    return 1;
}

/* Between these a value stands whole: in prose, JSON, SQL, XML, arrays, rows, URLs' queries. */
static bool is_mark(unsigned char c)
{
    return strchr("\"'`,;(){}[]<>|=&\n\r\t\\", c) != NULL && c != '\0';
}

static bool is_gap(unsigned char c)
{
    return is_mark(c) || is_blank(c) || c == ':' || c == '/';
}

static int64_t find_parts(const struct leak_filter *filter, struct text text,
                          bool (*ends_part)(unsigned char c), uint64_t *ret_column)
{
    int64_t found = 0;
    size_t from = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && !ends_part((unsigned char)text.data[i]))
            continue;
        /* The whole text has been looked up already. */
        if (i - from < text.len)
            found += look_up(filter, (struct text){text.data + from, i - from}, ret_column);
        from = i + 1;
    }
    return found;
}

int64_t rh_leak_find(const struct leak_filter *filter, struct text text, uint64_t *ret_column)
{
    int64_t found = look_up(filter, text, ret_column);

    if (found == 0)
        found = find_parts(filter, text, is_mark, ret_column);
    if (found == 0)
        found = find_parts(filter, text, is_gap, ret_column);
    return found;
}
