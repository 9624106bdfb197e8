/*
 * The core map of text: each character moves inside its class by an amount that AES draws from the
 * folded characters before it. So it is injective (read from the left, every step can be undone),
 * common prefixes stay common and exactly as long, and it commutes with folding the case.
 *
 * Two keys: one chains the characters (a CBC-MAC of the prefix), the other draws from the chain, so
 * that pseudonyms show nothing of the chain.
 *
 * The first LONE_CHARACTERS of a value have a link of the chain each. Beyond them, where text is
 * prose and no identifier, links are of BLOCK_CHARACTERS: inside such a block a character moves by
 * its place, and by all the blocks before. That is ten times faster, and lets a value of any
 * size stream.
 *
 * Many values go in lock-step: character i of all of them in one call of AES.
 */
#include "mask/char_class_int.h"
#include "mask/mask_int.h"

#include <endian.h>
#include <openssl/crypto.h>

#define LANES 256 /* state and draws of that many fit the first-level cache */
#define LONE_CHARACTERS 64
#define BLOCK_CHARACTERS 64
#define BLOCK_LINKS (BLOCK_CHARACTERS * sizeof(uint32_t) / MASK_BLOCK_BYTES)

/* What bytes beyond valid UTF-8 fold to: no character's number. */
#define RAW_BYTE 0x80000000u

#define CHAIN_PURPOSE "text chain"
#define OUTPUT_PURPOSE "text output"

/* What one link of the chain gives: numbers of 64 bits for a character of each kind. */
enum draw_part { DRAW_LETTER, DRAW_DIGIT, DRAW_OTHER, DRAW_PARTS };
struct draws {
    uint64_t part[DRAW_PARTS];
};

/* An ASCII character: its class from `base` on, which part of the draw moves it: DRAW_LETTER or
   DRAW_DIGIT. */
struct ascii {
    unsigned char base, size, part, folded;
};

struct text_core {
    EVP_CIPHER_CTX *chain, *output;
    unsigned char places[BLOCK_CHARACTERS * 4]; /* what tells the places of a block apart */
    bool is_single_byte;
    struct draws restart; /* those after TEXT_RESTART */
    struct ascii ascii[128];
    const struct char_run *hint;
    unsigned char blocks[LANES][MASK_BLOCK_BYTES], drawn[LANES][MASK_BLOCK_BYTES];
    struct text_state rest; /* of the long value at hand */
};

/* The chain's beginning, and the one of what stands behind a restart. */
static const unsigned char first_link[MASK_BLOCK_BYTES] = {0};
static const unsigned char restart_link[MASK_BLOCK_BYTES] = {1};

/* Bytes in memory are little-endian on every machine: pseudonyms are the same everywhere. */
static inline uint64_t load64(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return le64toh(value);
}

static inline uint32_t load32(const unsigned char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return le32toh(value);
}

static inline void store32(unsigned char *bytes, uint32_t value)
{
    value = htole32(value);
    memcpy(bytes, &value, sizeof(value));
}

static inline struct draws draws_of_block(const unsigned char drawn[MASK_BLOCK_BYTES])
{
    const uint64_t low = load64(drawn), high = load64(drawn + 8);
    return (struct draws){{low, high, low << 32 | high >> 32}};
}

/* Inside a block of a long value: 32 bits a character, turned so that no two classes show the
   same of them. */
static struct draws draws_of_place(const unsigned char stream[BLOCK_CHARACTERS * 4], size_t place)
{
    const uint32_t bits = load32(stream + 4 * place);
    return (struct draws){{(uint64_t)bits << 32, (uint64_t)(bits << 16 | bits >> 16) << 32,
                           (uint64_t)(bits << 8 | bits >> 24) << 32}};
}

/* A number below `size`; the bias is 2^-58 for letters (2^-27 in blocks of a long value). */
static uint32_t below(uint64_t draw, uint32_t size)
{
    return (uint32_t)((unsigned __int128)draw * size >> 64);
}

static unsigned char shifted(unsigned char c, unsigned base, unsigned size, uint64_t draw)
{
    unsigned index = c - base + below(draw, size);
    if (index >= size)
        index -= size;
    return (unsigned char)(base + index);
}

/* `shift` below the size of the class. */
static inline unsigned char shifted_ascii(unsigned char c, struct ascii entry, uint32_t shift)
{
    const uint32_t index = c - entry.base + shift;
    return (unsigned char)(entry.base + (index >= entry.size ? index - entry.size : index));
}

