#include "../base/unit.h"

#include "net/pg_codec.h"
#include "replay/id_texts.h"

static const struct workload_key keys[] = {
    {1, "public", "customers", "id", "public", "customers_id_seq", 100, 0, 0},
    {1, "public", "orders", "customer_id", "", "", 100, 0, 0},
    {2, "public", "orders", "id", "public", "orders_id_seq", 50, 0, 0},
};

struct fixture {
    struct id_map *map;
    struct id_texts *texts;
    struct id_session *session;
    struct buf out;
};

static void tell(struct fixture *f, uint32_t domain, int64_t from, int64_t to)
{
    struct id_value value = {.low = (uint64_t)from}, replayed = {.low = (uint64_t)to};
    rh_id_map_expect(f->map, domain, &value);
    if (to)
        rh_id_map_set(f->map, domain, &value, &replayed);
}

/* Customers 101 to 109 are 1000101 to 1000109, order 51 is 7, order 52 is not told yet. */
static int open_fixture(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->map = rh_id_map_new(keys, sizeof(keys) / sizeof(keys[0]));
    f->texts = rh_id_texts_new(f->map);
    f->session = rh_id_session_new();
    rh_buf_init(&f->out, 100000);
    for (int64_t i = 101; i < 110; i++)
        tell(f, 1, i, 1000000 + i);
    tell(f, 2, 51, 7);
    tell(f, 2, 52, 0);
    *state = f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    rh_id_session_free(f->session);
    rh_id_texts_free(f->texts);
    rh_id_map_free(f->map);
    rh_buf_deinit(&f->out);
    free(f);
    return 0;
}

static struct id_counts turn_query(struct fixture *f, const char *query)
{
    char body[1000];
    snprintf(body, sizeof(body), "%s", query);
    struct id_statement statement = rh_id_session_take(f->session, f->texts, 'Q', body,
                                                       strlen(body) + 1);
    rh_buf_clear(&f->out);
    if (!statement.text)
        return (struct id_counts){0};
    return rh_id_message_turn(f->map, &statement, 'Q', (struct text){body, strlen(body) + 1},
                              &f->out);
}

static void test_id_texts_constants_of_columns_alone(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *query, *turned;
        int mapped;
    } cases[] = {
        {"SELECT 101 FROM customers WHERE id = 101 LIMIT 101",
         "SELECT 101 FROM customers WHERE id = 1000101 LIMIT 101", 1},
        {"select * from orders o where o.customer_id in (101,102 , 3) and o.id='51' -- 101",
         "select * from orders o where o.customer_id in (1000101,1000102 , 3) and o.id='7' -- 101",
         3},
        {"INSERT INTO orders (total, customer_id) VALUES (101, 101), (102, 109)",
         "INSERT INTO orders (total, customer_id) VALUES (101, 1000101), (102, 1000109)", 2},
        {"DELETE FROM orders WHERE id = ANY('{51,50}') AND note = '51'",
         "DELETE FROM orders WHERE id = ANY('{7,50}') AND note = '51'", 1},
        {"UPDATE orders SET customer_id = 104 WHERE total = 51",
         "UPDATE orders SET customer_id = 1000104 WHERE total = 51", 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct id_counts counts = turn_query(f, cases[i].query);
        assert_string_equal(f->out.data, cases[i].turned);
        assert_int_equal(f->out.len, strlen(cases[i].turned) + 1);
        assert_int_equal(counts.mapped, cases[i].mapped);
        assert_int_equal(counts.moved, cases[i].mapped);
        assert_int_equal(counts.unknown, 0);
    }
    assert_false(turn_query(f, "SELECT 101 FROM orders WHERE total = 51").has_any);
}

static void test_id_texts_says_what_is_awaited_and_unknown(void **state)
{
    struct fixture *f = *state;
    char body[] = "SELECT * FROM orders WHERE id IN (52, 60, 3)";
    struct id_statement statement = rh_id_session_take(f->session, f->texts, 'Q', body,
                                                       sizeof(body));
    struct id_counts counts = rh_id_message_look(f->map, &statement, 'Q',
                                                 (struct text){body, sizeof(body)});
    assert_true(counts.has_any && counts.is_awaited);
    assert_int_equal(counts.unknown, 1);
    counts = turn_query(f, body);
    assert_int_equal(counts.unknown, 1);
    assert_int_equal(counts.mapped, 0);
    assert_string_equal(f->out.data, body);
}

static void add_u16(struct buf *out, unsigned value)
{
    rh_buf_add_char(out, (char)(value >> 8));
    rh_buf_add_char(out, (char)value);
}

static void add_u32(struct buf *out, uint32_t value)
{
    add_u16(out, value >> 16);
    add_u16(out, value & 0xffff);
}

static void add_string(struct buf *out, const char *string)
{
    rh_buf_add(out, string, strlen(string) + 1);
}

static void prepare(struct fixture *f, const char *name, const char *query, uint32_t type,
                    uint32_t expected)
{
    RH_CLEANUP_BUF struct buf body;
    rh_buf_init(&body, 1000);
    add_string(&body, name);
    add_string(&body, query);
    add_u16(&body, 1);
    add_u32(&body, type);
    (void)rh_id_session_take(f->session, f->texts, 'P', body.data, body.len);
    struct pg_reader reader = {.rest = {body.data + body.len - 4, 4}};
    assert_int_equal(rh_pg_read_u32(&reader), expected);
}

