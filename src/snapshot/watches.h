/*
 * What is remembered of a snapshot's rows while they stream, and held against what was restored of
 * them: the shape of each masked column, and originals that must not be found again anywhere.
 * Memory is bounded whatever the rows. No row value is kept, and none is in what is said.
 */
#ifndef RH_SNAPSHOT_WATCHES_H
#define RH_SNAPSHOT_WATCHES_H

#include "mask/copy_mask.h"
#include "mask/masking.h"
#include "model/manifest.h"

struct watches;

/* `catalog` and `masking` must outlive it; `seed` is a random number of this snapshot alone. */
struct watches *rh_watches_new(const struct catalog *catalog, const struct masking *masking,
                               uint64_t seed);
void rh_watches_free(struct watches *watches);

/* A watcher for one COPY of that table, `numbers` its columns' in the COPY's order. Valid as long
   as `watches`. Several streams, of a table each, may be under way at once, each on a thread of its
   own. */
struct copy_watcher rh_watches_stream(struct watches *watches, size_t table, const int *numbers,
                                      size_t count);
/* The same for the rows as they were restored, behind a copy_mask that keeps everything: columns
   are shown to the watcher where rh_watches_wants says so, and need a map that keeps. After the
   last stream has ended. */
struct copy_watcher rh_watches_restored(struct watches *watches, size_t table, const int *numbers,
                                        size_t count);
bool rh_watches_wants(const struct watches *watches, size_t table, int number);
/* Any other text that is left behind: a comment, a function, a row of a materialized view, a log.
   `name` says which. Pseudonyms may stand there as well: what could be chance does not count. */
void rh_watches_text(struct watches *watches, const char *place, struct text text);
/* "shape" and "leak". Texts lie in `arena`. */
void rh_watches_judge(struct watches *watches, struct arena *arena,
                      struct manifest_certificate *ret_shape,
                      struct manifest_certificate *ret_leak);

#endif
