/*
 * Events in the order of their times, whatever the order in which they were found: a log tells of a
 * statement when it has ended, with the time it took. Sorted in pieces that lie in a file without a
 * name meanwhile, and merged, a few at a time where they are many; memory is one piece, and a batch
 * of each of the few. Events of one session come in their order already, and keep it.
 */
#ifndef RH_WORKLOAD_EVENT_SORTER_H
#define RH_WORKLOAD_EVENT_SORTER_H

#include "base/err.h"
#include "model/workload.h"

struct event_sorter;

/* A piece in memory, and the largest event. */
#define EVENT_SORTER_PIECE_BYTES ((size_t)48 * 1024 * 1024)

/* `directory`: where the file lies. `piece_bytes`: EVENT_SORTER_PIECE_BYTES, or less. */
struct event_sorter *rh_event_sorter_new(const char *directory, size_t piece_bytes);
void rh_event_sorter_free(struct event_sorter *sorter); /* NULL allowed */
/* Copies the event. RH_ERR_IO, RH_ERR_LIMIT. */
enum err_code rh_event_sorter_add(struct event_sorter *sorter, const struct workload_event *event,
                                  struct err *err) RH_MUST_CHECK;
/* After the last one. The source hands them out, times counted from the first event; it lives as
   long as the sorter. *ret_first_at_us: when that was; 0 without events. */
enum err_code rh_event_sorter_finish(struct event_sorter *sorter, int64_t *ret_first_at_us,
                                     struct workload_source *ret_source,
                                     struct err *err) RH_MUST_CHECK;

#endif
