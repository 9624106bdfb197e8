#include "mask/copy_int.h"
#include "mask/copy_text.h"
#include "mask/copy_words.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* An end of a field: its offset, and whether a backslash stands in it. */
#define FIELD_ESCAPED UINT32_C(0x80000000)
#define FIELD_END(end) ((end) & ~FIELD_ESCAPED)

/* Bytes behind a batch that may be read with the last word. */
#define SLACK_BYTES 8

enum copy_phase { PHASE_ROWS, PHASE_WIDE_ROW, PHASE_OVER };

struct copy_mask {
    struct mask_map **maps;
    size_t column_count;
    struct copy_watcher watcher;
    size_t *masked_columns; /* indexes of the columns with a map, ascending */
    size_t masked_count;

    enum copy_phase phase;
    char *pending; /* COPY_BATCH_BYTES: rows that wait, and the start of the next */
    size_t pending_len;
    struct copy_wide *wide;
    struct copy_digest *digest;
    int64_t bytes_in, bytes_out;

    /* Of the batch; reused. */
    uint32_t *ends;       /* of every field, row by row */
    char *unescaped;      /* COPY_BATCH_BYTES */
    struct text *values;  /* of one column: as they are ... */
    struct text *present; /* ... those that are not NULL ... */
    struct text *mapped;  /* ... and their pseudonyms */
    struct text *masked;  /* of every masked column, one after the other */
    size_t rows_capacity, masked_capacity;
    char *made;
    size_t made_capacity;
    struct arena *scratch;
};

static void *allocate(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count > 0 ? count : 1, size);
    if (memory == NULL)
        RH_PANIC("out of memory (%zu items of %zu bytes)", count, size);
    return memory;
}

struct copy_mask *rh_copy_mask_new(const struct copy_mask_options *options)
{
    struct copy_mask *mask = allocate(NULL, 1, sizeof *mask);
    *mask = (struct copy_mask){.column_count = options->column_count,
                               .watcher = options->watcher,
                               .digest = rh_copy_digest_new()};
    mask->maps = allocate(NULL, options->column_count, sizeof *mask->maps);
    mask->masked_columns = allocate(NULL, options->column_count, sizeof *mask->masked_columns);
    for (size_t i = 0; i < options->column_count; i++) {
        mask->maps[i] = options->maps[i];
        if (options->maps[i] != NULL)
            mask->masked_columns[mask->masked_count++] = i;
    }
    if (mask->masked_count == 0)
        return mask;
    mask->pending = allocate(NULL, COPY_BATCH_BYTES + SLACK_BYTES, 1);
    mask->unescaped = allocate(NULL, COPY_BATCH_BYTES, 1);
    /* Every field takes a byte at least. What is never used is never touched. */
    mask->ends = allocate(NULL, COPY_BATCH_BYTES, sizeof *mask->ends);
    mask->scratch = rh_arena_new();
    struct copy_mask_options own = {mask->maps, mask->column_count, mask->watcher};
    mask->wide = rh_copy_wide_new(&own, mask->digest);
    return mask;
}

void rh_copy_mask_free(struct copy_mask *mask)
{
    if (mask == NULL)
        return;
    rh_copy_wide_free(mask->wide);
    rh_copy_digest_free(mask->digest);
    rh_arena_free(mask->scratch);
    free(mask->maps);
    free(mask->masked_columns);
    /* Originals were in here. */
    if (mask->pending != NULL) {
        OPENSSL_cleanse(mask->pending, COPY_BATCH_BYTES);
        OPENSSL_cleanse(mask->unescaped, COPY_BATCH_BYTES);
    }
    free(mask->pending);
    free(mask->unescaped);
    free(mask->ends);
    free(mask->values);
    free(mask->present);
    free(mask->mapped);
    free(mask->masked);
    free(mask->made);
    free(mask);
}

enum err_code rh_copy_columns_error(struct err *err, int64_t row, size_t expected)
{
    rh_err_set(err, RH_ERR_SERVER,
               "row %lld of the COPY does not have the %zu columns that it should have",
               (long long)row, expected);
    rh_err_hint(err, "The table was altered while it was read, or the data are damaged: make the "
                     "snapshot again.");
    return RH_ERR_SERVER;
}

