/*
 * What a column's name says. A name is cut into words (snake_case, camelCase, digits, accents
 * folded) and compared with phrases; the first phrase in the table wins, so the longer stand before
 * the shorter. It has to be right about text only for the sake of a better rule, as unknown text is
 * masked anyway; about numbers and dates it decides.
 */
#include "mask/masking_int.h"

#define NAME_BYTES 128 /* a name has at most 63, and folding makes few longer */
#define WORDS_MAX 24

/* What follows the thing says that this is about it, not it: email_verified, phone_type,
 * address_id. */
static const char *const about[] = {
    "type",      "kind",     "status",     "count",    "verified", "confirmed",  "enabled",
    "disabled",  "at",       "on",         "format",   "template", "provider",   "length",
    "size",      "score",    "flag",       "category", "policy",   "expires",    "expiry",
    "changed",   "sent",     "opt",        "optin",    "optout",   "subscribed", "valid",
    "validated", "attempts", "retries",    "version",  "language", "locale",     "class",
    "is",        "has",      "limit",      "rate",     "price",    "cost",       "quantity",
    "position",  "order",    "id",         "ids",      "code",     "required",   "allowed",
    "visible",   "group",    "fingerprint"};

/* Tables of people: where "name" is a person's. */
static const char *const people[] = {
    "user",         "users",      "customer",     "customers",   "client",     "clients",
    "person",       "persons",    "people",       "employee",    "employees",  "member",
    "members",      "contact",    "contacts",     "patient",     "patients",   "student",
    "students",     "teacher",    "teachers",     "author",      "authors",    "account",
    "accounts",     "subscriber", "subscribers",  "guest",       "guests",     "applicant",
    "applicants",   "candidate",  "candidates",   "passenger",   "passengers", "owner",
    "owners",       "tenant",     "tenants",      "recipient",   "recipients", "sender",
    "kunde",        "kunden",     "benutzer",     "mitarbeiter", "personen",   "utilisateur",
    "utilisateurs", "clientes",   "usuario",      "usuarios",    "empleados",  "persona",
    "personas",     "utenti",     "clienti",      "klant",       "klanten",    "gebruikers",
    "profile",      "profiles",   "participants", "attendees",   "leads",      "staff",
    "driver",       "drivers",    "beneficiaries"};

struct words {
    char text[NAME_BYTES]; /* with blanks around and between: " first name " */
    const char *items[WORDS_MAX];
    size_t count;
};

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Latin letters with accents to those without; U+00C0 to U+017F. "?" is no letter. */
static char fold_latin(unsigned character)
{
    static const char table[] =
        "AAAAAAACEEEEIIIIDNOOOOO?OUUUUYTs"
        "aaaaaaaceeeeiiiidnooooo?ouuuuyty"
        "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOoRrRrRr"
        "SsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

    return character >= 0xC0 && character <= 0x17F ? table[character - 0xC0] : '?';
}

/* ASCII as far as possible; other scripts stay bytes. */
static size_t fold(const char *name, char out[static NAME_BYTES])
{
    size_t len = 0;

    for (const unsigned char *s = (const unsigned char *)name; *s && len + 4 < NAME_BYTES; s++) {
        char folded = s[0] >= 0xC3 && s[0] <= 0xC5 && s[1] >= 0x80
                          ? fold_latin((unsigned)(s[0] & 0x1F) << 6 | (s[1] & 0x3F))
                          : '?';
        if (folded != '?') {
            out[len++] = folded;
            if (s[0] == 0xC3 && s[1] == 0x9F) /* sharp s */
                out[len++] = 's';
            s++;
        } else {
            out[len++] = (char)*s;
        }
    }
    out[len] = '\0';
    return len;
}

static void split(const char *name, struct words *words)
{
    char folded[NAME_BYTES];
    size_t len = fold(name, folded), at = 0;

    words->count = 0;
    words->text[at++] = ' ';
    for (size_t i = 0; i < len && at + 2 < sizeof(words->text) && words->count < WORDS_MAX; i++) {
        char c = folded[i];
        bool is_letter = is_lower(c) || is_upper(c) || (unsigned char)c >= 0x80;
        /* A new word: a capital behind a small letter, or the last of several capitals. */
        bool begins = is_upper(c) && i > 0 &&
                      (is_lower(folded[i - 1]) ||
                       (is_upper(folded[i - 1]) && i + 1 < len && is_lower(folded[i + 1])));
        if ((!is_letter || begins) && words->text[at - 1] != ' ')
            words->text[at++] = ' ';
        if (!is_letter)
            continue;
        if (words->text[at - 1] == ' ')
            words->items[words->count++] = &words->text[at];
        words->text[at++] = is_upper(c) ? (char)(c | 0x20) : c;
    }
    if (words->text[at - 1] != ' ')
        words->text[at++] = ' ';
    words->text[at] = '\0';
}

static bool word_is(const char *at, const char *word)
{
    size_t len = strlen(word);

    return strncmp(at, word, len) == 0 && at[len] == ' ';
}

/* The last word where it stands behind the phrase. */
static bool is_about(const struct words *words, const char *end_of_phrase)
{
    const char *last = words->items[words->count - 1];

    if (last < end_of_phrase)
        return false;
    for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
        if (word_is(last, about[i]))
            return true;
    return false;
}

