#include "mask/mask_leaf_kinds.h"

#include "mask/mask_day_int.h"

/* A name of digits alone is data from that many on: fewer are indexes, years, codes. */
#define KEY_DIGITS_MIN 6
/* ISO/IEC 7812-1: numbers of payment cards have up to 19 digits; the shortest in use have 13. */
#define CARD_DIGITS_MIN 13
#define CARD_DIGITS_MAX 19
/* E.164: at most 15 digits; fewer than 7 is no subscriber's number. */
#define PHONE_DIGITS_MIN 7
#define PHONE_DIGITS_MAX 15
/* ISO 13616: at most 34; the shortest in use, Norway's, has 15. */
#define IBAN_MIN 15
#define IBAN_MAX 34
/* Longer than any of these, and prose: one look at the length is enough. */
#define KIND_MAX 2048
#define KEY_MAX 64
/* RFC 9562: with its hyphens; nothing but an address is longer, and no number. */
#define UUID_BYTES 36
/* Of what is longer than a uuid: bytes among which most texts have a letter. */
#define LETTER_WITHIN 16

static const char *rule_type(enum mask_rule rule)
{
    if (rule == MASK_INET)
        return "inet";
    if (rule == MASK_MACADDR)
        return "macaddr";
    if (rule == MASK_DATE)
        return "date";
    if (rule == MASK_NUMBER || rule == MASK_NOISE)
        return "numeric";
    return "text";
}

void rh_leaf_maps_free(struct leaf_maps *maps)
{
    for (size_t i = 0; i < maps->list.count; i++)
        rh_mask_map_free(maps->list.items[i]);
    maps->list.count = 0;
}

enum err_code rh_leaf_maps_add(struct leaf_maps *maps, const struct mask_map *map,
                               enum mask_rule rule, const char *domain, struct arena *arena,
                               struct err *err)
{
    struct mask_map *leaf_map;
    enum err_code code = rh_leaves_map_new(map, rule, rule_type(rule), domain, arena, &leaf_map,
                                           err);
    if (code == RH_OK)
        *RH_PUSH(arena, &maps->list) = leaf_map;
    return code;
}

enum err_code rh_leaf_maps_add_kinds(struct leaf_maps *maps, const struct mask_map *map,
                                     const char *domain, struct arena *arena, struct err *err)
{
    static const enum mask_rule rules[LEAF_KIND_COUNT] = {
        [LEAF_TEXT] = MASK_TEXT,   [LEAF_EMAIL] = MASK_EMAIL, [LEAF_URL] = MASK_URL,
        [LEAF_PHONE] = MASK_PHONE, [LEAF_UUID] = MASK_UUID,   [LEAF_CARD] = MASK_CARD,
        [LEAF_IBAN] = MASK_IBAN,   [LEAF_INET] = MASK_INET,   [LEAF_DATE] = MASK_DATE};
    for (int kind = 0; kind < LEAF_KIND_COUNT; kind++) {
        enum err_code code = rh_leaf_maps_add(maps, map, rules[kind], domain, arena, err);
        if (code != RH_OK)
            return code;
    }
    return RH_OK;
}

enum err_code rh_leaf_kinds_open(struct mask_map *map, const struct leaf_format *format,
                                 const void *own, struct mask_map **ret_kinds, struct arena *arena,
                                 struct err *err)
{
    struct leaf_maps maps = {{NULL}};
    enum err_code code = rh_leaf_maps_add_kinds(&maps, map, NULL, arena, err);
    if (code != RH_OK) {
        rh_leaf_maps_free(&maps);
        return code;
    }
    memcpy(ret_kinds, maps.list.items, LEAF_KIND_COUNT * sizeof(*ret_kinds));
    map->own = rh_leaves_new(format, own, maps.list.items, maps.list.count);
    return RH_OK;
}

/* --- shapes ----------------------------------------------------------------------------------- */

/* What a value is made of; every byte is in one of them. */
struct shape {
    size_t digits, letters, ats, dots, colons, dashes, blanks, others;
};

/* Counters of a byte each, side by side in a word: so many bytes of a value fit. */
#define COUNTED_MAX ((size_t)255)
enum {
    COUNT_DIGITS,
    COUNT_LETTERS,
    COUNT_ATS,
    COUNT_DOTS,
    COUNT_COLONS,
    COUNT_DASHES,
    COUNT_BLANKS
};
#define ONE_OF(counter) (UINT64_C(1) << (8 * (counter)))

