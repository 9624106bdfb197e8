#include "sandbox/load_int.h"

#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)64 * 1024)
/* pg_dump's last words; without them the text was cut short. */
#define COMPLETE "-- PostgreSQL database dump complete"

struct plain {
    struct load *load;
    struct sql_scan *scan;
    struct psql_messages messages;
    struct decompressor decompressor;
    int fd; /* of the text: the file, or the decompressor's end of a pipe */
    int64_t done_bytes;
    char tail[sizeof(COMPLETE)]; /* the last bytes seen, for a mark across two chunks */
    size_t tail_length;
    bool is_complete, is_at_end;
    bool knows_restrict; /* psql has \restrict */
    bool stop;
    struct err failure; /* met in a callback */
    char *chunk;
};

static void plain_deinit(struct plain *plain)
{
    if (plain->fd != plain->decompressor.in_fd)
        rh_fd_closep(&plain->fd);
    rh_load_decompressor_deinit(&plain->decompressor);
    rh_sql_scan_free(plain->scan);
}

static bool word_is(const struct sql_statement *statement, size_t at, const char *word)
{
    return at < statement->count && statement->tokens[at].kind == SQL_WORD &&
           strcmp(statement->tokens[at].text, word) == 0;
}

static bool name_is(const struct sql_statement *statement, size_t at, const char *name)
{
    return at < statement->count && strcmp(statement->tokens[at].text, name) == 0;
}

/* --- psql commands ---------------------------------------------------------------------------- */

static bool begins(const char *meta, const char *command)
{
    size_t len = strlen(command);

    return strncmp(meta, command, len) == 0 && (meta[len] == 0 || strchr(" \t", meta[len]));
}

/*
 * A dump has few: \connect, which would lead to another database, and since August 2025 \restrict,
 * which keeps a hostile dump from using any other (CVE-2025-8714). In a snapshot, which is data, no
 * other is obeyed.
 */
static enum sql_action on_meta(struct plain *plain, const char *meta)
{
    if (begins(meta, "\\connect") || begins(meta, "\\c"))
        return SQL_DROP;
    if (begins(meta, "\\restrict") || begins(meta, "\\unrestrict"))
        return plain->knows_restrict ? SQL_KEEP : SQL_DROP;
    if (plain->load->is_script || begins(meta, "\\."))
        return SQL_KEEP;
    if (!plain->failure.code) {
        rh_err_set(&plain->failure, RH_ERR_FORMAT,
                   "\"%s\" holds the psql command \"%.20s\", which a dump does not",
                   plain->load->path, meta);
        rh_err_hint(&plain->failure, "A script that you trust is loaded with --schema.");
    }
    plain->stop = true;
    return SQL_DROP;
}

/* --- statements ------------------------------------------------------------------------------- */

/* The database is made already, under the name that the dump gives first. */
static enum sql_action on_database(struct plain *plain, const struct sql_statement *statement)
{
    if (!word_is(statement, 0, "alter") || !name_is(statement, 2, plain->load->sandbox->database) ||
        word_is(statement, 3, "owner"))
        return SQL_DROP;
    return SQL_KEEP;
}

static void create_roles(struct plain *plain, const struct sql_statement *statement)
{
    struct sandbox *sandbox = plain->load->sandbox;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_needs needs = {.arena = arena};
    struct name_list names = {0};

    rh_sql_needs_add(&needs, statement);
    if (needs.roles.count == 0)
        return;
    for (size_t i = 0; i < needs.roles.count; i++)
        *RH_PUSH(arena, &names.names) = needs.roles.items[i];
    if (rh_roles_create_missing(sandbox, &names, &plain->failure) ||
        rh_roles_raise(sandbox, &needs, &plain->failure))
        plain->stop = true;
}

static enum sql_action on_statement(void *context, const struct sql_statement *statement)
{
    struct plain *plain = context;
    struct load *load = plain->load;
    const char *extension;

    if (plain->stop)
        return SQL_DROP;
    if (statement->meta)
        return on_meta(plain, statement->meta);
    if ((extension = rh_sql_extension_name(statement)))
        return rh_load_lacks_extension(load, extension) ? SQL_DROP : SQL_KEEP;
    create_roles(plain, statement);
    if (word_is(statement, 1, "database"))
        return load->is_script && word_is(statement, 0, "alter") ? SQL_KEEP
                                                                 : on_database(plain, statement);
    if (word_is(statement, 1, "subscription")) {
        rh_load_note_once(load, &load->noted_subscriptions, NOTE_SUBSCRIPTIONS);
        return SQL_DROP;
    }
    if (rh_sql_starts_with(statement, "set", "default_tablespace") && statement->count > 3 &&
        statement->tokens[3].kind != SQL_SYMBOL && statement->tokens[3].text[0]) {
        rh_load_note_once(load, &load->noted_tablespaces, NOTE_TABLESPACES);
        return SQL_DROP;
    }
    /* A newer pg_dump sets it whatever the server (it came with 17). */
    if (rh_sql_starts_with(statement, "set", "transaction_timeout") &&
        load->sandbox->server.major < 17)
        return SQL_DROP;
    return SQL_KEEP;
}