enum err_code rh_copy_escape_error(struct err *err, int64_t row)
{
    rh_err_set(err, RH_ERR_SERVER,
               "row %lld of the COPY has a backslash at the end of a field, which no server writes",
               (long long)row);
    rh_err_hint(err, "The data are damaged: make the snapshot again.");
    return RH_ERR_SERVER;
}

enum err_code rh_copy_emit(struct copy_digest *digest, struct text bytes, struct buf *out,
                           struct err *err)
{
    if (bytes.len > out->max - out->len) {
        rh_err_set(err, RH_ERR_LIMIT, "masked rows are larger than their buffer of %zu bytes",
                   out->max);
        return RH_ERR_LIMIT;
    }
    rh_buf_add_text(out, bytes);
    rh_copy_digest_feed(digest, bytes);
    return RH_OK;
}

/* --- a batch ---------------------------------------------------------------------------------- */

struct batch {
    struct text data;
    size_t rows;
    bool is_over; /* the end-of-data marker stands behind the rows */
};

/* Finds the fields of whole rows. */
static enum err_code split(struct copy_mask *mask, struct batch *batch, struct err *err)
{
    const char *data = batch->data.data;
    const size_t len = batch->data.len, columns = mask->column_count;
    const int64_t first_row = rh_copy_mask_totals(mask).rows + 1;
    uint32_t *ends = mask->ends;
    size_t fields = 0, column = 0, row_start = 0;
    size_t escaped_at = SIZE_MAX; /* of the character that the last backslash speaks of */
    uint32_t is_escaped = 0;
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = rh_word_load(data + at);
        uint64_t marks = rh_word_equals(word, '\t') | rh_word_equals(word, '\n') |
                         rh_word_equals(word, '\\');
        for (; marks != 0; marks &= marks - 1) {
            size_t here = at + rh_word_first(marks);
            if (here >= len)
                break;
            if (data[here] == '\\') {
                if (here != escaped_at)
                    escaped_at = here + 1;
                is_escaped = FIELD_ESCAPED;
                continue;
            }
            if (here == escaped_at)
                return rh_copy_escape_error(err, first_row + (int64_t)batch->rows);
            bool ends_row = data[here] == '\n';
            if (ends_row && here - row_start == 2 && memcmp(data + row_start, "\\.", 2) == 0) {
                batch->data.len = row_start;
                batch->is_over = true;
                return RH_OK;
            }
            column++;
            if (ends_row ? column != columns : column >= columns)
                return rh_copy_columns_error(err, first_row + (int64_t)batch->rows, columns);
            ends[fields++] = (uint32_t)here | is_escaped;
            is_escaped = 0;
            if (ends_row) {
                column = 0;
                row_start = here + 1;
                batch->rows++;
            }
        }
    }
    return RH_OK;
}

static void make_room(struct copy_mask *mask, size_t rows)
{
    if (rows > mask->rows_capacity) {
        mask->values = allocate(mask->values, rows, sizeof *mask->values);
        mask->present = allocate(mask->present, rows, sizeof *mask->present);
        mask->mapped = allocate(mask->mapped, rows, sizeof *mask->mapped);
        mask->rows_capacity = rows;
    }
    if (rows * mask->masked_count > mask->masked_capacity) {
        mask->masked = allocate(mask->masked, rows * mask->masked_count, sizeof *mask->masked);
        mask->masked_capacity = rows * mask->masked_count;
    }
}

/* Maps one column of the batch into `masked`; `*unescaped` is the room for what has escapes. */
static void map_column(struct copy_mask *mask, const struct batch *batch, size_t column,
                       char **unescaped, struct text *masked)
{
    const char *data = batch->data.data;
    size_t nulls = 0;
    for (size_t row = 0, field = column; row < batch->rows; row++, field += mask->column_count) {
        size_t start = field > 0 ? FIELD_END(mask->ends[field - 1]) + 1 : 0;
        struct text raw = {data + start, FIELD_END(mask->ends[field]) - start};
        if (mask->ends[field] & FIELD_ESCAPED) {
            if (rh_copy_is_null(raw.data, raw.len)) {
                mask->values[row] = (struct text){NULL, 0};
                nulls++;
                continue;
            }
            size_t len = rh_copy_unescape(raw, true, *unescaped, NULL);
            raw = (struct text){*unescaped, len};
            *unescaped += len;
        }
        mask->values[row] = raw;
        mask->present[row - nulls] = raw;
    }
    size_t count = batch->rows - nulls;
    struct mask_map *map = mask->maps[column];
    if (nulls == 0) {
        rh_mask_map_apply(map, mask->present, count, mask->scratch, masked);
    } else {
        if (count > 0)
            rh_mask_map_apply(map, mask->present, count, mask->scratch, mask->mapped);
        for (size_t row = 0, next = 0; row < batch->rows; row++)
            masked[row] = mask->values[row].data != NULL ? mask->mapped[next++]
                                                         : (struct text){NULL, 0};
    }
    if (mask->watcher.values != NULL)
        mask->watcher.values(mask->watcher.context, column, mask->values, masked, batch->rows);
}

