#include "workload/session_state.h"

#include "sql/split.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_BYTES_MAX 160

struct command {
    char *key, *text;
    bool is_pending; /* done in a transaction that is not over */
};

struct session_state {
    struct prepared *unnamed;
    struct prepared **table; /* open addressing, by name; a power of two, at most half full */
    size_t table_size, table_count;
    size_t bytes; /* of statements and commands */
    struct command *commands;
    size_t command_count, command_capacity;
    bool has_pending;
    bool has_temporary, has_held_cursors, has_advisory_locks, has_set_config;
    bool is_over_limit, has_savepoint_settings;
};

/* --- prepared statements ---------------------------------------------------------------------- */

static void *allocate(void *old, size_t size)
{
    void *memory = realloc(old, size);

    if (!memory)
        RH_PANIC("out of memory (%zu bytes)", size);
    return memory;
}

struct prepared *rh_prepared_hold(struct prepared *prepared)
{
    if (prepared)
        prepared->holders++;
    return prepared;
}

void rh_prepared_drop(struct prepared *prepared)
{
    if (!prepared || --prepared->holders > 0)
        return;
    free(prepared->described);
    free(prepared);
}

struct text rh_prepared_query(const struct prepared *prepared)
{
    return rh_text(prepared->body + strlen(prepared->body) + 1);
}

static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

/* Where the name is, or where it would be. */
static size_t slot_of(const struct session_state *state, const char *name)
{
    size_t slot = hash_of(name) & (state->table_size - 1);

    while (state->table[slot] && strcmp(state->table[slot]->body, name) != 0)
        slot = (slot + 1) & (state->table_size - 1);
    return slot;
}

static void grow(struct session_state *state)
{
    struct prepared **old = state->table;
    size_t old_size = state->table_size;

    state->table_size = old_size ? 2 * old_size : 16;
    state->table = calloc(state->table_size, sizeof(*state->table));
    if (!state->table)
        RH_PANIC("out of memory for prepared statements");
    for (size_t i = 0; i < old_size; i++)
        if (old[i])
            state->table[slot_of(state, old[i]->body)] = old[i];
    free(old);
}

static void insert(struct session_state *state, struct prepared *prepared)
{
    if (2 * (state->table_count + 1) > state->table_size)
        grow(state);

    size_t slot = slot_of(state, prepared->body);

    state->table_count += state->table[slot] == NULL;
    state->table[slot] = prepared;
    state->bytes += prepared->length;
}

static struct prepared *take_out(struct session_state *state, const char *name)
{
    if (state->table_count == 0)
        return NULL;

    size_t mask = state->table_size - 1, hole = slot_of(state, name);
    struct prepared *found = state->table[hole];

    if (!found)
        return NULL;
    state->table[hole] = NULL;
    state->table_count--;
    state->bytes -= found->length;
    /* What comes behind may have had to pass this place. */
    for (size_t at = (hole + 1) & mask; state->table[at]; at = (at + 1) & mask) {
        size_t home = hash_of(state->table[at]->body) & mask;

        if (((at - home) & mask) >= ((at - hole) & mask)) {
            state->table[hole] = state->table[at];
            state->table[at] = NULL;
            hole = at;
        }
    }
    return found;
}

static struct prepared *make(struct prepared *reused, struct text body)
{
    struct prepared *prepared = reused;

    if (!reused || reused->holders != 1 || reused->capacity < body.len ||
        reused->capacity / 4 > body.len + 256) {
        size_t capacity = (body.len + 63) & ~(size_t)63;

        rh_prepared_drop(reused);
        prepared = allocate(NULL, sizeof(*prepared) + capacity);
        prepared->capacity = (uint32_t)capacity;
        prepared->described = NULL;
    }
    free(prepared->described);
    prepared->described = NULL;
    prepared->holders = 1;
    prepared->length = (uint32_t)body.len;
    memcpy(prepared->body, body.data, body.len);
    return prepared;
}

