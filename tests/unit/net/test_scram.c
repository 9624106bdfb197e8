/* SCRAM by the example of RFC 7677, section 3, and with servers that cheat. */
#include "net/scram.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define SERVER_FIRST \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

/* The nonce of the example, "rOprNGfwEbeRWgbNEkqO", is 15 bytes in base64; ours are 18. */
static void use_example_nonce(struct scram *scram)
{
    snprintf(scram->nonce, sizeof(scram->nonce), "rOprNGfwEbeRWgbNEkqO");
}

static void begin(struct scram *scram, enum scram_binding binding, struct text data)
{
    static const uint8_t raw[SCRAM_NONCE_BYTES] = {0};
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    rh_buf_init(&out, SCRAM_MESSAGE_MAX);
    assert_int_equal(rh_scram_init(scram, TEXT_LITERAL("pencil"), binding, data, raw, &err), RH_OK);
    use_example_nonce(scram);
    rh_scram_first(scram, "user", &out);
    if (binding == SCRAM_UNBOUND)
        assert_string_equal(out.data, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    else if (binding == SCRAM_COULD)
        assert_string_equal(out.data, "y,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    else
        assert_string_equal(out.data, "p=tls-server-end-point,,n=user,r=rOprNGfwEbeRWgbNEkqO");
}

static void test_scram_proof_is_that_of_the_rfc(void **state)
{
    struct scram scram;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, SCRAM_MESSAGE_MAX);
    begin(&scram, SCRAM_UNBOUND, (struct text){"", 0});
    assert_int_equal(rh_scram_challenge(&scram, TEXT_LITERAL(SERVER_FIRST), &out, &err), RH_OK);
    assert_string_equal(out.data, "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_int_equal(rh_scram_verify(&scram,
                                     TEXT_LITERAL("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
                                     &err),
                     RH_OK);
    rh_scram_deinit(&scram);
}

static void test_scram_binding_carries_the_certificates_hash(void **state)
{
    struct scram scram;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, SCRAM_MESSAGE_MAX);
    begin(&scram, SCRAM_END_POINT, TEXT_LITERAL("0123456789abcdef0123456789abcdef"));
    assert_int_equal(rh_scram_challenge(&scram, TEXT_LITERAL(SERVER_FIRST), &out, &err), RH_OK);
    /* base64 of "p=tls-server-end-point,,0123456789abcdef0123456789abcdef" */
    const char *expected = "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhY"
                           "mNkZWY=,r=";
    assert_memory_equal(out.data, expected, strlen(expected));
    rh_scram_deinit(&scram);
}

static void test_scram_refuses_a_server_without_the_verifier(void **state)
{
    struct scram scram;
    struct err err = RH_ERR_INIT;
    RH_CLEANUP_BUF struct buf out;
    (void)state;
    rh_buf_init(&out, SCRAM_MESSAGE_MAX);
    begin(&scram, SCRAM_COULD, (struct text){"", 0});
    assert_int_equal(rh_scram_challenge(&scram, TEXT_LITERAL(SERVER_FIRST), &out, &err), RH_OK);
    assert_int_equal(rh_scram_verify(&scram,
                                     TEXT_LITERAL("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
                                     &err),
                     RH_ERR_PROTOCOL);
    assert_null(strstr(err.message, "pencil"));
    rh_scram_deinit(&scram);
}

static void test_scram_refuses_malformed_challenges(void **state)
{
    static const char *const wrong[] = {
        "",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* no nonce of its own */
        "r=another%hvYDpWUa2RaTCAfuxFIlj,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOabc,s=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999",
        "r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==",
        "m=ext,r=rOprNGfwEbeRWgbNEkqOabc,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"};
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct scram scram;
        struct err err = RH_ERR_INIT;
        RH_CLEANUP_BUF struct buf out;
        rh_buf_init(&out, SCRAM_MESSAGE_MAX);
        begin(&scram, SCRAM_UNBOUND, (struct text){"", 0});
        assert_int_equal(rh_scram_challenge(&scram, rh_text(wrong[i]), &out, &err),
                         RH_ERR_PROTOCOL);
        rh_scram_deinit(&scram);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scram_proof_is_that_of_the_rfc),
        cmocka_unit_test(test_scram_binding_carries_the_certificates_hash),
        cmocka_unit_test(test_scram_refuses_a_server_without_the_verifier),
        cmocka_unit_test(test_scram_refuses_malformed_challenges),
    };
    return cmocka_run_group_tests_name("scram", tests, NULL, NULL);
}
