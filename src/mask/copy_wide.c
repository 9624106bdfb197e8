#include "mask/copy_int.h"
#include "mask/copy_text.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* What is unescaped at once on its way into a stream. */
#define CHUNK_BYTES ((size_t)64 * 1024)

enum field_phase {
    FIELD_GATHERED, /* until its end, or until it is too large */
    FIELD_STREAMED,
    FIELD_REPLACED, /* too large, by a rule that looks at its beginning or at nothing of it */
    FIELD_KEPT,
};

struct copy_wide {
    struct mask_map *const *maps; /* the copy_mask's */
    size_t column_count;
    struct copy_watcher watcher;
    struct copy_digest *digest;

    bool in_row;
    size_t column;
    bool after_backslash;
    enum field_phase phase;
    struct buf field; /* as it came: escaped */
    struct mask_stream *stream;
    int64_t streamed_bytes;
    char *chunk; /* CHUNK_BYTES of a stream: first what an escape left of the last one */
    size_t chunk_len;
    struct buf masked;
    struct arena *scratch;
};

struct copy_wide *rh_copy_wide_new(const struct copy_mask_options *options,
                                   struct copy_digest *digest)
{
    struct copy_wide *wide = malloc(sizeof *wide);
    char *chunk = malloc(CHUNK_BYTES);
    if (wide == NULL || chunk == NULL)
        RH_PANIC("out of memory (%zu bytes)", CHUNK_BYTES);
    *wide = (struct copy_wide){.maps = options->maps,
                               .column_count = options->column_count,
                               .watcher = options->watcher,
                               .digest = digest,
                               .chunk = chunk,
                               .scratch = rh_arena_new()};
    rh_buf_init(&wide->field, COPY_VALUE_BYTES);
    rh_buf_init(&wide->masked, SIZE_MAX / 2);
    return wide;
}

void rh_copy_wide_free(struct copy_wide *wide)
{
    if (wide == NULL)
        return;
    rh_mask_stream_free(wide->stream);
    if (wide->field.data != NULL)
        OPENSSL_cleanse(wide->field.data, wide->field.capacity);
    rh_buf_deinit(&wide->field);
    rh_buf_deinit(&wide->masked);
    rh_arena_free(wide->scratch);
    OPENSSL_cleanse(wide->chunk, CHUNK_BYTES);
    free(wide->chunk);
    free(wide);
}

static void begin_field(struct copy_wide *wide)
{
    wide->phase = wide->maps[wide->column] != NULL ? FIELD_GATHERED : FIELD_KEPT;
    rh_buf_clear(&wide->field);
}

static enum err_code emit_value(struct copy_wide *wide, struct text value, struct buf *out,
                                struct err *err)
{
    char *escaped = malloc(2 * value.len + 1);
    if (escaped == NULL)
        RH_PANIC("out of memory (%zu bytes)", 2 * value.len + 1);
    size_t len = rh_copy_escape(value, escaped);
    enum err_code code = rh_copy_emit(wide->digest, (struct text){escaped, len}, out, err);
    free(escaped);
    return code;
}

/* What was gathered of a field: mapped as it would be in a batch. */
static enum err_code map_field(struct copy_wide *wide, struct buf *out, struct err *err)
{
    struct text raw = rh_buf_text(&wide->field), value = {NULL, 0}, masked = {NULL, 0};
    if (!rh_copy_is_null(raw.data, raw.len)) {
        char *room = wide->field.data; /* unescaped in place */
        value = (struct text){raw.data, raw.len > 0 ? rh_copy_unescape(raw, true, room, NULL) : 0};
        rh_mask_map_apply(wide->maps[wide->column], &value, 1, wide->scratch, &masked);
    }
    if (wide->watcher.values != NULL)
        wide->watcher.values(wide->watcher.context, wide->column, &value, &masked, 1);
    enum err_code code = masked.data != NULL
                             ? emit_value(wide, masked, out, err)
                             : rh_copy_emit(wide->digest, rh_text(COPY_NULL), out, err);
    rh_arena_clear(wide->scratch);
    return code;
}

/* Gives what the stream has let go of to `out`. */
static enum err_code emit_streamed(struct copy_wide *wide, struct buf *out, struct err *err)
{
    enum err_code code = emit_value(wide, rh_buf_text(&wide->masked), out, err);
    rh_buf_clear(&wide->masked);
    return code;
}

static enum err_code feed_stream(struct copy_wide *wide, struct text raw, bool at_end,
                                 struct buf *out, struct err *err)
{
    enum err_code code = RH_OK;
    do {
        size_t room = CHUNK_BYTES - wide->chunk_len;
        size_t taken = raw.len < room ? raw.len : room;
        memcpy(wide->chunk + wide->chunk_len, raw.data, taken);
        raw = (struct text){raw.data + taken, raw.len - taken};
        struct text chunk = {wide->chunk, wide->chunk_len + taken};
        size_t used; /* in place: nothing is written behind what was used */
        size_t len = rh_copy_unescape(chunk, at_end && raw.len == 0, wide->chunk, &used);
        rh_mask_stream_feed(wide->stream, (struct text){wide->chunk, len}, &wide->masked);
        wide->streamed_bytes += (int64_t)len;
        wide->chunk_len = chunk.len - used;
        memmove(wide->chunk, wide->chunk + used, wide->chunk_len);
        code = emit_streamed(wide, out, err);
    } while (code == RH_OK && raw.len > 0);
    return code;
}

