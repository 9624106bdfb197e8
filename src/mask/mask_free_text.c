/*
 * Prose: word by word, so that equal words stay equal and what a text says of somebody can still be
 * joined with where they are. What looks like an address, a number or a date among the words gets
 * the map for that. White space and punctuation stay.
 */
#include "mask/copy_words.h"
#include "mask/mask_leaf_kinds.h"

struct free_text {
    struct mask_map *kinds[LEAF_KIND_COUNT];
    bool is_single_byte;
};

struct free_text_state {
    bool is_plain; /* the token at hand is words: it was looked at */
};

static void begin(const void *own, void *state_memory)
{
    (void)own;
    *(struct free_text_state *)state_memory = (struct free_text_state){0};
}

/* What a byte is to prose. */
enum {
    BYTE_WORD = 1, /* a letter or digit of ASCII */
    BYTE_HIGH = 2, /* of a character beyond ASCII */
    BYTE_SPACE = 4,
    BYTE_OPENS = 8,   /* may stand before an address that is no part of it */
    BYTE_CLOSES = 16, /* or behind it */
};

static const unsigned char bytes_of_prose[256] = {
    ['0' ... '9'] = BYTE_WORD,
    ['A' ... 'Z'] = BYTE_WORD,
    ['a' ... 'z'] = BYTE_WORD,
    [0x80 ... 0xff] = BYTE_HIGH,
    [' '] = BYTE_SPACE,
    ['\t' ... '\r'] = BYTE_SPACE,
    ['('] = BYTE_OPENS,
    ['['] = BYTE_OPENS,
    ['{'] = BYTE_OPENS,
    ['<'] = BYTE_OPENS,
    [')'] = BYTE_CLOSES,
    [']'] = BYTE_CLOSES,
    ['}'] = BYTE_CLOSES,
    ['>'] = BYTE_CLOSES,
    ['"'] = BYTE_OPENS | BYTE_CLOSES,
    ['\''] = BYTE_OPENS | BYTE_CLOSES,
    [','] = BYTE_OPENS | BYTE_CLOSES,
    [';'] = BYTE_OPENS | BYTE_CLOSES,
    [':'] = BYTE_OPENS | BYTE_CLOSES,
    ['.'] = BYTE_OPENS | BYTE_CLOSES,
    ['!'] = BYTE_OPENS | BYTE_CLOSES,
    ['?'] = BYTE_OPENS | BYTE_CLOSES,
};

static bool is_byte(char byte, unsigned what)
{
    return (bytes_of_prose[(unsigned char)byte] & what) != 0;
}

/* Bytes of the punctuation that stands at `at`: ASCII, or of UTF-8's U+0080 to U+00BF and U+2000
   to U+206F, dashes and quotation marks; 0: a letter or digit. */
static size_t punctuation(const struct free_text *prose, struct text source, size_t at)
{
    const unsigned char *bytes = (const unsigned char *)source.data + at;
    size_t left = source.len - at;
    if (is_byte(source.data[at], BYTE_WORD))
        return 0;
    if (!is_byte(source.data[at], BYTE_HIGH))
        return 1;
    if (prose->is_single_byte)
        return 0;
    if (left >= 2 && bytes[0] == 0xc2 && (bytes[1] & 0xc0) == 0x80)
        /* Ordinals, superscript digits and the micro sign: they are letters and digits. */
        return strchr("\xaa\xb2\xb3\xb5\xb9\xba", bytes[1]) == NULL ? 2 : 0;
    if (left >= 3 && bytes[0] == 0xe2 && (bytes[1] == 0x80 || bytes[1] == 0x81) &&
        (bytes[2] & 0xc0) == 0x80)
        return bytes[1] == 0x80 || bytes[2] < 0xb0 ? 3 : 0; /* superscripts of U+2070 on */
    return 0;
}

static size_t token_end(struct text source, size_t at)
{
    while (source.len - at >= 8) {
        uint64_t word = rh_word_load(source.data + at);
        if ((rh_word_controls(word) | rh_word_equals(word, ' ')) != 0)
            break;
        at += 8;
    }
    while (at < source.len && !is_byte(source.data[at], BYTE_SPACE))
        at++;
    return at;
}

static size_t word_end(const struct free_text *prose, struct text source, size_t at)
{
    do
        while (at < source.len && is_byte(source.data[at], BYTE_WORD))
            at++;
    while (at < source.len && punctuation(prose, source, at) == 0 && ++at);
    return at;
}

