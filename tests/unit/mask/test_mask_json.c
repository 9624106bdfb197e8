#include "mask/mask_json_int.h"
#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static void test_strings_are_masked_and_the_rest_stays(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&json, &text, "{\"name\":\"Anna\"}", "{\"name\":\"\1\"}", LEAVES("Anna"));
    check_leaves(&json, &text, " { \"a\" :\n[ \"x y\" , 12.50e+3,true ,false,null,{}, [] ] }\t",
                 " { \"a\" :\n[ \"\1\" , 12.50e+3,true ,false,null,{}, [] ] }\t", LEAVES("x y"));
    check_leaves(&json, &text, "\"alone\"", "\"\1\"", LEAVES("alone"));
    check_leaves(&json, &text, "-0.5", "-0.5", NULL);
    check_leaves(&json, &text, "[\"\",\" \",\"same\",\"same\"]", "[\"\",\" \",\"\1\",\"\1\"]",
                 LEAVES("same"));
    check_leaves(&json, &text, "{\"a\":{\"b\":{\"c\":[[\"deep\"]]}},\"d\":\"wide\"}",
                 "{\"a\":{\"b\":{\"c\":[[\"\1\"]]}},\"d\":\"\2\"}", LEAVES("deep", "wide"));
}

static void test_leaves_join_with_columns_of_the_same_domain(void **state)
{
    (void)state;
    static const struct {
        enum mask_rule rule;
        const char *type, *value;
    } cases[] = {
        {MASK_EMAIL, "text", "anna.b@mail.example.org"},
        {MASK_URL, "text", "https://example.org/u/17?x=y"},
        {MASK_PHONE, "text", "+49 30 1234567"},
        {MASK_UUID, "text", "6f1c7b1e-3c4d-4e5f-8a9b-0c1d2e3f4a5b"},
        {MASK_CARD, "text", "4111111111111111"},
        {MASK_CARD, "text", "4111 1111 1111 1111"},
        {MASK_IBAN, "text", "DE89370400440532013000"},
        {MASK_INET, "inet", "192.168.17.4"},
        {MASK_DATE, "date", "1984-02-29"},
        {MASK_TEXT, "text", "Anna Bergmann"},
    };
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "jsonb");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP_BENCH struct bench column = bench_new(cases[i].rule, cases[i].type);
        char value[200], expected[200];
        snprintf(value, sizeof value, "{\"k\": \"%s\"}", cases[i].value);
        snprintf(expected, sizeof expected, "{\"k\": \"%s\"}", mask_one(&column, cases[i].value));
        assert_string_equal(mask_one(&json, value), expected);
        assert_string_not_equal(value, expected);
    }
}

static void test_the_time_of_day_stays_behind_its_date(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    CLEANUP_BENCH struct bench date = bench_new(MASK_DATE, "date");
    check_leaves(&json, &date, "[\"2024-05-06T07:08:09.123Z\",\"2024-05-06 07:08:09+02\"]",
                 "[\"\1T07:08:09.123Z\",\"\1 07:08:09+02\"]", LEAVES("2024-05-06"));
}

static void test_escapes_stay_where_they_were(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    const char *value =
        "[\"a\\nb\\\\c\\\"d\\/e\\u0041\\u0042\\u0043\\u00fc\\ud83d\\ude00\\u0000\\ud800x\\t\"]";
    const char *masked = mask_one(&json, value);
    assert_int_equal(strlen(masked), strlen(value));
    for (const char *at = value, *now = masked; *at; at++, now++)
        if (*at == '\\' || *at == '"')
            assert_int_equal(*now, *at);
    assert_null(strstr(masked, "\\u0041\\u0042\\u0043"));
    assert_null(strstr(masked, "\\u00fc"));
    assert_non_null(strstr(masked, "\\u0000"));
    /* The value is one and the same, however it is written. */
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    char expected[20];
    snprintf(expected, sizeof expected, "\"\\u%04x%s\"", (unsigned)mask_one(&text, "Anna")[0],
             mask_one(&text, "Anna") + 1);
    assert_string_equal(mask_one(&json, "\"\\u0041nna\""), expected);
}

