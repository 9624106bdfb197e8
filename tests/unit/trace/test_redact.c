/* What must not leave a session. Expected texts are the server's own (PostgreSQL 15), values aside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/redact.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = rh_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rh_arena_free(arena);
    return 0;
}

static void test_redact_sql_keeps_text_without_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "ALTER TABLE users ADD COLUMN password text DEFAULT 'x'",
        "UPDATE users SET password = crypt(password, gen_salt('bf'))",
        "SELECT 'a''b', E'\\'', $$ x $$ -- password 'x'",
        "SELECT 'https://example.com/a@b'",
        "",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(rh_redact_sql(arena, rh_text(texts[i])), texts[i]);
}

static void test_redact_sql_hides_passwords_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"ALTER ROLE a PASSWORD 's3cret'", "ALTER ROLE a PASSWORD '***'"},
        {"create user a with encrypted password E's\\'3' valid until '2030'",
         "create user a with encrypted password '***' valid until '2030'"},
        {"ALTER ROLE a PASSWORD /* x */ $q$s3$q$;", "ALTER ROLE a PASSWORD /* x */ '***';"},
        {"UPDATE t SET password = 's3' WHERE id = 'x'",
         "UPDATE t SET password = '***' WHERE id = 'x'"},
        {"DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ''s3'''; END $$",
         "DO $$ BEGIN EXECUTE 'ALTER ROLE a PASSWORD ***'; END $$"},
        {"DO $x$ BEGIN ALTER ROLE a PASSWORD 's3'; END $x$",
         "DO $x$ BEGIN ALTER ROLE a PASSWORD '***'; END $x$"},
        {"CREATE SUBSCRIPTION s CONNECTION 'host=h password=s3 dbname=d' PUBLICATION p",
         "CREATE SUBSCRIPTION s CONNECTION 'host=h password=*** dbname=d' PUBLICATION p"},
        {"SELECT dblink_connect('postgresql://u:s3@h/d')",
         "SELECT dblink_connect('postgresql://u:***@h/d')"},
        {"CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password 's3')",
         "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password '***')"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(rh_redact_sql(arena, rh_text(texts[i][0])), texts[i][1]);
}

static void test_redact_sql_hides_a_password_that_was_cut(void **state)
{
    (void)state;
    assert_string_equal(rh_redact_sql(arena, rh_text("ALTER ROLE a PASSWORD 's3cre")),
                        "ALTER ROLE a PASSWORD '***'");
    assert_string_equal(rh_redact_sql(arena, rh_text("DO $$ ALTER ROLE a PASSWORD 's3c")),
                        "DO $$ ALTER ROLE a PASSWORD '***'");
}

static void test_mask_detail_keeps_columns_and_hides_values(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"Key (email)=(a@b.c) already exists.", "Key (email)=(***) already exists."},
        {"Key (a, b)=(1, x) is duplicated.", "Key (a, b)=(***) is duplicated."},
        {"Key (a)=(1) y) is not present in table \"t\".",
         "Key (a)=(***) is not present in table \"t\"."},
        {"Failing row contains (1, (2), null).", "Failing row contains (***)."},
        {"Partition key of the failing row contains (a) = (5).",
         "Partition key of the failing row contains (a) = (***)."},
        {"Key (during)=([1,5)) conflicts with existing key (during)=([2,6)).",
         "Key (during)=(***) conflicts with existing key (during)=(***)."},
        {"drop cascades to view v", "drop cascades to view v"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(rh_mask_detail(arena, "23505", rh_text(texts[i][0])), texts[i][1]);
    assert_string_equal(rh_mask_detail(arena, "22P02", rh_text("Token \"abc\" is invalid.")),
                        "Token \"***\" is invalid.");
}

static void test_mask_message_hides_values_of_data_exceptions_only(void **state)
{
    (void)state;
    assert_string_equal(
        rh_mask_message(arena, "22P02",
                        rh_text("invalid input syntax for type integer: \"12\"x\"")),
        "invalid input syntax for type integer: \"***\"");
    assert_string_equal(
        rh_mask_message(arena, "22003",
                        rh_text("value \"99999\" is out of range for type smallint")),
        "value \"***\" is out of range for type smallint");
    assert_string_equal(
        rh_mask_message(arena, "42P01", rh_text("relation \"users\" does not exist")),
        "relation \"users\" does not exist");
}

static void test_mask_context_hides_copy_lines(void **state)
{
    (void)state;
    assert_string_equal(rh_mask_context(arena, rh_text("JSON data, line 1: {iban: DE0...")),
                        "JSON data, line 1: \"***\"");
    assert_string_equal(
        rh_mask_log_line(arena, rh_text("LOG:  CONTEXT:  JSON data, line 12: ...b: secret")),
        "LOG:  CONTEXT:  JSON data, line 12: \"***\"");
    assert_string_equal(rh_mask_context(arena, rh_text("COPY t, line 3, column a: \"x\ny\"")),
                        "COPY t, line 3, column a: \"***\"");
    assert_string_equal(
        rh_mask_context(arena, rh_text("PL/pgSQL function f() line 3 at EXECUTE\n"
                                       "SQL statement \"ALTER ROLE a PASSWORD 'x'\"")),
        "PL/pgSQL function f() line 3 at EXECUTE\nSQL statement \"ALTER ROLE a PASSWORD ***\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redact_sql_keeps_text_without_secret),
        cmocka_unit_test(test_redact_sql_hides_passwords_wherever_they_stand),
        cmocka_unit_test(test_redact_sql_hides_a_password_that_was_cut),
        cmocka_unit_test(test_mask_detail_keeps_columns_and_hides_values),
        cmocka_unit_test(test_mask_message_hides_values_of_data_exceptions_only),
        cmocka_unit_test(test_mask_context_hides_copy_lines),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
