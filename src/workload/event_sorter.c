#include "workload/event_sorter.h"

#include "base/file.h"
#include "store/event_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Of a piece's batches, one of which is in memory while pieces are merged. */
#define BATCH_BYTES ((size_t)256 * 1024)
/* Merged at once: a decoder takes 5 MB, so that they fit into 100 MB. */
#define PIECES_MAX 20

struct batch_place {
    off_t offset;
    size_t length;
};

struct piece {
    VEC(struct batch_place) batches;
    size_t next_batch;
    struct event_decoder *decoder;
    struct arena *arena;
    struct buf bytes;
    struct workload_event event;
    bool is_open, has_event;
    unsigned level; /* how often its events were merged; never more than the piece's before it */
};

struct event_sorter {
    const char *directory;
    size_t piece_bytes;
    struct arena *arena; /* of the places of batches */
    int fd;
    off_t end;
    /* the piece under way */
    struct arena *event_arena;
    VEC(struct workload_event *) events;
    struct piece pieces[PIECES_MAX + 1]; /* the one more is what others become */
    size_t piece_count;
    size_t last; /* the piece whose event is out; SIZE_MAX */
    int64_t first_at_us;
    struct workload_event out;
};

struct event_sorter *rh_event_sorter_new(const char *directory, size_t piece_bytes)
{
    struct event_sorter *sorter = calloc(1, sizeof(*sorter));
    if (sorter == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*sorter));
    sorter->arena = rh_arena_new();
    sorter->event_arena = rh_arena_new();
    sorter->directory = rh_arena_strdup(sorter->arena, directory);
    sorter->piece_bytes = piece_bytes;
    sorter->fd = -1;
    sorter->last = SIZE_MAX;
    return sorter;
}

static void free_pieces(struct event_sorter *sorter, size_t from)
{
    for (size_t i = from; i < sorter->piece_count; i++) {
        rh_event_decoder_free(sorter->pieces[i].decoder);
        rh_arena_free(sorter->pieces[i].arena);
        rh_buf_deinit(&sorter->pieces[i].bytes);
    }
    sorter->piece_count = from;
}

void rh_event_sorter_free(struct event_sorter *sorter)
{
    if (sorter == NULL)
        return;
    free_pieces(sorter, 0);
    rh_fd_closep(&sorter->fd);
    rh_arena_free(sorter->event_arena);
    rh_arena_free(sorter->arena);
    free(sorter);
}

/* --- reading pieces --------------------------------------------------------------------------- */

static enum err_code read_batch(struct event_sorter *sorter, struct piece *piece, struct err *err)
{
    struct batch_place place = piece->batches.items[piece->next_batch++];
    char chunk[16384];
    rh_buf_clear(&piece->bytes);
    for (size_t done = 0; done < place.length;) {
        size_t want = place.length - done < sizeof(chunk) ? place.length - done : sizeof(chunk);
        ssize_t n = pread(sorter->fd, chunk, want, place.offset + (off_t)done);
        if (n == 0 || (n < 0 && errno != EINTR))
            return rh_err_set_errno(err, n == 0 ? EIO : errno, "cannot read beside the workload");
        if (n > 0)
            rh_buf_add(&piece->bytes, chunk, (size_t)n);
        done += n > 0 ? (size_t)n : 0;
    }
    if (!rh_event_decoder_open(piece->decoder, rh_buf_text(&piece->bytes)))
        return rh_err_set(err, RH_ERR_FORMAT, "a piece of the workload is damaged");
    piece->is_open = true;
    return RH_OK;
}

static enum err_code advance(struct event_sorter *sorter, struct piece *piece, struct err *err)
{
    piece->has_event = false;
    while (piece->is_open || piece->next_batch < piece->batches.count) {
        enum err_code code = piece->is_open ? RH_OK : read_batch(sorter, piece, err);
        if (code != RH_OK)
            return code;
        rh_arena_clear(piece->arena);
        switch (rh_event_decoder_next(piece->decoder, piece->arena, &piece->event)) {
        case EVENT_DECODED:
            piece->has_event = true;
            return RH_OK;
        case EVENT_END:
            piece->is_open = false;
            break;
        case EVENT_MALFORMED:
            return rh_err_set(err, RH_ERR_FORMAT, "a piece of the workload is damaged");
        }
    }
    return RH_OK;
}

/* Of equal times, the earlier piece's: it was found first. */
static size_t find_first(const struct event_sorter *sorter, size_t from)
{
    size_t first = SIZE_MAX;
    for (size_t i = from; i < sorter->piece_count; i++) {
        if (sorter->pieces[i].has_event &&
            (first == SIZE_MAX ||
             sorter->pieces[i].event.at_us < sorter->pieces[first].event.at_us))
            first = i;
    }
    return first;
}