static void test_names_that_look_like_data_are_data(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    CLEANUP_BENCH struct bench email = bench_new(MASK_EMAIL, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&json, &email, "{\"anna@example.org\":1,\"plain\":2,\"2024\":3}",
                 "{\"\1\":1,\"plain\":2,\"2024\":3}", LEAVES("anna@example.org"));
    check_leaves(&json, &text, "{\"10023871\":{\"a\":1}}", "{\"\1\":{\"a\":1}}",
                 LEAVES("10023871"));
    /* However they are written. */
    const char *masked = mask_one(&json, "{\"a\\u006ena@example.org\":1}");
    const char *plain = mask_one(&email, "anna@example.org");
    char expected[64];
    snprintf(expected, sizeof expected, "{\"%c\\u%04x%s\":1}", plain[0], (unsigned)plain[1],
             plain + 2);
    assert_string_equal(masked, expected);
}

/* jsonb's order is by length, then by bytes: what comes back from the server is what was sent. */
static void test_masked_names_of_jsonb_are_in_order(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "jsonb");
    char value[2000] = "{\"a\": {";
    for (int i = 0; i < 20; i++)
        snprintf(value + strlen(value), sizeof value - strlen(value), "%s\"%d\": [\"%d, }\", {}]",
                 i > 0 ? ", " : "", 100000 + i * 31, i);
    strncat(value, "}, \"b\": 1}", sizeof value - strlen(value) - 1);
    const char *masked = mask_one(&json, value);
    assert_int_equal(strlen(masked), strlen(value));
    long last = 0;
    int count = 0;
    for (const char *at = masked; (at = strstr(at, "\": [")) != NULL; at++, count++) {
        long number = strtol(at - 6, NULL, 10);
        assert_true(number > last);
        last = number;
    }
    assert_int_equal(count, 20);
    assert_true(rh_text_ends_with(rh_text(masked), "}, \"b\": 1}"));
}

static void test_numbers_stay_but_for_cards_and_what_their_name_says(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    const char *kept = "{\"id\":12345678,\"at\":1716900000000,\"phone_id\":12345678,"
                       "\"phone\":12,\"card\":1.5,\"n\":4111111111111112}";
    assert_string_equal(mask_one(&json, kept), kept);
    CLEANUP_BENCH struct bench card = bench_new(MASK_CARD, "text");
    check_leaves(&json, &card, "[4111111111111111]", "[\1]", LEAVES("4111111111111111"));
    for (int i = 0; i < 500; i++) {
        char value[64];
        snprintf(value, sizeof value, "{\"mobilePhone\":%d}", 1700000000 + i * 7919);
        const char *masked = mask_one(&json, value);
        assert_int_equal(strlen(masked), strlen(value));
        assert_string_not_equal(masked, value);
        assert_true(masked[15] >= '1' && masked[15] <= '9'); /* no zero in front */
    }
}

static void test_rules_by_path(void **state)
{
    (void)state;
    static const struct mask_path paths[] = {
        {"$.status", MASK_KEEP, NULL},         {"$.meta", MASK_KEEP, NULL},
        {"$.meta.secret", MASK_TEXT, "other"}, {"$.items[*].code", MASK_TEXT, "codes"},
        {"$.by.*.name", MASK_KEEP, NULL},      {"$[\"odd.name\"]", MASK_KEEP, NULL},
        {"$.gone", MASK_NULL, NULL},           {"$.count", MASK_TEXT, NULL},
    };
    CLEANUP_BENCH struct bench json = bench_of((struct mask_map_options){
        .rule = MASK_JSON, .type = "jsonb", .paths = paths, .path_count = 8});
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    CLEANUP_BENCH struct bench other = bench_of(
        (struct mask_map_options){.rule = MASK_TEXT, .type = "text", .domain = "other"});
    CLEANUP_BENCH struct bench codes = bench_of(
        (struct mask_map_options){.rule = MASK_TEXT, .type = "text", .domain = "codes"});
    check_leaves(&json, &text,
                 "{\"status\": \"active\", \"x\": {\"status\": \"mine\"}, \"odd.name\": \"kept\"}",
                 "{\"status\": \"active\", \"x\": {\"status\": \"\1\"}, \"odd.name\": \"kept\"}",
                 LEAVES("mine"));
    check_leaves(
        &json, &other, "{\"meta\": {\"a\": [\"kept\", {\"b\": \"kept\"}], \"secret\": \"hidden\"}}",
        "{\"meta\": {\"a\": [\"kept\", {\"b\": \"kept\"}], \"secret\": \"\1\"}}", LEAVES("hidden"));
    check_leaves(&json, &codes, "{\"items\": [{\"code\": \"abc\"}, {\"code\": [\"def\"]}]}",
                 "{\"items\": [{\"code\": \"\1\"}, {\"code\": [\"\2\"]}]}", LEAVES("abc", "def"));
    check_leaves(&json, &text, "{\"by\": {\"one\": {\"name\": \"kept\", \"nick\": \"masked\"}}}",
                 "{\"by\": {\"one\": {\"name\": \"kept\", \"nick\": \"\1\"}}}", LEAVES("masked"));
    assert_string_equal(mask_one(&json, "{\"gone\": \"x y\"}"), "{\"gone\": null}");
    const char *masked = mask_one(&json, "{\"count\": 7120}");
    assert_int_equal(strlen(masked), strlen("{\"count\": 7120}"));
    assert_string_not_equal(masked, "{\"count\": 7120}");
}