/* ---- one character -------------------------------------------------------------------------- */

/* Bytes that are no UTF-8 move among those of the same part in UTF-8's grammar: what comes out
   reads as what went in, so that no two texts meet. */
static unsigned char shifted_raw(unsigned char c, uint64_t draw)
{
    static const unsigned char firsts[] = {0x80, 0x90, 0xa0, 0xc0, 0xc2, 0xe0, 0xe1,
                                           0xed, 0xee, 0xf0, 0xf1, 0xf4, 0xf5};
    size_t i = sizeof(firsts) - 1;
    while (c < firsts[i])
        i--;
    const unsigned end = i + 1 < sizeof(firsts) ? firsts[i + 1] : 0x100;
    return shifted(c, firsts[i], end - firsts[i], draw);
}

/*
 * A byte of a single-byte encoding, whichever: 0xC0 to 0xFF are pairs of upper and lower case 32
 * apart in ISO 8859, Windows and KOI8 (but for two, that change places with each other); 0x80 to
 * 0x9F has three such pairs in Windows and five bytes that it leaves out.
 */
static unsigned char shifted_single(unsigned char c, uint64_t draw, unsigned char *folded)
{
    static const unsigned char left_out[] = {0x81, 0x8d, 0x8f, 0x90, 0x9d};
    static const unsigned char paired[] = {0x8a, 0x8c, 0x8e};
    static const unsigned char rest[] = {0x80, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
                                         0x88, 0x89, 0x8b, 0x91, 0x92, 0x93, 0x94,
                                         0x95, 0x96, 0x97, 0x98, 0x99, 0x9b, 0x9f};
    static const unsigned char ends[] = {23, 31};

    *folded = c;
    if (c >= 0xc0) {
        const unsigned offset = c & 0x1f, half = c & 0xe0;
        *folded = (unsigned char)(0xe0 | offset);
        if (offset == ends[0] || offset == ends[1])
            return (unsigned char)(half | ends[(offset == ends[1]) ^ below(draw, 2)]);
        /* 0 to 22 and 24 to 30, as 0 to 29. */
        const unsigned moved = shifted((unsigned char)(offset - (offset > ends[0])), 0, 30, draw);
        return (unsigned char)(half | (moved + (moved >= ends[0])));
    }
    if (c > 0xa0)
        return shifted(c, 0xa1, 0xc0 - 0xa1, draw);
    if (c == 0xa0)
        return c;
    const unsigned char *at = memchr(left_out, c, sizeof(left_out));
    if (at)
        return left_out[shifted((unsigned char)(at - left_out), 0, sizeof(left_out), draw)];
    at = memchr(paired, c & 0x8f, sizeof(paired));
    if (at) {
        *folded = (unsigned char)(c | 0x10);
        return (unsigned char)((c & 0x10) |
                               paired[shifted((unsigned char)(at - paired), 0, 3, draw)]);
    }
    at = memchr(rest, c, sizeof(rest));
    RH_ASSERT(at);
    return rest[shifted((unsigned char)(at - rest), 0, sizeof(rest), draw)];
}

/* One character beyond ASCII; the bytes it took. `folded` is for the chain. */
static size_t map_wide(struct text_core *core, const struct draws *draws, bool stays,
                       const unsigned char *in, size_t len, unsigned char *out, uint32_t *folded)
{
    const uint64_t draw = draws->part[DRAW_OTHER];
    uint32_t character;

    if (core->is_single_byte) {
        unsigned char one;
        const unsigned char moved = shifted_single(*in, draw, &one);
        *folded = one;
        *out = stays ? *in : moved;
        return 1;
    }
    const int width = rh_char_decode(in, len, &character);
    if (width <= 0) {
        *folded = RAW_BYTE | *in;
        *out = stays ? *in : shifted_raw(*in, draw);
        return 1;
    }
    const struct char_place place = rh_char_find(character, &core->hint);
    *folded = place.folded;
    rh_char_encode(stays ? character : rh_char_shifted(&place, below(draw, place.size)), out);
    return (size_t)width;
}

