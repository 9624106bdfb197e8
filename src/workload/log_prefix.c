#include "workload/log_record.h"

#include <stdlib.h>
#include <string.h>

/*
 * log_line_prefix ("Error Reporting and Logging"): text with escapes, %-10u with a width. Its own
 * text is what ends an escape whose value may be anything; %q ends the prefix of lines that belong
 * to no session.
 */
struct prefix_part {
    char escape;      /* 0: the text of it */
    struct text text; /* of its own */
};

struct log_prefix {
    VEC(struct prefix_part) parts;
};

#define PREFIX_PARTS_MAX 64

const char *const rh_log_prefixes[] = {
    "%m [%p] %q%u@%d ",                                /* Debian */
    "%t:%r:%u@%d:[%p]:",                               /* Amazon RDS */
    "%m [%p] ",                                        /* PostgreSQL's default */
    "%m [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", /* pgBadger's suggestion */
    "%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ",
    "%t [%p]: [%l-1] user=%u,db=%d ",
    "%t [%p]: user=%u,db=%d,app=%a,client=%h ",
    "%m [%p] %u@%d ",
    "%m %u@%d [%p] ",
    "%t [%p] %u@%d ",
    "%m [%c] %u@%d ",
    "%m %c %u %d ",
    "%t %c ",
    "%m %p ",
    "%t [%p] ",
    "< %m >",
    "< %m %u@%d >",
    "%m ",
    "%t ",
    NULL,
};

const struct log_prefix *rh_log_prefix(struct arena *arena, const char *prefix)
{
    struct log_prefix *made = RH_NEW(arena, struct log_prefix);
    bool has_time = false;
    for (const char *p = prefix; *p;) {
        struct prefix_part *part = RH_PUSH(arena, &made->parts);
        if (made->parts.count > PREFIX_PARTS_MAX)
            return NULL;
        if (p[0] == '%' && p[1] != '\0' && p[1] != '%') {
            p++;
            p += strspn(p, "-0123456789");
            if (*p == '\0')
                return NULL;
            part->escape = *p++;
            has_time |= strchr("mtn", part->escape) != NULL;
            continue;
        }
        size_t length = p[0] == '%' ? 1 : strcspn(p, "%");
        part->text = (struct text){rh_arena_strndup(arena, p, length), length};
        p += length + (p[0] == '%' && p[1] == '%');
    }
    return has_time ? made : NULL;
}

static void blanks(struct text line, size_t *at)
{
    while (*at < line.len && line.data[*at] == ' ')
        (*at)++;
}

static size_t span(struct text line, size_t at, const char *set)
{
    size_t end = at;
    while (end < line.len && line.data[end] != '\0' && strchr(set, line.data[end]) != NULL)
        end++;
    return end;
}

static size_t number_span(struct text line, size_t at)
{
    return span(line, at, "0123456789");
}

static bool epoch_time(struct text line, size_t *at, int64_t *ret_at_us)
{
    size_t seconds_end = number_span(line, *at), end = seconds_end;
    int64_t seconds, fraction = 0;
    if (!rh_text_parse_int64((struct text){line.data + *at, seconds_end - *at}, &seconds) ||
        seconds > INT64_MAX / 2000000)
        return false;
    if (end < line.len && line.data[end] == '.') {
        int64_t unit = 100000;
        for (end++; end < line.len && line.data[end] >= '0' && line.data[end] <= '9'; end++) {
            fraction += unit * (line.data[end] - '0');
            unit /= 10;
        }
    }
    *ret_at_us = seconds * 1000000 + fraction;
    *at = end;
    return true;
}

static bool match_time(char escape, struct text line, size_t *at, struct log_record *record)
{
    int64_t at_us;
    size_t length = 0;
    if (escape == 'n') {
        if (!epoch_time(line, at, &at_us))
            return false;
    } else if (!rh_log_time((struct text){line.data + *at, line.len - *at}, &at_us, &length)) {
        return false;
    }
    *at += length;
    if (escape != 's') {
        record->at_us = at_us;
        record->has_time = true;
    }
    return true;
}

/* Until the prefix's own text that comes next, else a blank: names may hold anything. */
static size_t value_end(const struct log_prefix *prefix, size_t part, struct text line, size_t at)
{
    struct text until = {" ", 1};
    if (part + 1 < prefix->parts.count && prefix->parts.items[part + 1].escape == 0)
        until = prefix->parts.items[part + 1].text;
    else if (part + 2 < prefix->parts.count && prefix->parts.items[part + 1].escape == 'q' &&
             prefix->parts.items[part + 2].escape == 0)
        until = prefix->parts.items[part + 2].text;
    const char *found = at < line.len ? memmem(line.data + at, line.len - at, until.data, until.len)
                                      : NULL;
    return found ? (size_t)(found - line.data) : line.len;
}