/* --- the stream ------------------------------------------------------------------------------- */

static void look_for_end_mark(struct plain *plain, struct text chunk)
{
    size_t keep = sizeof(COMPLETE) - 2;
    char seam[2 * sizeof(COMPLETE)];
    size_t head = chunk.len < keep ? chunk.len : keep;

    if (plain->is_complete)
        return;
    memcpy(seam, plain->tail, plain->tail_length);
    memcpy(seam + plain->tail_length, chunk.data, head);
    size_t seam_length = plain->tail_length + head;
    plain->is_complete = memmem(seam, seam_length, COMPLETE, sizeof(COMPLETE) - 1) ||
                         memmem(chunk.data, chunk.len, COMPLETE, sizeof(COMPLETE) - 1);
    /* The last bytes of what has been seen so far. */
    const char *from = chunk.len >= keep ? chunk.data + chunk.len - keep
                                         : seam + (seam_length > keep ? seam_length - keep : 0);
    plain->tail_length = chunk.len >= keep ? keep : seam_length > keep ? keep : seam_length;
    memmove(plain->tail, from, plain->tail_length);
}

/* Waits for bytes; a decompressor is a process, and the user may lose patience. */
static enum err_code wait_readable(int fd, struct err *err)
{
    enum err_code code;

    for (;;) {
        struct pollfd waits[2] = {{.fd = fd, .events = POLLIN},
                                  {.fd = rh_interrupt_fd(), .events = POLLIN}};
        int ready = poll(waits, 2, rh_clock_poll_ms(rh_interrupt_deadline()));
        if (ready < 0 && errno != EINTR)
            return rh_err_set_errno(err, errno, "cannot wait for input");
        if ((code = rh_interrupt_check(err)))
            return code;
        if (ready > 0 && waits[0].revents)
            return RH_OK;
    }
}

static bool at_end(struct plain *plain, struct buf *out, struct err *err)
{
    plain->is_at_end = true;
    if (plain->load->file.decompressor &&
        rh_load_decompressor_end(plain->load, &plain->decompressor, err))
        return false;
    bool is_cut = rh_sql_scan_is_in_data(plain->scan) ||
                  (plain->load->file.is_pg_dump && !plain->is_complete && !plain->load->is_script);
    if (is_cut) {
        rh_err_set(err, RH_ERR_FORMAT, "\"%s\" is truncated", plain->load->path);
        rh_err_detail(err, rh_sql_scan_is_in_data(plain->scan)
                               ? "it ends inside the data of a table"
                               : "the line \"" COMPLETE "\" is missing at its end");
        return false;
    }
    rh_sql_scan_end(plain->scan, out);
    return false;
}

static bool feed(void *context, struct buf *out, struct err *err)
{
    struct plain *plain = context;

    if (plain->is_at_end)
        return false;
    while (out->len == 0) {
        if (plain->load->file.decompressor && wait_readable(plain->fd, err))
            return false;
        ssize_t got = read(plain->fd, plain->chunk, CHUNK_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            rh_err_set_errno(err, errno, "cannot read \"%s\"", plain->load->path);
            return false;
        }
        if (got == 0)
            return at_end(plain, out, err);
        struct text chunk = {plain->chunk, (size_t)got};
        look_for_end_mark(plain, chunk);
        rh_sql_scan_feed(plain->scan, chunk, out);
        if (plain->failure.code) {
            *err = plain->failure;
            return false;
        }
        plain->done_bytes += got;
        rh_load_progress_bytes(plain->load, plain->load->file.decompressor
                                                ? lseek(plain->decompressor.in_fd, 0, SEEK_CUR)
                                                : plain->done_bytes);
    }
    return true;
}

static void on_error_line(void *context, struct text line)
{
    struct plain *plain = context;

    rh_psql_message_line(&plain->messages, line);
}

/* --- before ----------------------------------------------------------------------------------- */

static enum sql_action on_head_statement(void *context, const struct sql_statement *statement)
{
    if (!statement->meta && rh_sql_starts_with(statement, "create", "database"))
        rh_load_read_database(context, statement);
    return SQL_KEEP;
}

