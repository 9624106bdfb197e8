#include "../base/unit.h"

#include "sql/copy_from.h"

/* A list of columns, or "*". */
static void add_names(struct buf *seen, const char *title, const char *const *names, size_t count,
                      bool is_all)
{
    if (is_all || count > 0)
        rh_buf_printf(seen, " %s", title);
    for (size_t i = 0; i < count; i++)
        rh_buf_printf(seen, "%c%s", i > 0 ? '|' : ' ', names[i]);
    if (is_all)
        rh_buf_add_str(seen, " *");
}

/* "schema.table(a|b) format delimiter null", and what else was said; "": not understood. */
static void check(const char *sql, const char *wanted)
{
    static const char *const kinds[] = {"text", "csv", "binary"};
    static const char *const headers[] = {"", " header", " match"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf seen;
    struct sql_copy_from copy;

    rh_buf_init(&seen, 1000);
    rh_buf_add_str(&seen, "");
    if (rh_sql_copy_from(rh_text(sql), arena, &copy)) {
        const struct sql_copy_format *format = &copy.format;

        rh_buf_printf(&seen, "%s.%s(", copy.schema ? copy.schema : "", copy.table);
        for (size_t i = 0; i < copy.columns.count; i++)
            rh_buf_printf(&seen, "%s%s", i > 0 ? "|" : "", copy.columns.items[i]);
        rh_buf_printf(&seen, ") %s", kinds[format->kind]);
        if (format->kind != SQL_COPY_BINARY)
            rh_buf_printf(&seen, " %c %s", format->delimiter, format->null);
        if (format->kind == SQL_COPY_CSV)
            rh_buf_printf(&seen, " %c%c", format->quote, format->escape);
        rh_buf_add_str(&seen, headers[format->header]);
        if (copy.encoding)
            rh_buf_printf(&seen, " in %s", copy.encoding);
        add_names(&seen, "null", copy.force_null.items, copy.force_null.count,
                  copy.forces_all_null);
        add_names(&seen, "not null", copy.force_not_null.items, copy.force_not_null.count,
                  copy.forces_all_not_null);
    }
    assert_string_equal(seen.data ? seen.data : "", wanted);
}

static void test_copy_from_understands_the_text_format(void **state)
{
    (void)state;
    check("COPY users FROM STDIN", ".users() text \t \\N");
    check("copy Public.Users (Id, \"E \"\"Mail\") from stdin;",
          "public.users(id|E \"Mail) text \t \\N");
    check(" /* x */ COPY \"Users\"(a,b)FROM STDIN WITH (FORMAT text) -- y",
          ".Users(a|b) text \t \\N");
    check("COPY users FROM stdin (format TEXT)", ".users() text \t \\N");
    check("COPY users FROM STDIN (FORMAT 'text', HEADER, FREEZE)", ".users() text \t \\N header");
    check("COPY users FROM STDIN DELIMITER AS '|' NULL AS ''", ".users() text | ");
    check("COPY users FROM STDIN USING DELIMITERS ';' WITH NULL 'x'", ".users() text ; x");
    check("COPY users FROM STDIN (DELIMITER E'\\x01', NULL '', ENCODING 'latin1')",
          ".users() text \001  in latin1");
}

static void test_copy_from_understands_csv(void **state)
{
    (void)state;
    check("COPY users FROM STDIN CSV", ".users() csv ,  \"\"");
    check("COPY users FROM STDIN WITH CSV HEADER", ".users() csv ,  \"\" header");
    check("COPY users FROM STDIN WITH DELIMITER AS ';' CSV QUOTE AS '''' ESCAPE '\\' NULL 'NA' "
          "ENCODING 'UTF8'",
          ".users() csv ; NA '\\ in UTF8");
    check("COPY users FROM STDIN (FORMAT csv, QUOTE '$')", ".users() csv ,  $$");
    check("COPY users (a, b) FROM STDIN (HEADER match, FORMAT 'csv', NULL '\\N', FORCE_NULL (a, "
          "b), FORCE_NOT_NULL (\"B c\"))",
          ".users(a|b) csv , \\N \"\" match null a|b not null B c");
    check("COPY users FROM STDIN CSV FORCE NOT NULL a FORCE NULL b",
          ".users() csv ,  \"\" null b not null a");
    check("COPY users FROM STDIN (FORMAT csv, FORCE_NULL *, FORCE_NOT_NULL *)",
          ".users() csv ,  \"\" null * not null *");
    check("COPY users FROM STDIN (FORMAT csv, HEADER off)", ".users() csv ,  \"\"");
    check("COPY users FROM STDIN (FORMAT csv, HEADER 1)", ".users() csv ,  \"\" header");
}

static void test_copy_from_understands_binary(void **state)
{
    (void)state;
    check("COPY BINARY users FROM STDIN", ".users() binary");
    check("COPY users (a) FROM STDIN WITH BINARY", ".users(a) binary");
    check("COPY users FROM STDIN (FORMAT BINARY)", ".users() binary");
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
        "COPY other.app.users FROM STDIN",
        "COPY users FROM STDIN WITH FORMAT csv",
        "COPY users FROM STDIN (FORMAT CSVX)",
        "COPY users FROM STDIN (FORMAT \"CSV\")",
        "COPY users FROM STDIN (FORMAT csv, FORMAT csv)",
        "COPY users FROM STDIN (DEFAULT '\\D')",
        "COPY users FROM STDIN (ON_ERROR ignore)",
        "COPY users FROM STDIN (HEADER 2)",
        "COPY users FROM STDIN (HEADER maybe)",
        "COPY users FROM STDIN (FORMAT binary, HEADER)",
        "COPY users FROM STDIN (FORMAT binary, NULL '')",
        "COPY users FROM STDIN (QUOTE '\"')",
        "COPY users FROM STDIN (FORCE_NULL (a))",
        "COPY users FROM STDIN (DELIMITER 'a')",
        "COPY users FROM STDIN (DELIMITER '||')",
        "COPY users FROM STDIN (DELIMITER '')",
        "COPY users FROM STDIN (DELIMITER E'\\n')",
        "COPY users FROM STDIN (DELIMITER '\\')",
        "COPY users FROM STDIN (DELIMITER '\303\251')",
        "COPY users FROM STDIN (DELIMITER '|', NULL 'a|')",
        "COPY users FROM STDIN (NULL '\\')",
        "COPY users FROM STDIN (NULL E'a\\nb')",
        "COPY users FROM STDIN (FORMAT csv, DELIMITER '\"')",
        "COPY users FROM STDIN (FORMAT csv, NULL '\"')",
        "COPY users FROM STDIN (FORMAT csv, NULL '\\.')",
        "COPY users FROM STDIN (FORMAT csv, QUOTE '\\')",
        "COPY users FROM STDIN (FORMAT csv, ESCAPE 'xx')",
        "COPY users FROM STDIN (NULL "
        "'12345678901234567890123456789012345678901234567890123456789012345')",
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
        cmocka_unit_test(test_copy_from_understands_csv),
        cmocka_unit_test(test_copy_from_understands_binary),
        cmocka_unit_test(test_copy_from_refuses_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
