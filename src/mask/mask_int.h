/*
 * Inside of `mask`: the core map of text, and the table where each rule says how it works.
 *
 * A map is either scalar (the value is one thing: text, e-mail, number) or structured (its leaves
 * are: JSON, arrays). For scalar rules rh_mask_map_apply does what all have in common: kept values
 * pass, what the rule cannot read goes to the text core, and what would come out as a kept value
 * or as something the rule could read is mapped again (cycle walking), so the whole is injective.
 * A structured rule gets every value as it is, and asks maps of its own (rh_mask_map_new with the
 * same key and domain) for its leaves.
 */
#ifndef RH_MASK_MASK_INT_H
#define RH_MASK_MASK_INT_H

#include "mask/mask_key.h"
#include "mask/mask_map.h"

#include <openssl/evp.h>

#define MASK_BLOCK_BYTES 16
#define MASK_KEY_BYTES 16

struct mask_map;

/* ---- AES-128 over many blocks ---------------------------------------------------------------- */

/* Independent blocks in one call; `out` may be `in`. */
void rh_mask_blocks(EVP_CIPHER_CTX *cipher, const unsigned char *in, unsigned char *out,
                    size_t count);
/* A context of AES-128-ECB for a subkey; rh_mask_cipher_free wipes it. */
EVP_CIPHER_CTX *rh_mask_cipher_new(const struct mask_master_key *master, const char *domain,
                                   const char *purpose);
void rh_mask_cipher_free(EVP_CIPHER_CTX *cipher);

/* ---- the text core --------------------------------------------------------------------------- */

/* Keys of one domain: the same for every rule of it, so that a name and the local part of an
   address that holds it stay one. */
struct text_core;
/* `is_single_byte`: bytes above 127 are characters, of an encoding that need not be known; else
 * UTF-8. */
struct text_core *rh_text_core_new(const struct mask_master_key *master, const char *domain,
                                   bool is_single_byte, struct arena *arena);
void rh_text_core_free(struct text_core *core);

/* How one byte of a value is treated; bytes of one character carry the same mode. */
enum text_mode {
    TEXT_SHIFT,    /* inside its class: the ordinary */
    TEXT_KEEP,     /* stays, and what follows depends on it */
    TEXT_NOT_ZERO, /* a digit 1 to 9 stays one of them; 0 stays */
    TEXT_HEX,      /* a digit stays one, and a letter one of a to f */
    TEXT_BINARY,   /* 0 and 1 */
    TEXT_RESTART,  /* TEXT_SHIFT, and what came before counts no more from here on */
    TEXT_RESTART_KEEP,
};

/* `out` has room for `len` bytes; it may be `in`. */
struct text_item {
    const char *in;
    char *out;
    size_t len;
    const unsigned char *modes; /* enum text_mode of each byte; NULL: all TEXT_SHIFT */
};
/* Kept values are not looked at here. Many items at once are much cheaper than one by one. */
void rh_text_core_map(struct text_core *core, const struct text_item *items, size_t count);

/* One value in parts, whatever the cuts: the same bytes as rh_text_core_map of the whole. */
struct text_state {
    unsigned char chain[MASK_BLOCK_BYTES];
    unsigned char stream[256]; /* of a long value: shifts of the block of characters at hand */
    unsigned char folded[256]; /* and the characters it held, for the chain */
    uint64_t characters;
    unsigned char pending[4]; /* the beginning of a character that was cut */
    size_t pending_count;
};
void rh_text_state_begin(struct text_core *core, struct text_state *state);
void rh_text_state_feed(struct text_core *core, struct text_state *state, struct text part,
                        struct buf *out);
/* As that, with all bytes of the part in one mode; no mode begins inside of a character. */
void rh_text_state_feed_in(struct text_core *core, struct text_state *state, enum text_mode mode,
                           struct text part, struct buf *out);
/* Lets out what was held back (at most three bytes). */
void rh_text_state_finish(struct text_core *core, struct text_state *state, struct buf *out);

/* Modes of a host name, which are TEXT_SHIFT so far: nothing before it counts; its top-level domain
   stays. */
