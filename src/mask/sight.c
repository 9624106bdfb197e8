/*
 * What values look like. A shape counts only when nothing common has it by chance: a card number
 * has a check digit and one of the known beginnings, a secret has more than one kind of character
 * and no words.
 */
#include "mask/mask_leaf_kinds.h"
#include "mask/masking_int.h"

/* Longer values are prose; of prose the beginning is looked at. */
#define SIGHT_BYTES_MAX 4096
/* So many values must have been seen, and such a share of them have a shape, before a column is
 * that. */
#define SIGHT_VALUES_MIN 3
#define SIGHT_SHARE 0.6
/* One in so many is enough to say that something personal is among them. */
#define SIGHT_SHARE_SOME 0.02

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_alnum(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c);
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* ---- e-mail ------------------------------------------------------------------------------------
 */

static bool is_local_part(char c)
{
    return is_alnum(c) || (unsigned char)c >= 0x80 || strchr(".!#$%&'*+/=?^_`{|}~-", c) != NULL;
}

/* The end of an address around the "@" at `at`; 0: there is none. */
static size_t email_end(struct text value, size_t at, size_t *ret_start)
{
    size_t start = at, end = at + 1, last_dot = 0;

    while (start > 0 && value.data[start - 1] && is_local_part(value.data[start - 1]))
        start--;
    while (end < value.len && (is_alnum(value.data[end]) || value.data[end] == '-' ||
                               value.data[end] == '.' || (unsigned char)value.data[end] >= 0x80)) {
        if (value.data[end] == '.')
            last_dot = end;
        end++;
    }
    if (last_dot == end - 1 && last_dot > 0) { /* the end of a sentence */
        end--;
        last_dot = 0;
        for (size_t i = at + 1; i < end; i++)
            if (value.data[i] == '.')
                last_dot = i;
    }
    if (start == at || last_dot < at + 2 || end - last_dot < 3)
        return 0;
    for (size_t i = last_dot + 1; i < end; i++)
        if (is_digit(value.data[i]))
            return 0;
    *ret_start = start;
    return end;
}

static bool has_email(struct text value, bool *ret_is_whole)
{
    *ret_is_whole = false;
    for (size_t i = 0; i < value.len; i++) {
        size_t start, end = value.data[i] == '@' ? email_end(value, i, &start) : 0;
        if (end > 0) {
            *ret_is_whole = start == 0 && end == value.len;
            return true;
        }
    }
    return false;
}

/* ---- numbers with check digits -----------------------------------------------------------------
 */

/* Digits without blanks and dashes between them; 0: something else is among them, or too many. */
static size_t digits_of(struct text value, char *digits, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (is_digit(value.data[i])) {
            if (count == max)
                return 0;
            digits[count++] = value.data[i];
        } else if ((value.data[i] != ' ' && value.data[i] != '-') || i == 0 || i + 1 == value.len) {
            return 0;
        }
    }
    return count;
}

static bool is_luhn(const char *digits, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0');
        if (i % 2 == 1)
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        sum += digit;
    }
    return sum % 10 == 0;
}

/* ISO/IEC 7812: Visa, Mastercard (51-55, 2221-2720), American Express, Diners, Discover, JCB,
 * UnionPay, Maestro. */
static bool is_card(struct text value)
{
    char digits[20];
    size_t count = digits_of(value, digits, 19);

    if (count < 13 || !is_luhn(digits, count))
        return false;
    unsigned four = (unsigned)((digits[0] - '0') * 1000 + (digits[1] - '0') * 100 +
                               (digits[2] - '0') * 10 + (digits[3] - '0'));
    unsigned two = four / 100;
    if (two == 34 || two == 37)
        return count == 15;
    if (two == 36 || two == 38 || (four >= 3000 && four <= 3059))
        return count == 14;
    return digits[0] == '4'
               ? count == 13 || count == 16 || count == 19
               : count >= 16 && ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720) ||
                                 two == 35 || (two >= 56 && two <= 69));
}

/* ISO 13616: the first four to the end, letters as numbers from 10, mod 97 = 1. */
static bool is_iban(struct text value)
{
    char plain[36];
    size_t count = 0;
    unsigned rest = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == ' ')
            continue;
        if (count == 34 || !is_alnum(value.data[i]))
            return false;
        plain[count++] = value.data[i];
    }
    if (count < 15 || !is_upper(plain[0]) || !is_upper(plain[1]) || !is_digit(plain[2]) ||
        !is_digit(plain[3]))
        return false;
    for (size_t i = 0; i < count; i++) {
        char c = plain[(i + 4) % count];
        if (is_digit(c))
            rest = (rest * 10 + (unsigned)(c - '0')) % 97;
        else
            rest = (rest * 100 + (unsigned)((c | 0x20) - 'a' + 10)) % 97;
    }
    return rest == 1;
}

