/*
 * Maps: from a value to its pseudonym. Keyed, deterministic, and injective per key unless the rule
 * says otherwise, so that NULLs, duplicates, uniqueness, distinct counts, fan-out and joins are
 * those of the originals. Pure: a map depends on its key, its rule and the value, on nothing else.
 *
 * Values are as COPY's text format has them, but unescaped, in UTF-8 or a single-byte encoding.
 * NULLs never come here. A map is not for two threads at once. What cannot be read as its rule
 * expects (an e-mail without "@", a broken JSON text) is mapped as text: never passed through,
 * never an error.
 */
#ifndef RH_MASK_MASK_MAP_H
#define RH_MASK_MASK_MAP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define MASK_MASTER_KEY_BYTES 32

/* Wipe it (OPENSSL_cleanse) when it is not needed any more. */
struct mask_master_key {
    unsigned char bytes[MASK_MASTER_KEY_BYTES];
};

/* X(symbol, name in masking.yaml, length kept: bytes of the output are those of the input) */
#define MASK_RULE_LIST(X)                                                                        \
    X(MASK_KEEP, "keep", true)                                                                   \
    /* injective; keeps byte length, character class, prefix structure; commutes with lower() */ \
    X(MASK_TEXT, "text", true)                                                                   \
    X(MASK_EMAIL, "email", true) /* as text, but "@", "." and the top-level domain stay */       \
    X(MASK_URL, "url", true)     /* scheme, separators and top-level domain stay */              \
    X(MASK_PHONE, "phone", true) /* digits change; "+", the first digits of a country stay */    \
    X(MASK_UUID, "uuid", true)   /* version and variant bits stay; version 7 keeps its time */   \
    X(MASK_CARD, "card", true)   /* the difference to the right check digit stays (Luhn) */      \
    X(MASK_IBAN, "iban", true)   /* country stays; so does the difference of check digits */     \
    X(MASK_JSON, "json", true)   /* leaves only, by path and by what they look like */           \
    X(MASK_XML, "xml", true)     /* text and attribute values only */                            \
    X(MASK_FREE_TEXT, "free-text", true) /* word by word; for prose */                           \
    X(MASK_BYTES, "bytes", true) /* bytea, bit strings: same length, keyed noise, injective */   \
    X(MASK_INET, "inet", false)  /* prefix-preserving on bits; mask length and family stay */    \
    X(MASK_MACADDR, "macaddr", true)                                                             \
    X(MASK_DATE, "date", false)     /* date, timestamp(tz): one keyed shift of whole days */     \
    X(MASK_NUMBER, "number", false) /* keeps order where ten times as much fits; 0, NaN stay */  \
    X(MASK_TSVECTOR, "tsvector", false) /* lexemes as text; sorted again */                      \
    X(MASK_HSTORE, "hstore", true)      /* values and keys as text */                            \
    X(MASK_FIXED, "fixed", false)       /* one value for all: not injective */                   \
    X(MASK_NULL, "null", false)         /* NULL for all */                                       \
    X(MASK_HASH, "hash", false)         /* hexadecimal, of a width: not injective by proof */    \
    X(MASK_NOISE, "noise", false) /* number or time: keyed noise of a width: not injective */    \
    X(MASK_WORDS, "words", false) /* a word of a list: not injective */
enum mask_rule {
#define X(symbol, name, keeps_length) symbol,
    MASK_RULE_LIST(X)
#undef X
        MASK_RULE_COUNT
};
const char *rh_mask_rule_name(enum mask_rule rule);
bool rh_mask_rule_find(const char *name, enum mask_rule *ret_rule);
bool rh_mask_rule_keeps_length(enum mask_rule rule);
bool rh_mask_rule_is_injective(enum mask_rule rule);

/* A rule of a JSON path: "$.user.email" or "$.items[*].note". */
struct mask_path {
    const char *path;
    enum mask_rule rule;
    const char *domain; /* NULL: the column's own */
};

struct mask_map_options {
    const struct mask_master_key *key;
    const char *domain; /* maps of one domain and rule are one map */
    enum mask_rule rule;
    const char *type; /* catalog_column.base_type: "text", "timestamptz", "int4"... */
    bool is_array;    /* the rule is of its elements */
    /* A composite's attributes, each with a map of its own; options of those are as these. */
    const struct mask_map_options *attributes;
    size_t attribute_count;
    const char *parameter; /* fixed: the value; hash: width; noise: "10 %", "3 days"; date: the
                              greatest shift, "400 days"; words: list
                              with commas between; NULL: the rule's default */
    const struct mask_path *paths; /* of MASK_JSON */
    size_t path_count;
    int max_characters;             /* of the column; 0: none */
    int precision, scale;           /* of numeric(precision, scale); 0: none */
    const char *encoding;           /* of the values, as catalog.encoding: NULL, "UTF8", "LATIN1" */
    const char *const *kept_values; /* beside NULL, '' and blanks: sentinels, in any case */
    size_t kept_value_count;
};

struct mask_map;

/* RH_ERR_USAGE when the rule cannot work on that type (a card number in a date), saying so, or in
   that encoding (the Chinese, Japanese and Korean ones that are not UTF-8). The map lies in
   `arena`; rh_mask_map_free wipes its keys and frees what OpenSSL holds. */
enum err_code rh_mask_map_new(const struct mask_map_options *options, struct arena *arena,
                              struct mask_map **ret_map, struct err *err) RH_MUST_CHECK;
void rh_mask_map_free(struct mask_map *map);

/*
 * Maps `count` values at once (a few dozen are much cheaper together than one by one). What comes
 * out lies in `scratch` (or is the input itself); data NULL in ret_masked: SQL NULL.
 */
void rh_mask_map_apply(struct mask_map *map, const struct text *values, size_t count,
                       struct arena *scratch, struct text *ret_masked);

/* Whether something else is put in the place of a value (fixed, null, hash, words): a stream is not
   for that; as much of the value as can be held is mapped in its place. */
bool rh_mask_map_replaces(const struct mask_map *map);

/* Whether a value passes unchanged, as NULL does: '', blanks, a sentinel. It is no secret then. */
bool rh_mask_map_keeps(const struct mask_map *map, struct text value);

/*
 * One value too large to hold: for rules that keep the length. Bytes in, as many bytes out, in the
 * same order, whatever the cuts; the result is that of rh_mask_map_apply where that looks no
 * further than one character or leaf (text, free-text, json, xml, bytes), and that of "text" else.
 */
struct mask_stream;
struct mask_stream *rh_mask_stream_new(struct mask_map *map);
void rh_mask_stream_free(struct mask_stream *stream);
void rh_mask_stream_feed(struct mask_stream *stream, struct text part, struct buf *out);
void rh_mask_stream_finish(struct mask_stream *stream, struct buf *out);

#endif