/* An ASCII character in another mode than the ordinary. */
static unsigned char map_special(enum text_mode mode, unsigned char c, const struct draws *draws)
{
    const uint64_t draw = draws->part[DRAW_DIGIT];
    switch (mode) {
    case TEXT_NOT_ZERO:
        return c >= '1' && c <= '9' ? shifted(c, '1', 9, draw) : c;
    case TEXT_HEX:
        if (c >= '0' && c <= '9')
            return shifted(c, '0', 10, draw);
        if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            return shifted(c, c & 0x20 ? 'a' : 'A', 6, draws->part[DRAW_LETTER]);
        return c;
    case TEXT_BINARY:
        return c == '0' || c == '1' ? shifted(c, '0', 2, draw) : c;
    case TEXT_SHIFT:
    case TEXT_KEEP:
    case TEXT_RESTART:
    case TEXT_RESTART_KEEP:
        break;
    }
    return c;
}

/* Maps the character at `in`; the bytes it took. `has_modes` is a constant where it matters. */
static inline __attribute__((always_inline)) size_t
map_character(struct text_core *core, const struct draws *draws, bool has_modes,
              enum text_mode mode, const unsigned char *in, size_t len, unsigned char *out,
              uint32_t *folded)
{
    const bool stays = has_modes && (mode == TEXT_KEEP || mode == TEXT_RESTART_KEEP);

    if (*in >= 0x80)
        return map_wide(core, draws, stays, in, len, out, folded);
    const struct ascii entry = core->ascii[*in];
    *folded = entry.folded;
    if (stays)
        *out = *in;
    else if (has_modes && mode != TEXT_SHIFT && mode != TEXT_RESTART)
        *out = map_special(mode, *in, draws);
    else
        *out = shifted(*in, entry.base, entry.size, draws->part[entry.part]);
    return 1;
}

/* ---- the chain ------------------------------------------------------------------------------- */

static void add_to_link(unsigned char link[MASK_BLOCK_BYTES], uint32_t folded)
{
    store32(link, load32(link) ^ folded);
}

static bool is_restart(enum text_mode mode)
{
    return mode == TEXT_RESTART || mode == TEXT_RESTART_KEEP;
}

static inline void add_block(unsigned char *to, const unsigned char *block)
{
    uint64_t sum[2], other[2];
    memcpy(sum, to, sizeof(sum));
    memcpy(other, block, sizeof(other));
    sum[0] ^= other[0];
    sum[1] ^= other[1];
    memcpy(to, sum, sizeof(sum));
}

/* One link for all characters of a block: each four of them, hidden by where they stand, through
   AES, and the sum of that into the chain (PMAC: Black and Rogaway, Eurocrypt 2002). */
static void end_block(struct text_core *core, struct text_state *state)
{
    for (size_t i = 0; i < BLOCK_LINKS; i++)
        add_block(state->folded + i * MASK_BLOCK_BYTES, core->places + i * MASK_BLOCK_BYTES);
    rh_mask_blocks(core->chain, state->folded, state->folded, BLOCK_LINKS);
    for (size_t i = 0; i < BLOCK_LINKS; i++)
        add_block(state->chain, state->folded + i * MASK_BLOCK_BYTES);
    rh_mask_blocks(core->chain, state->chain, state->chain, 1);
}

/* Draws of the next BLOCK_CHARACTERS characters, from the chain before them. A block is ended by
   the next: most values have none behind their last. */
static void begin_block(struct text_core *core, struct text_state *state)
{
    if (state->characters > LONE_CHARACTERS)
        end_block(core, state);
    for (size_t i = 0; i < BLOCK_LINKS; i++) {
        unsigned char *block = state->stream + i * MASK_BLOCK_BYTES;
        memcpy(block, state->chain, MASK_BLOCK_BYTES);
        block[MASK_BLOCK_BYTES - 1] ^= (unsigned char)(i + 1);
    }
    rh_mask_blocks(core->output, state->stream, state->stream, BLOCK_LINKS);
}

/* The draws of the next character, which is in `mode`. */
static struct draws next_draws(struct text_core *core, struct text_state *state,
                               enum text_mode mode)
{
    if (is_restart(mode)) {
        memcpy(state->chain, restart_link, MASK_BLOCK_BYTES);
        state->characters = 0;
    }
    if (state->characters >= LONE_CHARACTERS) {
        const size_t place = (state->characters - LONE_CHARACTERS) % BLOCK_CHARACTERS;
        if (place == 0)
            begin_block(core, state);
        return draws_of_place(state->stream, place);
    }
    unsigned char drawn[MASK_BLOCK_BYTES];
    rh_mask_blocks(core->output, state->chain, drawn, 1);
    return draws_of_block(drawn);
}