static uint64_t number_of(const char *digits, size_t count)
{
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number * 10 + (uint64_t)(digits[i] - '0');
    return number;
}

static bool is_date(unsigned month, unsigned day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/* A pattern: d digit, U capital letter, everything else itself. */
static bool has_shape(struct text value, const char *shape)
{
    if (value.len != strlen(shape))
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (shape[i] == 'd' ? !is_digit(c) : shape[i] == 'U' ? !is_upper(c) : c != shape[i])
            return false;
    }
    return true;
}

static unsigned weighted(const char *digits, const char *weights, size_t count)
{
    unsigned sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (unsigned)(digits[i] - '0') * (unsigned)(weights[i] - '0');
    return sum;
}

/* Brazil's CPF: two check digits, mod 11. */
static bool is_cpf(const char *digits)
{
    unsigned sum = 0;

    for (unsigned round = 9; round <= 10; round++) {
        sum = 0;
        for (unsigned i = 0; i < round; i++)
            sum += (unsigned)(digits[i] - '0') * (round + 1 - i);
        sum = sum * 10 % 11 % 10;
        if (sum != (unsigned)(digits[round] - '0'))
            return false;
    }
    for (unsigned i = 1; i < 11; i++)
        if (digits[i] != digits[0])
            return true;
    return false;
}

/* France's NIR: sex, year, month, place, number and 97 minus the rest. */
static bool is_nir(const char *digits)
{
    unsigned month = (unsigned)number_of(digits + 3, 2);

    return (digits[0] == '1' || digits[0] == '2') && ((month >= 1 && month <= 12) || month >= 20) &&
           number_of(digits + 13, 2) == 97 - number_of(digits, 13) % 97;
}

/* Italy's codice fiscale: odd places by a table, the rest as they are, mod 26. */
static bool is_codice_fiscale(struct text value)
{
    static const unsigned char odd[] = {1,  0,  5, 7, 9, 13, 15, 17, 19, 21, 2,  4,  18,
                                        20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23};
    unsigned sum = 0;

    if (!has_shape(value, "UUUUUUddUddUdddU"))
        return false;
    for (size_t i = 0; i < 15; i++) {
        unsigned place = is_digit(value.data[i]) ? (unsigned)(value.data[i] - '0')
                                                 : (unsigned)(value.data[i] - 'A');
        sum += i % 2 == 0 ? odd[place] : place;
    }
    return sum % 26 == (unsigned)(value.data[15] - 'A');
}

/* National numbers whose shape or check digits are rare by chance; plain runs of 9 or 10 digits are
 * none of them. */
static bool is_national_id(struct text value)
{
    static const char letters[] = "TRWAGMYFPDXBNJZSQVHLCKE"; /* Spain: mod 23 */
    char digits[20];
    size_t count = digits_of(value, digits, 19);

    if (has_shape(value, "ddd-dd-dddd")) { /* United States: none begins with 000, 666 or 9 */
        uint64_t area = number_of(value.data, 3);
        return area != 0 && area != 666 && area < 900 && number_of(value.data + 4, 2) != 0 &&
               number_of(value.data + 7, 4) != 0;
    }
    if (has_shape(value, "ddd.ddd.ddd-dd")) {
        for (size_t i = 0, at = 0; i < value.len; i++)
            if (is_digit(value.data[i]))
                digits[at++] = value.data[i];
        return is_cpf(digits);
    }
    if (has_shape(value, "ddddddddU"))
        return value.data[8] == letters[number_of(value.data, 8) % 23];
    if (value.len == 9 && strchr("XYZ", value.data[0]) &&
        has_shape((struct text){value.data + 1, 8}, "dddddddU"))
        return value.data[8] ==
               letters[((uint64_t)(value.data[0] - 'X') * 10000000 + number_of(value.data + 1, 7)) %
                       23];
    if (has_shape(value, "UUddddddU")) /* United Kingdom: NINO */
        return strchr("ABCD", value.data[8]) && !strchr("DFIQUV", value.data[0]) &&
               !strchr("DFIQUVO", value.data[1]);
    if (has_shape(value, "ddd.dddd.dddd.dd")) { /* Switzerland: AHV, EAN-13 */
        size_t at = 0;
        for (size_t i = 0; i < value.len; i++)
            if (is_digit(value.data[i]))
                digits[at++] = value.data[i];
        return number_of(digits, 3) == 756 &&
               (10 - weighted(digits, "131313131313", 12) % 10) % 10 ==
                   (unsigned)(digits[12] - '0');
    }
    if (has_shape(value, "dddddd-dddd") || has_shape(value, "dddddd+dddd")) /* Sweden */
    {
        memcpy(digits, value.data, 6);
        memcpy(digits + 6, value.data + 7, 4);
        return is_date((unsigned)number_of(digits + 2, 2),
                       (unsigned)number_of(digits + 4, 2) % 60) &&
               is_luhn(digits, 10);
    }
    if (is_codice_fiscale(value))
        return true;
    if (count == 15 && is_nir(digits))
        return true;
    if (count == 11 && value.len == 11 && /* Poland: PESEL, a date with its century in the month */
        is_date((unsigned)number_of(digits + 2, 2) % 20, (unsigned)number_of(digits + 4, 2)))
        return (10 - weighted(digits, "1379137913", 10) % 10) % 10 == (unsigned)(digits[10] - '0');
    return false;
}

