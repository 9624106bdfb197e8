/* Values in texts and in Bind messages: by their column, the same in every form; nothing is left in
 * clear because nobody said what it is. */
#include "unit/mask/catalog_fixture.h"
#include "workload/value_mask.h"

static const struct mask_master_key key = {{1, 2, 3, 4, 5, 6, 7, 8}};
static const char yaml[] = "version: 1\n"
                           "tables:\n"
                           "  public.users:\n"
                           "    columns:\n"
                           "      email: email\n"
                           "      name: text\n"
                           "      salary: number\n"
                           "      city: keep\n"
                           "      token: uuid\n"
                           "      secret: bytes\n";

struct fixture {
    struct made made;
    struct masking masking;
    struct value_mask *mask;
    struct query_cache *cache;
    struct arena *arena;
    struct text types; /* that Parse declared */
    int64_t by_default;
};

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    (void)context;
    (void)pattern;
    (void)err;
    return RH_OK;
}

/* In place: the mask keeps where the catalogue is. */
static void open_mask(struct fixture *f)
{
    *f = (struct fixture){.made = make_catalog(), .arena = rh_arena_new()};
    struct masking_rules *rules = NULL;
    struct err err = RH_ERR_INIT;
    size_t users = add_table(&f->made, "users"), orders;

    add_column(&f->made, users, "id", "int4 not null");
    add_column(&f->made, users, "email", "text");
    add_column(&f->made, users, "name", "text");
    add_column(&f->made, users, "salary", "int4");
    add_column(&f->made, users, "city", "text");
    add_column(&f->made, users, "token", "uuid");
    add_column(&f->made, users, "secret", "bytea");
    add_column(&f->made, users, "doc", "jsonb");
    orders = add_table(&f->made, "orders");
    add_column(&f->made, orders, "id", "int4 not null");
    add_column(&f->made, orders, "name", "text");
    if (rh_masking_rules_parse("masking.yaml", rh_text(yaml), f->made.arena, &rules, &err) ||
        rh_masking_plan(&f->made.catalog, rules, NULL, 0, f->made.arena, &f->masking, &err))
        fail_msg("%s", err.message);
    assert_int_equal(rh_value_mask_new(&f->made.catalog, &f->masking, &key, &f->mask, &err), RH_OK);
    f->cache = rh_query_cache_new(
        &(struct query_cache_options){.wants_columns = true, .on_pattern = on_pattern});
}

static void close_mask(struct fixture *f)
{
    rh_query_cache_free(f->cache);
    rh_value_mask_free(f->mask);
    rh_arena_free(f->arena);
    rh_arena_free(f->made.arena);
}

static struct known_query *know(struct fixture *f, const char *query)
{
    struct known_query *known = NULL;
    struct err err = RH_ERR_INIT;

    assert_int_equal(rh_query_cache_find(f->cache, rh_text(query), &known, &err), RH_OK);
    return known;
}

static const char *mask_query(struct fixture *f, const char *query)
{
    struct known_query *known = know(f, query);
    struct text masked;

    f->by_default = 0;
    masked = rh_value_mask_query(f->mask, known, rh_text(query), f->arena, &f->by_default);
    rh_known_query_drop(known);
    return rh_text_dup(f->arena, masked);
}

/* Of one parameter; NULL: SQL NULL. */
static const char *mask_parameter(struct fixture *f, const char *query, bool is_binary,
                                  const char *value, size_t length, size_t *ret_length)
{
    struct known_query *known = know(f, query);
    RH_CLEANUP_BUF struct buf body;
    struct text masked;

    rh_buf_init(&body, 4096);
    rh_buf_add(&body, "\0\0\0\1\0", 5);
    rh_buf_add_char(&body, is_binary);
    rh_buf_add(&body, "\0\1\0\0\0", 5);
    rh_buf_add_char(&body, (char)length);
    rh_buf_add(&body, value, length);
    rh_buf_add(&body, "\0\0", 2);
    f->by_default = 0;
    masked = rh_value_mask_bind(f->mask, known, f->types, rh_buf_text(&body), f->arena,
                                &f->by_default);
    rh_known_query_drop(known);
    assert_true(masked.len >= 14);
    if (memcmp(masked.data + 8, "\377\377\377\377", 4) == 0)
        return NULL;
    *ret_length = (unsigned char)masked.data[11];
    assert_int_equal(masked.len, 14 + *ret_length);
    return rh_arena_memdup(f->arena, masked.data + 12, *ret_length + 2); /* a NUL behind it */
}