static const char *find_phrase(const struct words *words, const char *phrase)
{
    size_t len = strlen(phrase);

    for (size_t i = 0; i < words->count; i++)
        if (strncmp(words->items[i], phrase, len) == 0 && words->items[i][len] == ' ')
            return words->items[i] + len;
    return NULL;
}

static bool is_people(const char *table)
{
    struct words words;

    split(table, &words);
    for (size_t i = 0; i < words.count; i++)
        for (size_t p = 0; p < sizeof(people) / sizeof(people[0]); p++)
            if (word_is(words.items[i], people[p]))
                return true;
    return false;
}

enum personal_kind rh_detect_name(const char *table, const char *column)
{
    struct words words;

    split(column, &words);
    if (words.count == 0)
        return PERSONAL_NONE;
    /* is_..., has_...: a question about the thing. */
    if (words.count > 1 && (word_is(words.items[0], "is") || word_is(words.items[0], "has")))
        return PERSONAL_NONE;
    for (size_t i = 0; i < rh_detect_phrase_count; i++) {
        const char *end = find_phrase(&words, rh_detect_phrases[i].words);
        if (end)
            return is_about(&words, end) ? PERSONAL_NONE : rh_detect_phrases[i].kind;
    }
    if (words.count == 1 && (word_is(words.items[0], "name") || word_is(words.items[0], "nom") ||
                             word_is(words.items[0], "nombre") || word_is(words.items[0], "nome") ||
                             word_is(words.items[0], "naam")))
        return is_people(table) ? PERSONAL_NAME : PERSONAL_NONE;
    return PERSONAL_NONE;
}

/* ---- rules by kind -----------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    enum mask_rule text, number; /* number MASK_KEEP: says nothing about numbers */
    bool is_of_dates;
} kinds[] = {
    [PERSONAL_NONE] = {"nothing", MASK_KEEP, MASK_KEEP, false},
    [PERSONAL_EMAIL] = {"e-mail", MASK_EMAIL, MASK_KEEP, false},
    [PERSONAL_PHONE] = {"phone number", MASK_PHONE, MASK_NUMBER, false},
    [PERSONAL_NAME] = {"person name", MASK_TEXT, MASK_KEEP, false},
    [PERSONAL_USERNAME] = {"user name", MASK_TEXT, MASK_KEEP, false},
    [PERSONAL_ADDRESS] = {"address", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_LOCATION] = {"location", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_BIRTH] = {"date of birth or death", MASK_TEXT, MASK_NUMBER, true},
    [PERSONAL_IBAN] = {"IBAN", MASK_IBAN, MASK_NUMBER, false},
    [PERSONAL_CARD] = {"card number", MASK_CARD, MASK_NUMBER, false},
    [PERSONAL_ACCOUNT] = {"account number", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_NATIONAL_ID] = {"national or tax number", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_IP] = {"network address", MASK_INET, MASK_NUMBER, false},
    [PERSONAL_MAC] = {"hardware address", MASK_MACADDR, MASK_KEEP, false},
    [PERSONAL_URL] = {"web address", MASK_URL, MASK_KEEP, false},
    [PERSONAL_INCOME] = {"income", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_SECRET] = {"secret", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_TEXT] = {"names, addresses or national numbers", MASK_TEXT, MASK_NUMBER, false},
    [PERSONAL_FREE_TEXT] = {"free text", MASK_FREE_TEXT, MASK_KEEP, false},
};

const char *rh_personal_kind_name(enum personal_kind kind)
{
    return kinds[kind].name;
}

enum mask_rule rh_detect_rule(enum personal_kind kind, enum type_family family)
{
    if (kind == PERSONAL_NONE)
        return MASK_KEEP;
    switch (family) {
    case FAMILY_TEXT:
        return kinds[kind].text;
    case FAMILY_NUMBER:
        return kinds[kind].number;
    case FAMILY_TIME:
        return kinds[kind].is_of_dates ? MASK_DATE : MASK_KEEP;
    case FAMILY_POINT: /* no map for them */
        return kind == PERSONAL_LOCATION || kind == PERSONAL_ADDRESS ? MASK_NULL : MASK_KEEP;
    case FAMILY_MONEY: /* nor here */
        return kind == PERSONAL_INCOME || kind == PERSONAL_ACCOUNT ? MASK_NULL : MASK_KEEP;
    case FAMILY_RANGE:
        return kinds[kind].number != MASK_KEEP || kinds[kind].is_of_dates ? MASK_NULL : MASK_KEEP;
    case FAMILY_UUID: /* the number of a session says nothing of a person, a token opens doors */
        return kind == PERSONAL_SECRET ? MASK_UUID : MASK_KEEP;
    case FAMILY_JSON:
    case FAMILY_XML:
    case FAMILY_HSTORE:
    case FAMILY_TSVECTOR:
    case FAMILY_BYTES:
    case FAMILY_INET:
    case FAMILY_MACADDR:
    case FAMILY_COMPOSITE:
    case FAMILY_UNKNOWN:
        return rh_mask_family_rule(family);
    case FAMILY_PLAIN:
    case FAMILY_COUNT:
        break;
    }
    return MASK_KEEP;
}
