#include "mask_unit.h"

static void test_sentinels_and_kept_values_pass_in_any_case(void **state)
{
    static const char *const kept[] = {"walk-in", "Ölmühle"};
    static const char *const passing[] = {
        "",        "   ", "\t",         "N/A",        "n/a",     " None ",  "NULL",
        "unknown", "-",   "0000-00-00", "1970-01-01", "Walk-In", "ÖLMÜHLE", "ölmühle  "};
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(
        &(struct mask_map_options){
            .rule = MASK_TEXT, .type = "text", .kept_values = kept, .kept_value_count = 2},
        arena);

    (void)state;
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        assert_true(rh_mask_map_keeps(map, rh_text(passing[i])));
        assert_string_equal(mask_one(map, passing[i], arena), passing[i]);
    }
    assert_false(rh_mask_map_keeps(map, rh_text("walk-ins")));
    assert_string_not_equal(mask_one(map, "walk-ins", arena), "walk-ins");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* All two-letter words, half of which pass: what would become one of these goes on. */
static void test_no_value_becomes_one_that_passes(void **state)
{
    struct arena *arena = rh_arena_new();
    struct text words[26 * 26];
    const char *kept[26 * 13];
    size_t kept_count = 0;

    (void)state;
    for (size_t i = 0; i < 26 * 26; i++) {
        words[i] = rh_text(
            rh_arena_printf(arena, "%c%c", 'a' + (int)(i / 26), 'a' + (int)(i % 26)));
        if (i % 2)
            kept[kept_count++] = words[i].data;
    }
    struct mask_map *map = new_map(
        &(struct mask_map_options){
            .rule = MASK_TEXT, .type = "text", .kept_values = kept, .kept_value_count = kept_count},
        arena);
    const struct text *masked = mask_all(map, words, 26 * 26, arena);
    for (size_t i = 0; i < 26 * 26; i++)
        assert_true(rh_mask_map_keeps(map, masked[i]) == (i % 2 == 1));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* Texts of one hexadecimal digit after another, few of which are uuids: the others may not become
   one that a uuid becomes. */
static void test_what_a_rule_cannot_read_stays_apart_from_what_it_can(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_UUID, .type = "text"},
                                   arena);
    uint64_t seed = 5;
    struct text *values = rh_arena_alloc_array(arena, 40000, sizeof(*values));
    size_t unread = 0;

    (void)state;
    for (size_t i = 0; i < 40000; i++) {
        char *value = rh_arena_strdup(arena, "550e8400-e29b-41d4-a716-446655440000");
        for (int j = 0; j < 3; j++)
            value[next_random(&seed) % 8] = (char)('a' + (int)(next_random(&seed) % 12));
        unread += strpbrk(value, "ghijkl") != NULL;
        values[i] = rh_text(value);
    }
    assert_true(unread > 10000 && unread < 39000);
    const struct text *masked = mask_all(map, values, 40000, arena);
    for (size_t i = 0; i < 40000; i++) {
        const bool was = strcspn(values[i].data, "ghijkl") == values[i].len;
        bool is = true;
        for (size_t j = 0; j < masked[i].len; j++)
            is = is && (strchr("0123456789abcdef-", masked[i].data[j]) != NULL);
        assert_true(was == is);
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_blanks_that_fill_a_char_column_stay_behind_the_value(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *bare = masked_by(MASK_EMAIL, "bpchar", "a@example.com", arena);
    const char *filled = masked_by(MASK_EMAIL, "bpchar", "a@example.com   ", arena);

    (void)state;
    assert_string_equal(filled, rh_arena_printf(arena, "%s   ", bare));
    assert_string_equal(masked_by(MASK_CARD, "bpchar", "n/a   ", arena), "n/a   ");
    rh_arena_free(arena);
}

static void test_rules_refuse_types_they_cannot_mask(void **state)
{
    static const struct {
        enum mask_rule rule;
        const char *type, *parameter;
    } cases[] = {
        {MASK_TEXT, "int4", NULL},        {MASK_TEXT, "public.mood", NULL},
        {MASK_EMAIL, "jsonb", NULL},      {MASK_CARD, "date", NULL},
        {MASK_DATE, "interval", NULL},    {MASK_DATE, "time", NULL},
        {MASK_NUMBER, "text", NULL},      {MASK_NUMBER, "money", NULL},
        {MASK_UUID, "int8", NULL},        {MASK_INET, "macaddr", NULL},
        {MASK_MACADDR, "inet", NULL},     {MASK_BYTES, "text", NULL},
        {MASK_HASH, "bytea", NULL},       {MASK_HASH, "text", "0"},
        {MASK_HASH, "text", "65"},        {MASK_WORDS, "int4", NULL},
        {MASK_WORDS, "text", " , "},      {MASK_NOISE, "text", NULL},
        {MASK_NOISE, "int4", "3 days"},   {MASK_NOISE, "date", "3 hours"},
        {MASK_NOISE, "numeric", "101 %"}, {MASK_FIXED, "int4", NULL},
        {MASK_DATE, "date", "long"},      {MASK_DATE, "date", "0 days"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].rule, cases[i].type, cases[i].parameter);
}

static void test_encodings_of_several_bytes_are_refused_but_utf8(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map;
    struct err err = RH_ERR_INIT;
    struct mask_map_options options = {
        .key = &test_key, .domain = "d", .rule = MASK_TEXT, .encoding = "EUC_JP"};

    (void)state;
    assert_int_equal(rh_mask_map_new(&options, arena, &map, &err), RH_ERR_USAGE);
    options.encoding = "SQL_ASCII";
    assert_int_equal(rh_mask_map_new(&options, arena, &map, &err), RH_OK);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_keep_keeps_and_null_is_null(void **state)
{
    struct arena *arena = rh_arena_new();

    (void)state;
    assert_string_equal(masked_by(MASK_KEEP, "point", "(1,2)", arena), "(1,2)");
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_NULL, .type = "point"},
                                   arena);
    assert_null(mask_one(map, "(1,2)", arena));
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* A user's name and the local part of the address that holds it stay one, and two addresses of a
   provider keep it in common: under one domain of keys the rules agree. */
static void test_rules_of_a_domain_agree(void **state)
{
    struct arena *arena = rh_arena_new();
    const char *name = masked_by(MASK_TEXT, "text", "john.smith", arena);
    const char *address = masked_by(MASK_EMAIL, "text", "john.smith@example.com", arena);
    const char *site = masked_by(MASK_URL, "text", "https://example.com/", arena);

    (void)state;
    assert_memory_equal(address, name, strlen(name));
    assert_memory_equal(strchr(address, '@') + 1, site + 8, strlen("example.com"));
    rh_arena_free(arena);
}

static void test_the_original_options_may_go(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_master_key key = {{3}};
    char domain[] = "users", kept_value[] = "house";
    const char *kept[] = {kept_value};
    struct mask_map *map = new_map(&(struct mask_map_options){.key = &key,
                                                              .domain = domain,
                                                              .rule = MASK_TEXT,
                                                              .kept_values = kept,
                                                              .kept_value_count = 1},
                                   arena);
    const char *before = mask_one(map, "garden", arena);

    (void)state;
    memset(&key, 0xff, sizeof(key));
    memset(domain, 'x', sizeof(domain) - 1);
    memset(kept_value, 'x', sizeof(kept_value) - 1);
    assert_string_equal(mask_one(map, "garden", arena), before);
    assert_string_equal(mask_one(map, "house", arena), "house");
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

static void test_a_short_stream_is_mapped_by_its_rule(void **state)
{
    struct arena *arena = rh_arena_new();
    static const char *const values[] = {"john@example.com", "n/a", "", "x"};
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_EMAIL, .type = "text"},
                                   arena);

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct mask_stream *stream = rh_mask_stream_new(map);
        struct buf out;
        rh_buf_init(&out, 1000);
        for (const char *c = values[i]; *c; c++)
            rh_mask_stream_feed(stream, (struct text){c, 1}, &out);
        rh_mask_stream_finish(stream, &out);
        rh_mask_stream_free(stream);
        assert_true(rh_text_is(rh_buf_text(&out), mask_one(map, values[i], arena)));
        rh_buf_deinit(&out);
    }
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