/* Puts the rows together again: what is not masked in one piece, what is in its place. */
static size_t join(struct copy_mask *mask, const struct batch *batch)
{
    size_t room = batch->data.len;
    for (size_t i = 0; i < batch->rows * mask->masked_count; i++)
        room += 2 * mask->masked[i].len + strlen(COPY_NULL);
    if (room > mask->made_capacity) {
        mask->made = allocate(mask->made, room, 1);
        mask->made_capacity = room;
    }
    const char *data = batch->data.data;
    char *out = mask->made;
    size_t copied = 0; /* of the originals: what is before is done with */
    for (size_t row = 0; row < batch->rows; row++) {
        const uint32_t *ends = mask->ends + row * mask->column_count;
        for (size_t i = 0; i < mask->masked_count; i++) {
            size_t column = mask->masked_columns[i];
            size_t start = row + column > 0 ? FIELD_END(ends[(ptrdiff_t)column - 1]) + 1 : 0;
            size_t end = FIELD_END(ends[column]);
            struct text masked = mask->masked[i * batch->rows + row];
            if (masked.data == data + start && masked.len == end - start)
                continue; /* it stayed, and had no escapes */
            memcpy(out, data + copied, start - copied);
            out += start - copied;
            copied = end;
            if (masked.data != NULL) {
                out += rh_copy_escape(masked, out);
            } else {
                *out++ = COPY_NULL[0];
                *out++ = COPY_NULL[1];
            }
        }
    }
    memcpy(out, data + copied, batch->data.len - copied);
    out += batch->data.len - copied;
    return (size_t)(out - mask->made);
}

/* Masks `len` bytes of whole rows at the front of `pending`. */
static enum err_code mask_rows(struct copy_mask *mask, size_t len, struct buf *out, struct err *err)
{
    struct batch batch = {.data = {mask->pending, len}};
    enum err_code code = split(mask, &batch, err);
    if (code != RH_OK)
        return code;
    make_room(mask, batch.rows);
    char *unescaped = mask->unescaped;
    for (size_t i = 0; i < mask->masked_count && batch.rows > 0; i++)
        map_column(mask, &batch, mask->masked_columns[i], &unescaped,
                   mask->masked + i * batch.rows);
    /* None, where the end-of-data marker stands alone. */
    size_t made = batch.rows > 0 ? join(mask, &batch) : 0;
    rh_arena_clear(mask->scratch);
    if (made > 0)
        code = rh_copy_emit(mask->digest, (struct text){mask->made, made}, out, err);
    if (code != RH_OK || !batch.is_over)
        return code;
    mask->phase = PHASE_OVER;
    const size_t behind = batch.data.len; /* the marker, and what must be line feeds */
    for (size_t i = behind + 3; i < len; i++)
        if (mask->pending[i] != '\n')
            return rh_copy_columns_error(err, rh_copy_mask_totals(mask).rows + 1,
                                         mask->column_count);
    return rh_copy_emit(mask->digest, (struct text){mask->pending + behind, len - behind}, out,
                        err);
}

/* Masks the rows that are whole; what is left moves to the front. */
static enum err_code drain(struct copy_mask *mask, struct buf *out, struct err *err)
{
    const char *newline = memrchr(mask->pending, '\n', mask->pending_len);
    if (newline == NULL)
        return RH_OK;
    size_t whole = (size_t)(newline - mask->pending) + 1;
    enum err_code code = mask_rows(mask, whole, out, err);
    if (code != RH_OK)
        return code;
    mask->pending_len -= whole;
    memmove(mask->pending, mask->pending + whole, mask->pending_len);
    return RH_OK;
}