#define BY_EMAIL "SELECT id FROM users WHERE email = $1"

static void test_value_mask_gives_one_pseudonym_in_every_form(void **state)
{
    (void)state;
    struct fixture f;
    const char *clear = "ada.o'neil@example.com";
    size_t length;

    open_mask(&f);

    const char *text = mask_parameter(&f, BY_EMAIL, false, clear, strlen(clear), &length);
    const char *binary = mask_parameter(&f, BY_EMAIL, true, clear, strlen(clear), &length);
    const char *query = mask_query(
        &f, "SELECT id FROM users u WHERE u.email = 'ada.o''neil@example.com'");
    const char *escaped = mask_query(&f, "SELECT id FROM users WHERE email = "
                                         "E'ada.o\\'neil@example.com'");

    assert_string_equal(text, binary);
    assert_string_not_equal(text, clear);
    assert_non_null(strchr(text, '@'));
    assert_null(strstr(query, "ada.o"));
    assert_string_equal(strrchr(query, '=') + 1, strrchr(escaped, '=') + 1);
    assert_int_equal(f.by_default, 0);
    close_mask(&f);
}

static void test_value_mask_leaves_what_is_kept_and_what_is_no_text(void **state)
{
    (void)state;
    struct fixture f;
    static const char *const same[] = {
        "SELECT * FROM users WHERE city = 'Rome' LIMIT 10",
        "SELECT id FROM users WHERE id = 7",
        "SET search_path = 'app', public",
        "SELECT now() - interval '1 day'",
        "SELECT '1 hour'::interval",
        "SELECT true, 't', ''",
        "SELECT date_trunc('day', now()), to_char(now(), 'YYYY-MM-DD'), "
        "current_setting('app.user_id')",
        "SELECT now() AT TIME ZONE 'Europe/Berlin' WHERE right('Z', 1) = 'Z'",
        "SELECT CAST('2024-05-01T10:00:00Z' AS timestamptz), ('3' || ' hours')::interval",
        "SELECT doc->'address'->>'street' FROM anything",
        "SELECT 1 FROM pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
        "n.nspname = 'public' AND c.relname LIKE 'users%'",
    };

    open_mask(&f);
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
        assert_string_equal(mask_query(&f, same[i]), same[i]);
    close_mask(&f);
}

static void test_value_mask_denies_what_it_does_not_know(void **state)
{
    (void)state;
    struct fixture f;
    static const char *const queries[] = {
        "SELECT 'Ada Lovelace'",
        "SELECT /* Ada Lovelace */ 1",
        "SELECT $$Ada Lovelace$$",
        "SELECT $x$Ada Lovelace$x$",
        "this is no SQL 'Ada Lovelace'",
        "SET app.user_name = 'Ada Lovelace'",
        "SELECT id FROM users WHERE name LIKE 'Ada Lovelace%'",
        "INSERT INTO nowhere VALUES ('Ada Lovelace')",
        "SELECT 'Ada Lovelace'::interval, date_trunc('Ada@Lovelace', now())",
        "SELECT '{\"name\": \"Ada Lovelace\"}'::jsonb",
        "SELECT lower('Ada Lovelace')::text, doc->>'Ada''Lovelace' FROM anything",
    };
    size_t length;

    open_mask(&f);
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        const char *masked = mask_query(&f, queries[i]);

        if (strstr(masked, "Lovelace") || strstr(masked, "Ada"))
            fail_msg("%s", masked);
    }
    assert_string_not_equal(mask_parameter(&f, "SELECT $1", false, "Ada", 3, &length), "Ada");
    assert_int_equal(f.by_default, 1);
    assert_string_not_equal(mask_parameter(&f, "SELECT $1", true, "Ada", 3, &length), "Ada");
    assert_string_equal(mask_parameter(&f, "SELECT $1", false, "12", 2, &length), "12");
    close_mask(&f);
}

