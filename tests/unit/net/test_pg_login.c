/* A session's start against messages as servers send them, and as they should not. */
#include "net/pg_login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct pg_login_options options = {
    .user = "app", .database = "shop", .password = "secret word"};

static enum pg_login_step take(struct pg_login *login, unsigned char type, struct text body,
                               struct buf *out, struct err *err)
{
    const struct pg_message message = {
        .type = type, .body_length = (uint32_t)body.len, .body = body, .is_whole = true};
    return rh_pg_login_take(login, &message, out, err);
}

static void test_pg_login_startup_packet_has_user_database_and_settings(void **state)
{
    const struct pg_login_setting settings[] = {{"search_path", "a, b"}};
    const struct pg_login_options with = {
        .user = "app", .database = "shop", .settings = settings, .setting_count = 1};
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, PG_STARTUP_PACKET_MAX + 4);
    assert_int_equal(rh_pg_login_startup(&with, &out, &err), RH_OK);
    static const char expected[] = "\0\0\0\x31\0\3\0\0user\0app\0database\0shop\0search_path\0a, "
                                   "b\0";
    assert_int_equal(out.len, sizeof(expected));
    assert_memory_equal(out.data, expected, sizeof(expected));
}

static void test_pg_login_startup_packet_beyond_the_servers_limit_is_refused(void **state)
{
    static char value[PG_STARTUP_PACKET_MAX + 1];
    const struct pg_login_setting settings[] = {{"options", value}};
    const struct pg_login_options with = {.user = "app", .settings = settings, .setting_count = 1};
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    memset(value, 'x', PG_STARTUP_PACKET_MAX);
    rh_buf_init(&out, PG_STARTUP_PACKET_MAX + 4);
    assert_int_equal(rh_pg_login_startup(&with, &out, &err), RH_ERR_LIMIT);
}

static void test_pg_login_trust_and_a_long_cancel_key(void **state)
{
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    char key[4 + 32] = {0, 0, 1, 2};
    (void)state;
    key[35] = 7;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    assert_int_equal(take(&login, 'R', TEXT_LITERAL("\0\0\0\0"), &out, &err), PG_LOGIN_MORE);
    assert_int_equal(take(&login, 'S', TEXT_LITERAL("server_version\00018\0"), &out, &err),
                     PG_LOGIN_MORE);
    assert_int_equal(take(&login, 'K', (struct text){key, sizeof(key)}, &out, &err), PG_LOGIN_MORE);
    assert_int_equal(take(&login, 'Z', TEXT_LITERAL("I"), &out, &err), PG_LOGIN_READY);
    assert_int_equal(out.len, 0);
    assert_int_equal(login.key.pid, 0x102);
    assert_int_equal(login.key.length, 32);
    assert_int_equal(login.key.bytes[31], 7);
    rh_pg_login_deinit(&login);
}

static void test_pg_login_md5_answer_is_the_servers_own(void **state)
{
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    assert_int_equal(take(&login, 'R', TEXT_LITERAL("\0\0\0\5\1\2\3\4"), &out, &err),
                     PG_LOGIN_MORE);
    /* 'md5' || md5(md5('secret word' || 'app') || '\x01020304') */
    static const char expected[] = "p\0\0\0(md5a21ade602c81935a187fbfc2d985269d";
    assert_int_equal(out.len, sizeof(expected));
    assert_memory_equal(out.data, expected, sizeof(expected));
    rh_pg_login_deinit(&login);
}

static void test_pg_login_cleartext(void **state)
{
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    assert_int_equal(take(&login, 'R', TEXT_LITERAL("\0\0\0\3"), &out, &err), PG_LOGIN_MORE);
    assert_memory_equal(out.data, "p\0\0\0\x10secret word\0", 17);
    rh_pg_login_deinit(&login);
}

static void test_pg_login_asked_for_a_password_that_is_not_there(void **state)
{
    static const struct pg_login_options without = {.user = "app"};
    static const struct text requests[] = {
        {"\0\0\0\3", 4}, {"\0\0\0\5abcd", 8}, {"\0\0\0\x0aSCRAM-SHA-256\0\0", 19}};
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        struct pg_login login;
        struct err err = RH_ERR_INIT;
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 4096);
        rh_pg_login_init(&login, &without, false, (struct text){"", 0});
        assert_int_equal(take(&login, 'R', requests[i], &out, &err), PG_LOGIN_FAILED);
        assert_string_equal(err.message, "the server asks for the password of role \"app\"");
        rh_pg_login_deinit(&login);
    }
}

