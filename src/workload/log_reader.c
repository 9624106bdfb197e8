#include "workload/log_reader.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)256 * 1024)
#define GUESS_LINES 400
#define GUESS_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct log_reader {
    const char *path;
    enum log_form form;
    const struct log_prefix *prefix;
    struct log_reader_counts *counts;
    struct arena *arena; /* of the record that is out */
    int fd;
    struct process gzip;
    bool is_gzip;
    char input[READ_BYTES];
    size_t input_at, input_end;
    struct buf line;
    bool line_is_open; /* of csvlog: a quote in it, or in what was cut off, has no other */
    /* A stderr log's record under way, until a line begins the next one. */
    struct arena *kept;
    bool has_kept, is_cut;
    struct log_record record;
    struct buf message, detail, statement, dropped, *current;
};

/* --- bytes and lines -------------------------------------------------------------------------- */

static enum err_code open_input(struct log_reader *reader, struct err *err)
{
    /* Non-blocking for what is no file: nobody waits for a pipe's writer. */
    RH_CLEANUP_FD int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        rh_err_set_errno(err, fd < 0 ? errno : EISDIR, "cannot read \"%s\"", reader->path);
        return err->code = RH_ERR_USAGE;
    }
    if (!S_ISREG(status.st_mode)) {
        rh_err_set(err, RH_ERR_USAGE, "\"%s\" is not a file", reader->path);
        rh_err_hint(err, "A log is looked at before it is read: write it to a file first.");
        return err->code;
    }
    if (!rh_text_ends_with(rh_text(reader->path), ".gz")) {
        reader->fd = rh_fd_take(&fd);
        return RH_OK;
    }
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_err_set_errno(err, errno, "cannot make a pipe");
    RH_CLEANUP_FD int write_end = ends[1];
    reader->fd = ends[0];
    reader->is_gzip = true;
    const char *const argv[] = {"gzip", "-dc", NULL};
    return rh_process_start(
        &reader->gzip,
        &(struct process_options){
            .argv = argv, .stdin_fd = fd, .stdout_fd = write_end, .stderr_fd = -1},
        err);
}

static enum err_code fill(struct log_reader *reader, struct err *err)
{
    ssize_t got;
    do
        got = read(reader->fd, reader->input, sizeof(reader->input));
    while (got < 0 && errno == EINTR && rh_interrupt_signal() == 0);
    if (rh_interrupt_signal() != 0)
        return rh_err_set(err, RH_ERR_INTERRUPTED, "interrupted");
    if (got < 0)
        return rh_err_set_errno(err, errno, "cannot read \"%s\"", reader->path);
    reader->input_at = 0;
    reader->input_end = (size_t)got;
    if (got > 0 || !reader->is_gzip)
        return RH_OK;
    enum err_code code = rh_process_wait(&reader->gzip, rh_clock_after(rh_clock_mono(), 10000000),
                                         err);
    if (code == RH_OK && rh_process_exit_status(&reader->gzip) != 0)
        return rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is not a whole gzip file", reader->path);
    return code;
}

