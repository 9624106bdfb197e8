/* What values look like, and what they only seem to. */
#include "catalog_fixture.h"

enum seen { SEEN_NOTHING, SEEN_SECRET, SEEN_NAME, SEEN_RULE };

static enum seen see(const char *value, enum mask_rule *ret_rule)
{
    struct mask_sighting sighting = {0};

    rh_mask_sight(&sighting, rh_text(value));
    assert_true(sighting.values <= 1);
    if (sighting.secrets)
        return SEEN_SECRET;
    if (sighting.names)
        return SEEN_NAME;
    for (int rule = 0; rule < MASK_RULE_COUNT; rule++)
        if (sighting.matches[rule]) {
            *ret_rule = (enum mask_rule)rule;
            return SEEN_RULE;
        }
    return SEEN_NOTHING;
}

static void test_sight_values(void **state)
{
    static const struct {
        const char *value;
        enum seen seen;
        enum mask_rule rule;
    } cases[] = {
        {"someone@example.org", SEEN_RULE, MASK_EMAIL},
        {" J.O'Hara+tag@mail.example.co.uk ", SEEN_RULE, MASK_EMAIL},
        {"write to someone@example.org.", SEEN_RULE, MASK_FREE_TEXT},
        {"+49 151 23456789", SEEN_RULE, MASK_PHONE},
        {"+14155550123", SEEN_RULE, MASK_PHONE},
        {"(415) 555-0123", SEEN_RULE, MASK_PHONE},
        {"030 / 123 4567", SEEN_RULE, MASK_PHONE},
        {"https://example.org/a?b=c", SEEN_RULE, MASK_URL},
        {"4111111111111111", SEEN_RULE, MASK_CARD},
        {"4111 1111 1111 1111", SEEN_RULE, MASK_CARD},
        {"378282246310005", SEEN_RULE, MASK_CARD},
        {"5555-5555-5555-4444", SEEN_RULE, MASK_CARD},
        {"DE89370400440532013000", SEEN_RULE, MASK_IBAN},
        {"GB82 WEST 1234 5698 7654 32", SEEN_RULE, MASK_IBAN},
        {"192.168.10.25", SEEN_RULE, MASK_INET},
        {"2001:db8::1", SEEN_RULE, MASK_INET},
        {"00:1B:44:11:3A:B7", SEEN_RULE, MASK_MACADDR},
        {"6f9619ff-8b86-4d01-b42d-00cf4fc964ff", SEEN_RULE, MASK_UUID},
        {"123-45-6789", SEEN_NAME, 0},      /* SSN */
        {"12345678Z", SEEN_NAME, 0},        /* DNI */
        {"RSSMRA85T10A562S", SEEN_NAME, 0}, /* codice fiscale */
        {"AB123456C", SEEN_NAME, 0},        /* NINO */
        {"529.982.247-25", SEEN_NAME, 0},   /* CPF */
        {"756.9217.0769.85", SEEN_NAME, 0}, /* AHV */
        {"255081416802538", SEEN_NAME, 0},  /* NIR */
        {"44051401359", SEEN_NAME, 0},      /* PESEL */
        {"811228-9874", SEEN_NAME, 0},      /* personnummer */
        {"John Smith", SEEN_NAME, 0},
        {"Maria del Carmen Garc\xC3\xAD"
         "a",
         SEEN_NOTHING, 0}, /* "del" is no capitalised word */
        {"12 Main Street", SEEN_NAME, 0},
        {"Hauptstrasse 5, 10115 Berlin", SEEN_NAME, 0},
        {"sk_live_4eC39HqLyjWDarjtT1zdp7dc", SEEN_SECRET, 0},
        {"ghp_16C7e42F292c6912E7710c838347Ae178B4a", SEEN_SECRET, 0},
        {"AKIAIOSFODNN7EXAMPLE", SEEN_SECRET, 0},
        {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", SEEN_SECRET, 0},
        {"$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW", SEEN_SECRET, 0},
        {"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", SEEN_SECRET, 0},
        {"aB3dE5fG7hJ9kL2mN4pQ", SEEN_SECRET, 0},
        /* not what they seem */
        {"", SEEN_NOTHING, 0},
        {"   ", SEEN_NOTHING, 0},
        {"someone@example", SEEN_NOTHING, 0},
        {"@example.org", SEEN_NOTHING, 0},
        {"user@10", SEEN_NOTHING, 0},
        {"4111111111111112", SEEN_NOTHING, 0}, /* no check digit */
        {"1234567890123452", SEEN_NOTHING, 0}, /* check digit, but nobody's beginning */
        {"1700000000000", SEEN_NOTHING, 0},    /* milliseconds */
        {"ORD-2024-000123", SEEN_NOTHING, 0},
        {"0000012345", SEEN_NOTHING, 0},
        {"1234567890", SEEN_NOTHING, 0},
        {"2024-01-31", SEEN_NOTHING, 0},
        {"2024-01-31 10:20:30", SEEN_NOTHING, 0},
        {"12:30:45", SEEN_NOTHING, 0},
        {"1.2.3.4", SEEN_NOTHING, 0}, /* a version */
        {"10.0.19041.1", SEEN_NOTHING, 0},
        {"DE00370400440532013000", SEEN_NOTHING, 0},
        {"000-12-3456", SEEN_NOTHING, 0},
        {"12345678A", SEEN_NOTHING, 0},
        {"44051401358", SEEN_NOTHING, 0},
        {"Blue Widget Deluxe", SEEN_NOTHING, 0}, /* a product */
        {"Apple MacBook Pro", SEEN_NOTHING, 0},
        {"Wireless Street Lamp", SEEN_NOTHING, 0},
        {"Chapter 12", SEEN_NOTHING, 0},
        {"my-very-long-product-slug-2024-edition", SEEN_NOTHING, 0},
        {"d41d8cd98f00b204e9800998ecf8427e", SEEN_NOTHING, 0}, /* md5 */
        {"da39a3ee5e6b4b0d3255bfef95601890afd80709", SEEN_NOTHING, 0},
        {"UPPER_CASE_CONSTANT_NAME_2", SEEN_NOTHING, 0},
        {"ThisIsACamelCaseIdentifierName1", SEEN_NOTHING, 0},
        {"report_final_v2_2024_January.pdf", SEEN_NOTHING, 0},
        {"std::vector::iterator", SEEN_NOTHING, 0},
        {"active", SEEN_NOTHING, 0},
        {"en_US.UTF-8", SEEN_NOTHING, 0},
        {"Europe/Berlin", SEEN_NOTHING, 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum mask_rule rule = cases[i].rule;
        enum seen seen = see(cases[i].value, &rule);
        if (seen != cases[i].seen || rule != cases[i].rule)
            fail_msg("\"%s\": %d %s, not %d %s", cases[i].value, (int)seen, rh_mask_rule_name(rule),
                     (int)cases[i].seen, rh_mask_rule_name(cases[i].rule));
    }
}

static void test_sight_takes_anything(void **state)
{
    struct mask_sighting sighting = {0};
    char value[6000];
    uint64_t seed = 42;
    (void)state;

    for (int round = 0; round < 2000; round++) {
        size_t len = round % 97;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            value[i] = (char)(seed >> 56);
        }
        rh_mask_sight(&sighting, (struct text){value, len});
    }
    memset(value, '@', sizeof(value));
    rh_mask_sight(&sighting, (struct text){value, sizeof(value)});
    memset(value, '4', sizeof(value));
    rh_mask_sight(&sighting, (struct text){value, sizeof(value)});
    assert_true(sighting.values > 1000);
}

static void test_sight_makes_a_kind_of_shares(void **state)
{
    (void)state;

    struct mask_sighting few = {.values = 2, .matches[MASK_EMAIL] = 2};
    assert_int_equal(rh_detect_values(&few), PERSONAL_FREE_TEXT);
    struct mask_sighting most = {.values = 10, .matches[MASK_EMAIL] = 7};
    assert_int_equal(rh_detect_values(&most), PERSONAL_EMAIL);
    struct mask_sighting some = {.values = 100, .names = 3};
    assert_int_equal(rh_detect_values(&some), PERSONAL_FREE_TEXT);
    struct mask_sighting people = {.values = 5, .names = 4};
    assert_int_equal(rh_detect_values(&people), PERSONAL_TEXT);
    struct mask_sighting chance = {.values = 1000, .matches[MASK_CARD] = 2};
    assert_int_equal(rh_detect_values(&chance), PERSONAL_NONE);
    struct mask_sighting keys = {.values = 5, .secrets = 5};
    assert_int_equal(rh_detect_values(&keys), PERSONAL_SECRET);
    struct mask_sighting nothing = {0};
    assert_int_equal(rh_detect_values(&nothing), PERSONAL_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sight_values),
        cmocka_unit_test(test_sight_takes_anything),
        cmocka_unit_test(test_sight_makes_a_kind_of_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
