#include "../base/unit.h"

#include "engine/rows_int.h"
#include "workload/key_domains.h"

#define COLUMNS 11

static void keys_of(const char *const (*cells)[COLUMNS], size_t count, struct arena *arena,
                    struct workload_about *about)
{
    const char **values;
    RH_CLEANUP_ROWS struct rows *rows = rh_rows_new(count, COLUMNS, NULL, NULL, &values);
    for (size_t i = 0; i < count * COLUMNS; i++)
        values[i] = cells[i / COLUMNS][i % COLUMNS];
    rh_key_domains(rows, arena, about);
}

static const struct workload_key *find(const struct workload_about *about, const char *table,
                                       const char *column)
{
    for (size_t i = 0; i < about->keys.count; i++)
        if (strcmp(about->keys.items[i].table, table) == 0 &&
            strcmp(about->keys.items[i].column, column) == 0)
            return &about->keys.items[i];
    return NULL;
}

static void test_key_domains_go_through_foreign_keys_and_sequences(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_about about = {0};
    static const char *const cells[][COLUMNS] = {
        {"made", "100", "1", "public", "users", "id", "0", "0", "public", "users_id_seq", "41"},
        {"made", "200", "1", "public", "orders", "id", "0", "0", "public", "orders_id_seq", NULL},
        {"made", "201", "1", "public", "orders_2026", "id", "0", "0", "public", "orders_id_seq",
         NULL},
        {"made", "300", "1", "public", "tokens", "token", "0", "0", "", "", NULL},
        {"reference", "110", "1", "public", "profiles", "user_id", "100", "1", "", "", NULL},
        {"reference", "200", "2", "public", "orders", "user_id", "110", "1", "", "", NULL},
        {"reference", "200", "3", "public", "orders", "country", "900", "1", "", "", NULL},
        {"sequence", "0", "0", "", "", "", "0", "0", "public", "free_seq", "9"},
    };
    keys_of(cells, sizeof(cells) / sizeof(cells[0]), arena, &about);
    assert_int_equal(about.keys.count, 7);
    uint32_t users = find(&about, "users", "id")->domain;
    assert_int_equal(find(&about, "profiles", "user_id")->domain, users);
    assert_int_equal(find(&about, "orders", "user_id")->domain, users);
    assert_int_equal(find(&about, "orders", "user_id")->since, 41);
    assert_int_equal(find(&about, "orders", "user_id")->relation, 200);
    assert_int_equal(find(&about, "orders", "user_id")->attribute, 2);
    assert_int_equal(find(&about, "orders", "id")->domain,
                     find(&about, "orders_2026", "id")->domain);
    assert_true(find(&about, "orders", "id")->domain != users);
    assert_true(find(&about, "orders", "id")->since == WORKLOAD_SINCE_UNKNOWN);
    assert_true(find(&about, "tokens", "token")->since == WORKLOAD_SINCE_UNKNOWN);
    assert_null(find(&about, "orders", "country"));
    assert_string_equal(find(&about, "", "")->sequence, "free_seq");
    assert_int_equal(find(&about, "", "")->since, 9);
}

static void test_key_domains_of_nothing(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct workload_about about = {0};
    static const char *const cells[][COLUMNS] = {
        {"reference", "200", "3", "public", "orders", "country", "900", "1", "", "", NULL},
    };
    keys_of(cells, 1, arena, &about);
    assert_int_equal(about.keys.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_domains_go_through_foreign_keys_and_sequences),
        cmocka_unit_test(test_key_domains_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
