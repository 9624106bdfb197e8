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

struct content {
    size_t letters, digits, others;
};

static struct content content_of(struct text value)
{
    struct content content = {0};

    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        content.letters += is_letter(c);
        content.digits += is_digit(c);
        content.others += !is_letter(c) && !is_digit(c);
    }
    return content;
}

bool rh_leak_is_telling(struct text value)
{
    if (value.len < LEAK_VALUE_MIN || value.len > LEAK_PART_MAX)
        return false;
    struct content content = content_of(value);
    if (content.letters == value.len)
        return value.len >= LONE_WORD_MIN;
    if (content.letters == 0)
        return content.digits >= DIGITS_MIN;
    return content.letters + content.digits >= LEAK_VALUE_MIN;
}

/* A million values of that many kinds of characters, looked up a million times, meet by chance less
   than once in a million snapshots: 26 letters are 4.7 bits, 10 digits 3.3. */
static bool is_certain(struct text value)
{
    struct content content = content_of(value);

    return content.letters * 47 + content.digits * 33 >= 600;
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

    if (!rh_leak_is_telling(value))
        return;
    struct sampled_value *kept = rh_value_sample_count(&filter->values, hash_of(filter, value));
    if (kept && kept->count == 1)
        kept->other = column;
}

static bool is_leaf_end(unsigned char c)
{
    return strchr("\"{}[](),\\", c) != NULL && c != '\0';
}

/* A string that a colon follows is JSON's key, one that => follows hstore's. */
static bool is_key(struct text rest)
{
    size_t i = 0;

    if (rest.len == 0 || rest.data[0] != '"')
        return false;
    for (i = 1; i < rest.len && is_blank((unsigned char)rest.data[i]);)
        i++;
    return i < rest.len && (rest.data[i] == ':' || rest.data[i] == '=');
}

void rh_leak_add_leaves(struct leak_filter *filter, uint64_t column, struct text original)
{
    size_t from = 0;

    for (size_t i = 0; i <= original.len; i++) {
        if (i < original.len && !is_leaf_end((unsigned char)original.data[i]))
            continue;
        struct text leaf = {original.data + from, i - from};
        while (leaf.len > 0 && leaf.data[0] == ':') { /* a number behind its key */
            leaf.data++;
            leaf.len--;
        }
        if (!is_key((struct text){original.data + i, original.len - i}))
            rh_leak_add(filter, column, leaf);
        from = i + 1;
    }
}

static bool look_up(const struct leak_filter *filter, struct text part, struct leak_hits *hits)
{
    part = trim(part);
    if (!rh_leak_is_telling(part))
        return false;
    hits->looked_up++;
    const struct sampled_value *found = rh_value_sample_find(&filter->values,
                                                             hash_of(filter, part));
    if (!found)
        return false;
    bool certain = is_certain(part);
    if ((certain && hits->certain == 0) || hits->certain + hits->possible == 0)
        hits->column = found->other;
    hits->certain += certain;
    hits->possible += !certain;
    return true;
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

static bool find_parts(const struct leak_filter *filter, struct text text,
                       bool (*ends_part)(unsigned char c), struct leak_hits *hits)
{
    bool any = false;
    size_t from = 0;

    for (size_t i = 0; i <= text.len; i++) {
        if (i < text.len && !ends_part((unsigned char)text.data[i]))
            continue;
        /* The whole text has been looked up already. */
        if (i - from < text.len)
            any |= look_up(filter, (struct text){text.data + from, i - from}, hits);
        from = i + 1;
    }
    return any;
}

void rh_leak_find(const struct leak_filter *filter, struct text text, struct leak_hits *hits)
{
    if (!look_up(filter, text, hits) && !find_parts(filter, text, is_mark, hits))
        find_parts(filter, text, is_gap, hits);
}
