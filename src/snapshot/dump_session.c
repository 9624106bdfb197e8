#include "snapshot/dump_int.h"

#include "snapshot/dump_secrets.h"
#include "snapshot/large_object.h"
#include "snapshot/row_files.h"
#include "snapshot/row_writer.h"
#include "snapshot/server_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* Large objects that a session has open at a time: pg_dump opens one. */
#define OPEN_OBJECTS_MAX 8
/* An answer of loread: pg_dump asks for 16 kB (LOBBUFSIZE). */
#define ANSWER_MAX ((size_t)1024 * 1024)

/* --rate-limit: pauses shorter than a timer can tell are saved up; how much of the past counts. */
#define RATE_PAUSE_MIN_US INT64_C(2000)
#define RATE_CREDIT_US INT64_C(100000)

enum copy_state { COPY_NONE, COPY_ASKED, COPY_RUNNING, COPY_ENDING, COPY_ENDED };

struct open_object {
    bool is_used;
    uint32_t descriptor, object;
    uint64_t offset;
};

/* One of pg_dump's connections. */
struct dump_session {
    struct dump_session *previous, *next;
    struct dump *dump;
    struct tap_session *session;
    struct loop_timer *resume_timer; /* of a pause for --rate-limit */

    /*  NONE ──COPY──► ASKED ──CopyOutResponse──► RUNNING ──CopyDone, held──► ENDING ──all rows are
        in their file──► ENDED ──CommandComplete──► NONE */
    enum copy_state state;
    size_t table;        /* of the catalogue */
    struct arena *arena; /* of the statement */
    struct copy_statement statement;
    struct row_writer *writer;      /* RUNNING and what follows */
    struct copy_mask_totals totals; /* ENDED */
    int64_t seen_rows;              /* of this COPY, told to the dump already */
    bool is_full, is_resting;       /* reading pauses: for the writer, for --rate-limit */

    bool is_joining; /* the snapshot of ours */

    /* Of a function call under way. */
    bool is_calling;
    uint32_t function, argument;
    struct buf answer;
    struct open_object objects[OPEN_OBJECTS_MAX];
};

/* --- failing --------------------------------------------------------------------------------- */

/* The sessions are closed when the loop has ended: until then nothing that the server sends is
   taken for anything, and what pg_dump has so far is thrown away. */
void rh_dump_fail(struct dump *dump, const struct err *err)
{
    if (!dump->failure.code)
        dump->failure = *err;
    rh_loop_stop(dump->loop);
}