void rh_mask_host_modes(struct text host, unsigned char *modes);
/* Value by value through the text core, in modes that are TEXT_SHIFT before `set_modes`. */
void rh_mask_with_modes(struct mask_map *map, const struct text *values, size_t count,
                        void (*set_modes)(struct text value, unsigned char *modes),
                        struct arena *scratch, struct text *ret_masked);

/* ---- permutations of bits ------------------------------------------------------------------- */

/* Numbers of up to 64 bits each, permuted as one of left_bits + right_bits (both at least 1). */
struct bit_pair {
    uint64_t left, right;
};
/* Every item by the same permutation (of the key, the sizes and the tweak). `tweak` may be NULL. */
void rh_mask_permute(EVP_CIPHER_CTX *cipher, struct bit_pair *items, size_t count,
                     unsigned left_bits, unsigned right_bits,
                     const unsigned char tweak[MASK_BLOCK_BYTES]);

/* ---- values that pass ------------------------------------------------------------------------ */

/* Longer values, blanks around them included, are no sentinels. */
#define MASK_KEPT_MAX_BYTES 256

struct kept_values;
struct kept_values *rh_kept_values_new(const char *const *values, size_t count,
                                       struct arena *arena);
/* '', blanks, a sentinel, or one of `values`; case and blanks around do not count. */
bool rh_kept_values_has(const struct kept_values *kept, struct text value);

/* ---- rules ----------------------------------------------------------------------------------- */

struct mask_map {
    const struct mask_kind *kind;
    struct mask_map_options options; /* everything it points to lies in the map's arena but key,
                                        which is NULL after rh_mask_map_new */
    struct text_core *core;
    struct kept_values *kept;
    void *own; /* of the kind */
};

struct mask_kind {
    bool is_structured; /* gets every value; see above */
    bool takes_any_type;
    /* Refuses types that cannot work and makes map->own; NULL: nothing to make, and text-like types
       alone unless takes_any_type.
       map->options.key is the master key during this call only. */
    enum err_code (*open)(struct mask_map *map, struct arena *arena, struct err *err);
    void (*close)(struct mask_map *map); /* NULL: nothing to free */
    /* Scalar: whether the value is what the rule expects. What `apply` makes of it must be so
       again. NULL: every value is. */
    bool (*reads)(const struct mask_map *map, struct text value);
    /* As rh_mask_map_apply; scalar: every value is read, and not kept. */
    void (*apply)(struct mask_map *map, const struct text *values, size_t count,
                  struct arena *scratch, struct text *ret_masked);
    /* Streams: NULL: as text. `state` is zeroed, of `stream_bytes`, and outlives the stream. */
    size_t stream_bytes;
    void (*stream_begin)(struct mask_map *map, void *state);
    void (*stream_feed)(struct mask_map *map, void *state, struct text part, struct buf *out);
    void (*stream_finish)(struct mask_map *map, void *state, struct buf *out);
    void (*stream_free)(void *state); /* NULL: nothing to free */
};

/* One for each rule; mask_map.c has the table. Structured: mask_json.c and its like. */
extern const struct mask_kind rh_mask_text, rh_mask_email, rh_mask_url, rh_mask_phone, rh_mask_uuid,
    rh_mask_card, rh_mask_iban, rh_mask_bytes, rh_mask_inet, rh_mask_macaddr, rh_mask_date,
    rh_mask_number, rh_mask_fixed, rh_mask_null, rh_mask_hash, rh_mask_noise, rh_mask_words;
extern const struct mask_kind rh_mask_json, rh_mask_xml, rh_mask_free_text, rh_mask_tsvector,
    rh_mask_hstore, rh_mask_array, rh_mask_composite, rh_mask_range;
/* The kind of a value that is made of values: an array, a row, a range or multirange; else, and
   where the rule is about the whole (keep, fixed, null), NULL. */
const struct mask_kind *rh_mask_structure(const struct mask_map_options *options);

/* RH_ERR_USAGE: this rule is not for that type, with what to write instead. */
enum err_code rh_mask_refuse(const struct mask_map *map, const char *instead, struct err *err);
/* text, varchar, bpchar, name, citext, "char". */
bool rh_mask_type_is_text(const char *type);

#endif