static void test_value_mask_takes_documents_for_documents(void **state)
{
    (void)state;
    struct fixture f;
    size_t length;
    const char *clear = "{\"n\": 12, \"name\": \"Ada Lovelace\", \"ok\": true, \"x\": null}";

    open_mask(&f);

    const char *text = mask_parameter(&f, "SELECT add_job($1::json)", false, clear, strlen(clear),
                                      &length);

    assert_int_equal(strncmp(text, "{\"n\": 12, \"name\": \"", 19), 0);
    assert_non_null(strstr(text, "\"ok\": true, \"x\": null}"));
    assert_null(strstr(text, "Lovelace"));

    const char *binary = mask_parameter(&f, "SELECT add_job($1::jsonb)", true,
                                        "\1{\"name\": \"Ada Lovelace\"}", 25, &length);

    assert_int_equal(strncmp(binary, "\1{\"name\": \"", 11), 0);
    assert_null(strstr(binary, "Lovelace"));
    close_mask(&f);
}

static void test_value_mask_masks_members_as_their_documents(void **state)
{
    (void)state;
    struct fixture f;
    size_t length;

    open_mask(&f);

    const char *document = mask_query(
        &f, "SELECT 1 FROM users WHERE doc @> '{\"to\": {\"name\": \"Ada Lovelace\", \"n\": 7}}'");
    const char *name = mask_parameter(
        &f, "SELECT 1 FROM users u WHERE lower(u.doc->'to'->>'name') = $1", false, "Ada Lovelace",
        12, &length);

    assert_string_equal(name,
                        mask_parameter(&f, "SELECT 1 FROM users WHERE doc->'to'->>'name' = $1",
                                       true, "Ada Lovelace", 12, &length));
    assert_non_null(strstr(document, name));
    assert_null(strstr(document, "Lovelace"));
    assert_string_equal(
        mask_query(&f, "SELECT 1 FROM users WHERE doc->'to'->>'name' <> 'Ada Lovelace'"),
        rh_arena_printf(f.arena, "SELECT 1 FROM users WHERE doc->'to'->>'name' <> '%s'", name));
    assert_string_equal(
        mask_query(&f,
                   "SELECT 1 FROM users WHERE (doc->'to'->>'n')::int = 7 AND doc->'to'->'n' = '7'"),
        "SELECT 1 FROM users WHERE (doc->'to'->>'n')::int = 7 AND doc->'to'->'n' = '7'");
    assert_memory_equal(mask_parameter(&f, "SELECT 1 FROM users WHERE (doc->>'n')::int = $1", true,
                                       "\0\0\0\7", 4, &length),
                        "\0\0\0\7", 4);
    assert_int_equal(f.by_default, 0);
    /* What documents hold in an array is not looked into, and of text nobody knows its members. */
    assert_null(strstr(mask_parameter(&f, "SELECT 1 FROM users WHERE doc->>'name' = ANY ($1)",
                                      false, "{Ada Lovelace}", 14, &length),
                       "Lovelace"));
    assert_string_not_equal(mask_parameter(&f, "SELECT 1 FROM users WHERE city::json->>'name' = $1",
                                           false, "Ada Lovelace", 12, &length),
                            "Ada Lovelace");
    assert_int_equal(f.by_default, 1);
    close_mask(&f);
}

/* array_send of two texts and a NULL. */
#define TWO_MAILS                                                         \
    "\0\0\0\1\0\0\0\1\0\0\0\031\0\0\0\3\0\0\0\1\0\0\0\017ada@example.com" \
    "\377\377\377\377\0\0\0\017bob@example.com"

