#include "snapshot/row_writer.h"

#include "base/file.h"
#include "base/gzip.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Masked rows are compressed by about as much: larger pieces leave the cache. */
#define MADE_BYTES ((size_t)256 * 1024)
/* The thread wakes for as much, or for the end: each wake-up costs as much as masking a kilobyte.
 */
#define WAKE_BYTES (ROW_QUEUE_BYTES / 4)

struct row_writer {
    struct row_writer_options options;
    int file_fd, ready_fd; /* an eventfd: something for the loop's thread */
    struct loop_watch *watch;
    pthread_t thread;
    bool has_thread;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    /* Under the lock. */
    struct buf waiting;
    bool is_sleeping, is_full, is_ending, has_ended;
    struct err failure;

    atomic_bool is_given_up;
    atomic_llong rows;

    /* Of the thread, until it has ended. */
    struct buf working, made;
    struct copy_mask *mask;
    struct gzip_writer *gzip;
};

/* --- the thread ------------------------------------------------------------------------------ */

static enum err_code compress_made(struct row_writer *writer, struct err *err)
{
    enum err_code code = rh_gzip_write(writer->gzip, rh_buf_text(&writer->made), err);

    if (code)
        rh_err_while(err, "while writing \"%s\"", writer->options.path);
    rh_buf_clear(&writer->made);
    atomic_store(&writer->rows, rh_copy_mask_totals(writer->mask).rows);
    return code;
}

static enum err_code compress_end(struct row_writer *writer, struct err *err)
{
    enum err_code code = rh_gzip_write(writer->gzip, TEXT_LITERAL(ROW_FILE_END), err);

    if (!code)
        code = rh_gzip_finish(writer->gzip, err);
    if (code)
        rh_err_while(err, "while writing \"%s\"", writer->options.path);
    return code;
}

static enum err_code write_rows(struct row_writer *writer, struct err *err)
{
    struct text rest = rh_buf_text(&writer->working);
    enum err_code code = RH_OK;

    while (!code && rest.len > 0 && !atomic_load(&writer->is_given_up)) {
        struct text part = {rest.data, rest.len < ROW_PART_BYTES ? rest.len : ROW_PART_BYTES};

        code = rh_copy_mask_feed(writer->mask, part, &writer->made, err);
        if (!code && writer->made.len >= MADE_BYTES)
            code = compress_made(writer, err);
        rest.data += part.len;
        rest.len -= part.len;
    }
    return code;
}

static enum err_code write_end(struct row_writer *writer, struct err *err)
{
    enum err_code code = rh_copy_mask_flush(writer->mask, true, &writer->made, err);

    if (!code)
        code = compress_made(writer, err);
    return code ? code : compress_end(writer, err);
}

/* The counter does not reach its end: this cannot block or fail. */
static void tell(struct row_writer *writer)
{
    const uint64_t one = 1;
    if (!writer->has_thread)
        return; /* the loop's thread is at work itself */
    ssize_t written = write(writer->ready_fd, &one, sizeof(one));

    RH_ASSERT(written == sizeof(one));
}

static void finish(struct row_writer *writer, const struct err *failure)
{
    pthread_mutex_lock(&writer->lock);
    if (failure->code)
        writer->failure = *failure;
    writer->has_ended = true;
    pthread_mutex_unlock(&writer->lock);
    tell(writer);
}

/* Takes all that waits; false: it was the end. */
static bool take_waiting(struct row_writer *writer)
{
    bool was_full;

    rh_buf_clear(&writer->working);
    pthread_mutex_lock(&writer->lock);
    while (writer->waiting.len < WAKE_BYTES && !writer->is_ending &&
           !atomic_load(&writer->is_given_up)) {
        writer->is_sleeping = true;
        pthread_cond_wait(&writer->wake, &writer->lock);
        writer->is_sleeping = false;
    }
    struct buf taken = writer->waiting;
    writer->waiting = writer->working;
    writer->working = taken;
    was_full = writer->is_full;
    writer->is_full = false;
    pthread_mutex_unlock(&writer->lock);
    if (was_full)
        tell(writer);
    return writer->working.len > 0;
}

/* All that comes, to the end. */
static void *run(void *context)
{
    struct row_writer *writer = context;
    struct err err = RH_ERR_INIT;
    enum err_code code = RH_OK;

    while (!code && take_waiting(writer) && !atomic_load(&writer->is_given_up))
        code = write_rows(writer, &err);
    if (!code && !atomic_load(&writer->is_given_up))
        (void)!write_end(writer, &err);
    finish(writer, &err);
    return NULL;
}

/* Signals are for the loop's thread. */
static int start_thread(struct row_writer *writer)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* --- the loop's thread ----------------------------------------------------------------------- */

static void on_ready(void *context, unsigned events)
{
    struct row_writer *writer = context;
    uint64_t ignored;

    (void)events;
    if (read(writer->ready_fd, &ignored, sizeof(ignored)) == sizeof(ignored))
        writer->options.ready(writer->options.context);
}

static enum err_code start(struct row_writer *writer, struct err *err)
{
    enum err_code code;
    int error;

