/* A session's start against messages as servers send them, and as they should not. */
#include "net/pg_login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static const struct pg_login_options options = {
    .user = "app", .database = "shop", .password = "secret word"};

/* A login under way, what it wants to say, and why it failed. */
struct talk {
    struct pg_login login;
    struct buf out;
    struct err err;
};

static void begin(struct talk *talk, const struct pg_login_options *with, bool is_encrypted,
                  const char *channel)
{
    *talk = (struct talk){.err = RH_ERR_INIT};
    rh_buf_init(&talk->out, 4096);
    rh_pg_login_init(&talk->login, with, is_encrypted, rh_text(channel));
}

static void end(struct talk *talk)
{
    rh_pg_login_deinit(&talk->login);
    rh_buf_deinit(&talk->out);
}

static enum pg_login_step take(struct talk *talk, unsigned char type, struct text body)
{
    const struct pg_message message = {
        .type = type, .body_length = (uint32_t)body.len, .body = body, .is_whole = true};
    return rh_pg_login_take(&talk->login, &message, &talk->out, &talk->err);
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
    struct talk talk;
    char key[4 + 32] = {0, 0, 1, 2};
    (void)state;
    key[35] = 7;
    begin(&talk, &options, false, "");
    assert_int_equal(take(&talk, 'R', TEXT_LITERAL("\0\0\0\0")), PG_LOGIN_MORE);
    assert_int_equal(take(&talk, 'S', TEXT_LITERAL("server_version\00018\0")), PG_LOGIN_MORE);
    assert_int_equal(take(&talk, 'K', (struct text){key, sizeof(key)}), PG_LOGIN_MORE);
    assert_int_equal(take(&talk, 'Z', TEXT_LITERAL("I")), PG_LOGIN_READY);
    assert_int_equal(talk.out.len, 0);
    assert_int_equal(talk.login.key.pid, 0x102);
    assert_int_equal(talk.login.key.length, 32);
    assert_int_equal(talk.login.key.bytes[31], 7);
    end(&talk);
}

static void test_pg_login_md5_answer_is_the_servers_own(void **state)
{
    struct talk talk;
    (void)state;
    begin(&talk, &options, false, "");
    assert_int_equal(take(&talk, 'R', TEXT_LITERAL("\0\0\0\5\1\2\3\4")), PG_LOGIN_MORE);
    /* 'md5' || md5(md5('secret word' || 'app') || '\x01020304') */
    static const char expected[] = "p\0\0\0(md5a21ade602c81935a187fbfc2d985269d";
    assert_int_equal(talk.out.len, sizeof(expected));
    assert_memory_equal(talk.out.data, expected, sizeof(expected));
    end(&talk);
}

static void test_pg_login_cleartext(void **state)
{
    struct talk talk;
    (void)state;
    begin(&talk, &options, false, "");
    assert_int_equal(take(&talk, 'R', TEXT_LITERAL("\0\0\0\3")), PG_LOGIN_MORE);
    assert_memory_equal(talk.out.data, "p\0\0\0\x10secret word\0", 17);
    end(&talk);
}

static void test_pg_login_asked_for_a_password_that_is_not_there(void **state)
{
    static const struct pg_login_options without = {.user = "app"};
    static const struct text requests[] = {
        {"\0\0\0\3", 4}, {"\0\0\0\5abcd", 8}, {"\0\0\0\x0aSCRAM-SHA-256\0\0", 19}};
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
        struct talk talk;
        begin(&talk, &without, false, "");
        assert_int_equal(take(&talk, 'R', requests[i]), PG_LOGIN_FAILED);
        assert_string_equal(talk.err.message, "the server asks for the password of role \"app\"");
        end(&talk);
    }
}

/* Which mechanism is chosen, and what it says of binding. */
static const char *chosen(bool is_encrypted, const char *channel, struct text offer,
                          enum pg_login_step *ret_step)
{
    static char answer[256];
    struct talk talk;
    begin(&talk, &options, is_encrypted, channel);
    *ret_step = take(&talk, 'R', offer);
    answer[0] = '\0';
    if (talk.out.len > 5) {
        const char *mechanism = talk.out.data + 5;
        snprintf(answer, sizeof(answer), "%s %.2s", mechanism, mechanism + strlen(mechanism) + 5);
    }
    end(&talk);
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
    struct talk talk;
    (void)state;
    begin(&talk, &options, false, "");
    assert_int_equal(take(&talk, 'R', TEXT_LITERAL("\0\0\0\x0aSCRAM-SHA-256\0\0")), PG_LOGIN_MORE);
    assert_int_equal(take(&talk, 'R', TEXT_LITERAL("\0\0\0\0")), PG_LOGIN_FAILED);
    assert_int_equal(talk.err.code, RH_ERR_PROTOCOL);
    end(&talk);
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
        struct talk talk;
        begin(&talk, &options, false, "");
        assert_int_equal(take(&talk, wrong[i].type, wrong[i].body), PG_LOGIN_FAILED);
        assert_int_not_equal(talk.err.code, RH_OK);
        end(&talk);
    }
}

static void test_pg_login_errors_of_the_server_say_what_to_do(void **state)
{
    struct talk talk;
    (void)state;
    begin(&talk, &options, false, "");
    assert_int_equal(
        take(&talk, 'E', TEXT_LITERAL("SFATAL\0C53300\0Msorry, too many clients already\0\0")),
        PG_LOGIN_FAILED);
    assert_int_equal(talk.err.code, RH_ERR_SERVER);
    assert_string_equal(talk.err.sqlstate, "53300");
    assert_string_equal(talk.err.message, "sorry, too many clients already");
    assert_non_null(strstr(talk.err.hint, "max_connections"));
    end(&talk);
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