/* --- writing pieces --------------------------------------------------------------------------- */

/* Stable: pointers follow the order in which events came. */
struct sort_key {
    int64_t at_us;
    size_t place;
    const struct workload_event *event;
};

static int by_time(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

struct piece_writer {
    struct event_sorter *sorter;
    struct piece *piece;
    struct event_encoder *encoder;
    struct buf bytes;
};

/* A piece behind the others; the caller says when it is one of them. */
static struct piece_writer begin_piece(struct event_sorter *sorter, unsigned level)
{
    struct piece *piece = &sorter->pieces[sorter->piece_count];
    struct piece_writer writer = {
        .sorter = sorter, .piece = piece, .encoder = rh_event_encoder_new()};
    *piece = (struct piece){
        .decoder = rh_event_decoder_new(), .arena = rh_arena_new(), .level = level};
    rh_buf_init(&piece->bytes, EVENT_BATCH_BYTES_MAX);
    rh_buf_init(&writer.bytes, EVENT_BATCH_BYTES_MAX);
    return writer;
}

static enum err_code write_batch(struct piece_writer *writer, struct err *err)
{
    struct event_sorter *sorter = writer->sorter;
    struct buf *bytes = &writer->bytes;
    if (rh_event_encoder_count(writer->encoder) == 0)
        return RH_OK;
    rh_buf_clear(bytes);
    rh_event_encoder_take(writer->encoder, bytes);
    for (size_t done = 0; done < bytes->len;) {
        ssize_t n = pwrite(sorter->fd, bytes->data + done, bytes->len - done,
                           sorter->end + (off_t)done);
        if (n < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot write beside the workload");
        done += n > 0 ? (size_t)n : 0;
    }
    *RH_PUSH(sorter->arena, &writer->piece->batches) = (struct batch_place){sorter->end,
                                                                            bytes->len};
    sorter->end += (off_t)bytes->len;
    return RH_OK;
}

static enum err_code add_to_piece(struct piece_writer *writer, const struct workload_event *event,
                                  struct err *err)
{
    RH_ASSERT(rh_event_encoder_add(writer->encoder, event));
    return rh_event_encoder_bytes(writer->encoder) >= BATCH_BYTES ? write_batch(writer, err)
                                                                  : RH_OK;
}

static enum err_code end_piece(struct piece_writer *writer, enum err_code code, struct err *err)
{
    if (code == RH_OK)
        code = write_batch(writer, err);
    rh_event_encoder_free(writer->encoder);
    rh_buf_deinit(&writer->bytes);
    return code;
}

/* Makes one of the last pieces, of all that were merged as seldom as the last two: pieces that
   follow each other, so that what came earlier is in the earlier piece still. */
static enum err_code merge_last(struct event_sorter *sorter, struct err *err)
{
    size_t count = sorter->piece_count, from = count - 1;
    unsigned level = sorter->pieces[count - 2].level;
    while (from > 0 && sorter->pieces[from - 1].level <= level)
        from--;
    struct piece_writer writer = begin_piece(sorter, level + 1);
    enum err_code code = RH_OK;
    for (size_t i = from; i < count && code == RH_OK; i++)
        code = advance(sorter, &sorter->pieces[i], err);
    size_t first;
    while (code == RH_OK && (first = find_first(sorter, from)) != SIZE_MAX) {
        code = add_to_piece(&writer, &sorter->pieces[first].event, err);
        if (code == RH_OK)
            code = advance(sorter, &sorter->pieces[first], err);
    }
    code = end_piece(&writer, code, err);
    free_pieces(sorter, from);
    sorter->pieces[sorter->piece_count++] = *writer.piece;
    return code;
}

static enum err_code write_piece(struct event_sorter *sorter, struct err *err)
{
    size_t count = sorter->events.count;
    if (count == 0)
        return RH_OK;
    if (sorter->fd < 0)
        sorter->fd = open(sorter->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (sorter->fd < 0)
        return rh_err_set_errno(err, errno, "cannot make a file in \"%s\"", sorter->directory);
    struct sort_key *keys = calloc(count, sizeof(*keys));
    if (keys == NULL)
        RH_PANIC("out of memory (%zu bytes)", count * sizeof(*keys));
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct sort_key){sorter->events.items[i]->at_us, i, sorter->events.items[i]};
    qsort(keys, count, sizeof(*keys), by_time);
    struct piece_writer writer = begin_piece(sorter, 0);
    enum err_code code = RH_OK;
    for (size_t i = 0; i < count && code == RH_OK; i++)
        code = add_to_piece(&writer, keys[i].event, err);
    code = end_piece(&writer, code, err);
    sorter->piece_count++;
    free(keys);
    rh_arena_clear(sorter->event_arena);
    sorter->events.items = NULL;
    sorter->events.count = sorter->events.capacity = 0;
    if (code == RH_OK && sorter->piece_count == PIECES_MAX)
        code = merge_last(sorter, err);
    return code;
}

static struct workload_event *copy_event(struct arena *arena, const struct workload_event *event)
{
    struct workload_event *copy = rh_arena_memdup(arena, event, sizeof(*event));
    if (event->message_count > 0)
        copy->messages = rh_arena_memdup(arena, event->messages,
                                         event->message_count * sizeof(*event->messages));
    for (size_t i = 0; i < event->message_count; i++)
        copy->messages[i].body.data = rh_text_dup(arena, event->messages[i].body);
    if (event->result_count > 0)
        copy->results = rh_arena_memdup(arena, event->results,
                                        event->result_count * sizeof(*event->results));
    if (event->id_count > 0)
        copy->ids = rh_arena_memdup(arena, event->ids, event->id_count * sizeof(*event->ids));
    for (size_t i = 0; i < event->id_count; i++)
        copy->ids[i].value.data = rh_text_dup(arena, event->ids[i].value);
    if (event->begun != NULL) {
        struct workload_session *begun = RH_NEW(arena, struct workload_session);
        *begun = (struct workload_session){
            .number = event->begun->number,
            .user = rh_arena_strdup(arena, event->begun->user),
            .database = rh_arena_strdup(arena, event->begun->database),
            .is_midway = event->begun->is_midway,
            .lacks = rh_arena_strdup(arena, event->begun->lacks)};
        for (size_t i = 0; i < event->begun->startup.count; i++)
            *RH_PUSH(arena, &begun->startup) = (struct workload_setting){
                rh_arena_strdup(arena, event->begun->startup.items[i].name),
                rh_arena_strdup(arena, event->begun->startup.items[i].value)};
        copy->begun = begun;
    }
    return copy;
}

enum err_code rh_event_sorter_add(struct event_sorter *sorter, const struct workload_event *event,
                                  struct err *err)
{
    RH_ASSERT(event->begun == NULL || event->begun->prologue.count == 0);
    if (rh_workload_event_bytes(event) > EVENT_SORTER_PIECE_BYTES)
        return rh_err_set(err, RH_ERR_LIMIT, "one event is larger than %d MB",
                          (int)(EVENT_SORTER_PIECE_BYTES >> 20));
    *RH_PUSH(sorter->event_arena, &sorter->events) = copy_event(sorter->event_arena, event);
    return rh_arena_used_bytes(sorter->event_arena) < sorter->piece_bytes
               ? RH_OK
               : write_piece(sorter, err);
}

/* --- the whole -------------------------------------------------------------------------------- */

static enum err_code next_event(void *context, const struct workload_event **ret_event,
                                struct err *err)
{
    struct event_sorter *sorter = context;
    if (sorter->last != SIZE_MAX) {
        enum err_code code = advance(sorter, &sorter->pieces[sorter->last], err);
        if (code != RH_OK)
            return code;
    }
    sorter->last = find_first(sorter, 0);
    *ret_event = NULL;
    if (sorter->last == SIZE_MAX)
        return RH_OK;
    sorter->out = sorter->pieces[sorter->last].event;
    sorter->out.at_us -= sorter->first_at_us;
    if (sorter->out.kind == WORKLOAD_ANSWER)
        sorter->out.first_byte_us -= sorter->first_at_us;
    *ret_event = &sorter->out;
    return RH_OK;
}

enum err_code rh_event_sorter_finish(struct event_sorter *sorter, int64_t *ret_first_at_us,
                                     struct workload_source *ret_source, struct err *err)
{
    enum err_code code = write_piece(sorter, err);
    for (size_t i = 0; i < sorter->piece_count && code == RH_OK; i++)
        code = advance(sorter, &sorter->pieces[i], err);
    if (code != RH_OK)
        return code;
    size_t first = find_first(sorter, 0);
    sorter->first_at_us = first == SIZE_MAX ? 0 : sorter->pieces[first].event.at_us;
    *ret_first_at_us = sorter->first_at_us;
    *ret_source = (struct workload_source){next_event, sorter};
    return RH_OK;
}
