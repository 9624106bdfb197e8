/* Patterns by shape: numbers are stable, names are known, what is held outlives the cache's memory.
 */
#include "workload/query_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct seen {
    size_t patterns;
    bool refuses;
};

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    struct seen *seen = context;

    if (seen->refuses)
        return rh_err_set(err, RH_ERR_IO, "the disk is full");
    assert_int_equal(pattern->number, ++seen->patterns);
    return RH_OK;
}

static struct query_cache *open_cache(struct seen *seen, bool wants_columns)
{
    return rh_query_cache_new(&(struct query_cache_options){
        .wants_columns = wants_columns, .on_pattern = on_pattern, .context = seen});
}

static struct known_query *find(struct query_cache *cache, const char *query)
{
    struct known_query *known = NULL;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_query_cache_find(cache, rh_text(query), &known, &err), RH_OK);
    return known;
}

static uint32_t number(struct query_cache *cache, const char *query)
{
    struct known_query *known = find(cache, query);
    uint32_t pattern = known->pattern;

    rh_known_query_drop(known);
    return pattern;
}

static void test_query_cache_gives_one_number_to_what_differs_in_constants(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct query_cache *cache = open_cache(&seen, false);

    assert_int_equal(number(cache, "SELECT 1 FROM a WHERE b = 'x'"), 1);
    assert_int_equal(number(cache, "SELECT 22 FROM a WHERE b = 'y''z'"), 1);
    assert_int_equal(number(cache, "select 1 /* trace id */ from a\n where b = $1"), 1);
    assert_int_equal(number(cache, "SELECT 1 FROM b WHERE b = 'x'"), 2);
    assert_int_equal(number(cache, "SELECT 1 FROM a WHERE b = 'x'"), 1);
    assert_int_equal(seen.patterns, 2);
    rh_query_cache_free(cache);
}

static void test_query_cache_knows_statements_and_names(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct query_cache *cache = open_cache(&seen, false);
    struct known_query *several = find(cache, "BEGIN; SELECT 1 FROM a; COMMIT");
    struct known_query *prepares = find(cache, "PREPARE By_Id (int) AS SELECT 5 FROM a");
    struct known_query *executes = find(cache, "EXECUTE by_id (7)");
    struct known_query *quoted = find(cache, "PREPARE \"A \"\"b\"\"\" AS SELECT 5 FROM a");
    struct known_query *runs_quoted = find(cache, "EXECUTE \"A \"\"b\"\"\"");
    struct known_query *two_phase = find(cache, "PREPARE TRANSACTION 'as'");

    assert_int_equal(several->statement_count, 3);
    assert_int_equal(several->statements[1], number(cache, "SELECT 9 FROM a"));
    assert_string_equal(prepares->prepares, "by_id");
    assert_int_equal(prepares->prepared->pattern, several->statements[1]);
    assert_string_equal(executes->executes, "by_id");
    assert_string_equal(quoted->prepares, runs_quoted->executes);
    assert_null(two_phase->prepared);
    rh_query_cache_free(cache);
    assert_int_equal(several->statement_count, 3); /* held */
    rh_known_query_drop(several);
    rh_known_query_drop(prepares);
    rh_known_query_drop(executes);
    rh_known_query_drop(quoted);
    rh_known_query_drop(runs_quoted);
    rh_known_query_drop(two_phase);
}

static void test_query_cache_tells_columns_where_it_was_asked_to(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct query_cache *cache = open_cache(&seen, true);
    struct known_query *known = find(
        cache, "SELECT 1 FROM users WHERE users.email = 'x' AND users.id = $1");

    assert_true(known->has_constants);
    assert_int_equal(known->constant_count, 2);
    assert_null(known->constants[0].column);
    assert_string_equal(known->constants[1].column, "users.email");
    assert_int_equal(known->parameter_count, 1);
    assert_string_equal(known->parameters[0].column, "users.id");
    rh_known_query_drop(known);
    rh_query_cache_free(cache);
}

static void test_query_cache_forgets_and_keeps_numbers(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct query_cache *cache = open_cache(&seen, false);
    struct known_query *held = find(cache, "SELECT 1 FROM held");
    char query[64];

    for (int i = 0; i < QUERY_CACHE_MAX + 10; i++) {
        snprintf(query, sizeof(query), "not sql at all %c%c%c%c", 'a' + i % 26, 'a' + i / 26 % 26,
                 'a' + i / 676 % 26, 'a' + i / 17576 % 26);
        (void)number(cache, query);
    }

    struct known_query *again = find(cache, "SELECT 1 FROM held");

    assert_ptr_equal(again, held);
    assert_int_equal(number(cache, "not sql at all aaaa"), 2);
    rh_known_query_drop(again);
    rh_known_query_drop(held);
    rh_query_cache_free(cache);
}

static void test_query_cache_passes_the_sinks_error_on(void **state)
{
    (void)state;
    struct seen seen = {.refuses = true};
    struct query_cache *cache = open_cache(&seen, false);
    struct known_query *known = NULL;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_query_cache_find(cache, rh_text("SELECT 1"), &known, &err), RH_ERR_IO);
    assert_null(known);
    seen.refuses = false;
    assert_int_equal(number(cache, "SELECT 1"), 1);
    rh_query_cache_free(cache);
}

/* A client's text of 2 MB was as many calls of one function within itself: the stack was full. */
static void test_query_cache_looks_into_one_prepare_alone(void **state)
{
    (void)state;
    struct seen seen = {0};
    struct query_cache *cache = open_cache(&seen, true);
    RH_CLEANUP_BUF struct buf query;

    rh_buf_init(&query, (size_t)4 * 1024 * 1024);
    for (int i = 0; i < 150000; i++)
        rh_buf_add_str(&query, "PREPARE a AS ");
    rh_buf_add_str(&query, "SELECT 1");

    struct known_query *known = find(cache, query.data);

    assert_string_equal(known->prepares, "a");
    assert_null(known->prepared->prepared);
    assert_int_equal(seen.patterns, 2);
    rh_known_query_drop(known);
    rh_query_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_cache_gives_one_number_to_what_differs_in_constants),
        cmocka_unit_test(test_query_cache_knows_statements_and_names),
        cmocka_unit_test(test_query_cache_looks_into_one_prepare_alone),
        cmocka_unit_test(test_query_cache_tells_columns_where_it_was_asked_to),
        cmocka_unit_test(test_query_cache_forgets_and_keeps_numbers),
        cmocka_unit_test(test_query_cache_passes_the_sinks_error_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
