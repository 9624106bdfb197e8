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

/* --- leaves ----------------------------------------------------------------------------------- */

struct leaves {
    struct text text;
    size_t at, count; /* of those that came */
    bool is_xml, in_tag;
    char quote; /* of an attribute's value; 0: outside */
};

struct leaf {
    struct text text;
    bool is_quoted;
};

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

static bool ends_leaf(const struct leaves *leaves, char c)
{
    if (!leaves->is_xml)
        return c != '\0' && strchr("\"{}[](),\\", c);
    if (leaves->quote)
        return c == leaves->quote;
    return leaves->in_tag ? c == '>' || c == '"' || c == '\'' : c == '<';
}

/* Of a comment or of CDATA, which stand where tags do. */
static struct text inside(struct text markup)
{
    static const char *const opens[] = {"![CDATA[", "!--"};

    for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
        size_t length = strlen(opens[i]);
        if (markup.len >= length + 2 && memcmp(markup.data, opens[i], length) == 0)
            return (struct text){markup.data + length, markup.len - length - 2};
    }
    return (struct text){"", 0};
}

static struct leaf xml_leaf(struct leaves *leaves, struct text text, char end)
{
    bool is_value = leaves->quote || !leaves->in_tag;

    if (!leaves->in_tag)
        leaves->in_tag = end == '<';
    else if (leaves->quote)
        leaves->quote = '\0';
    else if (end == '>')
        leaves->in_tag = false;
    else
        leaves->quote = end;
    return (struct leaf){is_value ? text : inside(text), true};
}

static struct leaf plain_leaf(struct text text, struct text rest)
{
    bool is_quoted = rest.len > 0 && (rest.data[0] == '"' || rest.data[0] == '\\');

    while (text.len > 0 && text.data[0] == ':') { /* a number behind its key */
        text.data++;
        text.len--;
    }
    return (struct leaf){is_key(rest) ? (struct text){"", 0} : text, is_quoted};
}

/* Keys and names are leaves of no length. False: there are no more. */
static bool next_leaf(struct leaves *leaves, struct leaf *ret_leaf)
{
    struct text text = leaves->text;
    size_t from = leaves->at, i = from;

    if (from > text.len)
        return false;
    while (i < text.len && !ends_leaf(leaves, text.data[i]))
        i++;
    struct text found = {text.data + from, i - from}, rest = {text.data + i, text.len - i};
    *ret_leaf = leaves->is_xml ? xml_leaf(leaves, found, rest.len > 0 ? rest.data[0] : '\0')
                               : plain_leaf(found, rest);
    ret_leaf->text = trim(ret_leaf->text);
    leaves->at = i + 1;
    leaves->count++;
    return true;
}

static bool may_stay(const struct leaf_plan *plan, const struct leaf *leaf)
{
    if (plan->any_may_stay)
        return true;
    if (!plan->numbers_may_stay || leaf->is_quoted)
        return false;
    for (size_t i = 0; i < leaf->text.len; i++)
        if (!is_digit((unsigned char)leaf->text.data[i]) && !strchr("+-.eE", leaf->text.data[i]))
            return false;
    return true;
}

void rh_leak_add_leaves(struct leak_filter *filter, uint64_t column, const struct leaf_plan *plan,
                        struct text original, struct text masked)
{
    struct leaves before = {.text = original, .is_xml = plan->is_xml};
    struct leaves after = {.text = masked, .is_xml = plan->is_xml};
    struct leaf leaf, there = {0};

    while (next_leaf(&before, &leaf)) {
        if (!rh_leak_is_telling(leaf.text))
            continue;
        if (may_stay(plan, &leaf)) {
            while (after.count < before.count && next_leaf(&after, &there))
                ;
            if (after.count == before.count && rh_text_equals(leaf.text, there.text))
                continue;
        }
        rh_leak_add(filter, column, leaf.text);
    }
}

bool rh_leak_has_telling_leaf(const struct leaf_plan *plan, struct text original)
{
    struct leaves leaves = {.text = original, .is_xml = plan->is_xml};
    struct leaf leaf;

    while (next_leaf(&leaves, &leaf))
        if (rh_leak_is_telling(leaf.text) && !may_stay(plan, &leaf))
            return true;
    return false;
}

/* --- survivors -------------------------------------------------------------------------------- */

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