    writer->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (writer->ready_fd < 0)
        return rh_err_set_errno(err, errno, "cannot write rows on a thread");
    if ((code = rh_loop_watch_new(writer->options.loop, writer->ready_fd, on_ready, writer,
                                  &writer->watch, err)))
        return code;
    rh_loop_watch_set(writer->watch, LOOP_READABLE);
    writer->has_thread = true; /* the thread looks at it, too */
    if ((error = start_thread(writer))) {
        writer->has_thread = false;
        return rh_err_set_errno(err, error, "cannot start a thread to write rows");
    }
    return RH_OK;
}

enum err_code rh_row_writer_new(const struct row_writer_options *options, struct copy_mask *mask,
                                struct row_writer **ret_writer, struct err *err)
{
    struct row_writer *writer = calloc(1, sizeof(*writer));

    if (!writer)
        RH_PANIC("out of memory to write rows");
    writer->options = *options;
    writer->mask = mask;
    writer->file_fd = writer->ready_fd = -1;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, NULL);
    rh_buf_init(&writer->waiting, 2 * ROW_QUEUE_BYTES);
    rh_buf_init(&writer->working, 2 * ROW_QUEUE_BYTES);
    rh_buf_init(&writer->made, ROW_MADE_MAX);
    writer->file_fd = open(options->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                           0666); /* as pg_dump */
    if (writer->file_fd < 0) {
        rh_err_set_errno(err, errno, "cannot create \"%s\"", options->path);
        rh_row_writer_free(writer);
        return err->code;
    }
    writer->gzip = rh_gzip_writer_new(writer->file_fd);
    *ret_writer = writer;
    return RH_OK;
}

static void wake(struct row_writer *writer)
{
    if (writer->is_sleeping)
        pthread_cond_signal(&writer->wake);
}

/* Originals were in here. */
static void forget(struct buf *rows)
{
    if (rows->data)
        OPENSSL_cleanse(rows->data, rows->capacity);
    rh_buf_deinit(rows);
}

void rh_row_writer_free(struct row_writer *writer)
{
    if (!writer)
        return;
    if (writer->has_thread) {
        atomic_store(&writer->is_given_up, true);
        pthread_mutex_lock(&writer->lock);
        wake(writer);
        pthread_mutex_unlock(&writer->lock);
        pthread_join(writer->thread, NULL);
    }
    rh_loop_watch_free(writer->watch);
    rh_fd_closep(&writer->ready_fd);
    rh_fd_closep(&writer->file_fd);
    rh_gzip_writer_free(writer->gzip);
    rh_copy_mask_free(writer->mask);
    forget(&writer->waiting);
    forget(&writer->working);
    rh_buf_deinit(&writer->made);
    pthread_cond_destroy(&writer->wake);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

/* Where there is no thread, there is nobody to wait for. */
static void start_or_fail(struct row_writer *writer)
{
    struct err err = RH_ERR_INIT;

    if (start(writer, &err)) {
        writer->failure = err;
        writer->has_ended = true;
    }
}

bool rh_row_writer_feed(struct row_writer *writer, struct text rows)
{
    bool takes_more;

    RH_ASSERT(rows.len <= ROW_QUEUE_BYTES);
    if (!writer->has_thread && !writer->has_ended && writer->waiting.len + rows.len >= WAKE_BYTES)
        start_or_fail(writer);
    pthread_mutex_lock(&writer->lock);
    /* Of one that has failed nothing is kept: its caller is about to hear of it. */
    if (!writer->has_ended)
        rh_buf_add_text(&writer->waiting, rows);
    RH_ASSERT(!writer->waiting.failed && !writer->is_ending);
    takes_more = writer->waiting.len < ROW_QUEUE_BYTES;
    writer->is_full = !takes_more;
    if (writer->waiting.len >= WAKE_BYTES)
        wake(writer);
    pthread_mutex_unlock(&writer->lock);
    return takes_more;
}

enum row_writer_state rh_row_writer_end(struct row_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->is_ending = true;
    wake(writer);
    pthread_mutex_unlock(&writer->lock);
    /* A table so small costs less than a thread for it. */
    if (!writer->has_thread && !writer->has_ended)
        (void)run(writer);
    return rh_row_writer_state(writer);
}

enum row_writer_state rh_row_writer_state(struct row_writer *writer)
{
    enum row_writer_state state;

    pthread_mutex_lock(&writer->lock);
    state = writer->failure.code ? ROW_WRITER_FAILED
            : writer->has_ended  ? ROW_WRITER_ENDED
            : writer->is_full    ? ROW_WRITER_FULL
                                 : ROW_WRITER_TAKES;
    pthread_mutex_unlock(&writer->lock);
    return state;
}

struct err rh_row_writer_failure(struct row_writer *writer)
{
    struct err failure;

    pthread_mutex_lock(&writer->lock);
    failure = writer->failure;
    pthread_mutex_unlock(&writer->lock);
    return failure;
}

int64_t rh_row_writer_rows(struct row_writer *writer)
{
    return atomic_load(&writer->rows);
}

struct copy_mask_totals rh_row_writer_totals(const struct row_writer *writer)
{
    return rh_copy_mask_totals(writer->mask);
}