static bool is_parse(struct text body)
{
    const char *end = body.len ? memchr(body.data, '\0', body.len) : NULL;
    size_t rest = end ? body.len - (size_t)(end + 1 - body.data) : 0;

    return rest > 0 && memchr(end + 1, '\0', rest);
}

struct prepared *rh_session_state_parse(struct session_state *state, struct text body,
                                        struct prepared **ret_replaced)
{
    *ret_replaced = NULL;
    if (!is_parse(body))
        return NULL;
    if (body.data[0] == '\0') {
        state->unnamed = make(state->unnamed, body);
        return rh_prepared_hold(state->unnamed);
    }
    if (state->table_count >= STATE_STATEMENTS_MAX || state->bytes + body.len > STATE_BYTES_MAX) {
        state->is_over_limit = true;
        return NULL;
    }
    *ret_replaced = take_out(state, body.data);

    struct prepared *prepared = make(NULL, body);

    insert(state, prepared);
    return rh_prepared_hold(prepared);
}

struct prepared *rh_session_state_find(const struct session_state *state, const char *name)
{
    if (!name[0])
        return state->unnamed;
    return state->table_count ? state->table[slot_of(state, name)] : NULL;
}

struct prepared *rh_session_state_close(struct session_state *state, const char *name)
{
    struct prepared *closed = state->unnamed;

    if (name[0])
        return take_out(state, name);
    state->unnamed = NULL;
    return closed;
}

void rh_session_state_unclose(struct session_state *state, struct prepared *closed)
{
    rh_prepared_drop(rh_session_state_close(state, closed->body));
    if (closed->body[0])
        insert(state, closed);
    else
        state->unnamed = closed;
}

void rh_session_state_unparse(struct session_state *state, const struct prepared *refused,
                              struct prepared *before)
{
    if (rh_session_state_find(state, refused->body) == refused)
        rh_prepared_drop(rh_session_state_close(state, refused->body));
    if (before)
        rh_session_state_unclose(state, before);
}

/* --- commands --------------------------------------------------------------------------------- */

static void remove_command(struct session_state *state, size_t index)
{
    struct command *command = &state->commands[index];

    state->bytes -= strlen(command->text);
    free(command->key);
    free(command->text);
    memmove(command, command + 1, (--state->command_count - index) * sizeof(*command));
}

/* Those before `end` that have this key, or one that begins with it and ends in ':'. */
static void forget(struct session_state *state, const char *key, size_t end)
{
    size_t length = strlen(key);
    bool is_prefix = length > 0 && key[length - 1] == ':';

    for (size_t i = end; i-- > 0;)
        if (is_prefix ? strncmp(state->commands[i].key, key, length) == 0
                      : strcmp(state->commands[i].key, key) == 0)
            remove_command(state, i);
}

static void confirm(struct session_state *state)
{
    state->has_pending = false;
    for (size_t i = 0; i < state->command_count; i++) {
        struct command *command = &state->commands[i];

        if (!command->is_pending)
            continue;
        command->is_pending = false;

        char key[KEY_BYTES_MAX + 2];
        size_t count = state->command_count;

        snprintf(key, sizeof(key), "%s", command->key);
        forget(state, key, i);
        if (strcmp(key, "all") == 0)
            forget(state, "set:", i - (count - state->command_count));
        if (strcmp(key, "authorization") == 0)
            forget(state, "role", i - (count - state->command_count));
        i -= count - state->command_count;
    }
}

static void roll_back(struct session_state *state)
{
    state->has_pending = false;
    for (size_t i = state->command_count; i-- > 0;)
        if (state->commands[i].is_pending)
            remove_command(state, i);
}

