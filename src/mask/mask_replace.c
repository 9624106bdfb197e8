/* Rules that put something else in the place of a value: fixed, null, hash, words. */
#include "mask/mask_int.h"

#include <openssl/crypto.h>

/* ---- fixed and null -------------------------------------------------------------------------- */

/* Of columns that are text, where no value is said. */
#define DEFAULT_FIXED "masked"

static size_t characters(struct text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static enum err_code open_fixed(struct mask_map *map, struct arena *arena, struct err *err)
{
    const int most = map->options.max_characters;
    struct text *fixed = RH_NEW(arena, struct text);

    if (map->options.parameter) {
        *fixed = rh_text(map->options.parameter);
        if (most > 0 && characters(*fixed) > (size_t)most) {
            rh_err_set(err, RH_ERR_USAGE,
                       "cannot use a fixed value of %zu characters where a column has %d",
                       characters(*fixed), most);
            rh_err_hint(err, "Use a shorter value.");
            return RH_ERR_USAGE;
        }
    } else if (rh_mask_type_is_text(map->options.type)) {
        *fixed = TEXT_LITERAL(DEFAULT_FIXED);
        if (most > 0 && fixed->len > (size_t)most)
            fixed->len = (size_t)most;
    } else {
        return rh_mask_refuse(map, "Say the value: only text has a default.", err);
    }
    map->own = fixed;
    return RH_OK;
}

static void apply_fixed(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    (void)values;
    (void)scratch;
    for (size_t i = 0; i < count; i++)
        ret_masked[i] = *(const struct text *)map->own;
}

const struct mask_kind rh_mask_fixed = {
    .is_structured = true, .replaces = true, .open = open_fixed, .apply = apply_fixed};

static void apply_null(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    (void)map;
    (void)values;
    (void)scratch;
    for (size_t i = 0; i < count; i++)
        ret_masked[i] = (struct text){NULL, 0};
}

const struct mask_kind rh_mask_null = {
    .is_structured = true, .takes_any_type = true, .replaces = true, .apply = apply_null};

/* ---- hash ------------------------------------------------------------------------------------ */

#define DEFAULT_WIDTH 32
#define GREATEST_WIDTH (2 * MASK_DIGEST_BYTES)

struct hash_own {
    unsigned char key[MASK_DIGEST_BYTES];
    size_t width; /* hexadecimal digits */
};

static void apply_hash(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked)
{
    const struct hash_own *own = map->own;

    for (size_t i = 0; i < count; i++) {
        unsigned char digest[MASK_DIGEST_BYTES];
        char *out = rh_arena_alloc(scratch, own->width);
        rh_mask_digest(own->key, values[i], digest);
        for (size_t j = 0; j < own->width; j++)
            out[j] = "0123456789abcdef"[digest[j / 2] >> (j % 2 == 0 ? 4 : 0) & 0xf];
        ret_masked[i] = (struct text){out, own->width};
    }
}

static enum err_code open_hash(struct mask_map *map, struct arena *arena, struct err *err)
{
    const int most = map->options.max_characters;
    int64_t width = most > 0 && most < DEFAULT_WIDTH ? most : DEFAULT_WIDTH;

    if (!rh_mask_type_is_text(map->options.type))
        return rh_mask_refuse(map, "This rule is for text.", err);
    if (map->options.parameter &&
        (!rh_text_parse_int64(rh_text(map->options.parameter), &width) || width < 1 ||
         width > GREATEST_WIDTH || (most > 0 && width > most))) {
        rh_err_set(err, RH_ERR_USAGE, "cannot hash to a width of \"%s\"", map->options.parameter);
        rh_err_hint(err, "Say 1 to %d hexadecimal digits, as many as the column has room for.",
                    most > 0 && most < GREATEST_WIDTH ? most : GREATEST_WIDTH);
        return RH_ERR_USAGE;
    }
    struct hash_own *own = RH_NEW(arena, struct hash_own);
    own->width = (size_t)width;
    rh_mask_key_derive(map->options.key, map->options.domain, "hash", own->key, sizeof(own->key));
    map->own = own;
    return RH_OK;
}

static void close_hash(struct mask_map *map)
{
    if (map->own)
        OPENSSL_cleanse(map->own, sizeof(struct hash_own));
}

const struct mask_kind rh_mask_hash = {
    .replaces = true, .open = open_hash, .close = close_hash, .apply = apply_hash};

/* ---- words ----------------------------------------------------------------------------------- */

static const char default_words[] =
    "amber,anchor,apple,arrow,basil,beacon,birch,bridge,candle,canyon,cedar,cherry,cloud,clover,"
    "comet,copper,coral,crane,daisy,delta,ember,falcon,fern,forest,garden,ginger,harbor,hazel,"
    "heron,island,ivory,jasper,lantern,laurel,lemon,lily,linden,maple,meadow,mint,nettle,north,"
    "olive,onyx,orchid,otter,pearl,pepper,pine,planet,poplar,quartz,raven,river,robin,saffron,"
    "silver,sparrow,summit,thistle,timber,valley,violet,willow";

struct words_own {
    unsigned char key[MASK_DIGEST_BYTES];
    VEC(struct text) words;
};

static void apply_words(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    const struct words_own *own = map->own;

    (void)scratch;
    for (size_t i = 0; i < count; i++) {
        unsigned char digest[MASK_DIGEST_BYTES];
        uint64_t draw = 0;
        rh_mask_digest(own->key, values[i], digest);
        for (size_t j = 0; j < 8; j++)
            draw = draw << 8 | digest[j];
        ret_masked[i] = own->words.items[draw % own->words.count];
    }
}

static enum err_code open_words(struct mask_map *map, struct arena *arena, struct err *err)
{
    const int most = map->options.max_characters;
    struct words_own *own = RH_NEW(arena, struct words_own);
    const char *list = map->options.parameter ? map->options.parameter : default_words;

    if (!rh_mask_type_is_text(map->options.type))
        return rh_mask_refuse(map, "This rule is for text.", err);
    while (*list) {
        const size_t len = strcspn(list, ",");
        const struct text word = rh_text_trim((struct text){list, len});
        if (word.len > 0 && (most == 0 || characters(word) <= (size_t)most))
            *RH_PUSH(arena, &own->words) = (struct text){rh_text_dup(arena, word), word.len};
        list += len + (list[len] == ',');
    }
    if (own->words.count == 0) {
        rh_err_set(err, RH_ERR_USAGE, "cannot choose among words: none fits the column");
        rh_err_hint(err, "Give a list with commas between, of words no longer than the column.");
        return RH_ERR_USAGE;
    }
    rh_mask_key_derive(map->options.key, map->options.domain, "words", own->key, sizeof(own->key));
    map->own = own;
    return RH_OK;
}

static void close_words(struct mask_map *map)
{
    struct words_own *own = map->own;
    if (own)
        OPENSSL_cleanse(own->key, sizeof(own->key));
}

const struct mask_kind rh_mask_words = {
    .replaces = true, .open = open_words, .close = close_words, .apply = apply_words};
