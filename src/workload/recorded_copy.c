#include "workload/recorded_copy.h"

/* Of one record, masked: what a pseudonym adds is little; beyond it the rows are left out. */
#define MASKED_BYTES_MAX ((size_t)48 * 1024 * 1024)

void rh_recorded_copy_end(struct recorded_copy *copy)
{
    rh_copy_mask_free(copy->mask);
    *copy = (struct recorded_copy){.mask = NULL};
}

void rh_recorded_copy_begin(struct recorded_copy *copy, struct value_mask *mask,
                            const char *statement)
{
    rh_recorded_copy_end(copy);
    if (statement)
        copy->mask = rh_value_mask_copy(mask, rh_text(statement));
}

/* False: these rows cannot be masked, and nothing was let out. */
static bool feed(struct recorded_copy *copy, struct text bytes, bool at_end, struct arena *arena,
                 struct text *ret_masked)
{
    RH_CLEANUP_BUF struct buf out;
    struct err ignored = RH_ERR_INIT; /* "row 7 has 3 columns" */

    rh_buf_init(&out, MASKED_BYTES_MAX);
    /* A carriage return stands bare where lines end with it ("File Formats, Text Format"), which
       is not the format that snapshots are masked in. */
    if (memchr(bytes.data, '\r', bytes.len) ||
        rh_copy_mask_feed(copy->mask, bytes, &out, &ignored) ||
        rh_copy_mask_flush(copy->mask, at_end, &out, &ignored) || out.failed)
        return false;
    *ret_masked = (struct text){rh_arena_memdup(arena, out.len ? out.data : "", out.len), out.len};
    return true;
}

size_t rh_recorded_copy_take(struct recorded_copy *copy, struct text bytes, struct arena *arena,
                             struct text *ret_masked)
{
    *ret_masked = (struct text){"", 0};
    if (bytes.len == 0)
        return 0;
    if (!copy->mask || !feed(copy, bytes, false, arena, ret_masked)) {
        rh_recorded_copy_end(copy);
        return bytes.len;
    }
    copy->is_within_row = bytes.data[bytes.len - 1] != '\n';
    return 0;
}

struct text rh_recorded_copy_finish(struct recorded_copy *copy, struct arena *arena)
{
    struct text last = {"", 0};

    if (copy->mask && copy->is_within_row && !feed(copy, TEXT_LITERAL("\n"), true, arena, &last))
        last = (struct text){"", 0};
    rh_recorded_copy_end(copy);
    return last;
}