static const uint64_t counts_of_byte[256] = {
    ['0' ... '9'] = ONE_OF(COUNT_DIGITS),
    ['A' ... 'Z'] = ONE_OF(COUNT_LETTERS),
    ['a' ... 'z'] = ONE_OF(COUNT_LETTERS),
    ['@'] = ONE_OF(COUNT_ATS),
    ['.'] = ONE_OF(COUNT_DOTS),
    [':'] = ONE_OF(COUNT_COLONS),
    ['-'] = ONE_OF(COUNT_DASHES),
    [' '] = ONE_OF(COUNT_BLANKS),
};

static size_t counted(uint64_t counts, int counter)
{
    return counts >> (8 * counter) & 0xff;
}

static struct shape shape_of(struct text value)
{
    struct shape shape = {.others = value.len};
    while (value.len > 0) {
        size_t len = value.len < COUNTED_MAX ? value.len : COUNTED_MAX;
        uint64_t counts = 0;
        for (size_t i = 0; i < len; i++)
            counts += counts_of_byte[(unsigned char)value.data[i]];
        shape.digits += counted(counts, COUNT_DIGITS);
        shape.letters += counted(counts, COUNT_LETTERS);
        shape.ats += counted(counts, COUNT_ATS);
        shape.dots += counted(counts, COUNT_DOTS);
        shape.colons += counted(counts, COUNT_COLONS);
        shape.dashes += counted(counts, COUNT_DASHES);
        shape.blanks += counted(counts, COUNT_BLANKS);
        value = (struct text){value.data + len, value.len - len};
    }
    shape.others -= shape.digits + shape.letters + shape.ats + shape.dots + shape.colons +
                    shape.dashes + shape.blanks;
    return shape;
}