static void bind_value(struct buf *out, const char *name, unsigned format, struct text value)
{
    rh_buf_clear(out);
    add_string(out, "");
    add_string(out, name);
    add_u16(out, 1);
    add_u16(out, format);
    add_u16(out, 1);
    add_u32(out, (uint32_t)value.len);
    rh_buf_add_text(out, value);
    add_u16(out, 0);
}

#define CHECK_BIND(f, name, format, from, to)                          \
    check_bind(f, name, format, (struct text){from, sizeof(from) - 1}, \
               (struct text){to, sizeof(to) - 1})
static void check_bind(struct fixture *f, const char *name, unsigned format, struct text from,
                       struct text to)
{
    RH_CLEANUP_BUF struct buf body, expected;
    rh_buf_init(&body, 1000);
    rh_buf_init(&expected, 1000);
    bind_value(&body, name, format, from);
    bind_value(&expected, name, format, to);
    struct id_statement statement = rh_id_session_take(f->session, f->texts, 'B', body.data,
                                                       body.len);
    assert_non_null(statement.text);
    rh_buf_clear(&f->out);
    (void)rh_id_message_turn(f->map, &statement, 'B', rh_buf_text(&body), &f->out);
    assert_int_equal(f->out.len, expected.len);
    assert_memory_equal(f->out.data, expected.data, expected.len);
}

static void test_id_texts_parameters_in_both_formats(void **state)
{
    struct fixture *f = *state;
    prepare(f, "big", "SELECT * FROM customers WHERE id = $1", 20, 20);
    CHECK_BIND(f, "big", 0, "101", "1000101");
    CHECK_BIND(f, "big", 0, "7", "7");
    CHECK_BIND(f, "big", 1, "\0\0\0\0\0\0\0\x65", "\0\0\0\0\0\x0f\x42\xa5");
    prepare(f, "four", "SELECT * FROM customers WHERE id = $1", 23, 23);
    CHECK_BIND(f, "four", 1, "\0\0\0\x65", "\0\x0f\x42\xa5");
    /* A small value's type would not hold the other one. */
    prepare(f, "two", "SELECT * FROM customers WHERE id = $1", 21, 20);
    CHECK_BIND(f, "two", 1, "\0\x65", "\0\0\0\0\0\x0f\x42\xa5");
    CHECK_BIND(f, "two", 1, "\0\x07", "\0\0\0\0\0\0\0\x07");
    CHECK_BIND(f, "two", 0, "101", "1000101");
    prepare(f, "", "UPDATE orders SET customer_id = $1 WHERE total = 5", 21, 20);
    CHECK_BIND(f, "", 0, "102", "1000102");
    prepare(f, "", "SELECT * FROM customers WHERE name = $1", 21, 21);
}

static void test_id_texts_arrays_of_parameters(void **state)
{
    struct fixture *f = *state;
    prepare(f, "any", "SELECT * FROM customers WHERE id = ANY($1)", 1005, 1016);
    CHECK_BIND(f, "any", 0, "{101,3,\"102\",NULL}", "{1000101,3,\"1000102\",NULL}");
    CHECK_BIND(f, "any", 1, "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\2\0\0\0\1\0\0\0\2\0\x65\0\0\0\2\0\3",
               "\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\2\0\0\0\1\0\0\0\x8\0\0\0\0\0\x0f\x42\xa5"
               "\0\0\0\x8\0\0\0\0\0\0\0\3");
    CHECK_BIND(f, "any", 1, "\0\0\0\0\0\0\0\0\0\0\0\x15", "\0\0\0\0\0\0\0\0\0\0\0\x14");
}

static void test_id_texts_malformed_messages_stay(void **state)
{
    struct fixture *f = *state;
    prepare(f, "big", "SELECT * FROM customers WHERE id = $1", 20, 20);
    char body[] = "\0big\0\0\0\0\1\0\0\0\x64"
                  "1";
    struct id_statement statement = rh_id_session_take(f->session, f->texts, 'B', body,
                                                       sizeof(body) - 1);
    struct id_counts counts = rh_id_message_look(f->map, &statement, 'B',
                                                 (struct text){body, sizeof(body) - 1});
    assert_true(counts.is_malformed && !counts.has_any);
    for (size_t length = 0; length < sizeof(body) - 1; length++)
        (void)rh_id_session_take(f->session, f->texts, 'B', body, length);
    char parse[] = "s\0SELECT * FROM customers WHERE id = $1\0\0\2\0\0\0\x15";
    (void)rh_id_session_take(f->session, f->texts, 'P', parse, sizeof(parse) - 1);
    assert_int_equal(parse[sizeof(parse) - 2], 0x15);
}

/* Of a statement that is not remembered nobody would know that its values must be wider, too. */
static void test_id_texts_types_of_too_many_statements_stay(void **state)
{
    struct fixture *f = *state;
    char name[16];
    for (int i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "S_%d", i);
        prepare(f, name, "SELECT * FROM customers WHERE id = $1", 21, 20);
    }
    prepare(f, "late", "SELECT * FROM customers WHERE id = $1", 21, 21);
    prepare(f, "S_5", "SELECT * FROM customers WHERE id = $1", 21, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_id_texts_constants_of_columns_alone, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_id_texts_says_what_is_awaited_and_unknown,
                                        open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_id_texts_parameters_in_both_formats, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_id_texts_arrays_of_parameters, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_id_texts_malformed_messages_stay, open_fixture,
                                        close_fixture),
        cmocka_unit_test_setup_teardown(test_id_texts_types_of_too_many_statements_stay,
                                        open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
