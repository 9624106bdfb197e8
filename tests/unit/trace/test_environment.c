/* What a wrapped command is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trace/environment.h"

#include <string.h>

static struct arena *arena;
static const struct endpoint endpoint = {.host = "127.0.0.1",
                                         .port = 5432,
                                         .database = "app db",
                                         .user = "mig@rator",
                                         .password = "p/w"};

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

static const char *find(const char *const *environment, const char *name)
{
    const char *found = NULL;
    for (; *environment; environment++)
        if (strncmp(*environment, name, strlen(name)) == 0 && (*environment)[strlen(name)] == '=') {
            assert_null(found); /* once */
            found = *environment + strlen(name) + 1;
        }
    return found;
}

static void test_environment_expand_replaces_what_it_knows(void **state)
{
    (void)state;
    assert_string_equal(
        rh_environment_expand(arena, &endpoint, "a {host}:{port}/{db} {user} {x} {"),
        "a 127.0.0.1:5432/app db mig@rator {x} {");
    assert_string_equal(rh_environment_expand(arena, &endpoint, "{url}"),
                        "postgresql://mig%40rator:p%2Fw@127.0.0.1:5432/app%20db?sslmode=disable");
    assert_string_equal(rh_environment_expand(arena, &endpoint, "{jdbc_url}"),
                        "jdbc:postgresql://127.0.0.1:5432/app%20db?sslmode=disable");
    assert_string_equal(rh_environment_expand(arena, &endpoint, "{\"a\": \"{password}\"}"),
                        "{\"a\": \"p/w\"}");
}

static void test_environment_build_leads_nowhere_else(void **state)
{
    (void)state;
    static const char *const inherited[] = {
        "PATH=/bin",           "PGHOST=prod",       "PGSERVICE=prod",
        "PGHOSTADDR=10.0.0.1", "PGPASSFILE=/x",     "PGSSLROOTCERT=/y",
        "PGOPTIONS=-c x=y",    "DATABASE_URL=prod", NULL};
    static const char *const extra[] = {"MY_URL={url}", "PGDATABASE={db}_x", NULL};
    const char *const *built = rh_environment_build(arena, &endpoint, inherited, extra);
    assert_string_equal(find(built, "PATH"), "/bin");
    assert_string_equal(find(built, "PGHOST"), "127.0.0.1");
    assert_string_equal(find(built, "PGOPTIONS"), "-c x=y");
    assert_string_equal(find(built, "PGSSLMODE"), "disable");
    assert_string_equal(find(built, "PGDATABASE"), "app db_x");
    assert_string_equal(find(built, "PGPASSWORD"), "p/w");
    assert_null(find(built, "PGSERVICE"));
    assert_null(find(built, "PGHOSTADDR"));
    assert_null(find(built, "PGPASSFILE"));
    assert_null(find(built, "PGSSLROOTCERT"));
    assert_string_equal(find(built, "MY_URL"), find(built, "DATABASE_URL"));
    assert_string_equal(find(built, "FLYWAY_USER"), "mig@rator");
    assert_string_equal(find(built, "LIQUIBASE_COMMAND_URL"), find(built, "FLYWAY_URL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_environment_expand_replaces_what_it_knows),
        cmocka_unit_test(test_environment_build_leads_nowhere_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