/* Once a value streamed as text under this rule, and a checksum of what was kept was of something
   else. */
static void test_a_kept_value_stays_as_it_is_however_long(void **state)
{
    struct arena *arena = rh_arena_new();
    struct mask_map *map = new_map(&(struct mask_map_options){.rule = MASK_KEEP, .type = "text"},
                                   arena);
    struct mask_stream *stream = rh_mask_stream_new(map);
    char value[5000];
    struct buf out;

    (void)state;
    memset(value, 'v', sizeof(value));
    rh_buf_init(&out, sizeof(value));
    for (size_t at = 0; at < sizeof(value); at += 1000)
        rh_mask_stream_feed(stream, (struct text){value + at, 1000}, &out);
    rh_mask_stream_finish(stream, &out);
    assert_true(rh_text_equals(rh_buf_text(&out), (struct text){value, sizeof(value)}));
    rh_mask_stream_free(stream);
    rh_buf_deinit(&out);
    rh_mask_map_free(map);
    rh_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_kept_value_stays_as_it_is_however_long),
        cmocka_unit_test(test_sentinels_and_kept_values_pass_in_any_case),
        cmocka_unit_test(test_no_value_becomes_one_that_passes),
        cmocka_unit_test(test_what_a_rule_cannot_read_stays_apart_from_what_it_can),
        cmocka_unit_test(test_blanks_that_fill_a_char_column_stay_behind_the_value),
        cmocka_unit_test(test_rules_refuse_types_they_cannot_mask),
        cmocka_unit_test(test_encodings_of_several_bytes_are_refused_but_utf8),
        cmocka_unit_test(test_keep_keeps_and_null_is_null),
        cmocka_unit_test(test_rules_of_a_domain_agree),
        cmocka_unit_test(test_the_original_options_may_go),
        cmocka_unit_test(test_a_short_stream_is_mapped_by_its_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