/* First minor of each major that has \restrict: the releases of 14 August 2025. */
static bool has_restrict(struct sandbox *sandbox, const char *psql)
{
    static const struct {
        int major, minor;
    } since[] = {{13, 22}, {14, 19}, {15, 14}, {16, 10}, {17, 6}};
    const char *const argv[] = {psql, "--version", NULL};
    struct process_options options = {
        .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    struct process process = PROCESS_INIT;
    struct text output, errors;
    struct err ignored = RH_ERR_INIT;
    int64_t major, minor = 0;

    if (rh_process_run(&options, rh_clock_after(rh_clock_mono(), 10 * INT64_C(1000000)), 4096,
                       sandbox->arena, &process, &output, &errors, &ignored))
        return false;
    const char *at = strstr(output.data, ") ");
    struct text rest = rh_text(at ? at + 2 : "");
    if (!rh_text_take_int64(&rest, &major))
        return false;
    if (rh_text_starts_with(rest, ".")) {
        rest = (struct text){rest.data + 1, rest.len - 1};
        if (!rh_text_take_int64(&rest, &minor))
            return false;
    }
    for (size_t i = 0; i < sizeof(since) / sizeof(since[0]); i++)
        if (since[i].major == major)
            return minor >= since[i].minor;
    return major > 17;
}

static enum err_code open_text(struct plain *plain, struct err *err)
{
    struct load *load = plain->load;
    int ends[2];
    enum err_code code;

    if (!load->file.decompressor) {
        plain->fd = open(load->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return plain->fd >= 0 ? RH_OK
                              : rh_err_set_errno(err, errno, "cannot read \"%s\"", load->path);
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        return rh_err_set_errno(err, errno, "cannot create a pipe");
    plain->fd = ends[0];
    code = rh_load_decompressor_start(load, &plain->decompressor, ends[1], err);
    close(ends[1]);
    return code;
}

/* A dump's rows may be clear until they are masked. Classes (manual, appendix A): data,
   constraints, what functions raise. A script that somebody wrote is his own. */
static void hide_values(struct plain *plain)
{
    static const char *const classes[] = {"22", "23", "38", "39", "45", "P0"};
    struct psql_messages *messages = &plain->messages;

    if (plain->load->is_script || !messages->message)
        return;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strncmp(messages->sqlstate, classes[i], 2) != 0)
            continue;
        messages->message = rh_load_words_without_values(plain->load->sandbox->arena,
                                                         messages->message);
        messages->detail = messages->hint = NULL;
    }
}

static enum err_code run_psql(struct plain *plain, const char *psql, struct err *err)
{
    struct load *load = plain->load;
    struct process process = PROCESS_INIT;
    const char *const argv[] = {
        psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-f", "-", NULL};
    struct client_run run = {.argv = argv,
                             .stderr_line = on_error_line,
                             .feed = feed,
                             .context = plain,
                             .stop = &plain->stop};
    enum err_code code = rh_client_run(load->sandbox, &run, &process, err);

    if (code)
        return code;
    if (plain->failure.code) {
        *err = plain->failure;
        return err->code;
    }
    if (process.status == 0)
        return RH_OK;
    hide_values(plain);
    rh_psql_message_error(&plain->messages, load->path, &process, err);
    if (load->missing.count && err->code == RH_ERR_FORMAT)
        rh_err_hint(err, "The dump needs extension %s, which is not installed for PostgreSQL %s.",
                    rh_load_missing_text(load), load->sandbox->server.version);
    return err->code;
}

enum err_code rh_load_plain(struct load *load, struct err *err)
{
    struct sandbox *sandbox = load->sandbox;
    __attribute__((cleanup(plain_deinit))) struct plain plain = {
        .load = load, .fd = -1, .decompressor = DECOMPRESSOR_INIT};
    enum err_code code;

    const char *psql = rh_client_find(sandbox, "psql", err);
    if (!psql)
        return err->code;
    plain.scan = rh_sql_scan_new(on_statement, &plain);
    plain.chunk = rh_arena_alloc(sandbox->arena, CHUNK_BYTES);
    plain.knows_restrict = strstr(load->file.head.data, "\n\\restrict ") &&
                           has_restrict(sandbox, psql);
    rh_psql_message_init(&plain.messages, sandbox);
    {
        RH_CLEANUP_SQL_SCAN struct sql_scan *head = rh_sql_scan_new(on_head_statement, load);
        rh_sql_scan_feed(head, load->file.head, NULL);
    }
    if ((code = rh_roles_prepare_database(sandbox, load->database, load->locale, err)) ||
        (code = open_text(&plain, err)))
        return code;
    rh_progress_phase(sandbox->progress, "load %s", load->path);
    code = run_psql(&plain, psql, err);
    rh_roles_note_created(sandbox, "named by the snapshot");
    return code;
}