static void add_command(struct session_state *state, const char *key, struct text text)
{
    if (state->command_count >= STATE_COMMANDS_MAX || state->bytes + text.len > STATE_BYTES_MAX) {
        state->is_over_limit = true;
        return;
    }
    if (state->command_count == state->command_capacity) {
        state->command_capacity = 2 * state->command_capacity + 8;
        state->commands = allocate(state->commands,
                                   state->command_capacity * sizeof(*state->commands));
    }

    struct command *command = &state->commands[state->command_count++];

    command->key = strdup(key);
    command->text = strndup(text.data, text.len);
    if (!command->key || !command->text)
        RH_PANIC("out of memory for a session's settings");
    command->is_pending = true;
    state->bytes += strlen(command->text);
    state->has_pending = true;
}

/* --- texts ------------------------------------------------------------------------------------ */

static void skip_blanks(struct text *rest)
{
    for (;;) {
        while (rest->len > 0 && isspace((unsigned char)rest->data[0])) {
            rest->data++;
            rest->len--;
        }

        const char *end = NULL;

        if (rh_text_starts_with(*rest, "--"))
            end = memchr(rest->data, '\n', rest->len);
        else if (rh_text_starts_with(*rest, "/*"))
            end = memmem(rest->data + 2, rest->len - 2, "*/", 2);
        else
            return;

        size_t used = end ? (size_t)(end - rest->data) + (*end == '*' ? 2 : 1) : rest->len;

        rest->data += used;
        rest->len -= used;
    }
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$' || (unsigned char)c >= 128;
}

/* The next word in lower case, a quoted one as it is between its quotes; "" at anything else. */
static void take_word(struct text *rest, char out[static KEY_BYTES_MAX])
{
    size_t length = 0, used = 0;

    skip_blanks(rest);
    if (rest->len > 0 && (rest->data[0] == '"' || rest->data[0] == '\'')) {
        const char *end = memchr(rest->data + 1, rest->data[0], rest->len - 1);

        length = used = end ? (size_t)(end - rest->data) + 1 : rest->len;
        if (length > KEY_BYTES_MAX - 1)
            length = KEY_BYTES_MAX - 1;
        memcpy(out, rest->data, length);
    } else {
        for (; used < rest->len && is_word_byte(rest->data[used]); used++)
            if (length < KEY_BYTES_MAX - 1)
                out[length++] = (char)tolower((unsigned char)rest->data[used]);
    }
    out[length] = '\0';
    rest->data += used;
    rest->len -= used;
}

/* Whether one of the first words, before any parenthesis, is this. */
static bool has_word(struct text rest, const char *word)
{
    char found[KEY_BYTES_MAX];

    for (int i = 0; i < 12 && rest.len > 0; i++) {
        take_word(&rest, found);
        if (strcmp(found, word) == 0)
            return true;
        if (!found[0] && rest.len > 0) {
            if (rest.data[0] == '(')
                return false; /* columns */
            rest.data++;
            rest.len--;
        }
    }
    return false;
}

static struct text statement_of(struct text query, size_t index, struct arena *arena)
{
    struct sql_script script;

    rh_sql_split_by_scanner(query, arena, &script);
    return index < script.statements.count ? script.statements.items[index].text : (struct text){0};
}

/* --- by tag ----------------------------------------------------------------------------------- */

static void on_set(struct session_state *state, struct text statement)
{
    char word[KEY_BYTES_MAX], key[KEY_BYTES_MAX + 8];
    struct text rest = statement;

    take_word(&rest, word); /* SET */
    take_word(&rest, word);
    if (strcmp(word, "local") == 0 || strcmp(word, "transaction") == 0 ||
        strcmp(word, "constraints") == 0)
        return; /* over with the transaction */
    if (strcmp(word, "session") == 0) {
        take_word(&rest, word);
        if (strcmp(word, "authorization") == 0) {
            add_command(state, word, statement);
            return;
        }
    }
    if (strcmp(word, "role") == 0) {
        add_command(state, word, statement);
        return;
    }
    if (strcmp(word, "time") == 0)
        snprintf(word, sizeof(word), "timezone");
    else if (strcmp(word, "names") == 0)
        snprintf(word, sizeof(word), "client_encoding");
    snprintf(key, sizeof(key), "set:%s", word);
    add_command(state, key, statement);
}