/* The next line, without its end, in reader->line; *ret_is_end at the end of the file. */
static enum err_code next_line(struct log_reader *reader, bool *ret_is_end, struct err *err)
{
    rh_buf_clear(&reader->line);
    reader->line_is_open = false;
    *ret_is_end = false;
    for (;;) {
        if (reader->input_at == reader->input_end) {
            enum err_code code = fill(reader, err);
            if (code != RH_OK)
                return code;
            if (reader->input_end == 0) {
                *ret_is_end = reader->line.len == 0;
                break;
            }
        }
        const char *start = reader->input + reader->input_at;
        size_t left = reader->input_end - reader->input_at;
        const char *end = memchr(start, '\n', left);
        size_t length = end ? (size_t)(end - start) : left;
        rh_buf_add(&reader->line, start, length);
        if (reader->form == LOG_CSV)
            reader->line_is_open ^= rh_log_csv_is_open((struct text){start, length});
        reader->input_at += length + (end != NULL);
        if (end != NULL)
            break;
    }
    if (!*ret_is_end)
        reader->counts->lines++;
    if (reader->line.len > 0 && reader->line.data[reader->line.len - 1] == '\r')
        reader->line.data[--reader->line.len] = '\0';
    return RH_OK;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum err_code next_csv(struct log_reader *reader, bool *ret_has, struct err *err)
{
    bool is_end = false;
    *ret_has = false;
    for (;;) {
        enum err_code code = next_line(reader, &is_end, err);
        if (code != RH_OK || is_end)
            return code;
        rh_buf_clear(&reader->message);
        rh_buf_add_text(&reader->message, rh_buf_text(&reader->line));
        bool is_open = reader->line_is_open, is_cut = reader->line.failed;
        while (is_open && !is_cut) {
            code = next_line(reader, &is_end, err);
            if (code != RH_OK)
                return code;
            if (is_end)
                break;
            rh_buf_add_char(&reader->message, '\n');
            rh_buf_add_text(&reader->message, rh_buf_text(&reader->line));
            is_open ^= reader->line_is_open;
            is_cut = reader->line.failed || reader->message.failed;
        }
        if (is_cut) {
            reader->counts->cut++;
            continue;
        }
        rh_arena_clear(reader->arena);
        if (rh_log_csv_record(reader->arena, rh_buf_text(&reader->message), &reader->record)) {
            *ret_has = true;
            return RH_OK;
        }
        reader->counts->strange++;
    }
}

static enum err_code next_json(struct log_reader *reader, bool *ret_has, struct err *err)
{
    bool is_end = false;
    *ret_has = false;
    for (;;) {
        enum err_code code = next_line(reader, &is_end, err);
        if (code != RH_OK || is_end)
            return code;
        if (reader->line.failed) {
            reader->counts->cut++;
            continue;
        }
        rh_arena_clear(reader->arena);
        if (rh_log_json_record(reader->arena, rh_buf_text(&reader->line), &reader->record)) {
            *ret_has = true;
            return RH_OK;
        }
        reader->counts->strange++;
    }
}

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

/* DETAIL and the like belong to the record before them. */
static void add_part(struct log_reader *reader, const struct log_record *part)
{
    static const char *const others[] = {"HINT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE"};
    if (strcmp(part->severity, "DETAIL") == 0)
        reader->current = &reader->detail;
    else if (strcmp(part->severity, "STATEMENT") == 0)
        reader->current = &reader->statement;
    else if (is_one_of(part->severity, others, sizeof(others) / sizeof(others[0])))
        reader->current = &reader->dropped;
    if (!reader->has_kept || strcmp(part->session, reader->record.session) != 0) {
        reader->counts->strange++;
        reader->current = &reader->dropped;
    }
    rh_buf_clear(reader->current);
    rh_buf_add_text(reader->current, part->message);
    reader->is_cut |= reader->line.failed && reader->current != &reader->dropped;
}

static bool is_part(const char *severity)
{
    static const char *const parts[] = {"DETAIL", "STATEMENT", "HINT",     "CONTEXT",
                                        "QUERY",  "LOCATION",  "BACKTRACE"};
    return is_one_of(severity, parts, sizeof(parts) / sizeof(parts[0]));
}

/* The record that is out lies in `arena`, the one under way in `kept`; they change places. */
static void swap_arenas(struct log_reader *reader)
{
    struct arena *arena = reader->arena;
    reader->arena = reader->kept;
    reader->kept = arena;
    rh_arena_clear(reader->kept);
}

/* The record under way is over. False: there was none, or it was cut. */
static bool finish_kept(struct log_reader *reader, struct log_record *ret_record)
{
    bool had_kept = reader->has_kept;
    swap_arenas(reader);
    reader->has_kept = false;
    if (!had_kept)
        return false;
    if (reader->is_cut || reader->message.failed || reader->detail.failed ||
        reader->statement.failed) {
        reader->counts->cut++;
        return false;
    }
    *ret_record = reader->record;
    ret_record->message = rh_text(rh_text_dup(reader->arena, rh_buf_text(&reader->message)));
    ret_record->detail = rh_text(rh_text_dup(reader->arena, rh_buf_text(&reader->detail)));
    ret_record->statement = rh_text(rh_text_dup(reader->arena, rh_buf_text(&reader->statement)));
    return true;
}

static void begin_kept(struct log_reader *reader, const struct log_record *record)
{
    struct arena *arena = reader->kept;
    reader->record = *record;
    reader->record.session = rh_arena_strdup(arena, record->session);
    reader->record.user = rh_arena_strdup(arena, record->user);
    reader->record.database = rh_arena_strdup(arena, record->database);
    reader->record.application_name = rh_arena_strdup(arena, record->application_name);
    reader->record.sqlstate = rh_arena_strdup(arena, record->sqlstate);
    rh_buf_clear(&reader->message);
    rh_buf_clear(&reader->detail);
    rh_buf_clear(&reader->statement);
    rh_buf_add_text(&reader->message, record->message);
    reader->current = &reader->message;
    reader->has_kept = true;
    reader->is_cut = reader->line.failed;
}

static enum err_code next_stderr(struct log_reader *reader, struct log_record *ret_record,
                                 bool *ret_has, struct err *err)
{
    bool is_end = false;
    *ret_has = false;
    for (;;) {
        enum err_code code = next_line(reader, &is_end, err);
        if (code != RH_OK)
            return code;
        if (is_end) {
            *ret_has = finish_kept(reader, ret_record);
            return RH_OK;
        }
        struct log_record record;
        struct text line = rh_buf_text(&reader->line), rest;
        RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
        if (!rh_log_prefix_match(reader->prefix, scratch, line, &record, &rest)) {
            if (reader->current == NULL) {
                reader->counts->strange++;
                continue;
            }
            /* The server indents what goes on by a tab. */
            size_t skip = line.len > 0 && line.data[0] == '\t';
            rh_buf_add_char(reader->current, '\n');
            rh_buf_add(reader->current, line.data + skip, line.len - skip);
            reader->is_cut |= reader->line.failed && reader->current != &reader->dropped;
        } else if (is_part(record.severity)) {
            add_part(reader, &record);
        } else {
            *ret_has = finish_kept(reader, ret_record);
            begin_kept(reader, &record);
            if (*ret_has)
                return RH_OK;
        }
    }
}

enum err_code rh_log_reader_next(struct log_reader *reader, const struct log_record **ret_record,
                                 struct err *err)
{
    bool has = false;
    enum err_code code = RH_OK;
    switch (reader->form) {
    case LOG_STDERR: {
        struct log_record record;
        code = next_stderr(reader, &record, &has, err);
        if (code == RH_OK && has)
            *ret_record = rh_arena_memdup(reader->arena, &record, sizeof(record));
        break;
    }
    case LOG_CSV:
        code = next_csv(reader, &has, err);
        *ret_record = &reader->record;
        break;
    case LOG_JSON:
        code = next_json(reader, &has, err);
        *ret_record = &reader->record;
        break;
    }
    if (code == RH_OK && !has)
        *ret_record = NULL;
    reader->counts->records += code == RH_OK && has;
    return code;
}

/* --- life ------------------------------------------------------------------------------------- */

enum err_code rh_log_reader_open(const char *path, enum log_form form,
                                 const struct log_prefix *prefix, struct log_reader_counts *counts,
                                 struct log_reader **ret_reader, struct err *err)
{
    struct log_reader *reader = calloc(1, sizeof(*reader));
    if (reader == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*reader));
    *reader = (struct log_reader){.path = path,
                                  .form = form,
                                  .prefix = prefix,
                                  .counts = counts,
                                  .fd = -1,
                                  .gzip = PROCESS_INIT};
    reader->arena = rh_arena_new();
    reader->kept = rh_arena_new();
    struct buf *const bufs[] = {&reader->line, &reader->message, &reader->detail,
                                &reader->statement, &reader->dropped};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        rh_buf_init(bufs[i], LOG_MESSAGE_BYTES_MAX);
    enum err_code code = open_input(reader, err);
    if (code != RH_OK) {
        rh_log_reader_free(reader);
        return code;
    }
    *ret_reader = reader;
    return RH_OK;
}