static void test_value_mask_gives_elements_of_arrays_the_pseudonyms_of_values(void **state)
{
    (void)state;
    struct fixture f;
    static const char *const queries[] = {
        "SELECT id FROM users WHERE email = ANY ($1)",
        "SELECT id FROM users WHERE email <> ALL ($1::text[])",
        "SELECT id FROM users JOIN unnest($1::text[]) AS e ON e = email",
        "INSERT INTO users (email) SELECT unnest($1::text[])",
        "INSERT INTO users (email) SELECT * FROM unnest($1::text[]) AS t (a)",
    };
    size_t length;

    open_mask(&f);

    const char *ada = mask_parameter(&f, BY_EMAIL, false, "ada@example.com", 15, &length);
    const char *bob = mask_parameter(&f, BY_EMAIL, false, "bob@example.com", 15, &length);
    const char *both = rh_arena_printf(f.arena, "{%s,NULL,%s}", ada, bob);

    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        const char *text = mask_parameter(&f, queries[i], false,
                                          "{ada@example.com,NULL,bob@example.com}", 38, &length);

        if (strcmp(text, both) != 0)
            fail_msg("%s: %s", queries[i], text);

        const char *binary = mask_parameter(&f, queries[i], true, TWO_MAILS, sizeof(TWO_MAILS) - 1,
                                            &length);

        assert_int_equal(length, sizeof(TWO_MAILS) - 1);
        assert_memory_equal(binary, TWO_MAILS, 24);
        assert_memory_equal(binary + 24, ada, 15);
        assert_memory_equal(binary + 39, "\377\377\377\377\0\0\0\017", 8);
        assert_memory_equal(binary + 47, bob, 15);
    }
    assert_string_equal(
        mask_query(&f, "SELECT id FROM users WHERE email = ANY ('{ada@example.com}')"),
        rh_arena_printf(f.arena, "SELECT id FROM users WHERE email = ANY ('{%s}')", ada));
    /* Cut, or with too many dimensions: it is no array of the server's. */
    assert_null(mask_parameter(&f, queries[0], true, TWO_MAILS, 30, &length));
    assert_null(mask_parameter(&f, queries[0], true, "\0\0\0\7\0\0\0\1\0\0\0\031", 12, &length));
    assert_int_equal(f.by_default, 0);
    close_mask(&f);
}

#define PARAMETER(f, bytes) mask_parameter(f, "SELECT $1", true, bytes, sizeof(bytes) - 1, &length)

/* Documents, arrays and rows in their binary form were taken for numbers, and stayed. */
static void test_value_mask_denies_text_within_binary_values(void **state)
{
    (void)state;
    struct fixture f;
    size_t length;

    open_mask(&f);
    assert_null(PARAMETER(&f, "\1{\"name\":\"Ada\"}"));
    assert_int_equal(f.by_default, 1);
    assert_null(PARAMETER(&f, "\1{\"a\":\"Ada\"}\n\n\n\n"));
    assert_null(PARAMETER(&f, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\3"
                              "Ada"));
    assert_null(PARAMETER(&f, "\0\0\0\1\0\0\0\x19\0\0\0\4"
                              "Anna"));
    assert_null(PARAMETER(&f, "\0\0\0\1\0\0\0\x19\0\0\0\x6\xd0\x90\xd0\xb4\xd0\xb0"));
    assert_null(PARAMETER(&f, "Jos\xe9 Garc\xed"
                              "a")); /* Latin 1 */
    assert_non_null(PARAMETER(&f, "\0\x41\x42\x43"));
    assert_non_null(PARAMETER(&f, "\0\0\2\x41\x42\x43\x44\x45"));
    assert_non_null(PARAMETER(&f, "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4"
                                  "\0\x61\x62\x63"));
    assert_non_null(PARAMETER(&f, "\0\3\0\0\0\0\0\4\x0c\x41\x1a\x42\x10\x43")); /* numeric */
    assert_int_equal(f.by_default, 0);
    close_mask(&f);
}

