#include "tools/directory_fixture.h"

#include "snapshot/master_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static const char *write_key(struct fixture *fixture, const char *content, mode_t mode)
{
    const char *path = path_of(fixture, "mask.key");
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_file_write(path, rh_text(content), mode, &err), RH_OK);
    return path;
}

static enum err_code load(struct fixture *fixture, struct master_key_options options,
                          struct mask_master_key *ret_key, const char **ret_made, struct err *err)
{
    return rh_master_key_load(&options, fixture->arena, ret_key, ret_made, err);
}

static void test_master_key_is_read_from_a_file(void **state)
{
    struct mask_master_key key;
    struct err err = RH_ERR_INIT;
    const char *made;

    assert_int_equal(load(*state,
                          (struct master_key_options){.file = write_key(*state, DIGITS "\n", 0600)},
                          &key, &made, &err),
                     RH_OK);
    assert_null(made);
    for (int i = 0; i < MASK_MASTER_KEY_BYTES; i++)
        assert_int_equal(key.bytes[i], i);
}

static void test_master_key_file_is_made_once_for_its_owner(void **state)
{
    struct fixture *fixture = *state;
    const char *path = path_of(fixture, "new/place/mask.key");
    struct mask_master_key first, second;
    struct err err = RH_ERR_INIT;
    struct stat status;
    const char *made;

    assert_int_equal(load(fixture, (struct master_key_options){.file = path}, &first, &made, &err),
                     RH_OK);
    assert_string_equal(made, path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(load(fixture, (struct master_key_options){.file = path}, &second, &made, &err),
                     RH_OK);
    assert_null(made);
    assert_memory_equal(first.bytes, second.bytes, MASK_MASTER_KEY_BYTES);
}

static void assert_refused(struct fixture *fixture, struct master_key_options options,
                           const char *words)
{
    struct mask_master_key key;
    struct err err = RH_ERR_INIT;
    const char *made;

    assert_int_not_equal(load(fixture, options, &key, &made, &err), RH_OK);
    if (!strstr(err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    if (strstr(err.message, "0001020304"))
        fail_msg("the key is in \"%s\"", err.message);
}

static void test_master_key_that_others_may_read_is_refused(void **state)
{
    assert_refused(*state, (struct master_key_options){.file = write_key(*state, DIGITS, 0640)},
                   "can be read or written by others");
    assert_refused(*state, (struct master_key_options){.file = write_key(*state, DIGITS, 0602)},
                   "can be read or written by others");
}

static void test_master_key_that_is_none_is_refused(void **state)
{
    static const char *const none[] = {"",
                                       "\n",
                                       "0001",
                                       DIGITS "00",
                                       DIGITS DIGITS,
                                       "g00102030405060708090a0b0c0d0e0f10111213141516171819"
                                       "1a1b1c1d1e1f"};

    for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        assert_refused(*state,
                       (struct master_key_options){.file = write_key(*state, none[i], 0600)},
                       "holds no masking key");
    assert_refused(*state, (struct master_key_options){.text = DIGITS "0"},
                   "REHEARSE_MASK_KEY holds no masking key");
    assert_refused(*state, (struct master_key_options){.command = "echo"}, "holds no masking key");
    assert_refused(*state, (struct master_key_options){.command = "echo " DIGITS "; exit 3"},
                   "--key-command failed: exit status 3");
    assert_refused(*state, (struct master_key_options){.file = "x", .command = "y"}, "both");
}

static void test_master_key_sources_agree(void **state)
{
    struct mask_master_key keys[3];
    struct err err = RH_ERR_INIT;
    const char *made;

    assert_int_equal(load(*state,
                          (struct master_key_options){.file = write_key(*state, DIGITS, 0400)},
                          &keys[0], &made, &err),
                     RH_OK);
    assert_int_equal(
        load(*state, (struct master_key_options){.command = "echo " DIGITS}, &keys[1], &made, &err),
        RH_OK);
    assert_int_equal(
        load(*state, (struct master_key_options){.text = DIGITS}, &keys[2], &made, &err), RH_OK);
    assert_memory_equal(keys[0].bytes, keys[1].bytes, MASK_MASTER_KEY_BYTES);
    assert_memory_equal(keys[0].bytes, keys[2].bytes, MASK_MASTER_KEY_BYTES);
}

static void test_master_key_names_differ_by_key_and_purpose(void **state)
{
    struct mask_master_key key = {{1}}, other = {{2}};
    char a[MASTER_KEY_ID_BYTES], b[MASTER_KEY_ID_BYTES];

    (void)state;
    rh_master_key_id(&key, "one", a);
    assert_int_equal(strlen(a), MASTER_KEY_ID_BYTES - 1);
    rh_master_key_id(&other, "one", b);
    assert_string_not_equal(a, b);
    rh_master_key_id(&key, "two", b);
    assert_string_not_equal(a, b);
    rh_master_key_id(&key, "one", b);
    assert_string_equal(a, b);
    assert_int_equal(rh_master_key_number(&key, "one"), rh_master_key_number(&key, "one"));
    assert_int_not_equal(rh_master_key_number(&key, "one"), rh_master_key_number(&other, "one"));
    rh_master_key_wipe(&key);
    for (int i = 0; i < MASK_MASTER_KEY_BYTES; i++)
        assert_int_equal(key.bytes[i], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_master_key_is_read_from_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_master_key_file_is_made_once_for_its_owner, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_master_key_that_others_may_read_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_master_key_that_is_none_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_master_key_sources_agree, set_up, tear_down),
        cmocka_unit_test(test_master_key_names_differ_by_key_and_purpose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