void rh_log_reader_free(struct log_reader *reader)
{
    if (reader == NULL)
        return;
    rh_process_stop(&reader->gzip, 15, 1000000);
    rh_fd_closep(&reader->fd);
    rh_buf_deinit(&reader->line);
    rh_buf_deinit(&reader->message);
    rh_buf_deinit(&reader->detail);
    rh_buf_deinit(&reader->statement);
    rh_buf_deinit(&reader->dropped);
    rh_arena_free(reader->arena);
    rh_arena_free(reader->kept);
    free(reader);
}

/* --- guessing --------------------------------------------------------------------------------- */

static size_t count_matches(struct arena *arena, const char *prefix, struct text *lines,
                            size_t count)
{
    const struct log_prefix *compiled = rh_log_prefix(arena, prefix);
    size_t matches = 0;
    struct log_record record;
    struct text rest;
    for (size_t i = 0; i < count; i++)
        matches += rh_log_prefix_match(compiled, arena, lines[i], &record, &rest);
    return matches;
}

enum err_code rh_log_guess(const char *path, struct arena *arena, enum log_form *ret_form,
                           const char **ret_prefix, struct err *err)
{
    struct log_reader_counts counts = {0};
    struct log_reader *reader = NULL;
    enum err_code code = rh_log_reader_open(path, LOG_STDERR, NULL, &counts, &reader, err);
    struct text lines[GUESS_LINES];
    size_t count = 0, best = 0, bytes = 0;
    bool is_end = false;
    while (code == RH_OK && !is_end && count < GUESS_LINES && bytes < GUESS_BYTES_MAX) {
        code = next_line(reader, &is_end, err);
        if (code == RH_OK && !is_end) {
            bytes += reader->line.len;
            lines[count++] = rh_text(rh_text_dup(arena, rh_buf_text(&reader->line)));
        }
    }
    rh_log_reader_free(reader);
    if (code != RH_OK)
        return code;
    *ret_prefix = NULL;
    *ret_form = LOG_STDERR;
    struct log_record record;
    for (size_t i = 0; i < count; i++) {
        if (lines[i].len > 0 && lines[i].data[0] == '{' &&
            rh_log_json_record(arena, lines[i], &record)) {
            *ret_form = LOG_JSON;
            return RH_OK;
        }
        if (rh_log_csv_record(arena, lines[i], &record)) {
            *ret_form = LOG_CSV;
            return RH_OK;
        }
    }
    for (size_t i = 0; rh_log_prefixes[i] != NULL; i++) {
        size_t matches = count_matches(arena, rh_log_prefixes[i], lines, count);
        if (matches > best) {
            best = matches;
            *ret_prefix = rh_log_prefixes[i];
        }
    }
    return RH_OK;
}