/* A smallint of 16705 is the bytes "AA", and was masked as that; what a client sends as text with
   such bytes as no text has was taken for a number, and stayed. */
static void test_value_mask_takes_binary_values_for_what_they_were_declared(void **state)
{
    (void)state;
    struct fixture f;
    size_t length;

    open_mask(&f);
    assert_string_not_equal(PARAMETER(&f, "AA"), "AA");
    assert_int_equal(f.by_default, 1);
    f.types = TEXT_LITERAL("\0\0\0\x15"); /* int2 */
    assert_string_equal(PARAMETER(&f, "AA"), "AA");
    assert_int_equal(f.by_default, 0);
    assert_string_not_equal(PARAMETER(&f, "Ada"), "Ada"); /* no int2 */
    f.types = TEXT_LITERAL("\0\0\0\x17");                 /* int4 */
    assert_string_equal(PARAMETER(&f, "ABCD"), "ABCD");
    f.types = TEXT_LITERAL("\0\0\0\x19"); /* text */
    assert_string_not_equal(PARAMETER(&f, "Ada\1"), "Ada\1");
    assert_int_equal(f.by_default, 1);
    f.types = TEXT_LITERAL("\0\0\0"); /* cut */
    assert_string_not_equal(PARAMETER(&f, "AA"), "AA");
    close_mask(&f);
}

static void test_value_mask_turns_binary_values_through_their_text(void **state)
{
    (void)state;
    struct fixture f;
    static const char uuid[16] = "\x12\x34\x56\x78\x9a\xbc\x4e\xf0\x81\x23\x45\x67\x89\xab\xcd\xef";
    size_t length;

    open_mask(&f);

    const char *masked = mask_parameter(&f, "SELECT 1 FROM users WHERE token = $1", true, uuid, 16,
                                        &length);

    assert_int_equal(length, 16);
    assert_memory_not_equal(masked, uuid, 16);
    assert_int_equal((unsigned char)masked[6] >> 4, 4); /* the version stays */
    masked = mask_parameter(&f, "SELECT 1 FROM users WHERE secret = $1", true, "\1\2\3", 3,
                            &length);
    assert_int_equal(length, 3);
    assert_memory_not_equal(masked, "\1\2\3", 3);

    const char *number = mask_query(&f, "SELECT 1 FROM users WHERE salary = 70000");

    masked = mask_parameter(&f, "SELECT 1 FROM users WHERE salary = $1", true, "\0\1\x11\x70", 4,
                            &length);
    assert_int_equal(length, 4);
    assert_int_equal(strtol(strrchr(number, '=') + 1, NULL, 10),
                     (unsigned char)masked[0] << 24 | (unsigned char)masked[1] << 16 |
                         (unsigned char)masked[2] << 8 | (unsigned char)masked[3]);
    close_mask(&f);
}

static void test_value_mask_leaves_nothing_of_a_message_it_cannot_read(void **state)
{
    (void)state;
    struct fixture f;
    static const char body[] = "\0\0\0\0\0\2\0\0\0\3Ada\0\0\0\x20too short";

    open_mask(&f);

    struct text masked = rh_value_mask_bind(
        f.mask, NULL, f.types, (struct text){body, sizeof(body) - 1}, f.arena, &f.by_default);

    assert_int_equal(masked.len, 0);
    close_mask(&f);
}

/* The constants of a COPY say how its rows are written: they stay, and so do the rows' meanings. */
static void test_value_mask_leaves_the_options_of_a_copy(void **state)
{
    (void)state;
    struct fixture f;
    const char *copy = "COPY users (id, name) FROM STDIN WITH CSV DELIMITER ';' NULL 'NONE'";

    open_mask(&f);
    assert_string_equal(mask_query(&f, copy), copy);
    assert_string_equal(mask_query(&f, "COPY users FROM STDIN /* Ada */ CSV"),
                        "COPY users FROM STDIN   CSV");
    assert_null(strstr(mask_query(&f, "COPY users FROM STDIN CSV; SELECT 'Lovelace'"), "Lovelace"));
    assert_null(
        strstr(mask_query(&f, "COPY users FROM STDIN WHERE name <> 'Lovelace'"), "Lovelace"));
    close_mask(&f);
}

