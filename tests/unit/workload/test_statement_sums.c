#include "../base/unit.h"

#include "base/file.h"
#include "sql/pattern.h"
#include "workload/statement_sums.h"

static struct workload_pattern pattern_of(struct arena *arena, const char *query)
{
    struct workload_pattern pattern;
    const char *executes;
    rh_sql_pattern(arena, rh_text(query), &pattern, &executes);
    return pattern;
}

static enum err_code read_sums(struct arena *arena, const char *content,
                               struct statement_sums *sums, struct err *err)
{
    char path[] = "/tmp/rehearse-sums-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
    close(fd);
    enum err_code code = rh_statement_sums_read(path, arena, sums, err);
    unlink(path);
    return code;
}

/* The same sums as CSV (with columns nobody asked for, and quotes) and as JSON. */
static void test_statement_sums_say_what_is_covered(void **state)
{
    (void)state;
    static const char *const exports[] = {
        "userid,query,calls,total_exec_time,rows\n"
        "1,SELECT a FROM t WHERE b = $1,100,300.5,5\n"
        "2,\"SELECT a FROM t\nWHERE b = $1 -- \"\"x\"\"\",50,99.5,5\r\n"
        "1,\"SELECT c, d FROM u\",7,600,1\n"
        "1,BEGIN,1000,50,0\n",
        " [{\"query\":\"SELECT a FROM t WHERE b = $1\",\"calls\":150,\"total_exec_time\":400},"
        "{\"query\":\"SELECT c, d FROM u\",\"calls\":7,\"total_exec_time\":600.0}]\n",
    };
    for (size_t i = 0; i < 2; i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct err err = RH_ERR_INIT;
        struct statement_sums sums;
        if (read_sums(arena, exports[i], &sums, &err) != RH_OK)
            fail_msg("%s", err.message);
        struct workload_pattern patterns[] = {pattern_of(arena, "SELECT a FROM t WHERE b = 'x'"),
                                              pattern_of(arena, "SELECT 1")};
        rh_statement_sums_cover(&sums, patterns, 2);
        assert_int_equal(sums.items.count, 2);
        assert_string_equal(sums.items.items[0].query, "SELECT c, d FROM u");
        assert_false(sums.items.items[0].is_seen);
        assert_true(sums.items.items[1].is_seen);
        assert_int_equal(sums.never_seen, 1);
        assert_int_equal((int64_t)(sums.covered_us + 0.5), 400000);
        assert_int_equal((int64_t)(sums.total_us + 0.5), 1000000);
        assert_true(rh_statement_sums_weight(&sums, patterns[0].fingerprint, 30) == 5);
        assert_true(rh_statement_sums_weight(&sums, patterns[0].fingerprint, 0) == 1);
        assert_true(rh_statement_sums_weight(&sums, patterns[1].fingerprint, 30) == 1);
    }
}

static void test_statement_sums_refuse_what_they_are_not(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "query,calls\nSELECT 1,5\n", "[{\"query\":1}]",
                                        "[1,2", "roses are red\n",           "\"query\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct err err = RH_ERR_INIT;
        struct statement_sums sums;
        assert_int_equal(read_sums(arena, wrong[i], &sums, &err), RH_ERR_USAGE);
        assert_non_null(strstr(err.message, "not an export of pg_stat_statements"));
    }
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct err err = RH_ERR_INIT;
    struct statement_sums sums;
    assert_int_equal(
        read_sums(arena,
                  "query,calls,total_time\n,1,1\nx,-1,1\nx,y,1\nx,1,inf\nx,1e999,1\nx,1,1e308\n",
                  &sums, &err),
        RH_OK);
    assert_int_equal(sums.items.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statement_sums_say_what_is_covered),
        cmocka_unit_test(test_statement_sums_refuse_what_they_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