static void chain_on(struct text_core *core, struct text_state *state, uint32_t folded)
{
    if (state->characters >= LONE_CHARACTERS) {
        const size_t place = (state->characters - LONE_CHARACTERS) % BLOCK_CHARACTERS;
        store32(state->folded + 4 * place, folded);
    } else {
        add_to_link(state->chain, folded);
        rh_mask_blocks(core->chain, state->chain, state->chain, 1);
    }
    state->characters++;
}

/* ASCII inside a block, as map_character and chain_on would have it; the bytes taken. */
static size_t map_in_block(struct text_core *core, struct text_state *state,
                           const unsigned char *in, size_t len, unsigned char *out)
{
    const size_t first = (state->characters - LONE_CHARACTERS) % BLOCK_CHARACTERS;
    const size_t most = len < BLOCK_CHARACTERS - first ? len : BLOCK_CHARACTERS - first;
    size_t taken = 0;

    if (in[0] >= 0x80)
        return 0;
    if (first == 0)
        begin_block(core, state);
    for (; taken < most && in[taken] < 0x80; taken++) {
        const struct ascii entry = core->ascii[in[taken]];
        const uint32_t bits = load32(state->stream + 4 * (first + taken));
        /* As draws_of_place has it: a digit's half comes first. */
        const unsigned turn = 16 * entry.part;
        const uint32_t draw = bits << turn | bits >> (-turn & 31);
        out[taken] = shifted_ascii(in[taken], entry, (uint32_t)((uint64_t)draw * entry.size >> 32));
        store32(state->folded + 4 * (first + taken), entry.folded);
    }
    state->characters += taken;
    return taken;
}

/* A value, or the rest of one, by itself: in `modes`, or all of it in `mode`. */
static void map_alone(struct text_core *core, struct text_state *state, const unsigned char *in,
                      size_t len, const unsigned char *modes, enum text_mode mode,
                      unsigned char *out)
{
    size_t width;

    for (size_t i = 0; i < len; i += width) {
        if (modes)
            mode = (enum text_mode)modes[i];
        else if (mode == TEXT_SHIFT && state->characters >= LONE_CHARACTERS) {
            width = map_in_block(core, state, in + i, len - i, out + i);
            if (width > 0)
                continue;
        }
        const struct draws draws = next_draws(core, state, mode);
        uint32_t folded;
        width = map_character(core, &draws, true, mode, in + i, len - i, out + i, &folded);
        chain_on(core, state, folded);
    }
}

/* ---- many in lock-step ----------------------------------------------------------------------- */

struct lane {
    const unsigned char *in, *end, *modes;
    unsigned char *out;
    unsigned characters;
};

static void finish_long(struct text_core *core, const struct lane *lane,
                        const unsigned char link[MASK_BLOCK_BYTES])
{
    struct text_state *state = &core->rest;
    state->characters = LONE_CHARACTERS;
    memcpy(state->chain, link, MASK_BLOCK_BYTES);
    map_alone(core, state, lane->in, (size_t)(lane->end - lane->in), lane->modes, TEXT_SHIFT,
              lane->out);
}

/* One round: a character of every lane. Lanes that are done go; the rest close up. */
static inline __attribute__((always_inline)) size_t
step_lanes(struct text_core *core, struct lane *lanes, size_t count, bool has_modes)
{
    size_t left = 0;

    rh_mask_blocks(core->output, core->blocks[0], core->drawn[0], count);
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &lanes[i];
        unsigned char *link = core->blocks[i];
        const enum text_mode mode = has_modes && lane->modes ? (enum text_mode) * lane->modes
                                                             : TEXT_SHIFT;
        struct draws draws = draws_of_block(core->drawn[i]);
        uint32_t folded;
        if (has_modes && is_restart(mode)) {
            draws = core->restart;
            memcpy(link, restart_link, MASK_BLOCK_BYTES);
            lane->characters = 0;
        }
        const size_t width = map_character(core, &draws, has_modes, mode, lane->in,
                                           (size_t)(lane->end - lane->in), lane->out, &folded);
        lane->in += width;
        lane->out += width;
        if (has_modes && lane->modes)
            lane->modes += width;
        lane->characters++;
        if (lane->in == lane->end)
            continue;
        add_to_link(link, folded);
        if (lane->characters == LONE_CHARACTERS) {
            rh_mask_blocks(core->chain, link, link, 1);
            finish_long(core, lane, link);
            continue;
        }
        if (left != i) {
            memcpy(core->blocks[left], link, MASK_BLOCK_BYTES);
            lanes[left] = *lane;
        }
        left++;
    }
    if (left > 0)
        rh_mask_blocks(core->chain, core->blocks[0], core->blocks[0], left);
    return left;
}

