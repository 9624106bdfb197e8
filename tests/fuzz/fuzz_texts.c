/*
 * Fuzz target of the texts that a user, an application or a server gives us: masking.yaml, queries
 * and their constants, Bind messages, scripts of pgbench, the messages of a login. Each is read or
 * refused. Built for libFuzzer with clang, and with fuzz_texts_replay.c by any compiler.
 *
 * Input: [0] which; the rest is the text.
 */
#include "mask/masking.h"
#include "net/pg_login.h"
#include "workload/pgbench_script.h"
#include "workload/value_mask.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    (void)context;
    (void)err;
    RH_ASSERT(pattern->query != NULL);
    return RH_OK;
}

static void read_masking(struct text text, struct arena *arena)
{
    struct masking_rules *rules = NULL;
    struct err err = RH_ERR_INIT;
    (void)!rh_masking_rules_parse("masking.yaml", text, arena, &rules, &err);
}

/* What is not known is masked: a catalogue without tables. */
static void read_query(struct text text, bool is_bind, struct arena *arena)
{
    static const struct catalog catalog;
    static const struct masking masking;
    static const struct mask_master_key key = {{1}};
    struct query_cache *cache = rh_query_cache_new(
        &(struct query_cache_options){.wants_columns = true, .on_pattern = on_pattern});
    struct value_mask *mask = NULL;
    struct known_query *known = NULL;
    struct err err = RH_ERR_INIT;
    int64_t count = 0;
    struct text query = {text.data, strnlen(text.data, text.len)};
    RH_ASSERT(rh_value_mask_new(&catalog, &masking, &key, &mask, &err) == RH_OK);
    RH_ASSERT(rh_query_cache_find(cache, query, &known, &err) == RH_OK);
    if (is_bind)
        (void)rh_value_mask_bind(mask, known, text, text, arena, &count);
    else
        (void)rh_value_mask_query(mask, known, query, arena, &count);
    rh_known_query_drop(known);
    rh_value_mask_free(mask);
    rh_query_cache_free(cache);
}

static void read_script(struct text text, struct arena *arena)
{
    struct pgbench_script *script = NULL;
    struct pgbench_client client;
    struct pgbench_steps steps;
    struct err err = RH_ERR_INIT;
    rh_pgbench_client_init(&client, arena, 7, 1, 1);
    if (rh_pgbench_script_parse("script", text, arena, &script, &err) == RH_OK)
        (void)!rh_pgbench_script_run(script, &client, arena, &steps, &err);
}

/* Messages: a type, a length, as many bytes. */
static void log_in(struct text text)
{
    const struct pg_login_options options = {.user = "anna", .password = "secret"};
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    enum pg_login_step step = PG_LOGIN_MORE;
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    while (text.len > 2 && step == PG_LOGIN_MORE) {
        RH_CLEANUP_BUF struct buf out;
        size_t length = (unsigned char)text.data[1];
        length = length < text.len - 2 ? length : text.len - 2;
        /* Of its own, with nothing behind it. */
        char *body = memcpy(malloc(length + 1), text.data + 2, length);
        rh_buf_init(&out, PG_LOGIN_COLLECT_MAX);
        step = rh_pg_login_take(&login,
                                &(struct pg_message){.type = (unsigned char)text.data[0],
                                                     .is_whole = true,
                                                     .body = {body, length}},
                                &out, &err);
        free(body);
        text.data += 2 + length;
        text.len -= 2 + length;
    }
    rh_pg_login_deinit(&login);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct arena *arena = rh_arena_new();
    /* Of its own; with a NUL behind it, as files and messages have it here. */
    char *copy = calloc(1, size);
    memcpy(copy, data + 1, size - 1);
    struct text text = {copy, size - 1};
    switch (data[0] % 5) {
    case 0:
        read_masking(text, arena);
        break;
    case 1:
    case 2:
        read_query(text, data[0] % 5 == 2, arena);
        break;
    case 3:
        read_script(text, arena);
        break;
    default:
        log_in(text);
        break;
    }
    free(copy);
    rh_arena_free(arena);
    return 0;
}
