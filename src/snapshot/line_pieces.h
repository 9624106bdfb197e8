/*
 * A long text that comes in pieces, cut anywhere, handed on in pieces that are cut behind lines: so
 * that what stands within a line is seen whole. Pure.
 */
#ifndef RH_SNAPSHOT_LINE_PIECES_H
#define RH_SNAPSHOT_LINE_PIECES_H

#include "base/text.h"

/* Of the end of a line that is not whole yet, as much is kept as values may be long that are looked
   for (LEAK_PART_MAX). What came before it is handed on, and the kept part a second time. */
#define LINE_PIECES_KEPT_MAX ((size_t)512)

typedef void line_pieces_fn(void *context, struct text piece);

struct line_pieces {
    line_pieces_fn *fn;
    void *context;
    struct buf bytes;
};

void rh_line_pieces_init(struct line_pieces *pieces, line_pieces_fn *fn, void *context);
void rh_line_pieces_deinit(struct line_pieces *pieces);
void rh_line_pieces_add(struct line_pieces *pieces, struct text piece);
/* Nothing more comes: hands on what is left. The next piece begins another text. */
void rh_line_pieces_end(struct line_pieces *pieces);

#endif