/* --- the stream ------------------------------------------------------------------------------- */

/* Rows, until `pending` is full; a row that alone fills it becomes a wide one. */
static enum err_code take_rows(struct copy_mask *mask, struct text *part, struct buf *out,
                               struct err *err)
{
    size_t room = COPY_BATCH_BYTES - mask->pending_len;
    size_t taken = part->len < room ? part->len : room;
    memcpy(mask->pending + mask->pending_len, part->data, taken);
    mask->pending_len += taken;
    *part = (struct text){part->data + taken, part->len - taken};
    if (mask->pending_len < COPY_BATCH_BYTES)
        return RH_OK;
    enum err_code code = drain(mask, out, err);
    if (code != RH_OK || mask->pending_len < COPY_BATCH_BYTES)
        return code;
    struct text start = {mask->pending, mask->pending_len};
    size_t used;
    bool row_ended;
    mask->pending_len = 0;
    mask->phase = PHASE_WIDE_ROW;
    return rh_copy_wide_feed(mask->wide, start, rh_copy_mask_totals(mask).rows + 1, out, &used,
                             &row_ended, err);
}

static enum err_code take_wide(struct copy_mask *mask, struct text *part, struct buf *out,
                               struct err *err)
{
    size_t used;
    bool row_ended;
    enum err_code code = rh_copy_wide_feed(mask->wide, *part, rh_copy_mask_totals(mask).rows + 1,
                                           out, &used, &row_ended, err);
    if (code != RH_OK)
        return code;
    *part = (struct text){part->data + used, part->len - used};
    if (row_ended)
        mask->phase = PHASE_ROWS;
    return RH_OK;
}

/* Behind the end-of-data marker nothing but line feeds may pass. */
static enum err_code take_rest(struct copy_mask *mask, struct text *part, struct buf *out,
                               struct err *err)
{
    for (size_t i = 0; i < part->len; i++)
        if (part->data[i] != '\n')
            return rh_copy_columns_error(err, rh_copy_mask_totals(mask).rows + 1,
                                         mask->column_count);
    enum err_code code = rh_copy_emit(mask->digest, *part, out, err);
    part->len = 0;
    return code;
}

enum err_code rh_copy_mask_feed(struct copy_mask *mask, struct text part, struct buf *out,
                                struct err *err)
{
    size_t before = out->len;
    mask->bytes_in += (int64_t)part.len;
    enum err_code code = RH_OK;
    if (mask->masked_count == 0) {
        code = rh_copy_emit(mask->digest, part, out, err);
        part.len = 0;
    }
    while (code == RH_OK && part.len > 0) {
        switch (mask->phase) {
        case PHASE_ROWS:
            code = take_rows(mask, &part, out, err);
            break;
        case PHASE_WIDE_ROW:
            code = take_wide(mask, &part, out, err);
            break;
        case PHASE_OVER:
            code = take_rest(mask, &part, out, err);
            break;
        }
    }
    mask->bytes_out += (int64_t)(out->len - before);
    return code;
}

enum err_code rh_copy_mask_flush(struct copy_mask *mask, bool at_end, struct buf *out,
                                 struct err *err)
{
    size_t before = out->len;
    enum err_code code = RH_OK;
    if (mask->phase == PHASE_ROWS && mask->masked_count > 0)
        code = drain(mask, out, err);
    mask->bytes_out += (int64_t)(out->len - before);
    if (code != RH_OK || !at_end)
        return code;
    if (mask->pending_len == 0 && mask->phase != PHASE_WIDE_ROW &&
        rh_copy_digest_is_between_rows(mask->digest))
        return RH_OK;
    rh_err_set(err, RH_ERR_SERVER, "the COPY ends in the middle of row %lld",
               (long long)rh_copy_mask_totals(mask).rows + 1);
    rh_err_hint(err, "The connection or the file was cut: make the snapshot again.");
    return RH_ERR_SERVER;
}

struct copy_mask_totals rh_copy_mask_totals(const struct copy_mask *mask)
{
    struct copy_mask_totals totals = {.bytes_in = mask->bytes_in, .bytes_out = mask->bytes_out};
    totals.checksum = rh_copy_digest_sum(mask->digest, &totals.rows);
    return totals;
}