static enum err_code begin_stream(struct copy_wide *wide, struct buf *out, struct err *err)
{
    wide->phase = FIELD_STREAMED;
    wide->stream = rh_mask_stream_new(wide->maps[wide->column]);
    wide->streamed_bytes = 0;
    wide->chunk_len = 0;
    enum err_code code = feed_stream(wide, rh_buf_text(&wide->field), false, out, err);
    rh_buf_clear(&wide->field);
    return code;
}

static enum err_code end_stream(struct copy_wide *wide, struct buf *out, struct err *err)
{
    enum err_code code = feed_stream(wide, (struct text){wide->chunk, 0}, true, out, err);
    if (code == RH_OK) {
        rh_mask_stream_finish(wide->stream, &wide->masked);
        code = emit_streamed(wide, out, err);
    }
    rh_mask_stream_free(wide->stream);
    wide->stream = NULL;
    if (code == RH_OK && wide->watcher.streamed != NULL)
        wide->watcher.streamed(wide->watcher.context, wide->column, wide->streamed_bytes);
    return code;
}

/* Bytes of the field that is being read. */
static enum err_code take_bytes(struct copy_wide *wide, struct text bytes, struct buf *out,
                                struct err *err)
{
    enum err_code code = RH_OK;
    switch (wide->phase) {
    case FIELD_KEPT:
        return rh_copy_emit(wide->digest, bytes, out, err);
    case FIELD_GATHERED:
        if (bytes.len <= COPY_VALUE_BYTES - wide->field.len) {
            rh_buf_add_text(&wide->field, bytes);
            return RH_OK;
        }
        if (rh_mask_map_replaces(wide->maps[wide->column])) {
            /* As many as can be held, whatever the cuts. */
            rh_buf_add(&wide->field, bytes.data, COPY_VALUE_BYTES - wide->field.len);
            wide->phase = FIELD_REPLACED;
            return RH_OK;
        }
        code = begin_stream(wide, out, err);
        if (code != RH_OK)
            return code;
        return feed_stream(wide, bytes, false, out, err);
    case FIELD_STREAMED:
        return feed_stream(wide, bytes, false, out, err);
    case FIELD_REPLACED:
        return RH_OK;
    }
    return code;
}

static enum err_code end_field(struct copy_wide *wide, struct buf *out, struct err *err)
{
    switch (wide->phase) {
    case FIELD_KEPT:
        return RH_OK;
    case FIELD_GATHERED:
    case FIELD_REPLACED:
        return map_field(wide, out, err);
    case FIELD_STREAMED:
        return end_stream(wide, out, err);
    }
    return RH_OK;
}

enum err_code rh_copy_wide_feed(struct copy_wide *wide, struct text part, int64_t row,
                                struct buf *out, size_t *ret_used, bool *ret_row_ended,
                                struct err *err)
{
    if (!wide->in_row) {
        wide->in_row = true;
        wide->column = 0;
        wide->after_backslash = false;
        begin_field(wide);
    }
    size_t at = 0, taken = 0; /* looked at; given to the field */
    enum err_code code = RH_OK;
    while (code == RH_OK && at < part.len) {
        char c = part.data[at];
        if (wide->after_backslash) {
            if (c == '\t' || c == '\n')
                return rh_copy_escape_error(err, row);
            wide->after_backslash = false;
            at++;
            continue;
        }
        at += rh_copy_special(part.data + at, part.len - at);
        if (at == part.len)
            break;
        c = part.data[at];
        if (c == '\\') {
            wide->after_backslash = true;
            at++;
            continue;
        }
        if (c == '\t' ? wide->column + 1 >= wide->column_count
                      : wide->column + 1 != wide->column_count)
            return rh_copy_columns_error(err, row, wide->column_count);
        code = take_bytes(wide, (struct text){part.data + taken, at - taken}, out, err);
        if (code == RH_OK)
            code = end_field(wide, out, err);
        if (code == RH_OK)
            code = rh_copy_emit(wide->digest, (struct text){part.data + at, 1}, out, err);
        taken = ++at;
        if (code == RH_OK && c == '\n') {
            wide->in_row = false;
            *ret_used = at;
            *ret_row_ended = true;
            return RH_OK;
        }
        wide->column++;
        if (code == RH_OK)
            begin_field(wide);
    }
    if (code == RH_OK)
        code = take_bytes(wide, (struct text){part.data + taken, at - taken}, out, err);
    *ret_used = at;
    *ret_row_ended = false;
    return code;
}