static bool reads(struct mask_map *const *maps, enum leaf_kind kind, struct text value)
{
    const struct mask_map *map = maps[kind];
    return map->kind->reads == NULL || map->kind->reads(map, value);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool rh_leaf_is_date(struct text value)
{
    static const char pattern[] = "dddd-dd-dd";
    if (value.len < LEAF_DATE_BYTES)
        return false;
    for (size_t i = 0; i < LEAF_DATE_BYTES; i++)
        if (pattern[i] == 'd' ? !is_digit(value.data[i]) : value.data[i] != pattern[i])
            return false;
    int month = (value.data[5] - '0') * 10 + value.data[6] - '0';
    int day = (value.data[8] - '0') * 10 + value.data[9] - '0';
    if (month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    struct text behind = {value.data + LEAF_DATE_BYTES, value.len - LEAF_DATE_BYTES};
    return behind.len == 0 || rh_day_is_time(behind);
}

bool rh_leaf_is_ipv4(struct text value)
{
    for (int octet = 0; octet < 4; octet++) {
        int number = 0;
        size_t len = 0;
        while (len < value.len && len < 3 && is_digit(value.data[len]))
            number = number * 10 + value.data[len++] - '0';
        if (len == 0 || number > 255 || (len > 1 && value.data[0] == '0'))
            return false;
        if (octet < 3 && (len == value.len || value.data[len++] != '.'))
            return false;
        value = (struct text){value.data + len, value.len - len};
    }
    return value.len == 0;
}

bool rh_leaf_is_card_number(struct text number)
{
    if (number.len > 0 && number.data[0] == '-')
        return false;
    if (number.len < CARD_DIGITS_MIN || number.len > CARD_DIGITS_MAX || number.data[0] < '3' ||
        number.data[0] > '6')
        return false;
    int sum = 0;
    for (size_t i = 0; i < number.len; i++) {
        char c = number.data[number.len - 1 - i];
        if (!is_digit(c))
            return false;
        int digit = c - '0';
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* Whether a look at a few bytes is enough: longer than a uuid, with a letter where a number has
   none, and nothing of an address in it. */
static bool is_plainly_text(struct text value)
{
    bool has_letter = false;
    if (value.len <= UUID_BYTES)
        return false;
    for (size_t i = 0; i < LETTER_WITHIN; i++)
        has_letter |= (value.data[i] | 0x20) >= 'a' && (value.data[i] | 0x20) <= 'z';
    return has_letter && memchr(value.data, '@', value.len) == NULL &&
           memchr(value.data, ':', value.len) == NULL && !rh_leaf_is_date(value);
}

enum leaf_kind rh_leaf_kind(struct mask_map *const *maps, struct text value)
{
    if (value.len < 6 || value.len > KIND_MAX || is_plainly_text(value))
        return LEAF_TEXT;
    struct shape shape = shape_of(value);
    if (shape.blanks == 0) {
        if (shape.colons > 0 && memmem(value.data, value.len, "://", 3) != NULL)
            return reads(maps, LEAF_URL, value) ? LEAF_URL : LEAF_TEXT;
        if (shape.ats == 1 && value.data[0] != '@')
            return reads(maps, LEAF_EMAIL, value) ? LEAF_EMAIL : LEAF_TEXT;
        if (value.len == UUID_BYTES && shape.dashes == 4 && shape.digits + shape.letters == 32)
            return reads(maps, LEAF_UUID, value) ? LEAF_UUID : LEAF_TEXT;
        if (shape.letters >= 2 && shape.digits + shape.letters == value.len &&
            value.len >= IBAN_MIN && value.len <= IBAN_MAX && value.data[0] >= 'A' &&
            value.data[0] <= 'Z')
            return reads(maps, LEAF_IBAN, value) ? LEAF_IBAN : LEAF_TEXT;
        if (shape.dots == 3 && shape.dots + shape.digits == value.len && rh_leaf_is_ipv4(value))
            return LEAF_INET;
        if (shape.colons >= 2 && shape.others == 0 && shape.ats == 0 && shape.dashes == 0 &&
            shape.dots == 0 && reads(maps, LEAF_INET, value))
            return LEAF_INET;
    }
    if (rh_leaf_is_date(value))
        return LEAF_DATE;
    if (shape.letters == 0 && shape.digits >= CARD_DIGITS_MIN && shape.digits <= CARD_DIGITS_MAX &&
        shape.digits + shape.dashes + shape.blanks == value.len)
        return reads(maps, LEAF_CARD, value) ? LEAF_CARD : LEAF_TEXT;
    if ((value.data[0] == '+' || value.data[0] == '(') && shape.letters == 0 &&
        shape.digits >= PHONE_DIGITS_MIN && shape.digits <= PHONE_DIGITS_MAX)
        return reads(maps, LEAF_PHONE, value) ? LEAF_PHONE : LEAF_TEXT;
    return LEAF_TEXT;
}

bool rh_leaf_key_is_data(struct mask_map *const *maps, struct text key, enum leaf_kind *ret_kind)
{
    if (key.len < KEY_DIGITS_MIN)
        return false;
    size_t digits = 0;
    while (digits < key.len && is_digit(key.data[digits]))
        digits++;
    /* Most names are words: only these can be something else. */
    if (digits == 0 && memchr(key.data, '@', key.len) == NULL &&
        memchr(key.data, ':', key.len) == NULL && key.data[0] != '+' && key.data[0] != '(' &&
        key.len < IBAN_MIN)
        return false;
    *ret_kind = rh_leaf_kind(maps, key);
    if (*ret_kind == LEAF_DATE)
        return false; /* a calendar, not a person */
    return *ret_kind != LEAF_TEXT || digits == key.len;
}

bool rh_leaf_key_names_number(struct text key)
{
    static const char *const words[] = {"phone",  "mobile", "telefon", "fax",
                                        "ssn",    "card",   "iban",    "passport",
                                        "tax_id", "taxid",  "msisdn",  "license"};
    if (key.len > KEY_MAX)
        return false;
    char folded[KEY_MAX];
    for (size_t i = 0; i < key.len; i++)
        folded[i] = key.data[i] >= 'A' && key.data[i] <= 'Z' ? (char)(key.data[i] | 0x20)
                                                             : key.data[i];
    bool is_tax = key.len >= 3 && memcmp(folded, "tax", 3) == 0;
    if (!is_tax && key.len > 2 && memcmp(folded + key.len - 2, "id", 2) == 0)
        return false; /* phone_id, cardId: a key of a table */
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (memmem(folded, key.len, words[i], strlen(words[i])) != NULL)
            return true;
    return key.len == 3 && memcmp(folded, "tel", 3) == 0;
}
