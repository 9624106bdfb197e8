/* What names say, in several languages, and what they do not. */
#include "catalog_fixture.h"

static void test_detect_names(void **state)
{
    static const struct {
        const char *table, *column;
        enum personal_kind kind;
    } cases[] = {
        {"users", "email", PERSONAL_EMAIL},
        {"users", "EMAIL", PERSONAL_EMAIL},
        {"users", "emailAddress", PERSONAL_EMAIL},
        {"users", "email_id", PERSONAL_EMAIL},
        {"users", "contact_email2", PERSONAL_EMAIL},
        {"u", "correo_electronico", PERSONAL_EMAIL},
        {"u", "courriel", PERSONAL_EMAIL},
        {"users", "phone", PERSONAL_PHONE},
        {"users", "homePhoneNumber", PERSONAL_PHONE},
        {"users", "tel", PERSONAL_PHONE},
        {"u", "t\xC3\xA9l\xC3\xA9phone", PERSONAL_PHONE},
        {"u", "Handynummer", PERSONAL_PHONE},
        {"users", "first_name", PERSONAL_NAME},
        {"users", "lastName", PERSONAL_NAME},
        {"u", "pr\xC3\xA9nom", PERSONAL_NAME},
        {"u", "Nachname", PERSONAL_NAME},
        {"u", "apellido_1", PERSONAL_NAME},
        {"customers", "name", PERSONAL_NAME},
        {"order_contacts", "name", PERSONAL_NAME},
        {"users", "username", PERSONAL_USERNAME},
        {"users", "street", PERSONAL_ADDRESS},
        {"u",
         "stra\xC3\x9F"
         "e",
         PERSONAL_ADDRESS},
        {"users", "shipping_address_line_1", PERSONAL_ADDRESS},
        {"users", "zipCode", PERSONAL_ADDRESS},
        {"u", "PLZ", PERSONAL_ADDRESS},
        {"users", "date_of_birth", PERSONAL_BIRTH},
        {"person", "birth", PERSONAL_BIRTH},
        {"users", "dob", PERSONAL_BIRTH},
        {"u", "geburtsdatum", PERSONAL_BIRTH},
        {"u", "fecha_nacimiento", PERSONAL_BIRTH},
        {"payments", "iban", PERSONAL_IBAN},
        {"payments", "card_number", PERSONAL_CARD},
        {"payments", "pan", PERSONAL_CARD},
        {"payments", "creditCardNumber", PERSONAL_CARD},
        {"users", "ssn", PERSONAL_NATIONAL_ID},
        {"users", "tax_id", PERSONAL_NATIONAL_ID},
        {"users", "passport_number", PERSONAL_NATIONAL_ID},
        {"u", "codice_fiscale", PERSONAL_NATIONAL_ID},
        {"u", "nino", PERSONAL_NATIONAL_ID},
        {"u", "nir", PERSONAL_NATIONAL_ID},
        {"logins", "ip", PERSONAL_IP},
        {"logins", "last_login_ip", PERSONAL_IP},
        {"logins", "ipAddress", PERSONAL_IP},
        {"logins", "ip_address", PERSONAL_IP},
        {"devices", "mac_address", PERSONAL_MAC},
        {"users", "password_hash", PERSONAL_SECRET},
        {"users", "encrypted_password", PERSONAL_SECRET},
        {"users", "api_key", PERSONAL_SECRET},
        {"users", "resetToken", PERSONAL_SECRET},
        {"users", "client_secret", PERSONAL_SECRET},
        {"staff", "salary", PERSONAL_INCOME},
        {"u", "gehalt", PERSONAL_INCOME},
        {"places", "latitude", PERSONAL_LOCATION},
        {"tickets", "description", PERSONAL_FREE_TEXT},
        {"tickets", "internal_notes", PERSONAL_FREE_TEXT},
        {"u", "bemerkung", PERSONAL_FREE_TEXT},
        {"users", "website", PERSONAL_URL},
        /* about it, not it */
        {"users", "email_verified", PERSONAL_NONE},
        {"users", "email_count", PERSONAL_NONE},
        {"users", "is_email_confirmed", PERSONAL_NONE},
        {"users", "phone_type", PERSONAL_NONE},
        {"users", "password_changed_at", PERSONAL_NONE},
        {"users", "address_id", PERSONAL_NONE},
        {"users", "city_id", PERSONAL_NONE},
        {"users", "token_expires_at", PERSONAL_NONE},
        {"users", "comment_count", PERSONAL_NONE},
        {"users", "phone_country_code", PERSONAL_NONE},
        /* other things */
        {"products", "name", PERSONAL_NONE},
        {"countries", "name", PERSONAL_NONE},
        {"products", "product_name", PERSONAL_NONE},
        {"files", "filename", PERSONAL_NONE},
        {"orders", "order_number", PERSONAL_NONE},
        {"posts", "slug", PERSONAL_NONE},
        {"orders", "status", PERSONAL_NONE},
        {"orders", "shipped", PERSONAL_NONE},
        {"orders", "tip", PERSONAL_NONE},
        {"orders", "description_html_x", PERSONAL_FREE_TEXT},
        {"boxes", "recipe", PERSONAL_NONE},
        {"boxes", "hotel", PERSONAL_NONE},
        {"boxes", "spin", PERSONAL_NONE},
        {"boxes", "company", PERSONAL_NONE},
        {"boxes", "cancelled", PERSONAL_NONE},
        {"boxes", "commit_hash", PERSONAL_NONE},
        {"boxes", "", PERSONAL_NONE},
        {"boxes", "123", PERSONAL_NONE},
        {"stocks", "market_cap", PERSONAL_NONE},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum personal_kind found = rh_detect_name(cases[i].table, cases[i].column);
        if (found != cases[i].kind)
            fail_msg("%s.%s: %s, not %s", cases[i].table, cases[i].column,
                     rh_personal_kind_name(found), rh_personal_kind_name(cases[i].kind));
    }
}

static void test_detect_takes_names_of_any_length(void **state)
{
    char name[400];
    (void)state;

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(rh_detect_name("t", name), PERSONAL_NONE);
    for (size_t i = 0; i < sizeof(name) - 1; i++)
        name[i] = i % 2 ? '_' : 'a';
    assert_int_equal(rh_detect_name("t", name), PERSONAL_NONE);
    for (size_t i = 0; i < sizeof(name) - 2; i += 2)
        memcpy(name + i, "\xC3\x9F", 2);
    assert_int_equal(rh_detect_name(name, name), PERSONAL_NONE);
    assert_int_equal(rh_detect_name("t", "\xC3"), PERSONAL_NONE);
}

static void test_detect_rules_fit_the_types_they_are_for(void **state)
{
    (void)state;

    for (int kind = 0; kind < PERSONAL_KIND_COUNT; kind++)
        for (int family = 0; family < FAMILY_COUNT; family++) {
            enum mask_rule rule = rh_detect_rule((enum personal_kind)kind,
                                                 (enum type_family)family);
            if (!rh_mask_rule_fits(rule, (enum type_family)family))
                fail_msg("%s in %s: %s", rh_personal_kind_name((enum personal_kind)kind),
                         rh_mask_family_name((enum type_family)family), rh_mask_rule_name(rule));
        }
    for (int family = 0; family < FAMILY_COUNT; family++)
        assert_true(rh_mask_rule_fits(rh_mask_family_rule((enum type_family)family),
                                      (enum type_family)family));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_detect_names),
        cmocka_unit_test(test_detect_takes_names_of_any_length),
        cmocka_unit_test(test_detect_rules_fit_the_types_they_are_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
