#include "../base/unit.h"

#include "sql/shape.h"

static bool is_alike(const char *a, const char *b)
{
    RH_CLEANUP_BUF struct buf scratch;
    rh_buf_init(&scratch, SQL_SHAPE_BYTES_MAX + 1);
    struct sql_shape x = rh_sql_shape(rh_text(a), &scratch);
    struct sql_shape y = rh_sql_shape(rh_text(b), &scratch);
    return x.low == y.low && x.high == y.high;
}

static void test_shape_is_one_whatever_the_constants(void **state)
{
    (void)state;
    assert_true(is_alike("SELECT 1, 'a' FROM t", "SELECT 22, 'it''s' FROM t"));
    assert_true(is_alike("SELECT  1", "SELECT /* x */ 2") == is_alike("a /* */ b", "a  b"));
    assert_false(is_alike("SELECT 1", "SELECT 'a'"));
    assert_false(is_alike("SELECT $1", "SELECT $2"));
    assert_false(is_alike("SELECT 1 IN (1, 2)", "SELECT 1 IN (1, 2, 3)"));
    assert_false(is_alike("SELECT nextval('a')", "SELECT nextval('b')"));
    assert_true(is_alike("SELECT nextval('a'), 'x'", "SELECT nextval('a'), 'y'"));
    assert_int_equal(rh_sql_constant_count(TEXT_LITERAL("SELECT $1, 2, 'x'")), 2);
}

static struct sql_sequence_call call_of(struct arena *arena, const char *query, bool expected)
{
    struct sql_sequence_call call = {0};
    assert_int_equal(rh_sql_sequence_call(rh_text(query), arena, &call), expected);
    return call;
}

static void test_sequence_call_names_its_sequence(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct sql_sequence_call call = call_of(arena, "SELECT nextval('Orders_Seq')", true);
    assert_string_equal(call.sequence, "orders_seq");
    assert_null(call.schema);
    call = call_of(arena, "select NEXTVAL ( 'app.\"Orders.Seq\"'::regclass ) from t", true);
    assert_string_equal(call.schema, "app");
    assert_string_equal(call.sequence, "Orders.Seq");
    call = call_of(arena, "SELECT nextval('\"The \"\"Ids\"\"\"')", true);
    assert_string_equal(call.sequence, "The \"Ids\"");
    call = call_of(arena, "SELECT currval(pg_get_serial_sequence('app.orders', 'Id'))", true);
    assert_string_equal(call.schema, "app");
    assert_string_equal(call.table, "orders");
    assert_string_equal(call.column, "Id");
    assert_true(call_of(arena, "SELECT lastval()", true).is_last);
    call_of(arena, "SELECT nextval('a'), nextval('a')", true);
    call_of(arena, "SELECT nextval('a'), nextval('b')", false);
    call_of(arena, "SELECT nextval('a'), lastval()", false);
    call_of(arena, "SELECT nextval($1)", false);
    call_of(arena, "SELECT 'nextval(''a'')'", false);
    call_of(arena, "SELECT nextval(", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape_is_one_whatever_the_constants),
        cmocka_unit_test(test_sequence_call_names_its_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