static void on_reset(struct session_state *state, struct text statement)
{
    char word[KEY_BYTES_MAX], key[KEY_BYTES_MAX + 8];
    struct text rest = statement;

    take_word(&rest, word);
    take_word(&rest, word);
    if (strcmp(word, "session") == 0)
        take_word(&rest, word);
    if (strcmp(word, "time") == 0)
        snprintf(word, sizeof(word), "timezone");

    bool is_own = strcmp(word, "role") == 0 || strcmp(word, "authorization") == 0 ||
                  strcmp(word, "all") == 0;

    snprintf(key, sizeof(key), "%s%s", is_own ? "" : "set:", word);
    add_command(state, key, statement);
}

/* Named objects of a session: LISTEN x, LOAD 'x'; transactional. */
static void on_named(struct session_state *state, const char *kind, struct text statement)
{
    char word[KEY_BYTES_MAX], key[KEY_BYTES_MAX + 16];
    struct text rest = statement;

    take_word(&rest, word);
    take_word(&rest, word);
    snprintf(key, sizeof(key), "%s:%s", kind, word);
    add_command(state, key, statement);
}

static void on_unlisten(struct session_state *state, struct text statement)
{
    char word[KEY_BYTES_MAX], key[KEY_BYTES_MAX + 16];
    struct text rest = statement;

    take_word(&rest, word);
    take_word(&rest, word);
    snprintf(key, sizeof(key), "listen:%s", word);
    forget(state, key, state->command_count);
}

static void on_prepare(struct session_state *state, struct text statement)
{
    on_named(state, "prepare", statement);
    /* Not undone by a rollback. */
    if (state->command_count > 0)
        state->commands[state->command_count - 1].is_pending = false;
}

static void forget_statements(struct session_state *state)
{
    for (size_t i = 0; i < state->table_size; i++) {
        rh_prepared_drop(state->table[i]);
        state->table[i] = NULL;
    }
    state->table_count = 0;
    state->bytes = 0;
    for (size_t i = 0; i < state->command_count; i++)
        state->bytes += strlen(state->commands[i].text);
    forget(state, "prepare:", state->command_count);
}

static void on_deallocate(struct session_state *state, struct text statement)
{
    char word[KEY_BYTES_MAX], key[KEY_BYTES_MAX + 16];
    struct text rest = statement;

    take_word(&rest, word);
    take_word(&rest, word);
    if (strcmp(word, "prepare") == 0 && rest.len > 0)
        take_word(&rest, word);
    snprintf(key, sizeof(key), "prepare:%s", word);
    forget(state, key, state->command_count);

    size_t length = strlen(word);

    if (word[0] == '"' && length >= 2) {
        word[length - 1] = '\0';
        memmove(word, word + 1, length - 1);
    }
    rh_prepared_drop(word[0] ? rh_session_state_close(state, word) : NULL);
}

static void on_discard_all(struct session_state *state)
{
    forget_statements(state);
    while (state->command_count > 0)
        remove_command(state, state->command_count - 1);
    state->has_temporary = state->has_held_cursors = state->has_advisory_locks = false;
    state->has_set_config = state->has_savepoint_settings = false;
}

static bool begins(struct text tag, const char *word)
{
    return rh_text_starts_with(tag, word);
}

void rh_session_state_complete(struct session_state *state, struct text query, size_t index,
                               struct text tag)
{
    RH_CLEANUP_ARENA struct arena *arena = NULL;
    struct text statement = query;