static void test_numbers_by_path_are_numbers_still(void **state)
{
    (void)state;
    static const struct {
        enum mask_rule rule;
        const char *pattern;
    } rules[] = {{MASK_NUMBER, NULL}, {MASK_TEXT, NULL}, {MASK_NOISE, NULL}, {MASK_NULL, "null"}};
    static const char *const numbers[] = {"7120",        "-7120",           "12.50", "-0.75",
                                          "1e5",         "0.001",           "100",   "10",
                                          "-1234567.89", "9007199254740993"};
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        const struct mask_path path = {"$.n", rules[r].rule, NULL};
        CLEANUP_BENCH struct bench json = bench_of((struct mask_map_options){
            .rule = MASK_JSON, .type = "jsonb", .paths = &path, .path_count = 1});
        int changed = 0;
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            char value[64];
            snprintf(value, sizeof value, "{\"n\": %s}", numbers[i]);
            const char *masked = mask_one(&json, value);
            changed += strcmp(masked, value) != 0;
            assert_memory_equal(masked, "{\"n\": ", 6);
            struct text number = {masked + 6, strlen(masked) - 7};
            if (rules[r].pattern != NULL)
                assert_true(rh_text_is(number, rules[r].pattern));
            else if (!rh_json_is_number(number))
                fail_msg("%s became %s", value, masked);
        }
        assert_true(changed >= 5); /* noise moves a small number by nothing */
        assert_string_equal(mask_one(&json, "{\"n\": true}"), "{\"n\": true}");
    }
}

static void test_paths_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    static const char *const broken[] = {"", "a", "$a", "$.", "$[", "$[0]", "$[\"x]", "$..a"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct mask_path path = {broken[i], MASK_KEEP, NULL};
        struct mask_map_options options = {.key = &test_key,
                                           .domain = "d",
                                           .rule = MASK_JSON,
                                           .type = "json",
                                           .paths = &path,
                                           .path_count = 1};
        struct err err = RH_ERR_INIT;
        RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
        struct mask_map *map;
        assert_int_equal(rh_mask_map_new(&options, arena, &map, &err), RH_ERR_USAGE);
        assert_true(err.hint[0] != '\0');
    }
}

static void test_what_is_no_json_is_text(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "text");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"{\"a\":\"secret\"",
                                         "{\"a\" \"secret\"}",
                                         "[secret]",
                                         "{\"a\":\"secret\"}}",
                                         "\"secret",
                                         "{a:\"secret\"}",
                                         "[\"secret\",]",
                                         "{\"secret\"}",
                                         "[1 \"secret\"]",
                                         "[01]",
                                         "[\"a\nsecret\"]",
                                         "{\"a\":}",
                                         "[\"secret\"}",
                                         "nul",
                                         "[1.e5]",
                                         "plain secret"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&json, broken[i]), mask_one(&text, broken[i]));
    const char *empty = "";
    assert_string_equal(mask_one(&json, empty), empty);
}