/* ---- phone, URL, IP, uuid ----------------------------------------------------------------------
 */

/* With "+", or with blanks, parentheses and dashes as nobody writes other numbers. */
static bool is_phone(struct text value)
{
    size_t digits = 0, marks = 0;
    bool has_plus = value.len > 0 && value.data[0] == '+', has_parenthesis = false;

    for (size_t i = has_plus; i < value.len; i++) {
        char c = value.data[i];
        if (is_digit(c))
            digits++;
        else if (c == '(' || c == ')')
            has_parenthesis = true;
        else if (c == ' ' || c == '-' || c == '.' || c == '/')
            marks++;
        else
            return false;
    }
    if (digits < 7 || digits > 15)
        return false;
    if (has_plus)
        return true;
    return has_parenthesis ||
           (value.data[0] == '0' && value.len > 1 && value.data[1] != '0' && marks >= 1 &&
            digits >= 9 && value.data[value.len - 1] != '-' && !memchr(value.data, '.', value.len));
}

static bool is_url(struct text value)
{
    static const char *const schemes[] = {"http://", "https://", "ftp://", "mailto:", "www."};

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (rh_text_starts_with(value, schemes[i]))
            return !memchr(value.data, ' ', value.len);
    return false;
}

static bool is_ipv4(struct text value)
{
    const char *slash = memchr(value.data, '/', value.len);
    if (slash == NULL) /* 1.2.3.4 is a version more often than an address. */
        return value.len >= 9 && rh_leaf_is_ipv4(value);
    const size_t len = (size_t)(slash - value.data);
    return len + 1 < value.len && is_digit(slash[1]) &&
           rh_leaf_is_ipv4((struct text){value.data, len});
}

static bool is_ipv6(struct text value)
{
    size_t colons = 0;
    bool is_short = false;

    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == ':')
            colons++;
        else if (!is_hex(value.data[i]))
            return false;
        is_short |= i > 0 && value.data[i] == ':' && value.data[i - 1] == ':';
    }
    return colons == 7 || (is_short && colons < 7 && value.len >= 3);
}

static bool is_mac(struct text value)
{
    if (value.len != 17)
        return false;
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? value.data[i] != ':' && value.data[i] != '-' : !is_hex(value.data[i]))
            return false;
    return true;
}

static bool is_uuid(struct text value)
{
    if (value.len != 36)
        return false;
    for (size_t i = 0; i < 36; i++)
        if (i == 8 || i == 13 || i == 18 || i == 23 ? value.data[i] != '-' : !is_hex(value.data[i]))
            return false;
    return true;
}

/* ---- secrets -----------------------------------------------------------------------------------
 */

/* Different bytes: of chance there are many, of words and patterns few. */
static size_t variety(struct text value)
{
    bool is_seen[256] = {false};
    size_t count = 0;

    for (size_t i = 0; i < value.len; i++)
        if (!is_seen[(unsigned char)value.data[i]]) {
            is_seen[(unsigned char)value.data[i]] = true;
            count++;
        }
    return count;
}

