/*
 * Structured values: what they hold is masked, what holds it together stays. A format says where
 * the leaves are, how they are written, and which map each goes to; everything else is the same for
 * JSON, XML, hstore, arrays, rows, ranges, tsvector and prose: leaves of many values go to their
 * maps together, and a value too large to hold is walked as it passes.
 */
#ifndef RH_MASK_MASK_LEAVES_H
#define RH_MASK_MASK_LEAVES_H

#include "mask/mask_int.h"

/* A value that is walked in parts is worked on in pieces of about that size; a leaf that does not
   fit into one goes through the stream of its map. */
#define LEAVES_PIECE_BYTES ((size_t)256 * 1024)

enum leaf_step {
    LEAF_FOUND,
    LEAF_END,
    LEAF_MORE,   /* what stands at *at is cut by the end of the piece */
    LEAF_BROKEN, /* the value is not what it should be: it is mapped as text */
};

struct leaf {
    size_t open, close; /* what is replaced: with its quotes */
    size_t start, end;  /* what is in it */
    unsigned map;
    unsigned form;    /* how it is written: numbers of the format's own */
    bool has_escapes; /* else it is its value as it stands */
};

struct leaf_format {
    size_t state_bytes;
    /* Before a value, and before a value that comes in parts. */
    void (*begin)(const void *own, void *state);
    /* Finds the next leaf from *at on and moves *at behind it. Not `at_end`: `source` is cut
       somewhere; then LEAF_MORE leaves `state` as it was at *at. */
    enum leaf_step (*next)(const void *own, void *state, struct text source, size_t *at,
                           bool at_end, struct leaf *ret_leaf);
    /* What stands in a leaf to its value; `out` has room for `inner.len`. */
    size_t (*decode)(const void *own, unsigned form, struct text inner, char *out);
    /* Writes what takes the place of source[open..close). masked.data NULL: SQL NULL. */
    void (*encode)(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out);
    /* Whether `masked` may stand where `value` did. If not, it is mapped once more, until it may:
       still injective, and it ends because `value` may. NULL: everything may. */
    bool (*accepts)(const void *own, const struct leaf *leaf, struct text value,
                    struct text masked);
    /* Whether what was walked must be put in order again, and doing it; NULL: never. Not asked of
       values in parts. */
    bool (*is_unsettled)(const void *own, const void *state);
    void (*settle)(const void *own, struct text made, struct arena *scratch, struct buf *out);

    /* Leaves larger than a piece; all NULL: what follows in such a value is mapped as text. */
    /* Whether a leaf begins at `at`: fills ret_leaf but for `end`, `close`. */
    bool (*enter)(const void *own, void *state, struct text source, size_t at,
                  struct leaf *ret_leaf);
    /* How much of `inner` is of the leaf and whole; true when the leaf ends there. */
    bool (*part)(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len);
    /* Part of a pseudonym, as it is written within the leaf's quotes. */
    void (*encode_part)(const void *own, unsigned form, struct text masked, struct buf *out);
    /* The leaf is over: returns how many bytes close it. */
    size_t (*leave)(const void *own, void *state, unsigned form);
};

struct leaves;
/* `maps` are owned from now on; the first is for values that are broken, as text. `own` is given
   to the format's functions and must live as long. */
struct leaves *rh_leaves_new(const struct leaf_format *format, const void *own,
                             struct mask_map *const *maps, size_t map_count);
void rh_leaves_free(struct leaves *leaves);
void rh_leaves_apply(struct leaves *leaves, const struct text *values, size_t count,
                     struct arena *scratch, struct text *ret_masked);

struct leaves_stream;
struct leaves_stream *rh_leaves_stream_new(struct leaves *leaves);
void rh_leaves_stream_free(struct leaves_stream *stream);
void rh_leaves_stream_feed(struct leaves_stream *stream, struct text part, struct buf *out);
void rh_leaves_stream_finish(struct leaves_stream *stream, struct buf *out);

/* Most kinds are nothing but a format: their apply and streams, with map->own a struct leaves. */
void rh_leaves_kind_close(struct mask_map *map);
void rh_leaves_kind_apply(struct mask_map *map, const struct text *values, size_t count,
                          struct arena *scratch, struct text *ret_masked);
void rh_leaves_kind_stream_begin(struct mask_map *map, void *state);
void rh_leaves_kind_stream_feed(struct mask_map *map, void *state, struct text part,
                                struct buf *out);
void rh_leaves_kind_stream_finish(struct mask_map *map, void *state, struct buf *out);
void rh_leaves_kind_stream_free(void *state);
#define LEAVES_STREAM_BYTES sizeof(struct leaves_stream *)
#define LEAVES_KIND(open_function)                                                                \
    {                                                                                             \
        .is_structured = true, .open = open_function, .close = rh_leaves_kind_close,              \
        .apply = rh_leaves_kind_apply, .stream_bytes = LEAVES_STREAM_BYTES,                       \
        .stream_begin = rh_leaves_kind_stream_begin, .stream_feed = rh_leaves_kind_stream_feed,   \
        .stream_finish = rh_leaves_kind_stream_finish, .stream_free = rh_leaves_kind_stream_free, \
    }

/* A map for leaves of `map`: its key, domain, encoding and kept values, with another rule and
   type, in `arena`. For `open` only. */
enum err_code rh_leaves_map_new(const struct mask_map *map, enum mask_rule rule, const char *type,
                                const char *domain, struct arena *arena, struct mask_map **ret_map,
                                struct err *err) RH_MUST_CHECK;

/* Whether every character of the values of `map` is one byte. */
bool rh_leaves_is_single_byte(const struct mask_map *map);

/* White space as array_in and hstore_in see it. */
static inline bool rh_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

#endif