/* Lanes of ASCII as far as LONE_CHARACTERS, without modes: character `at` of each in one round. */
static size_t step_ascii(struct text_core *core, struct lane *lanes, size_t count, unsigned at)
{
    size_t left = 0;

    rh_mask_blocks(core->output, core->blocks[0], core->drawn[0], count);
    for (size_t i = 0; i < count; i++) {
        const struct lane *lane = &lanes[i];
        unsigned char *link = core->blocks[i];
        const unsigned char c = lane->in[at];
        const struct ascii entry = core->ascii[c];
        const uint64_t draw = load64(core->drawn[i] + sizeof(uint64_t) * entry.part);
        lane->out[at] = shifted_ascii(c, entry, below(draw, entry.size));
        add_to_link(link, entry.folded);
        if (lane->in + at + 1 == lane->end)
            continue;
        if (left != i) {
            memcpy(core->blocks[left], link, MASK_BLOCK_BYTES);
            lanes[left] = *lane;
        }
        left++;
    }
    if (left > 0)
        rh_mask_blocks(core->chain, core->blocks[0], core->blocks[0], left);
    return left;
}

static void run_ascii(struct text_core *core, struct lane *lanes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memcpy(core->blocks[i], first_link, MASK_BLOCK_BYTES);
    for (unsigned at = 0; count > 0 && at < LONE_CHARACTERS; at++)
        count = step_ascii(core, lanes, count, at);
    for (size_t i = 0; i < count; i++) {
        lanes[i].in += LONE_CHARACTERS;
        lanes[i].out += LONE_CHARACTERS;
        finish_long(core, &lanes[i], core->blocks[i]);
    }
}

static void run_lanes(struct text_core *core, struct lane *lanes, size_t count)
{
    bool has_modes = false;

    for (size_t i = 0; i < count; i++) {
        memcpy(core->blocks[i], first_link, MASK_BLOCK_BYTES);
        has_modes |= lanes[i].modes != NULL;
    }
    while (count > 0)
        count = has_modes ? step_lanes(core, lanes, count, true)
                          : step_lanes(core, lanes, count, false);
}

static bool begins_in_ascii(const unsigned char *in, size_t len)
{
    uint64_t high = 0;
    size_t i = 0;

    if (len > LONE_CHARACTERS)
        len = LONE_CHARACTERS;
    for (; len - i >= sizeof(uint64_t); i += sizeof(uint64_t))
        high |= load64(in + i);
    for (; i < len; i++)
        high |= in[i];
    return (high & UINT64_C(0x8080808080808080)) == 0;
}

void rh_text_core_map(struct text_core *core, const struct text_item *items, size_t count)
{
    struct lane ascii[LANES], others[LANES];
    size_t ascii_count = 0, other_count = 0;

    for (size_t i = 0; i < count; i++) {
        const struct text_item *item = &items[i];
        if (item->len == 0)
            continue;
        const unsigned char *in = (const unsigned char *)item->in;
        const struct lane lane = {.in = in,
                                  .end = in + item->len,
                                  .modes = item->modes,
                                  .out = (unsigned char *)item->out};
        if (!item->modes && begins_in_ascii(in, item->len))
            ascii[ascii_count++] = lane;
        else
            others[other_count++] = lane;
        if (ascii_count == LANES) {
            run_ascii(core, ascii, ascii_count);
            ascii_count = 0;
        }
        if (other_count == LANES) {
            run_lanes(core, others, other_count);
            other_count = 0;
        }
    }
    run_ascii(core, ascii, ascii_count);
    run_lanes(core, others, other_count);
}

/* ---- one value in parts ---------------------------------------------------------------------- */

void rh_text_state_begin(struct text_core *core, struct text_state *state)
{
    (void)core;
    *state = (struct text_state){0};
    memcpy(state->chain, first_link, MASK_BLOCK_BYTES);
}