static void refuse(struct dump_session *own, const char *fmt, ...) RH_PRINTF(2, 3);
static void refuse(struct dump_session *own, const char *fmt, ...)
{
    struct err err = RH_ERR_INIT;
    char why[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    rh_err_set(&err, RH_ERR_PROTOCOL, "%s", why);
    rh_err_hint(&err, "Nothing was let through. This is a defect, or a pg_dump that is newer than "
                      "this version of rehearse.");
    rh_dump_fail(own->dump, &err);
}

static const struct catalog_table *table_of(const struct dump_session *own)
{
    return &own->dump->options->catalog->tables.items[own->table];
}

/* --- questions ------------------------------------------------------------------------------- */

/* Maps and numbers of the columns in their order in this COPY. */
static bool choose_maps(struct dump_session *own, struct mask_map ***ret_maps, int **ret_numbers)
{
    const struct column_maps *maps = own->dump->options->maps;
    const struct copy_statement *statement = &own->statement;

    *ret_maps = rh_arena_alloc_array(own->arena, statement->columns.count + 1, sizeof(**ret_maps));
    *ret_numbers = rh_arena_alloc_array(own->arena, statement->columns.count + 1,
                                        sizeof(**ret_numbers));
    for (size_t i = 0; i < statement->columns.count; i++) {
        const struct catalog_column *column = rh_catalog_column_named(table_of(own),
                                                                      statement->columns.items[i]);

        if (!column ||
            (maps && !rh_column_maps_find(maps, own->table, column->number, &(*ret_maps)[i]))) {
            refuse(own, "pg_dump asks for a column of %s that nothing was decided for",
                   table_of(own)->identity);
            return false;
        }
        (*ret_numbers)[i] = column->number;
    }
    return true;
}

static struct copy_mask *new_mask(struct dump_session *own)
{
    const struct dump_options *options = own->dump->options;
    struct copy_mask_options mask = {.column_count = own->statement.columns.count};
    struct mask_map **maps;
    int *numbers;

    if (!choose_maps(own, &maps, &numbers))
        return NULL;
    mask.maps = maps;
    if (options->watches)
        mask.watcher = rh_watches_stream(options->watches, own->table, numbers, mask.column_count);
    return rh_copy_mask_new(&mask);
}

static void on_writer(void *context);

static bool begin_writer(struct dump_session *own)
{
    struct dump *dump = own->dump;
    struct row_writer_options options = {
        .loop = dump->loop,
        .path = rh_row_files_path(dump->options->archive, own->table, own->arena),
        .ready = on_writer,
        .context = own,
    };
    struct copy_mask *mask = new_mask(own);
    struct err err = RH_ERR_INIT;

    if (!mask)
        return false;
    if (rh_row_writer_new(&options, mask, &own->writer, &err))
        rh_dump_fail(dump, &err);
    return own->writer != NULL;
}

static void end_copy(struct dump_session *own)
{
    rh_row_writer_free(own->writer);
    own->writer = NULL;
    own->state = COPY_NONE;
}

static const char *condition_of(const struct dump_session *own)
{
    const struct dump_options *options = own->dump->options;

    if (options->is_omitted && options->is_omitted[own->table])
        return "false";
    if (!options->sample || options->sample->tables.items[own->table].is_whole)
        return NULL;
    return options->sample->tables.items[own->table].condition_sql;
}

static void send_query(struct dump_session *own, const char *sql)
{
    RH_CLEANUP_BUF struct buf message;

    rh_buf_init(&message, DUMP_COLLECT_MAX);
    rh_pg_encode_message(&message, 'Q', (struct text){sql, strlen(sql) + 1});
    if (message.failed)
        refuse(own, "the condition for rows of %s is too long", table_of(own)->identity);
    else
        rh_tap_session_send_server(own->session, rh_buf_text(&message));
}

static void take_columns(struct dump_session *own, struct dumped_table *dumped)
{
    const struct copy_statement *statement = &own->statement;
    struct arena *arena = own->dump->arena;
    const char **columns = rh_arena_alloc_array(arena, statement->columns.count + 1,
                                                sizeof(*columns));

    for (size_t i = 0; i < statement->columns.count; i++)
        columns[i] = rh_arena_strdup(arena, statement->columns.items[i]);
    dumped->is_dumped = true;
    dumped->column_list = rh_arena_strdup(arena, statement->column_list);
    dumped->columns = columns;
    dumped->column_count = statement->columns.count;
}

static enum tap_action on_copy(struct dump_session *own, struct text sql)
{
    const struct catalog *catalog = own->dump->options->catalog;
    const struct catalog_table *table;
    const char *condition;

    rh_arena_clear(own->arena);
    own->statement = (struct copy_statement){0};
    if (!rh_copy_statement_parse(sql, own->arena, &own->statement)) {
        refuse(own, "pg_dump sent a COPY that is not understood");
        return TAP_SWALLOW;
    }
    table = rh_catalog_find(catalog, own->statement.schema, own->statement.table);
    if (!table) {
        refuse(own, "pg_dump asks for the rows of %s, which was not in the catalogue",
               own->statement.identity);
        return TAP_SWALLOW;
    }
    own->table = (size_t)(table - catalog->tables.items);
    if (own->dump->result.tables[own->table].is_dumped) {
        refuse(own, "pg_dump asks for the rows of %s a second time", table->identity);
        return TAP_SWALLOW;
    }
    take_columns(own, &own->dump->result.tables[own->table]);
    own->seen_rows = 0;
    if (!begin_writer(own))
        return TAP_SWALLOW;
    own->state = COPY_ASKED;
    condition = condition_of(own);
    if (!condition)
        return TAP_FORWARD;
    send_query(own, rh_copy_statement_where(&own->statement, condition, own->arena));
    return TAP_SWALLOW;
}

static bool starts_with_word(struct text sql, const char *word)
{
    size_t len = strlen(word);

    return sql.len >= len && strncasecmp(sql.data, word, len) == 0;
}

static bool holds(struct text sql, const char *part)
{
    return memmem(sql.data, sql.len, part, strlen(part)) != NULL;
}

static enum tap_action on_query(struct dump_session *own, struct text sql)
{
    const char *changed = NULL;

    if (own->state != COPY_NONE || own->is_calling) {
        refuse(own, "pg_dump asks before it was answered");
        return TAP_SWALLOW;
    }
    sql = rh_text_trim(sql);
    own->is_joining = starts_with_word(sql, "SET TRANSACTION SNAPSHOT");
    if (starts_with_word(sql, "COPY")) {
        if (own->dump->first_look == LOOK_DONE)
            return on_copy(own, sql);
        rh_dump_look_first(own->dump);
        return TAP_HOLD;
    }
    /* With --inserts rows would come as the answers of a query; large objects are listed so. */
    if (starts_with_word(sql, "DECLARE") && !holds(sql, "pg_largeobject_metadata")) {
        refuse(own, "pg_dump reads rows by a cursor");
        return TAP_SWALLOW;
    }
    rh_arena_clear(own->arena);
    /* pg_dump waits without a limit for views that are being altered, behind its own limit for
       tables: it says "SET lock_timeout = 0". */
    if (starts_with_word(sql, "SET lock_timeout")) {
        send_query(own, rh_arena_printf(own->arena, "SET lock_timeout = %" PRId64,
                                        own->dump->options->lock_timeout_us / 1000));
        return TAP_SWALLOW;
    }
    /* Also without a mask: passwords are no rows, and a copy must not reach other servers. */
    if (!rh_dump_without_secrets(sql, own->arena, &changed)) {
        refuse(own, "pg_dump asks for what may hold passwords in a way that is not understood");
        return TAP_SWALLOW;
    }
    if (!changed)
        return TAP_FORWARD;
    send_query(own, changed);
    return TAP_SWALLOW;
}

static enum tap_action on_call(struct dump_session *own, struct text body)
{
    if (own->state != COPY_NONE || own->is_calling) {
        refuse(own, "pg_dump asks before it was answered");
        return TAP_SWALLOW;
    }
    if (!rh_large_object_call(body, &own->function, &own->argument) ||
        (own->function != FUNCTION_LO_OPEN && own->function != FUNCTION_LO_READ &&
         own->function != FUNCTION_LO_CLOSE)) {
        refuse(own, "pg_dump calls a function that is not understood");
        return TAP_SWALLOW;
    }
    own->is_calling = true;
    rh_buf_clear(&own->answer);
    return TAP_FORWARD;
}

static enum tap_action on_frontend(void *context, struct tap_session *session,
                                   const struct pg_message *message)
{
    struct dump_session *own = *rh_tap_session_data(session);
    struct dump *dump = context;

    if (!own || message->type == 0)
        return TAP_FORWARD;
    if (dump->failure.code)
        return TAP_SWALLOW;
    if (!message->is_whole) {
        refuse(own, "pg_dump sent a question of %u bytes", message->body_length);
        return TAP_SWALLOW;
    }
    if (message->type == 'F') {
        dump->result.statements++;
        return on_call(own, message->body);
    }
    if (message->type == 'Q' && message->body.len > 0 &&
        message->body.data[message->body.len - 1] == 0) {
        struct text sql = {message->body.data, message->body.len - 1};
        enum tap_action action = on_query(own, sql);

        dump->result.statements += action != TAP_HOLD; /* shown again */
        return action;
    }
    /* The extended protocol: no pg_dump uses it. */
    refuse(own, "pg_dump sent a message of type \"%c\"", message->type);
    return TAP_SWALLOW;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void count_progress(struct dump_session *own)
{
    int64_t rows = rh_row_writer_rows(own->writer);

    own->dump->copied_rows += rows - own->seen_rows;
    own->seen_rows = rows;
}

static void pause_or_go_on(struct dump_session *own)
{
    rh_tap_session_pause_server(own->session, own->is_full || own->is_resting);
}

static void on_resume(void *context)
{
    struct dump_session *own = context;

    own->is_resting = false;
    pause_or_go_on(own);
}

/* Keeps all sessions together at the rate: this one pauses for as long as they are ahead of it.
   Where pg_dump is gone, `own` is, too, when this returns. */
static void keep_rate(struct dump_session *own, size_t length)
{
    struct dump *dump = own->dump;
    int64_t rate = dump->options->rate_bytes_per_s, ahead_us, now_us = rh_clock_mono().us;

    if (rate <= 0)
        return;
    ahead_us = dump->rate_start.us + (int64_t)((double)dump->rate_bytes * 1e6 / (double)rate) -
               now_us;
    if (ahead_us < -RATE_CREDIT_US) { /* time in which nothing came is not made up for */
        dump->rate_start.us = now_us;
        dump->rate_bytes = 0;
        ahead_us = 0;
    }
    dump->rate_bytes += (int64_t)length;
    if (ahead_us < RATE_PAUSE_MIN_US)
        return;
    rh_loop_timer_start(own->resume_timer, ahead_us, 0);
    own->is_resting = true;
}

static void fail_writing(struct dump_session *own)
{
    struct err err = rh_row_writer_failure(own->writer);

    rh_err_while(&err, "while reading the rows of %s", table_of(own)->identity);
    rh_dump_fail(own->dump, &err);
}

static void on_rows(struct dump_session *own, struct text bytes)
{
    if (own->state != COPY_RUNNING) {
        refuse(own, "rows came that nobody asked for");
        return;
    }
    if (rh_tap_session_client_ended(own->session)) {
        /* No pg_dump half-closes: it is gone, and production need not go on for nobody. */
        rh_tap_session_close(own->session);
        return;
    }
    own->dump->copied_bytes += (int64_t)bytes.len;
    own->is_full = !rh_row_writer_feed(own->writer, bytes);
    if (rh_row_writer_state(own->writer) == ROW_WRITER_FAILED) {
        fail_writing(own);
        return;
    }
    count_progress(own);
    keep_rate(own, bytes.len);
    pause_or_go_on(own);
}

/* All rows are in their file: pg_dump gets the ticket for it, ahead of the end of the COPY. False:
   pg_dump is gone, and with its session `own` is. */
static bool give_ticket(struct dump_session *own)
{
    struct tap_session *session = own->session;
    const char *ticket = rh_row_files_ticket(own->table, own->arena);

    count_progress(own);
    own->totals = rh_row_writer_totals(own->writer);
    own->state = COPY_ENDED;
    rh_tap_session_send_client_message(session, 'd', rh_text(ticket));
    return *rh_tap_session_data(session) == own;
}

static void on_writer(void *context)
{
    struct dump_session *own = context;
    enum row_writer_state state = rh_row_writer_state(own->writer);

    if (own->dump->failure.code)
        return;
    if (state == ROW_WRITER_FAILED) {
        fail_writing(own);
    } else if (state == ROW_WRITER_ENDED) {
        if (own->state == COPY_ENDING && give_ticket(own))
            rh_tap_session_release(own->session);
    } else {
        own->is_full = state == ROW_WRITER_FULL;
        pause_or_go_on(own);
    }
}

static void on_copy_begins(struct dump_session *own, const struct pg_message *message)
{
    struct pg_reader reader = {.rest = message->body};
    uint8_t format = rh_pg_read_u8(&reader);
    size_t columns = rh_pg_read_u16(&reader);

    if (own->state != COPY_ASKED)
        refuse(own, "rows begin that nobody asked for");
    else if (reader.failed || format != 0 || columns != own->statement.columns.count)
        refuse(own, "the rows of %s come in another shape than asked for", table_of(own)->identity);
    else
        own->state = COPY_RUNNING;
}

/* The end of a statement: of a COPY, with as many rows as came. */
static void on_complete(struct dump_session *own, const struct pg_message *message)
{
    struct copy_mask_totals totals;
    struct text tag;
    int64_t rows = -1;

    if (own->state == COPY_NONE)
        return;
    totals = own->totals;
    if (own->state != COPY_ENDED || !rh_pg_decode_command_complete(message->body, &tag, &rows) ||
        rows != totals.rows) {
        refuse(own, "%s: the server says %" PRId64 " rows, and %" PRId64 " came",
               table_of(own)->identity, rows, totals.rows);
        return;
    }
    own->dump->result.tables[own->table].totals = totals;
    end_copy(own);
}

/* --- large objects --------------------------------------------------------------------------- */

static struct open_object *find_object(struct dump_session *own, uint32_t descriptor)
{
    for (size_t i = 0; i < OPEN_OBJECTS_MAX; i++)
        if (own->objects[i].is_used && own->objects[i].descriptor == descriptor)
            return &own->objects[i];
    return NULL;
}

static void remember_object(struct dump_session *own, uint32_t descriptor)
{
    for (size_t i = 0; i < OPEN_OBJECTS_MAX; i++) {
        if (own->objects[i].is_used)
            continue;
        own->objects[i] = (struct open_object){
            .is_used = true, .descriptor = descriptor, .object = own->argument};
        own->dump->result.large_objects++;
        return;
    }
    refuse(own, "pg_dump opened too many large objects");
}

static void answer_read(struct dump_session *own, struct text bytes)
{
    struct open_object *object = find_object(own, own->argument);
    const struct mask_master_key *key = own->dump->options->key;

    if (!object) {
        refuse(own, "pg_dump reads a large object that it did not open");
        return;
    }
    if (key) /* in our own buffer, behind the length */
        rh_large_object_noise(key, object->object, object->offset, own->answer.data + 4, bytes.len);
    object->offset += bytes.len;
    own->dump->result.large_object_bytes += (int64_t)bytes.len;
}

static void answer_number(struct dump_session *own, struct text bytes)
{
    struct pg_reader reader = {.rest = bytes};
    uint32_t number = rh_pg_read_u32(&reader);
    struct open_object *object;

    if (bytes.len != 4) {
        refuse(own, "a large object answers something else than a number");
    } else if (own->function == FUNCTION_LO_OPEN) {
        remember_object(own, number);
    } else if ((object = find_object(own, own->argument)) != NULL) {
        object->is_used = false;
    }
}

static void on_answer(struct dump_session *own)
{
    struct pg_reader reader = {.rest = rh_buf_text(&own->answer)};
    uint32_t length = rh_pg_read_u32(&reader);
    struct text bytes = length == UINT32_MAX ? (struct text){"", 0}
                                             : rh_pg_read_bytes(&reader, length);

    if (reader.failed || reader.rest.len > 0) {
        refuse(own, "the answer of a large object is broken");
        return;
    }
    if (own->function == FUNCTION_LO_READ)
        answer_read(own, bytes);
    else
        answer_number(own, bytes);
    own->is_calling = false;
    rh_tap_session_send_client_message(own->session, 'V', rh_buf_text(&own->answer));
}

static void on_answer_part(struct dump_session *own, const struct pg_part *part)
{
    if (!own->is_calling) {
        refuse(own, "an answer came that nobody asked for");
        return;
    }
    rh_buf_add_text(&own->answer, part->bytes);
    if (own->answer.failed)
        refuse(own, "a large object came in an answer of %u bytes", part->body_length);
    else if (part->ends)
        on_answer(own);
}

/* --- answers --------------------------------------------------------------------------------- */

static void on_part(void *context, struct tap_session *session, const struct pg_part *part)
{
    struct dump_session *own = *rh_tap_session_data(session);

    if (!own || ((struct dump *)context)->failure.code)
        return;
    if (part->type == 'd')
        on_rows(own, part->bytes);
    else
        on_answer_part(own, part);
}

static enum tap_action on_copy_done(struct dump_session *own)
{
    if (own->state != COPY_RUNNING) {
        refuse(own, "rows end that did not begin");
        return TAP_SWALLOW;
    }
    own->state = COPY_ENDING;
    switch (rh_row_writer_end(own->writer)) {
    case ROW_WRITER_ENDED:
        return give_ticket(own) ? TAP_FORWARD : TAP_SWALLOW;
    case ROW_WRITER_FAILED:
        fail_writing(own);
        return TAP_SWALLOW;
    case ROW_WRITER_FULL:
    case ROW_WRITER_TAKES:
        break;
    }
    return TAP_HOLD;
}

static void take_field(void *context, char code, const char *value)
{
    struct err *err = context;

    if (code == 'C')
        snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", value);
    else if (code == 'M')
        snprintf(err->message, sizeof(err->message), "%s", value);
    else if (code == 'P')
        err->position = (int)strtol(value, NULL, 10);
}

static bool is_one_of(const char *sqlstate, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(sqlstate, list[i]) == 0)
            return true;
    return false;
}

/* SQLSTATEs: manual, appendix A. */
static void add_hint(const struct dump_session *own, const char *said, struct err *err)
{
    /* lock_not_available, query_canceled (the lock timeout of pg_dump), undefined_table,
       undefined_column, undefined_object */
    static const char *const changed[] = {"55P03", "57014", "42P01", "42703", "42704"};

    if (own->is_joining) {
        rh_err_set(err, RH_ERR_ENVIRONMENT,
                   "a second connection to the server does not see the snapshot of the first");
        rh_err_detail(err, "%s", said);
        rh_err_hint(err, "The address leads to several servers (a load balancer, a pooler). Name "
                         "one server, primary or standby.");
    } else if (is_one_of(err->sqlstate, changed, sizeof(changed) / sizeof(*changed))) {
        rh_err_hint(err, "Somebody changes tables at this moment, or has locked them. Try again "
                         "later, or wait longer with --lock-timeout.");
    } else if (strcmp(err->sqlstate, "40001") == 0) { /* serialization_failure */
        rh_err_hint(err, "A standby ends queries that hold back what it has to apply: raise "
                         "max_standby_streaming_delay there, or set hot_standby_feedback = on.");
    }
}

static void on_error(struct dump_session *own, const struct pg_message *message)
{
    struct err said = RH_ERR_INIT, err = RH_ERR_INIT;

    if (!rh_pg_decode_fields(message->body, take_field, &said))
        snprintf(said.message, sizeof(said.message), "an error that cannot be read");
    if (own->state != COPY_NONE) /* the catalogue has no rows of anybody's */
        rh_server_words_hide_values(&said);
    rh_err_set(&err, RH_ERR_SERVER, "%s", said.message);
    snprintf(err.sqlstate, sizeof(err.sqlstate), "%s", said.sqlstate);
    add_hint(own, said.message, &err);
    if (own->state == COPY_NONE)
        rh_err_while(&err, "while pg_dump read the catalogue");
    else
        rh_err_while(&err, "while copying the rows of %s", table_of(own)->identity);
    rh_dump_fail(own->dump, &err);
}

static enum tap_action on_backend(void *context, struct tap_session *session,
                                  const struct pg_message *message)
{
    struct dump_session *own = *rh_tap_session_data(session);
    struct dump *dump = context;
    uint32_t pid;

    if (!own)
        return TAP_FORWARD;
    if (dump->failure.code)
        return TAP_SWALLOW;
    switch (message->type) {
    case 'K':
        if (rh_pg_decode_backend_key(message->body, &pid))
            *RH_PUSH(dump->arena, &dump->backend_pids) = (int64_t)pid;
        break;
    case 'H':
        on_copy_begins(own, message);
        break;
    case 'c':
        return on_copy_done(own);
    case 'C':
        on_complete(own, message);
        break;
    case 'E':
        on_error(own, message);
        break;
    case 'G': /* CopyIn, CopyBoth: nobody asks for them */
    case 'W':
        refuse(own, "the server wants rows");
        break;
    default: /* only the types asked for come here */
        break;
    }
    return dump->failure.code ? TAP_SWALLOW : TAP_FORWARD;
}

void rh_dump_resume(struct dump *dump)
{
    for (struct dump_session *own = dump->sessions, *next; own; own = next) {
        next = own->next; /* resuming shows what is held, which may close that session alone */
        rh_tap_session_resume(own->session);
    }
}

/* --- sessions -------------------------------------------------------------------------------- */

static void on_opened(void *context, struct tap_session *session)
{
    struct dump_session *own = calloc(1, sizeof(*own));
    /* Notices may quote values; pg_dump would print them. */
    struct pg_type_set notices = {0};

    if (!own)
        RH_PANIC("out of memory for a session");
    own->dump = context;
    own->session = session;
    own->arena = rh_arena_new();
    rh_buf_init(&own->answer, ANSWER_MAX);
    *rh_tap_session_data(session) = own;
    own->resume_timer = rh_loop_timer_new(own->dump->loop, on_resume, own);
    own->next = own->dump->sessions;
    if (own->next)
        own->next->previous = own;
    own->dump->sessions = own;
    rh_pg_type_set_add(&notices, 'N');
    rh_tap_session_drop(session, &notices);
}

static void on_closed(void *context, struct tap_session *session)
{
    struct dump_session *own = *rh_tap_session_data(session);
    struct dump *dump = context;

    if (!own)
        return;
    /* Why, pg_dump will say: it lost the server, or could not go on itself. */
    if (own->state != COPY_NONE && !dump->cut_table)
        dump->cut_table = table_of(own)->identity;
    if (own->next)
        own->next->previous = own->previous;
    if (own->previous)
        own->previous->next = own->next;
    else
        dump->sessions = own->next;
    end_copy(own);
    rh_loop_timer_free(own->resume_timer);
    rh_buf_deinit(&own->answer);
    rh_arena_free(own->arena);
    *rh_tap_session_data(session) = NULL;
    free(own);
}

struct tap_handler rh_dump_handler(struct dump *dump)
{
    static const char frontend[] = {'Q', 'F', 'P', 'B', 'E', 'D'};
    static const char backend[] = {'K', 'H', 'c', 'C', 'E', 'G', 'W'};
    struct tap_handler handler = {
        .collect_max = DUMP_COLLECT_MAX,
        .decides_frontend = true,
        .context = dump,
        .session_opened = on_opened,
        .session_closed = on_closed,
        .frontend_message = on_frontend,
        .backend_message = on_backend,
        .backend_part = on_part,
    };

    for (size_t i = 0; i < sizeof(frontend); i++)
        rh_pg_type_set_add(&handler.frontend_types, (unsigned char)frontend[i]);
    for (size_t i = 0; i < sizeof(backend); i++)
        rh_pg_type_set_add(&handler.backend_types, (unsigned char)backend[i]);
    rh_pg_type_set_add(&handler.backend_taken, 'd');
    rh_pg_type_set_add(&handler.backend_taken, 'V');
    return handler;
}