static bool match_part(const struct log_prefix *prefix, size_t part, struct arena *arena,
                       struct text line, size_t *at, struct log_record *record)
{
    char escape = prefix->parts.items[part].escape;
    size_t start = *at;
    switch (escape) {
    case 'm':
    case 't':
    case 'n':
    case 's':
        return match_time(escape, line, at, record);
    case 'p':
    case 'P':
    case 'l':
    case 'x':
    case 'Q':
        blanks(line, at);
        start = *at;
        *at += *at < line.len && line.data[*at] == '-';
        *at = number_span(line, *at);
        if (*at == start && escape != 'P')
            return false;
        if (escape == 'p' && record->session[0] == '\0')
            record->session = rh_arena_strndup(arena, line.data + start, *at - start);
        return true;
    case 'c':
        *at = span(line, *at, "0123456789abcdef.");
        record->session = rh_arena_strndup(arena, line.data + start, *at - start);
        return *at > start;
    case 'e':
        *at = span(line, *at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        record->sqlstate = rh_arena_strndup(arena, line.data + start, *at - start);
        return *at == start + 5;
    case 'v':
        *at = span(line, *at, "0123456789/");
        return true;
    default:
        *at = value_end(prefix, part, line, *at);
        break;
    }
    struct text value = rh_text_trim((struct text){line.data + start, *at - start});
    if (rh_text_is(value, "[unknown]"))
        value.len = 0;
    if (escape == 'u')
        record->user = rh_text_dup(arena, value);
    else if (escape == 'd')
        record->database = rh_text_dup(arena, value);
    else if (escape == 'a')
        record->application_name = rh_text_dup(arena, value);
    return value.len < 1000;
}

bool rh_log_prefix_match(const struct log_prefix *prefix, struct arena *arena, struct text line,
                         struct log_record *ret_record, struct text *ret_rest)
{
    struct log_record record = {
        .session = "", .user = "", .database = "", .application_name = "", .sqlstate = ""};
    size_t at = 0;
    const char *severity;
    struct text message;
    for (size_t i = 0; i < prefix->parts.count; i++) {
        const struct prefix_part *part = &prefix->parts.items[i];
        struct text rest = {line.data + at, line.len - at};
        if (part->escape == 'q') {
            if (rh_log_severity(rest, &severity, &message))
                break; /* of no session */
            continue;
        }
        if (part->escape != 0) {
            if (!match_part(prefix, i, arena, line, &at, &record))
                return false;
            continue;
        }
        size_t length = part->text.len;
        /* A width pads with blanks on either side. */
        if (rest.len < length || memcmp(rest.data, part->text.data, length) != 0) {
            blanks(line, &at);
            rest = (struct text){line.data + at, line.len - at};
            if (rest.len < length || memcmp(rest.data, part->text.data, length) != 0)
                return false;
        }
        at += length;
    }
    struct text rest = {line.data + at, line.len - at};
    if (!record.has_time || !rh_log_severity(rest, &severity, &message))
        return false;
    record.severity = severity;
    record.message = message;
    *ret_record = record;
    *ret_rest = rest;
    return true;
}

bool rh_log_severity(struct text rest, const char **ret_severity, struct text *ret_message)
{
    static const char *const severities[] = {
        "LOG",    "ERROR",  "FATAL",   "PANIC",     "WARNING", "NOTICE",   "INFO",
        "DETAIL", "HINT",   "CONTEXT", "STATEMENT", "QUERY",   "LOCATION", "DEBUG",
        "DEBUG1", "DEBUG2", "DEBUG3",  "DEBUG4",    "DEBUG5",  "BACKTRACE"};
    while (rest.len > 0 && rest.data[0] == ' ') {
        rest.data++;
        rest.len--;
    }
    for (size_t i = 0; i < sizeof(severities) / sizeof(severities[0]); i++) {
        size_t length = strlen(severities[i]);
        if (rest.len > length + 1 && memcmp(rest.data, severities[i], length) == 0 &&
            rest.data[length] == ':' && rest.data[length + 1] == ' ') {
            size_t skip = length + 2 + (rest.len > length + 2 && rest.data[length + 2] == ' ');
            *ret_severity = severities[i];
            *ret_message = (struct text){rest.data + skip, rest.len - skip};
            return true;
        }
    }
    return false;
}