static bool has_secret_beginning(struct text value)
{
    static const char *const beginnings[] = {
        "sk_live_", "sk_test_", "pk_live_", "rk_live_",    "whsec_",   "ghp_",
        "gho_",     "ghs_",     "ghu_",     "github_pat_", "glpat-",   "xoxb-",
        "xoxp-",    "xoxa-",    "xoxs-",    "AKIA",        "ASIA",     "AIza",
        "ya29.",    "npm_",     "hf_",      "SG.",         "eyJ",      "-----BEGIN ",
        "$2a$",     "$2b$",     "$2y$",     "$argon2",     "$1$",      "$5$",
        "$6$",      "$scrypt$", "pbkdf2_",  "pbkdf2:",     "scrypt:",  "SCRAM-SHA-256$",
        "bcrypt$",  "bcrypt_",  "{SSHA}",   "{SHA}",       "{CRYPT}",  "Bearer ",
        "sha1$",    "sha256$",  "PBKDF2$",  "argon2id$",   "ssh-rsa ", "dckr_pat_"};

    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
        if (rh_text_starts_with(value, beginnings[i]) && value.len >= strlen(beginnings[i]) + 8)
            return true;
    return false;
}

/* Letters of both cases and digits, mixed closely, without words: no slug, no hexadecimal checksum,
 * no file name. */
static bool is_secret(struct text value)
{
    size_t lowers = 0, uppers = 0, digits = 0, others = 0, changes = 0;
    int before = -1;

    if (has_secret_beginning(value))
        return true;
    if (value.len < 20 || value.len > 512)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        int kind = is_lower(c) ? 0 : is_upper(c) ? 1 : is_digit(c) ? 2 : 3;
        if (kind == 3 && !strchr("+/=_-.", c))
            return false;
        lowers += kind == 0;
        uppers += kind == 1;
        digits += kind == 2;
        others += kind == 3;
        changes += before >= 0 && kind != before;
        before = kind;
    }
    return lowers > 0 && uppers > 0 && digits >= 2 && digits * 16 >= value.len &&
           others * 8 <= value.len && changes * 3 >= value.len &&
           variety(value) >= (value.len < 32 ? value.len / 2 : 16);
}

/* ---- names and addresses -----------------------------------------------------------------------
 */

static bool is_one_of(struct text word, const char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        bool is_same = strlen(words[i]) == word.len;
        for (size_t j = 0; is_same && j < word.len; j++)
            is_same = (word.data[j] | 0x20) == words[i][j];
        if (is_same)
            return true;
    }
    return false;
}

/* Two to four capitalised words, the first a common given name. */
static bool is_person_name(struct text value)
{
    static const char *const given[] = {
        "james",    "john",      "robert",   "michael",   "william",   "david",     "richard",
        "joseph",   "thomas",    "charles",  "daniel",    "matthew",   "anthony",   "mark",
        "paul",     "steven",    "andrew",   "george",    "kevin",     "brian",     "edward",
        "peter",    "mary",      "patricia", "jennifer",  "linda",     "elizabeth", "barbara",
        "susan",    "jessica",   "sarah",    "karen",     "nancy",     "lisa",      "margaret",
        "sandra",   "emily",     "anna",     "emma",      "olivia",    "sophia",    "laura",
        "julia",    "maria",     "hans",     "klaus",     "peter",     "michael",   "stefan",
        "andreas",  "wolfgang",  "juergen",  "uwe",       "ursula",    "monika",    "petra",
        "sabine",   "claudia",   "martin",   "jean",      "pierre",    "jacques",   "michel",
        "philippe", "marie",     "nathalie", "isabelle",  "sylvie",    "catherine", "jose",
        "juan",     "antonio",   "manuel",   "carlos",    "luis",      "javier",    "carmen",
        "ana",      "isabel",    "giuseppe", "giovanni",  "marco",     "luca",      "francesca",
        "giulia",   "paolo",     "jan",      "piet",      "pieter",    "johan",     "willem",
        "piotr",    "krzysztof", "andrzej",  "katarzyna", "agnieszka", "ivan",      "olga",
        "elena",    "tatiana",   "sergei",   "alexander", "dmitri",    "natalia",   "mohammed",
        "muhammad", "ahmed",     "fatima",   "ali",       "hassan",    "wei",       "ravi",
        "priya",    "amit",      "alice",    "bob",       "carol",     "frank",     "grace",
        "henry",    "jane",      "kate",     "oliver",    "lucas",     "noah",      "liam",
        "jack",     "harry",     NULL};
    size_t words = 0;
    struct text first = {0};

    for (size_t at = 0; at < value.len;) {
        size_t start = at;
        while (at < value.len && value.data[at] != ' ') {
            char c = value.data[at++];
            if (!is_lower(c) && !is_upper(c) && (unsigned char)c < 0x80 && !strchr("'.-", c))
                return false;
        }
        if (at == start ||
            !(is_upper(value.data[start]) || (unsigned char)value.data[start] >= 0x80))
            return false;
        if (words++ == 0)
            first = (struct text){value.data, at};
        at += at < value.len;
    }
    return words >= 2 && words <= 4 && is_one_of(first, given);
}

