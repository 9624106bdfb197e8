#include "snapshot/line_pieces.h"

#include "mask/leak.h"

#include <stdint.h>
#include <string.h>

_Static_assert(LINE_PIECES_KEPT_MAX >= LEAK_PART_MAX, "a value could be cut");

void rh_line_pieces_init(struct line_pieces *pieces, line_pieces_fn *fn, void *context)
{
    *pieces = (struct line_pieces){.fn = fn, .context = context};
    rh_buf_init(&pieces->bytes, SIZE_MAX / 2); /* a piece and what was kept */
}

void rh_line_pieces_deinit(struct line_pieces *pieces)
{
    rh_buf_deinit(&pieces->bytes);
}

static size_t length_behind_last_line(struct text bytes)
{
    const char *newline = memrchr(bytes.data, '\n', bytes.len);

    return newline ? bytes.len - (size_t)(newline + 1 - bytes.data) : bytes.len;
}

void rh_line_pieces_add(struct line_pieces *pieces, struct text piece)
{
    struct text bytes;
    size_t kept;

    if (piece.len == 0)
        return;
    rh_buf_add_text(&pieces->bytes, piece);
    bytes = rh_buf_text(&pieces->bytes);
    kept = length_behind_last_line(bytes);
    if (kept > LINE_PIECES_KEPT_MAX)
        kept = LINE_PIECES_KEPT_MAX; /* of a long line: its beginning is looked at now */
    else
        bytes.len -= kept;
    if (bytes.len > 0)
        pieces->fn(pieces->context, bytes);
    rh_buf_consume(&pieces->bytes, pieces->bytes.len - kept);
}

void rh_line_pieces_end(struct line_pieces *pieces)
{
    if (pieces->bytes.len > 0)
        pieces->fn(pieces->context, rh_buf_text(&pieces->bytes));
    rh_buf_clear(&pieces->bytes);
}
