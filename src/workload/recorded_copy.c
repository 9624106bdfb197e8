#include "workload/recorded_copy.h"

/* Of one record, masked: what a pseudonym adds is little; beyond it the rows are left out. */
#define MASKED_BYTES_MAX ((size_t)48 * 1024 * 1024)

size_t rh_recorded_copy_end(struct recorded_copy *copy)
{
    size_t waiting = copy->client ? rh_copy_client_waiting(copy->client) : 0;

    rh_copy_client_free(copy->client);
    rh_arena_free(copy->arena);
    *copy = (struct recorded_copy){.client = NULL};
    return waiting;
}

void rh_recorded_copy_begin(struct recorded_copy *copy, struct value_mask *mask,
                            const char *statement)
{
    rh_recorded_copy_end(copy);
    if (!statement)
        return;
    copy->mask = mask;
    copy->arena = rh_arena_new();
    copy->client = rh_value_mask_copy(mask, rh_text(statement), copy->arena, &copy->encoding);
    if (!copy->client)
        rh_recorded_copy_end(copy);
}

static bool is_ascii(struct text bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if ((unsigned char)bytes.data[i] >= 0x80)
            return false;
    return true;
}

/* Maps read values of one encoding; in ASCII all others of a client's are the same. */
static bool is_readable(const struct recorded_copy *copy, const char *encoding, struct text bytes)
{
    if (rh_value_mask_reads(copy->mask, copy->encoding ? copy->encoding : encoding))
        return true;
    return !rh_copy_client_is_binary(copy->client) && is_ascii(bytes);
}

/* False: these rows cannot be masked, and nothing was let out. */
static bool feed(struct recorded_copy *copy, struct text bytes, bool at_end, const char *encoding,
                 struct arena *arena, struct text *ret_masked)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, MASKED_BYTES_MAX);
    if (!is_readable(copy, encoding, bytes) ||
        !(at_end ? rh_copy_client_finish(copy->client, &out)
                 : rh_copy_client_feed(copy->client, bytes, &out)) ||
        !is_readable(copy, encoding, rh_buf_text(&out)))
        return false;
    *ret_masked = (struct text){rh_arena_memdup(arena, out.len ? out.data : "", out.len), out.len};
    return true;
}

size_t rh_recorded_copy_take(struct recorded_copy *copy, struct text bytes, const char *encoding,
                             struct arena *arena, struct text *ret_masked)
{
    size_t waiting = copy->client ? rh_copy_client_waiting(copy->client) : 0;

    *ret_masked = (struct text){"", 0};
    if (bytes.len == 0 || (copy->client && feed(copy, bytes, false, encoding, arena, ret_masked)))
        return 0;
    rh_recorded_copy_end(copy);
    return waiting + bytes.len;
}

size_t rh_recorded_copy_finish(struct recorded_copy *copy, const char *encoding,
                               struct arena *arena, struct text *ret_masked)
{
    size_t waiting = copy->client ? rh_copy_client_waiting(copy->client) : 0;

    *ret_masked = (struct text){"", 0};
    if (waiting > 0 && feed(copy, (struct text){"", 0}, true, encoding, arena, ret_masked))
        waiting = 0;
    rh_recorded_copy_end(copy);
    return waiting;
}
