#include "../base/unit.h"

#include "sql/copy_from.h"

/* "schema.table(a|b)", or "" for what is not understood. */
static void check(const char *sql, const char *wanted)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf seen;
    struct sql_copy_from copy;

    rh_buf_init(&seen, 1000);
    rh_buf_add_str(&seen, "");
    if (rh_sql_copy_from(rh_text(sql), arena, &copy)) {
        rh_buf_printf(&seen, "%s.%s(", copy.schema ? copy.schema : "", copy.table);
        for (size_t i = 0; i < copy.columns.count; i++)
            rh_buf_printf(&seen, "%s%s", i > 0 ? "|" : "", copy.columns.items[i]);
        rh_buf_add_char(&seen, ')');
    }
    assert_string_equal(seen.data ? seen.data : "", wanted);
}

static void test_copy_from_understands_the_text_format(void **state)
{
    (void)state;
    check("COPY users FROM STDIN", ".users()");
    check("copy Public.Users (Id, \"E \"\"Mail\") from stdin;", "public.users(id|E \"Mail)");
    check(" /* x */ COPY \"Users\"(a,b)FROM STDIN WITH (FORMAT text) -- y", ".Users(a|b)");
    check("COPY users FROM stdin (format TEXT)", ".users()");
}

static void test_copy_from_refuses_everything_else(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "COPY",
        "COPY users",
        "COPY users TO STDOUT",
        "COPY users FROM",
        "COPY users FROM '/file'",
        "COPY users FROM PROGRAM 'x'",
        "COPY users () FROM STDIN",
        "COPY users (a, FROM STDIN",
        "COPY users (a b) FROM STDIN",
        "COPY users (\"a FROM STDIN",
        "COPY users (U&\"a\") FROM STDIN",
        "COPY BINARY users FROM STDIN",
        "COPY users FROM STDIN BINARY",
        "COPY users FROM STDIN CSV",
        "COPY users FROM STDIN DELIMITER ','",
        "COPY users FROM STDIN WITH",
        "COPY users FROM STDIN WITH NULL 'x'",
        "COPY users FROM STDIN (FORMAT csv)",
        "COPY users FROM STDIN (FORMAT 'text')",
        "COPY users FROM STDIN (FORMAT text, HEADER)",
        "COPY users FROM STDIN WHERE id > 3",
        "COPY users FROM STDIN; SELECT 1",
        "COPY (SELECT 1) FROM STDIN",
        "SELECT 1",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        check(others[i], "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_from_understands_the_text_format),
        cmocka_unit_test(test_copy_from_refuses_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
