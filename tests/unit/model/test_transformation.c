#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/transformation.h"

#include <stdlib.h>

static void test_transformation_json_of_no_rules_is_null(void **state)
{
    (void)state;
    const struct transformation none = {0};
    json_t *json = rh_transformation_to_json(&none);
    assert_true(json_is_null(json));
    json_decref(json);
}

static void test_transformation_json_counts_and_gives_reasons(void **state)
{
    (void)state;
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    struct transformation transformation = {.path = "t.yaml",
                                            .is_old_stopped = true,
                                            .patterns = 2,
                                            .calls = 20,
                                            .unparsed_patterns = 1,
                                            .unparsed_calls = 3};
    *RH_PUSH(arena, &transformation.rules) = (struct transformation_rule){"t.yaml:3:5",
                                                                          "drop_column a.b", 2, 20};
    *RH_PUSH(arena, &transformation.refusals) = (struct transformation_refusal){
        0xabc, "SELECT b FROM a", "nothing would be left", 5};
    json_t *json = rh_transformation_to_json(&transformation);
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(
        text, "{\"file\":\"t.yaml\",\"not_parsed\":{\"calls\":3,\"patterns\":1},"
              "\"old_application\":\"stopped\",\"refused\":[{\"calls\":5,\"fingerprint\":"
              "\"0000000000000abc\",\"query\":\"SELECT b FROM a\",\"reason\":\"nothing would be "
              "left\"}],\"rewritten\":{\"calls\":20,\"patterns\":2},\"rules\":[{\"calls\":20,"
              "\"patterns\":2,\"place\":\"t.yaml:3:5\",\"rule\":\"drop_column a.b\"}]}");
    free(text);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformation_json_of_no_rules_is_null),
        cmocka_unit_test(test_transformation_json_counts_and_gives_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