/* Which mechanism is chosen, and what it says of binding. */
static const char *chosen(bool is_encrypted, const char *channel, struct text offer,
                          enum pg_login_step *ret_step)
{
    static char answer[256];
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, is_encrypted, rh_text(channel));
    *ret_step = take(&login, 'R', offer, &out, &err);
    answer[0] = '\0';
    if (out.len > 5) {
        const char *mechanism = out.data + 5;
        snprintf(answer, sizeof(answer), "%s %.2s", mechanism, mechanism + strlen(mechanism) + 5);
    }
    rh_pg_login_deinit(&login);
    return answer;
}

static void test_pg_login_sasl_binds_where_it_can(void **state)
{
    const struct text both = TEXT_LITERAL("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0");
    const struct text plain = TEXT_LITERAL("\0\0\0\x0aSCRAM-SHA-256\0\0");
    const struct text unknown = TEXT_LITERAL("\0\0\0\x0aOAUTHBEARER\0\0");
    enum pg_login_step step;
    (void)state;
    assert_string_equal(chosen(true, "hash", both, &step), "SCRAM-SHA-256-PLUS p=");
    assert_string_equal(chosen(true, "hash", plain, &step), "SCRAM-SHA-256 y,");
    assert_string_equal(chosen(true, "", both, &step), "SCRAM-SHA-256 n,");
    assert_string_equal(chosen(false, "", plain, &step), "SCRAM-SHA-256 n,");
    chosen(false, "", both, &step);
    assert_int_equal(step, PG_LOGIN_FAILED);
    chosen(false, "", unknown, &step);
    assert_int_equal(step, PG_LOGIN_FAILED);
}

static void test_pg_login_success_without_the_servers_proof_is_refused(void **state)
{
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    assert_int_equal(take(&login, 'R', TEXT_LITERAL("\0\0\0\x0aSCRAM-SHA-256\0\0"), &out, &err),
                     PG_LOGIN_MORE);
    assert_int_equal(take(&login, 'R', TEXT_LITERAL("\0\0\0\0"), &out, &err), PG_LOGIN_FAILED);
    assert_int_equal(err.code, RH_ERR_PROTOCOL);
    rh_pg_login_deinit(&login);
}

static void test_pg_login_what_is_malformed_or_out_of_turn_is_refused(void **state)
{
    static const struct {
        unsigned char type;
        struct text body;
    } wrong[] = {{'R', {"\0\0", 2}},        {'R', {"\0\0\0\x0aSCRAM", 9}},
                 {'R', {"\0\0\0\x0bx", 5}}, {'R', {"\0\0\0\x0cx", 5}},
                 {'R', {"\0\0\0\5ab", 6}},  {'R', {"\0\0\0\7", 4}},
                 {'R', {"\0\0\0\x63", 4}},  {'Z', {"I", 1}},
                 {'K', {"\0\0\0\1", 4}},    {'D', {"\0\0", 2}}};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct pg_login login;
        struct err err = RH_ERR_INIT;
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, 4096);
        rh_pg_login_init(&login, &options, false, (struct text){"", 0});
        assert_int_equal(take(&login, wrong[i].type, wrong[i].body, &out, &err), PG_LOGIN_FAILED);
        assert_int_not_equal(err.code, RH_OK);
        rh_pg_login_deinit(&login);
    }
}

static void test_pg_login_errors_of_the_server_say_what_to_do(void **state)
{
    struct pg_login login;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, 4096);
    rh_pg_login_init(&login, &options, false, (struct text){"", 0});
    assert_int_equal(take(&login, 'E',
                          TEXT_LITERAL("SFATAL\0C53300\0Msorry, too many clients already\0\0"),
                          &out, &err),
                     PG_LOGIN_FAILED);
    assert_int_equal(err.code, RH_ERR_SERVER);
    assert_string_equal(err.sqlstate, "53300");
    assert_string_equal(err.message, "sorry, too many clients already");
    assert_non_null(strstr(err.hint, "max_connections"));
    rh_pg_login_deinit(&login);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_login_startup_packet_has_user_database_and_settings),
        cmocka_unit_test(test_pg_login_startup_packet_beyond_the_servers_limit_is_refused),
        cmocka_unit_test(test_pg_login_trust_and_a_long_cancel_key),
        cmocka_unit_test(test_pg_login_md5_answer_is_the_servers_own),
        cmocka_unit_test(test_pg_login_cleartext),
        cmocka_unit_test(test_pg_login_asked_for_a_password_that_is_not_there),
        cmocka_unit_test(test_pg_login_sasl_binds_where_it_can),
        cmocka_unit_test(test_pg_login_success_without_the_servers_proof_is_refused),
        cmocka_unit_test(test_pg_login_what_is_malformed_or_out_of_turn_is_refused),
        cmocka_unit_test(test_pg_login_errors_of_the_server_say_what_to_do),
    };
    return cmocka_run_group_tests_name("pg_login", tests, NULL, NULL);
}
