/*
 * A fixture of its own directory and arena, for tests of files:
 *
 *     #define FIXTURE_MEMBERS struct migration migration;   (where a test has more)
 *     #include "tools/directory_fixture.h"
 *     cmocka_unit_test_setup_teardown(test, set_up, tear_down)
 */
#ifndef RH_TESTS_DIRECTORY_FIXTURE_H
#define RH_TESTS_DIRECTORY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"

#include <stdlib.h>

#ifndef FIXTURE_MEMBERS
#define FIXTURE_MEMBERS
#endif

struct fixture {
    struct arena *arena;
    char directory[32];
    struct err err;
    FIXTURE_MEMBERS
};

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    fixture->arena = rh_arena_new();
    strcpy(fixture->directory, "/tmp/rehearse-unit-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_file_remove_tree(fixture->directory, &err), RH_OK);
    rh_arena_free(fixture->arena);
    free(fixture);
    return 0;
}

static inline char *path_of(struct fixture *fixture, const char *name)
{
    return rh_file_join(fixture->arena, fixture->directory, name);
}

#endif