/* How many bytes at the end may be the beginning of a character. */
static size_t cut_bytes(const struct text_core *core, const unsigned char *in, size_t len)
{
    uint32_t ignored;
    if (core->is_single_byte)
        return 0;
    for (size_t back = len < 3 ? len : 3; back > 0; back--)
        if (in[len - back] >= 0xc2 && rh_char_decode(in + len - back, back, &ignored) < 0)
            return back;
    return 0;
}

static void map_to_buf(struct text_core *core, struct text_state *state, const unsigned char *in,
                       size_t len, enum text_mode mode, struct buf *out)
{
    unsigned char piece[4096];

    while (len > 0) {
        size_t size = len;
        if (size > sizeof(piece))
            size = sizeof(piece) - cut_bytes(core, in, sizeof(piece));
        map_alone(core, state, in, size, NULL, mode, piece);
        rh_buf_add(out, piece, size);
        in += size;
        len -= size;
    }
    OPENSSL_cleanse(piece, sizeof(piece));
}

void rh_text_state_feed_in(struct text_core *core, struct text_state *state, enum text_mode mode,
                           struct text part, struct buf *out)
{
    const unsigned char *in = (const unsigned char *)part.data;
    size_t len = part.len;

    /* A cut character first, byte by byte, until it is whole or none. */
    while (state->pending_count > 0 && len > 0) {
        uint32_t ignored;
        state->pending[state->pending_count++] = *in++;
        len--;
        if (rh_char_decode(state->pending, state->pending_count, &ignored) < 0)
            continue;
        const size_t again = cut_bytes(core, state->pending, state->pending_count);
        map_to_buf(core, state, state->pending, state->pending_count - again, mode, out);
        memmove(state->pending, state->pending + state->pending_count - again, again);
        state->pending_count = again;
    }
    const size_t cut = cut_bytes(core, in, len);
    map_to_buf(core, state, in, len - cut, mode, out);
    if (cut > 0) {
        memcpy(state->pending, in + len - cut, cut);
        state->pending_count = cut;
    }
}

void rh_text_state_feed(struct text_core *core, struct text_state *state, struct text part,
                        struct buf *out)
{
    rh_text_state_feed_in(core, state, TEXT_SHIFT, part, out);
}

void rh_text_state_finish(struct text_core *core, struct text_state *state, struct buf *out)
{
    map_to_buf(core, state, state->pending, state->pending_count, TEXT_SHIFT, out);
    OPENSSL_cleanse(state, sizeof(*state));
}

/* ---- keys ------------------------------------------------------------------------------------ */

static void fill_ascii(struct ascii *ascii)
{
    for (unsigned c = 0; c < 128; c++)
        ascii[c] = (struct ascii){(unsigned char)c, 1, DRAW_LETTER, (unsigned char)c};
    for (unsigned c = '0'; c <= '9'; c++)
        ascii[c] = (struct ascii){'0', 10, DRAW_DIGIT, (unsigned char)c};
    for (unsigned c = 'a'; c <= 'z'; c++) {
        ascii[c] = (struct ascii){'a', 26, DRAW_LETTER, (unsigned char)c};
        ascii[c - 'a' + 'A'] = (struct ascii){'A', 26, DRAW_LETTER, (unsigned char)c};
    }
}

struct text_core *rh_text_core_new(const struct mask_master_key *master, const char *domain,
                                   bool is_single_byte, struct arena *arena)
{
    struct text_core *core = RH_NEW(arena, struct text_core);

    core->is_single_byte = is_single_byte;
    core->chain = rh_mask_cipher_new(master, domain, CHAIN_PURPOSE);
    core->output = rh_mask_cipher_new(master, domain, OUTPUT_PURPOSE);
    for (size_t i = 0; i < BLOCK_LINKS; i++)
        core->places[(i + 1) * MASK_BLOCK_BYTES - 1] = (unsigned char)(i + 1);
    rh_mask_blocks(core->chain, core->places, core->places, BLOCK_LINKS);
    unsigned char drawn[MASK_BLOCK_BYTES];
    rh_mask_blocks(core->output, restart_link, drawn, 1);
    core->restart = draws_of_block(drawn);
    fill_ascii(core->ascii);
    return core;
}

void rh_text_core_free(struct text_core *core)
{
    if (!core)
        return;
    rh_mask_cipher_free(core->chain);
    rh_mask_cipher_free(core->output);
    OPENSSL_cleanse(core, sizeof(*core));
}
