#include "mask_unit.h"

static const char *replaced(enum mask_rule rule, const char *parameter, int most, const char *value,
                            struct arena *arena)
{
    struct mask_map *map = new_map(
        &(struct mask_map_options){
            .rule = rule, .type = "varchar", .parameter = parameter, .max_characters = most},
        arena);
    const char *masked = mask_one(map, value, arena);
    rh_mask_map_free(map);
    return masked;
}

static void test_fixed_is_one_value_for_all(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map;
    struct err err = RH_ERR_INIT;

    (void)state;
    assert_string_equal(replaced(MASK_FIXED, "x", 0, "anything", arena), "x");
    assert_string_equal(replaced(MASK_FIXED, "x", 0, "", arena), "x");
    assert_string_equal(replaced(MASK_FIXED, NULL, 0, "anything", arena), "masked");
    assert_string_equal(replaced(MASK_FIXED, NULL, 4, "anything", arena), "mask");
    assert_string_equal(replaced(MASK_FIXED, "äöü", 3, "anything", arena), "äöü");
    assert_string_equal(masked_by(MASK_FIXED, "text", "n/a", arena), "masked");
    assert_int_equal(rh_mask_map_new(&(struct mask_map_options){.key = &test_key,
                                                                .rule = MASK_FIXED,
                                                                .type = "varchar",
                                                                .parameter = "long",
                                                                .max_characters = 3},
                                     arena, &map, &err),
                     RH_ERR_USAGE);
    rh_arena_free(arena);
}

static void test_a_hash_has_the_width_that_was_said_or_fits(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *whole = replaced(MASK_HASH, "64", 0, "value", arena);

    (void)state;
    assert_int_equal(strlen(whole), 64);
    assert_int_equal(strspn(whole, "0123456789abcdef"), 64);
    assert_int_equal(strlen(replaced(MASK_HASH, NULL, 0, "value", arena)), 32);
    assert_int_equal(strlen(replaced(MASK_HASH, NULL, 10, "value", arena)), 10);
    assert_memory_equal(replaced(MASK_HASH, "7", 10, "value", arena), whole, 7);
    assert_string_not_equal(replaced(MASK_HASH, "64", 0, "Value", arena), whole);
    assert_string_equal(replaced(MASK_HASH, NULL, 0, "n/a", arena), "n/a");
    rh_arena_free(arena);
}

static void test_words_are_of_the_list_and_fit(void **state)
{
    struct arena *arena = rh_arena_new();
    size_t seen[3] = {0};

    (void)state;
    for (int i = 0; i < 300; i++) {
        const char *word = replaced(MASK_WORDS, "red, green,toolong ,blue", 5,
                                    rh_arena_printf(arena, "value %d", i), arena);
        seen[0] += strcmp(word, "red") == 0;
        seen[1] += strcmp(word, "green") == 0;
        seen[2] += strcmp(word, "blue") == 0;
    }
    assert_int_equal(seen[0] + seen[1] + seen[2], 300);
    assert_true(seen[0] > 50 && seen[1] > 50 && seen[2] > 50);
    assert_string_equal(replaced(MASK_WORDS, NULL, 0, "value", arena),
                        replaced(MASK_WORDS, NULL, 0, "value", arena));
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixed_is_one_value_for_all),
        cmocka_unit_test(test_a_hash_has_the_width_that_was_said_or_fits),
        cmocka_unit_test(test_words_are_of_the_list_and_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
