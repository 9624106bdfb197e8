#include "base/file.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct machine {
    struct arena *arena;
    char directory[40];
};

static int set_up(void **state)
{
    struct machine *machine = calloc(1, sizeof(*machine));

    strcpy(machine->directory, "/tmp/rehearse-servers-XXXXXX");
    if (!mkdtemp(machine->directory))
        return -1;
    machine->arena = rh_arena_new();
    *state = machine;
    return 0;
}

static int tear_down(void **state)
{
    struct machine *machine = *state;
    struct err err = RH_ERR_INIT;
    enum err_code code = rh_file_remove_tree(machine->directory, &err);

    rh_arena_free(machine->arena);
    free(machine);
    unsetenv("REHEARSE_SERVER_PATH");
    return code ? -1 : 0;
}

static void write_program(struct machine *machine, const char *directory, const char *name,
                          const char *script)
{
    struct err err = RH_ERR_INIT;
    const char *path = rh_file_join(machine->arena, directory, name);

    assert_int_equal(rh_file_write(path, rh_text(script), 0755, &err), RH_OK);
}

/* An installation whose server says this of itself. */
static const char *install(struct machine *machine, const char *name, const char *says)
{
    const char *directory = rh_file_join(machine->arena, machine->directory, name);

    assert_int_equal(mkdir(directory, 0755), 0);
    write_program(machine, directory, "postgres",
                  rh_arena_printf(machine->arena, "#!/bin/sh\n%s\n", says));
    write_program(machine, directory, "initdb", "#!/bin/sh\n");
    return directory;
}

static void test_pg_servers_are_sorted_newest_last(void **state)
{
    struct machine *machine = *state;
    const char *a = install(machine, "a", "echo 'postgres (PostgreSQL) 15.9'");
    const char *b = install(machine, "b", "echo 'postgres (PostgreSQL) 9.6.24'");
    const char *c = install(machine, "c", "echo 'postgres (PostgreSQL) 15.18 (Debian 15.18-0)'");
    const char *d = install(machine, "d", "echo 'postgres (PostgreSQL) 18beta1'");
    const char *e = install(machine, "e", "exit 3");
    const char *f = install(machine, "f", "echo 'postgres (PostgreSQL) 13.23'");
    struct server_list servers;
    struct err err = RH_ERR_INIT;

    setenv(
        "REHEARSE_SERVER_PATH",
        rh_arena_printf(machine->arena, "%s:%s:%s:%s::%s:%s:%s:/nonexistent", a, b, c, d, e, f, a),
        1);
    assert_int_equal(rh_engine_postgres.find_servers(NULL, machine->arena, &servers, &err), RH_OK);
    assert_int_equal(servers.count, 4);
    assert_string_equal(servers.items[0].version, "13.23");
    assert_int_equal(servers.items[0].major, 13);
    assert_string_equal(servers.items[1].version, "15.9");
    assert_string_equal(servers.items[2].version, "15.18");
    assert_string_equal(servers.items[2].bin_directory, c);
    assert_int_equal(servers.items[3].major, 18);
}

/* A directory of links is the installation they lead to; of two equal ones the first is taken. */
static void test_pg_servers_links_lead_to_the_installation(void **state)
{
    struct machine *machine = *state;
    const char *real = install(machine, "real", "echo 'postgres (PostgreSQL) 15.1'");
    const char *same = install(machine, "same", "echo 'postgres (PostgreSQL) 15.1'");
    const char *links = rh_file_join(machine->arena, machine->directory, "links");
    struct server_list servers;
    struct err err = RH_ERR_INIT;

    assert_int_equal(mkdir(links, 0755), 0);
    assert_int_equal(symlink(rh_file_join(machine->arena, real, "postgres"),
                             rh_file_join(machine->arena, links, "postgres")),
                     0);
    setenv("REHEARSE_SERVER_PATH", rh_arena_printf(machine->arena, "%s:%s:%s", links, real, same),
           1);
    assert_int_equal(rh_engine_postgres.find_servers(NULL, machine->arena, &servers, &err), RH_OK);
    assert_int_equal(servers.count, 2);
    assert_string_equal(servers.items[1].bin_directory, real);
}

static void test_pg_servers_named_directory_is_the_only_one(void **state)
{
    struct machine *machine = *state;
    const char *a = install(machine, "a", "echo 'postgres (PostgreSQL) 15.9'");
    struct server_list servers;
    struct err err = RH_ERR_INIT;

    setenv("REHEARSE_SERVER_PATH", install(machine, "b", "echo 'postgres (PostgreSQL) 17.1'"), 1);
    assert_int_equal(rh_engine_postgres.find_servers(a, machine->arena, &servers, &err), RH_OK);
    assert_int_equal(servers.count, 1);
    assert_int_equal(servers.items[0].major, 15);
}

static void test_pg_servers_none_tells_where_it_looked(void **state)
{
    struct machine *machine = *state;
    const char *old = install(machine, "old", "echo 'postgres (PostgreSQL) 9.6.24'");
    struct server_list servers;
    struct err err = RH_ERR_INIT;

    assert_int_equal(
        rh_engine_postgres.find_servers(machine->directory, machine->arena, &servers, &err),
        RH_ERR_ENVIRONMENT);
    assert_non_null(strstr(err.message, machine->directory));
    assert_int_equal(rh_engine_postgres.find_servers(old, machine->arena, &servers, &err),
                     RH_ERR_ENVIRONMENT);
    assert_non_null(strstr(err.detail, "too old"));
    setenv("REHEARSE_SERVER_PATH", "/nonexistent", 1);
    assert_int_equal(rh_engine_postgres.find_servers(NULL, machine->arena, &servers, &err),
                     RH_ERR_ENVIRONMENT);
    assert_non_null(strstr(err.detail, "/nonexistent"));
    assert_non_null(strstr(err.hint, "apt-get install"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_pg_servers_are_sorted_newest_last),
        TEST(test_pg_servers_links_lead_to_the_installation),
        TEST(test_pg_servers_named_directory_is_the_only_one),
        TEST(test_pg_servers_none_tells_where_it_looked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