    if (memchr(query.data, ';', query.len) || index > 0) {
        arena = rh_arena_new();
        statement = statement_of(query, index, arena);
        statement = rh_text_trim(statement);
    }
    if (statement.len == 0)
        return;
    if (rh_text_is(tag, "SET"))
        on_set(state, statement);
    else if (rh_text_is(tag, "RESET"))
        on_reset(state, statement);
    else if (rh_text_is(tag, "DISCARD ALL"))
        on_discard_all(state);
    else if (begins(tag, "DISCARD TEMP"))
        state->has_temporary = false;
    else if (rh_text_is(tag, "DEALLOCATE ALL"))
        forget_statements(state);
    else if (rh_text_is(tag, "DEALLOCATE"))
        on_deallocate(state, statement);
    else if (rh_text_is(tag, "PREPARE"))
        on_prepare(state, statement);
    else if (rh_text_is(tag, "LISTEN") || rh_text_is(tag, "LOAD"))
        on_named(state, tag.data[1] == 'I' ? "listen" : "load", statement);
    else if (rh_text_is(tag, "UNLISTEN"))
        on_unlisten(state, statement);
    else if (begins(tag, "DECLARE"))
        state->has_held_cursors |= has_word(statement, "hold");
    else if (begins(tag, "CREATE"))
        state->has_temporary |= has_word(statement, "temp") || has_word(statement, "temporary");
    else if (rh_text_is(tag, "ROLLBACK") && !has_word(statement, "to"))
        roll_back(state);
    else if (rh_text_is(tag, "ROLLBACK"))
        state->has_savepoint_settings |= state->has_pending;
}

void rh_session_state_ready(struct session_state *state, char status, bool has_failed)
{
    if (status != 'I' || !state->has_pending)
        return;
    if (has_failed)
        roll_back(state);
    else
        confirm(state);
}

void rh_session_state_notice(struct session_state *state, struct text query)
{
    const char *at = query.data, *end = query.data + query.len;

    while ((at = memchr(at, '_', (size_t)(end - at)))) {
        at++;
        if (end - at >= 8 && memcmp(at, "advisory", 8) == 0)
            state->has_advisory_locks = true;
        else if (end - at >= 6 && memcmp(at, "config", 6) == 0)
            state->has_set_config = true;
    }
}

/* --- the prologue ----------------------------------------------------------------------------- */

struct session_state *rh_session_state_new(void)
{
    struct session_state *state = calloc(1, sizeof(*state));

    if (!state)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*state));
    return state;
}

void rh_session_state_free(struct session_state *state)
{
    if (!state)
        return;
    on_discard_all(state);
    rh_prepared_drop(state->unnamed);
    free(state->table);
    free(state->commands);
    free(state);
}

void rh_session_state_prologue(const struct session_state *state, session_message_fn *fn,
                               void *context)
{
    bool has_parse = state->unnamed != NULL;

    for (size_t i = 0; i < state->command_count; i++) {
        const char *text = state->commands[i].text;

        if (!state->commands[i].is_pending)
            fn(context, 'Q', (struct text){text, strlen(text) + 1});
    }
    for (size_t i = 0; i < state->table_size; i++) {
        if (!state->table[i])
            continue;
        has_parse = true;
        fn(context, 'P', (struct text){state->table[i]->body, state->table[i]->length});
    }
    if (state->unnamed)
        fn(context, 'P', (struct text){state->unnamed->body, state->unnamed->length});
    if (has_parse)
        fn(context, 'S', TEXT_LITERAL(""));
}

void rh_session_state_lacks(const struct session_state *state, char *out, size_t size)
{
    const struct {
        bool is_so;
        const char *words;
    } all[] = {
        {state->has_temporary, "temporary tables"},
        {state->has_held_cursors, "cursors WITH HOLD"},
        {state->has_advisory_locks, "advisory locks"},
        {state->has_set_config, "settings made by set_config"},
        {state->has_savepoint_settings, "settings around a savepoint"},
        {state->is_over_limit, "more prepared statements or settings than are kept"},
    };
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i].is_so && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "",
                                     all[i].words);
}
