#include "model/result_json_int.h"

static json_t *row_json(const struct check_row *row, size_t columns)
{
    json_t *array = json_array();
    for (size_t i = 0; i < columns; i++)
        append(array, rh_json_text(row->cells[i]));
    return array;
}

static json_t *test_json(const struct check_test *test)
{
    json_t *object = json_object();
    put(object, "number", json_integer(test->number));
    put(object, "ok", json_boolean(test->ok));
    put(object, "todo", json_boolean(test->is_todo));
    put(object, "skipped", json_boolean(test->is_skipped));
    put(object, "description", rh_json_text(test->description));
    put(object, "reason", rh_json_text(test->reason));
    return object;
}

/* Counts of what did not run are not observed. Values, column by column, only where they were
   asked for. */
static json_t *output_json(const struct check_output *output, bool is_tests)
{
    json_t *object = json_object();
    bool ran = output->ran;
    put(object, "ran", json_boolean(ran));
    put(object, "problem", rh_json_text(output->problem));
    put(object, "sqlstate", rh_json_text(output->sqlstate[0] ? output->sqlstate : NULL));
    put(object, "duration_ms", rh_json_ms(ran ? output->duration_us : NOT_OBSERVED));
    if (is_tests) {
        put(object, "planned", rh_json_count(output->planned));
        put(object, "passed", rh_json_count(ran ? output->passed : NOT_OBSERVED));
        put(object, "failed", rh_json_count(ran ? output->failed : NOT_OBSERVED));
        put(object, "bail_out", rh_json_text(output->bail_out));
        PUT_ARRAY(object, "tests", output->tests, test_json);
        return object;
    }
    json_t *columns = json_array();
    for (size_t i = 0; i < output->columns.count; i++)
        append(columns, rh_json_text(output->columns.items[i]));
    put(object, "columns", columns);
    put(object, "row_count", rh_json_count(ran ? output->row_count : NOT_OBSERVED));
    put(object, "number", rh_json_text(output->number));
    put(object, "digest", rh_json_text(ran ? output->digest : NULL));
    if (ran && output->keeps_rows) {
        json_t *rows = json_array();
        for (size_t i = 0; i < output->rows.count; i++)
            append(rows, row_json(&output->rows.items[i], output->columns.count));
        put(object, "rows", rows);
    } else {
        put(object, "rows", json_null());
    }
    return object;
}

static json_t *check_json(const struct check *check)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    bool is_tests = check->expect == CHECK_TESTS;
    json_t *object = json_object();
    put(object, "name", rh_json_text(check->name));
    put(object, "kind", rh_json_text(is_tests ? "pgtap" : "query"));
    put(object, "file", rh_json_text(check->file));
    put(object, "line", positive(check->line));
    put(object, "expect", rh_json_text(rh_check_expect_text(arena, check->expect, check->limit)));
    put(object, "before", output_json(&check->before, is_tests));
    put(object, "after", output_json(&check->after, is_tests));
    put(object, "ok", json_boolean(check->outcome == CHECK_PASSED));
    put(object, "outcome", rh_json_text(rh_check_outcome_name(check->outcome)));
    put(object, "reason", rh_json_text(check->reason));
    return object;
}

/* null says "there were no checks". */
void rh_json_put_checks(json_t *object, const struct result *result)
{
    if (result->checks.list.count == 0)
        put(object, "checks", json_null());
    else
        PUT_ARRAY(object, "checks", result->checks.list, check_json);
}
