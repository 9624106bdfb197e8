#include "workload/plain_value.h"

#include <ctype.h>
#include <strings.h>

/* As long as identifiers are (NAMEDATALEN), with room for "schema"."table". */
#define NAME_BYTES_MAX 130
/* More of them in a row are somebody's number, not a version or a width. */
#define NAME_DIGITS_MAX 5
/* AM, BC, T, Z, P1DT2H; UTC and CEST are words below. */
#define MARK_LETTERS_MAX 2

static bool is_one_of(struct text word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(words[i]) == word.len && strncasecmp(words[i], word.data, word.len) == 0)
            return true;
    return false;
}

/* Of intervals, dates and times ("Date/Time Types", appendix B), numbers and truth values. */
static bool is_word_of_values(struct text word)
{
    static const char *const words[] = {
        "null",         "true",      "false",      "yes",       "off",         "nan",
        "inf",          "infinity",  "epoch",      "now",       "today",       "tomorrow",
        "yesterday",    "allballs",  "ago",        "usec",      "usecs",       "microsecond",
        "microseconds", "msec",      "msecs",      "ms",        "millisecond", "milliseconds",
        "sec",          "secs",      "second",     "seconds",   "min",         "mins",
        "minute",       "minutes",   "hour",       "hours",     "hr",          "hrs",
        "day",          "days",      "week",       "weeks",     "mon",         "mons",
        "month",        "months",    "year",       "years",     "decade",      "decades",
        "century",      "centuries", "millennium", "millennia", "jan",         "feb",
        "mar",          "apr",       "may",        "jun",       "jul",         "aug",
        "sep",          "oct",       "nov",        "dec",       "january",     "february",
        "march",        "april",     "june",       "july",      "august",      "september",
        "october",      "november",  "december",   "tue",       "wed",         "thu",
        "fri",          "sat",       "sun",        "monday",    "tuesday",     "wednesday",
        "thursday",     "friday",    "saturday",   "sunday",    "utc",         "gmt",
        "cet",          "cest",      "est",        "edt",       "cst",         "cdt",
        "mst",          "mdt",       "pst",        "pdt",       "empty",
    };

    return is_one_of(word, words, sizeof(words) / sizeof(words[0]));
}

static bool is_hex(char c)
{
    return isxdigit((unsigned char)c) != 0;
}

/* The length of a UUID that begins here; 0: none does. */
static size_t uuid_at(struct text value)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    size_t length = sizeof(form) - 1;

    if (value.len < length)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (form[i] == '-' ? value.data[i] != '-' : !is_hex(value.data[i]))
            return 0;
    return length;
}

bool rh_plain_value_is(struct text value)
{
    size_t at = 0;

    while (at < value.len) {
        struct text rest = {value.data + at, value.len - at};
        size_t uuid = uuid_at(rest), letters = 0;

        if (uuid > 0) {
            at += uuid;
            continue;
        }
        while (letters < rest.len && isalpha((unsigned char)rest.data[letters]))
            letters++;
        if (letters > MARK_LETTERS_MAX && !is_word_of_values((struct text){rest.data, letters}))
            return false;
        if (letters == 0 && !strchr("0123456789+-.,:;/ {}[]()\"\\\t", rest.data[0]))
            return false;
        at += letters > 0 ? letters : 1;
    }
    return memchr(value.data, '\0', value.len) == NULL;
}

bool rh_plain_value_is_name(struct text value)
{
    size_t digits = 0;

    if (value.len > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];

        digits = isdigit(c) ? digits + 1 : 0;
        if (digits > NAME_DIGITS_MAX ||
            (!isalnum(c) && (c == '\0' || !strchr("_-.:/ ,;\"{}()+%#$|*", c))))
            return false;
    }
    return true;
}
