#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "engine/engine.h"

#include <stdlib.h>
#include <sys/stat.h>

#define FILE_BYTES (256 * 1024)

static void put(struct arena *arena, const char *directory, const char *name)
{
    const char *folder = rh_file_join(arena, directory, name);
    struct err err = RH_ERR_INIT;
    struct text content = {rh_arena_alloc(arena, FILE_BYTES), FILE_BYTES};

    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(rh_file_write(rh_file_join(arena, folder, "1259"), content, 0600, &err),
                     RH_OK);
}

static void test_pg_files_count_users_databases_and_temporary_files(void **state)
{
    static const char *const UNCOUNTED[] = {"1", "4", "16383"};
    static const char *const COUNTED[] = {"16384", "pgsql_tmp"};
    struct arena *arena = rh_arena_new();
    char directory[] = "/tmp/rh-pg-files-XXXXXX";
    struct err err = RH_ERR_INIT;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(rh_engine_postgres.data_bytes(directory), -1); /* no cluster */
    const char *base = rh_file_join(arena, directory, "base");
    assert_int_equal(mkdir(base, 0700), 0);
    for (size_t i = 0; i < sizeof(UNCOUNTED) / sizeof(*UNCOUNTED); i++)
        put(arena, base, UNCOUNTED[i]);
    assert_int_equal(rh_engine_postgres.data_bytes(directory), 0);
    for (size_t i = 0; i < sizeof(COUNTED) / sizeof(*COUNTED); i++) {
        put(arena, base, COUNTED[i]);
        int64_t bytes = rh_engine_postgres.data_bytes(directory);
        assert_true(bytes >= (int64_t)(i + 1) * FILE_BYTES);
        assert_true(bytes < (int64_t)(i + 2) * FILE_BYTES);
    }
    assert_int_equal(rh_file_remove_tree(directory, &err), RH_OK);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_files_count_users_databases_and_temporary_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