static void test_depth_has_an_end(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    for (size_t depth = 16000; depth <= 17000; depth += 1000) {
        char *value = malloc(2 * depth + 1);
        memset(value, '[', depth);
        memset(value + depth, ']', depth);
        value[2 * depth] = '\0';
        assert_string_equal(mask_one(&json, value), value);
        free(value);
    }
}

/* Two texts that differ have pseudonyms that differ; members keep their places. */
static void test_values_stay_as_many(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "jsonb");
    static char seen[4096][24];
    for (int i = 0; i < 4096; i++) {
        char value[24];
        snprintf(value, sizeof value, "{\"a\": \"%c%c%c\"}", 'a' + i % 16, 'a' + i / 16 % 16,
                 'a' + i / 256);
        snprintf(seen[i], sizeof seen[i], "%s", mask_one(&json, value));
    }
    qsort(seen, 4096, sizeof seen[0], (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < 4096; i++)
        assert_string_not_equal(seen[i - 1], seen[i]);
}

/* A document of many pieces, and leaves larger than one. */
static void test_large_documents_stream_as_they_are_mapped(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 26);
    rh_buf_add_str(&value, "{\"first\":\"anna@example.org\",\"long\":\"");
    for (size_t i = 0; i < 3 * LEAVES_PIECE_BYTES / 8; i++)
        rh_buf_add_str(&value, "secretly");
    rh_buf_add_str(&value, "\",\"list\":[");
    for (int i = 0; i < 60000; i++)
        rh_buf_printf(&value, "%s{\"n\":%d,\"s\":\"word %d\"}", i > 0 ? "," : "", i, i);
    rh_buf_add_str(&value, "],\"last\":true}");
    const char *whole = mask_one(&json, value.data);
    assert_int_equal(strlen(whole), value.len);
    assert_null(strstr(whole, "secretly"));
    assert_true(rh_text_ends_with(rh_text(whole), "],\"last\":true}"));
    static const size_t steps[] = {4095, 70001, 1 << 26};
    for (size_t i = 0; i < 3; i++) {
        const char *streamed = mask_streamed(&json, rh_buf_text(&value), steps[i]);
        assert_true(strcmp(streamed, whole) == 0);
    }
}

static void test_escapes_of_large_leaves_are_never_cut(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json = bench_new(MASK_JSON, "json");
    static const char *const units[] = {
        "\\\\", "\\\"", "a\\n", "\\ud83d\\ude00", "\xc3\xbc", "\xf0\x9f\x98\x80", "\\u00e9"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        for (size_t shift = 0; shift < 13; shift += 1 + strlen(units[i]) / 6) {
            RH_CLEANUP_BUF struct buf value;
            rh_buf_init(&value, 1 << 26);
            rh_buf_add(&value, "[\"abcdefghijklmn", 3 + shift);
            while (value.len < 2 * LEAVES_PIECE_BYTES + 1000)
                rh_buf_add_str(&value, units[i]);
            rh_buf_add_str(&value, "\",\"end\"]");
            const char *masked = mask_streamed(&json, rh_buf_text(&value), 65537);
            assert_true(rh_text_ends_with(rh_text(masked), "\"]"));
            CLEANUP_BENCH struct bench again = bench_new(MASK_JSON, "json");
            /* It is JSON still: of another text the skeleton would move, too. */
            const char *twice = mask_one(&again, masked);
            assert_true(rh_text_ends_with(rh_text(twice), "\"]"));
            assert_memory_equal(strstr(masked, "\",\""), "\",\"", 3);
        }
    }
}

/* {"note":"<five megabytes>","n":"x"}, by a rule at $.note that is the last of its paths. */
static const char *large_by_path(struct bench *json, enum mask_rule rule, const char *unit,
                                 struct buf *value)
{
    const struct mask_path paths[] = {{"$.n", MASK_KEEP, NULL}, {"$.note", rule, NULL}};
    *json = bench_of((struct mask_map_options){
        .rule = MASK_JSON, .type = "jsonb", .paths = paths, .path_count = 2});
    rh_buf_init(value, 1 << 24);
    rh_buf_add_str(value, "{\"note\":\"");
    while (value->len < 5 << 20)
        rh_buf_add_str(value, unit);
    rh_buf_add_str(value, "\",\"n\":\"x\"}");
    return mask_streamed(json, rh_buf_text(value), 70001);
}