/* A number and a word for a road. */
static bool is_address(struct text value)
{
    static const char *const roads[] = {
        "street", "st",        "st.",   "avenue", "ave",   "ave.",   "road",    "rd",     "rd.",
        "lane",   "ln",        "drive", "dr",     "dr.",   "blvd",   "court",   "square", "terrace",
        "rue",    "boulevard", "allee", "chemin", "place", "calle",  "avenida", "plaza",  "via",
        "viale",  "piazza",    "rua",   "ulica",  "ul.",   "strada", NULL};
    static const char *const endings[] = {"strasse", "stra\303\237e", "str.",  "weg",
                                          "gasse",   "platz",         "allee", "straat",
                                          "laan",    "plein",         NULL};
    bool has_road = false, has_number = false;

    if (value.len > 200)
        return false;
    for (size_t at = 0; at < value.len;) {
        size_t start = at;
        while (at < value.len && value.data[at] != ' ' && value.data[at] != ',')
            at++;
        struct text word = {value.data + start, at - start};
        has_number |= word.len > 0 && word.len <= 5 && is_digit(word.data[0]);
        has_road |= is_one_of(word, roads);
        for (size_t e = 0; endings[e]; e++)
            has_road |= word.len > strlen(endings[e]) + 1 && rh_text_ends_with(word, endings[e]);
        at++;
    }
    return has_road && has_number;
}

/* ---- counting ----------------------------------------------------------------------------------
 */

void rh_mask_sight(struct mask_sighting *sighting, struct text value)
{
    bool is_whole;

    value = rh_text_trim(value);
    if (value.len == 0)
        return;
    if (value.len > SIGHT_BYTES_MAX)
        value.len = SIGHT_BYTES_MAX;
    sighting->values++;
    if (has_email(value, &is_whole)) {
        sighting->matches[is_whole ? MASK_EMAIL : MASK_FREE_TEXT]++;
    } else if (is_uuid(value)) {
        sighting->matches[MASK_UUID]++;
    } else if (is_url(value)) {
        sighting->matches[MASK_URL]++;
    } else if (is_ipv4(value) || is_ipv6(value)) {
        sighting->matches[MASK_INET]++;
    } else if (is_mac(value)) {
        sighting->matches[MASK_MACADDR]++;
    } else if (is_card(value)) {
        sighting->matches[MASK_CARD]++;
    } else if (is_iban(value)) {
        sighting->matches[MASK_IBAN]++;
    } else if (is_national_id(value) || is_person_name(value) || is_address(value)) {
        sighting->names++;
    } else if (is_phone(value)) {
        sighting->matches[MASK_PHONE]++;
    } else if (is_secret(value)) {
        sighting->secrets++;
    }
}

static bool is_most(const struct mask_sighting *sighting, int64_t count)
{
    return sighting->values >= SIGHT_VALUES_MIN &&
           (double)count >= SIGHT_SHARE * (double)sighting->values;
}

static bool is_some(const struct mask_sighting *sighting, int64_t count)
{
    return count > 0 && (double)count >= SIGHT_SHARE_SOME * (double)sighting->values;
}

enum personal_kind rh_detect_values(const struct mask_sighting *sighting)
{
    static const struct {
        enum mask_rule rule;
        enum personal_kind kind;
    } shapes[] = {{MASK_EMAIL, PERSONAL_EMAIL}, {MASK_URL, PERSONAL_URL},
                  {MASK_CARD, PERSONAL_CARD},   {MASK_IBAN, PERSONAL_IBAN},
                  {MASK_INET, PERSONAL_IP},     {MASK_MACADDR, PERSONAL_MAC},
                  {MASK_PHONE, PERSONAL_PHONE}, {MASK_FREE_TEXT, PERSONAL_FREE_TEXT}};
    int64_t personal = sighting->names + sighting->secrets;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
        if (is_most(sighting, sighting->matches[shapes[i].rule]))
            return shapes[i].kind;
    if (is_most(sighting, sighting->secrets))
        return PERSONAL_SECRET;
    if (is_most(sighting, sighting->names))
        return PERSONAL_TEXT;
    /* Among other things: prose with addresses in it, logins of which some are addresses. Not card
       numbers: one in ten numbers has the right check digit by chance. */
    personal += sighting->matches[MASK_EMAIL] + sighting->matches[MASK_FREE_TEXT] +
                sighting->matches[MASK_IBAN] + sighting->matches[MASK_PHONE] +
                sighting->matches[MASK_INET];
    return is_some(sighting, personal) ? PERSONAL_FREE_TEXT : PERSONAL_NONE;
}