/* A token without what encloses it: (anna@example.org), */
static struct leaf trimmed(struct text source, size_t start, size_t end)
{
    /* A parenthesis in front of digits is the beginning of a telephone number. */
    while (start < end && is_byte(source.data[start], BYTE_OPENS) &&
           !(source.data[start] == '(' && end - start > 1 && source.data[start + 1] >= '0' &&
             source.data[start + 1] <= '9'))
        start++;
    while (end > start && is_byte(source.data[end - 1], BYTE_CLOSES))
        end--;
    return (struct leaf){.open = start, .start = start, .end = end, .close = end};
}

/* Looks at the token that begins at `at`, all of which is here. */
static bool find_kind(const struct free_text *prose, struct text source, size_t at, size_t end,
                      struct leaf *leaf)
{
    *leaf = trimmed(source, at, end);
    struct text token = {source.data + leaf->start, leaf->end - leaf->start};
    enum leaf_kind kind = rh_leaf_kind(prose->kinds, token);
    if (kind == LEAF_DATE)
        leaf->end = leaf->close = leaf->start + LEAF_DATE_BYTES;
    leaf->map = (unsigned)kind;
    return kind != LEAF_TEXT;
}

static enum leaf_step next(const void *own, void *state_memory, struct text source, size_t *at,
                           bool at_end, struct leaf *leaf)
{
    const struct free_text *prose = own;
    struct free_text_state *state = state_memory;
    while (*at < source.len) {
        if (is_byte(source.data[*at], BYTE_SPACE)) {
            ++*at;
            state->is_plain = false;
            continue;
        }
        size_t end = token_end(source, *at);
        if (end == source.len && !at_end)
            return LEAF_MORE;
        if (!state->is_plain) {
            if (find_kind(prose, source, *at, end, leaf)) {
                /* What is left of the token, as the time of day behind a date, stays. */
                *at = leaf->map == LEAF_DATE ? end : leaf->close;
                state->is_plain = *at < end;
                return LEAF_FOUND;
            }
            state->is_plain = true;
        }
        size_t skipped = punctuation(prose, source, *at);
        if (skipped > 0) {
            *at += skipped;
            continue;
        }
        size_t stop = word_end(prose, source, *at);
        *leaf = (struct leaf){
            .open = *at, .start = *at, .end = stop, .close = stop, .map = LEAF_TEXT};
        *at = stop;
        return LEAF_FOUND;
    }
    return at_end ? LEAF_END : LEAF_MORE;
}

static size_t decode(const void *own, unsigned form, struct text inner, char *out)
{
    (void)own;
    (void)form;
    memcpy(out, inner.data, inner.len);
    return inner.len;
}

static void encode(const void *own, const struct leaf *leaf, struct text source, struct text masked,
                   struct buf *out)
{
    (void)own;
    (void)leaf;
    (void)source;
    rh_buf_add_text(out, masked);
}

/* A word that fills a piece: letters up to the next white space are one. */
static bool enter(const void *own, void *state_memory, struct text source, size_t at,
                  struct leaf *leaf)
{
    (void)own;
    (void)state_memory;
    (void)source;
    *leaf = (struct leaf){.open = at, .start = at, .map = LEAF_TEXT};
    return true;
}

static bool part(const void *own, unsigned form, struct text inner, bool at_end, size_t *ret_len)
{
    (void)own;
    (void)form;
    *ret_len = token_end(inner, 0);
    return *ret_len < inner.len || at_end;
}

static void encode_part(const void *own, unsigned form, struct text masked, struct buf *out)
{
    (void)own;
    (void)form;
    rh_buf_add_text(out, masked);
}

static size_t leave(const void *own, void *state_memory, unsigned form)
{
    (void)own;
    (void)form;
    ((struct free_text_state *)state_memory)->is_plain = false;
    return 0;
}

static const struct leaf_format format = {
    .state_bytes = sizeof(struct free_text_state),
    .begin = begin,
    .next = next,
    .decode = decode,
    .encode = encode,
    .enter = enter,
    .part = part,
    .encode_part = encode_part,
    .leave = leave,
};

static enum err_code open_free_text(struct mask_map *map, struct arena *arena, struct err *err)
{
    if (!rh_mask_type_is_text(map->options.type))
        return rh_mask_refuse(map, "This rule is for text.", err);
    struct free_text *prose = RH_NEW(arena, struct free_text);
    prose->is_single_byte = rh_leaves_is_single_byte(map);
    return rh_leaf_kinds_open(map, &format, prose, prose->kinds, arena, err);
}

const struct mask_kind rh_mask_free_text = LEAVES_KIND(open_free_text);