static void test_a_large_string_that_is_kept_stays(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench json;
    RH_CLEANUP_BUF struct buf value;
    const char *masked = large_by_path(&json, MASK_KEEP, "kept as it is ", &value);
    assert_true(rh_text_is(rh_buf_text(&value), masked));
}

static void test_a_large_string_is_replaced_where_its_rule_replaces(void **state)
{
    (void)state;
    static const struct {
        enum mask_rule rule;
        const char *masked;
    } cases[] = {{MASK_NULL, "{\"note\":null,\"n\":\"x\"}"},
                 {MASK_FIXED, "{\"note\":\"masked\",\"n\":\"x\"}"},
                 {MASK_HASH, NULL},
                 {MASK_WORDS, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CLEANUP_BENCH struct bench json;
        RH_CLEANUP_BUF struct buf value;
        const char *masked = large_by_path(&json, cases[i].rule, "Anna \\u00fc\\\" ", &value);
        assert_in_range(strlen(masked), 16, 64);
        assert_true(rh_text_ends_with(rh_text(masked), ",\"n\":\"x\"}"));
        if (cases[i].masked != NULL)
            assert_string_equal(masked, cases[i].masked);
        /* The cuts do not matter. */
        assert_string_equal(mask_streamed(&json, rh_buf_text(&value), 9973), masked);
    }
}

static void test_what_a_rule_of_numbers_cannot_read_is_text(void **state)
{
    (void)state;
    static const enum mask_rule rules[] = {MASK_NUMBER, MASK_NOISE};
    static const char *const values[] = {"3 weeks, ask Anna Muster", "Anna Muster", "2024-05-06",
                                         "+49 30 1234567"};
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    for (size_t r = 0; r < 2; r++) {
        const struct mask_path path = {"$.n", rules[r], NULL};
        CLEANUP_BENCH struct bench json = bench_of((struct mask_map_options){
            .rule = MASK_JSON, .type = "jsonb", .paths = &path, .path_count = 1});
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            char value[64], expected[64];
            snprintf(value, sizeof value, "{\"n\": \"%s\"}", values[i]);
            snprintf(expected, sizeof expected, "{\"n\": \"%s\"}", mask_one(&text, values[i]));
            assert_string_equal(mask_one(&json, value), expected);
        }
        /* Of a number in another form the digits change, and it is one still. */
        const char *masked = mask_one(&json, "{\"n\": 7129345E5}");
        assert_string_not_equal(masked, "{\"n\": 7129345E5}");
        assert_true(rh_json_is_number((struct text){masked + 6, strlen(masked) - 7}));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_are_masked_and_the_rest_stays),
        cmocka_unit_test(test_leaves_join_with_columns_of_the_same_domain),
        cmocka_unit_test(test_the_time_of_day_stays_behind_its_date),
        cmocka_unit_test(test_escapes_stay_where_they_were),
        cmocka_unit_test(test_names_that_look_like_data_are_data),
        cmocka_unit_test(test_masked_names_of_jsonb_are_in_order),
        cmocka_unit_test(test_numbers_stay_but_for_cards_and_what_their_name_says),
        cmocka_unit_test(test_rules_by_path),
        cmocka_unit_test(test_numbers_by_path_are_numbers_still),
        cmocka_unit_test(test_paths_that_cannot_be_read_are_refused),
        cmocka_unit_test(test_what_is_no_json_is_text),
        cmocka_unit_test(test_depth_has_an_end),
        cmocka_unit_test(test_values_stay_as_many),
        cmocka_unit_test(test_large_documents_stream_as_they_are_mapped),
        cmocka_unit_test(test_escapes_of_large_leaves_are_never_cut),
        cmocka_unit_test(test_a_large_string_that_is_kept_stays),
        cmocka_unit_test(test_a_large_string_is_replaced_where_its_rule_replaces),
        cmocka_unit_test(test_what_a_rule_of_numbers_cannot_read_is_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
