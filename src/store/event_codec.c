#include "store/event_codec_int.h"

#include <stdlib.h>

struct codec_state *rh_codec_state_new(void)
{
    struct codec_state *state = calloc(1, sizeof(*state));
    if (state == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*state));
    return state;
}

void rh_codec_state_clear(struct codec_state *state)
{
    state->at_us = 0;
    state->session = 0;
    memset(state->sessions, 0, sizeof(state->sessions));
    memset(state->like_length, 0, sizeof(state->like_length));
}

struct session_slot *rh_codec_session(struct codec_state *state, uint64_t session)
{
    struct session_slot *slot = &state->sessions[session % SESSION_SLOTS];
    if (slot->session != session)
        *slot = (struct session_slot){.session = session};
    return slot;
}

void rh_codec_expect(struct session_slot *slot, const struct workload_event *request)
{
    slot->request = request->request;
    slot->pattern_count = 0;
    for (size_t i = 0; i < request->message_count; i++) {
        if (!rh_codec_executes(request->messages[i].type))
            continue;
        if (slot->pattern_count >= EXPECTED_MAX) {
            slot->pattern_count = EXPECTED_MAX + 1;
            return;
        }
        slot->patterns[slot->pattern_count++] = request->messages[i].pattern;
    }
}

/* FNV-1a over a few bytes; the slots only have to be spread. */
#define FNV_BASIS 2166136261u
#define FNV_PRIME 16777619u
/* Names of portals and statements are shorter, or alike at their beginning. */
#define NAMES_BYTES 64

/*
 * What is executed lies by its pattern. A Bind says which portal and statement first, and so does
 * an Execute without a pattern; of two messages with one name most of the rest is the same, too.
 */
unsigned rh_codec_like_slot(unsigned char type, uint32_t pattern, const unsigned char *body,
                            size_t length)
{
    uint32_t hash = (FNV_BASIS ^ type) * FNV_PRIME;
    for (unsigned shift = 0; shift < 32; shift += 8)
        hash = (hash ^ ((pattern >> shift) & 255)) * FNV_PRIME;
    if (pattern == 0) {
        unsigned strings = 0;
        for (size_t i = 0; i < length && i < NAMES_BYTES && strings < 2; i++) {
            hash = (hash ^ body[i]) * FNV_PRIME;
            strings += body[i] == 0;
        }
    }
    return (hash ^ hash >> 15) % LIKE_SLOTS;
}

void rh_codec_remember(struct codec_state *state, unsigned slot, const void *body, size_t length)
{
    if (length > LIKE_BYTES_MAX)
        return;
    if (length > 0)
        memcpy(state->like[slot], body, length);
    state->like_length[slot] = (uint32_t)length;
}