static bool has_copy(struct fixture *f, const char *statement)
{
    const char *encoding = NULL;
    struct copy_client *client = rh_value_mask_copy(f->mask, rh_text(statement), f->arena,
                                                    &encoding);

    rh_copy_client_free(client);
    return client != NULL;
}

static void test_value_mask_knows_the_rows_of_a_copy(void **state)
{
    (void)state;
    struct fixture f;
    const char *encoding = NULL;

    open_mask(&f);
    assert_true(has_copy(&f, "COPY users FROM STDIN CSV"));
    assert_true(has_copy(&f, "COPY BINARY users (name) FROM STDIN"));
    assert_true(has_copy(&f, "COPY users (name) FROM STDIN CSV FORCE NULL name"));
    assert_false(has_copy(&f, "COPY users (name) FROM STDIN CSV FORCE NULL email"));
    assert_false(has_copy(&f, "COPY users (name) FROM STDIN CSV FORCE NOT NULL email"));
    assert_false(has_copy(&f, "COPY users (nobody) FROM STDIN CSV"));
    assert_false(has_copy(&f, "COPY nobody FROM STDIN CSV"));
    rh_copy_client_free(rh_value_mask_copy(
        f.mask, TEXT_LITERAL("COPY users FROM STDIN CSV ENCODING 'latin1'"), f.arena, &encoding));
    assert_string_equal(encoding, "latin1");
    close_mask(&f);
}

static void test_value_mask_reads_the_encoding_of_the_database(void **state)
{
    (void)state;
    struct fixture f;

    open_mask(&f);
    f.made.catalog.encoding = "UTF8";
    assert_true(rh_value_mask_reads(f.mask, "UTF8"));
    assert_true(rh_value_mask_reads(f.mask, "utf-8"));
    assert_true(rh_value_mask_reads(f.mask, "Unicode"));
    assert_true(rh_value_mask_reads(f.mask, "SQL_ASCII"));
    assert_false(rh_value_mask_reads(f.mask, "LATIN1"));
    assert_false(rh_value_mask_reads(f.mask, "UTF88"));
    assert_false(rh_value_mask_reads(f.mask, "UTF"));
    assert_false(rh_value_mask_reads(f.mask, ""));
    f.made.catalog.encoding = "LATIN1";
    assert_true(rh_value_mask_reads(f.mask, "latin-1"));
    assert_false(rh_value_mask_reads(f.mask, "UTF8"));
    assert_false(rh_value_mask_reads(f.mask, "LATIN10"));
    close_mask(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_mask_gives_one_pseudonym_in_every_form),
        cmocka_unit_test(test_value_mask_leaves_what_is_kept_and_what_is_no_text),
        cmocka_unit_test(test_value_mask_denies_what_it_does_not_know),
        cmocka_unit_test(test_value_mask_denies_text_within_binary_values),
        cmocka_unit_test(test_value_mask_takes_binary_values_for_what_they_were_declared),
        cmocka_unit_test(test_value_mask_turns_binary_values_through_their_text),
        cmocka_unit_test(test_value_mask_takes_documents_for_documents),
        cmocka_unit_test(test_value_mask_masks_members_as_their_documents),
        cmocka_unit_test(test_value_mask_gives_elements_of_arrays_the_pseudonyms_of_values),
        cmocka_unit_test(test_value_mask_leaves_nothing_of_a_message_it_cannot_read),
        cmocka_unit_test(test_value_mask_leaves_the_options_of_a_copy),
        cmocka_unit_test(test_value_mask_knows_the_rows_of_a_copy),
        cmocka_unit_test(test_value_mask_reads_the_encoding_of_the_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
