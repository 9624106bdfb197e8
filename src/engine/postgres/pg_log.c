#include "engine/postgres/pg_engine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/*
 * log_line_prefix = '@RH %p %e %m|', log to stderr. An entry is a line "PREFIXseverity:  message",
 * then lines PREFIXDETAIL, HINT, QUERY, CONTEXT, LOCATION, STATEMENT; further lines of any of these
 * start with a tab (elog.c, send_message_to_server_log, append_with_tabs). The server writes an
 * entry at once, so what ends in a newline at the end of the file is whole.
 */
#define LOG_ENTRY_MAX (64 * 1024) /* bytes of an entry kept; the rest of it is dropped */
#define LOG_READ_SIZE (64 * 1024)

struct server_log {
    int fd;
    struct buf pending; /* [0, start) handed out, [start, len) not yet */
    size_t start;
    bool is_dropping; /* in the rest of an entry that was too long */
};

enum err_code rh_pg_log_open(const char *path, struct server_log **ret_log, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct server_log *log;

    if (fd < 0)
        return rh_err_set_errno(err, errno, "cannot open the server's log \"%s\"", path);
    if (lseek(fd, 0, SEEK_END) < 0) {
        rh_err_set_errno(err, errno, "cannot read the server's log \"%s\"", path);
        close(fd);
        return err->code;
    }
    log = calloc(1, sizeof(*log));
    if (!log)
        RH_PANIC("out of memory for a log reader");
    log->fd = fd;
    rh_buf_init(&log->pending, LOG_ENTRY_MAX + LOG_READ_SIZE);
    *ret_log = log;
    return RH_OK;
}

void rh_pg_log_close(struct server_log *log)
{
    if (!log)
        return;
    close(log->fd);
    rh_buf_deinit(&log->pending);
    free(log);
}

/* --- lines
 * ---------------------------------------------------------------------------------------- */

struct log_line {
    long long pid;
    char sqlstate[6];
    int64_t at_us;
    struct text label; /* "LOG", "DETAIL" */
    struct text text;
};

/* "2026-11-20 10:49:12.123 UTC"; 0 for another zone. */
static int64_t parse_time(struct text text)
{
    char copy[40];
    struct tm tm = {0};
    int64_t ms;

    if (text.len >= sizeof(copy))
        return 0;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    const char *dot = strptime(copy, "%Y-%m-%d %H:%M:%S", &tm);
    if (!dot || *dot != '.')
        return 0;
    struct text rest = rh_text(dot + 1);
    if (!rh_text_take_int64(&rest, &ms) ||
        (!rh_text_is(rest, " UTC") && !rh_text_is(rest, " GMT") && !rh_text_is(rest, " Etc/UTC")))
        return 0;
    return (int64_t)timegm(&tm) * 1000000 + ms * 1000;
}

static bool has_prefix(struct text line)
{
    return rh_text_starts_with(line, "@RH ");
}

static bool parse_line(struct text line, struct log_line *ret_line)
{
    struct log_line parsed = {0};
    const char *bar, *colon;
    char *end;

    if (!has_prefix(line) || !(bar = memchr(line.data, '|', line.len)))
        return false;
    /* the text behind is NUL-terminated or holds the bar: strtoll stops in time */
    parsed.pid = strtoll(line.data + 4, &end, 10);
    if (*end != ' ' || bar - end < 8 || end[6] != ' ')
        return false;
    memcpy(parsed.sqlstate, end + 1, 5);
    parsed.at_us = parse_time((struct text){end + 7, (size_t)(bar - end) - 7});
    struct text rest = {bar + 1, line.len - (size_t)(bar + 1 - line.data)};
    colon = memmem(rest.data, rest.len, ":  ", 3);
    if (!colon)
        return false;
    parsed.label = (struct text){rest.data, (size_t)(colon - rest.data)};
    parsed.text = (struct text){colon + 3, rest.len - (size_t)(colon + 3 - rest.data)};
    *ret_line = parsed;
    return true;
}

static bool is_part(struct text label)
{
    static const char *const PARTS[] = {"DETAIL",    "HINT",     "QUERY",    "CONTEXT",
                                        "STATEMENT", "LOCATION", "BACKTRACE"};

    for (size_t i = 0; i < sizeof(PARTS) / sizeof(*PARTS); i++)
        if (rh_text_is(label, PARTS[i]))
            return true;
    return false;
}

/* The line at `offset` without its newline; false when its newline has not come yet. */
static bool line_at(const struct server_log *log, size_t offset, struct text *ret_line)
{
    const char *data = log->pending.data + offset;
    const char *newline = memchr(data, '\n', log->pending.len - offset);

    *ret_line = (struct text){data, newline ? (size_t)(newline - data) : log->pending.len - offset};
    return newline != NULL;
}

/* --- entries
 * -------------------------------------------------------------------------------------- */

static const char *append(struct arena *arena, const char *old, struct text more)
{
    return old ? rh_arena_printf(arena, "%s\n%.*s", old, (int)more.len, more.data)
               : rh_text_dup(arena, more);
}

/* `lines` is one entry, its first line parsed as `head`. */
static void fill_entry(struct text lines, const struct log_line *head, struct arena *arena,
                       struct log_entry *entry)
{
    const char *dropped = NULL;
    const char **field = &entry->message;
    size_t at = 0;

    entry->pid = head->pid;
    entry->at_us = head->at_us;
    entry->severity = rh_text_dup(arena, head->label);
    entry->sqlstate = rh_arena_strdup(arena, head->sqlstate);
    while (at < lines.len) {
        const char *newline = memchr(lines.data + at, '\n', lines.len - at);
        size_t len = newline ? (size_t)(newline - lines.data) - at : lines.len - at;
        struct text line = {lines.data + at, len};
        struct log_line parsed;

        at += len + 1;
        if (!parse_line(line, &parsed)) {
            /* runs of further lines are joined at once: a plan has hundreds */
            size_t end = at;
            while (end < lines.len && lines.data[end] == '\t') {
                const char *next = memchr(lines.data + end, '\n', lines.len - end);
                end = next ? (size_t)(next - lines.data) + 1 : lines.len;
            }
            size_t run = end - (size_t)(line.data - lines.data);
            struct buf joined RH_CLEANUP_BUF;
            rh_buf_init(&joined, LOG_ENTRY_MAX);
            for (size_t i = 0; i < run; i++)
                if (line.data[i] != '\t' || (i && line.data[i - 1] != '\n'))
                    rh_buf_add_char(&joined, line.data[i]);
            struct text text = rh_buf_text(&joined);
            if (text.len && text.data[text.len - 1] == '\n')
                text.len--;
            *field = append(arena, *field, text);
            at = end;
            continue;
        }
        if (rh_text_is(parsed.label, "DETAIL"))
            field = &entry->detail;
        else if (rh_text_is(parsed.label, "HINT"))
            field = &entry->hint;
        else if (rh_text_is(parsed.label, "CONTEXT"))
            field = &entry->context;
        else if (rh_text_is(parsed.label, "STATEMENT"))
            field = &entry->statement;
        else if (is_part(parsed.label))
            field = &dropped;
        *field = append(arena, *field, parsed.text);
    }
}

enum extent { EXTENT_NONE, EXTENT_WHOLE, EXTENT_CUT };

/* Where the entry that begins at `start` ends: behind its last line. NONE: more must come first. */
static enum extent find_end(const struct server_log *log, long long pid, size_t *ret_end)
{
    size_t at = log->start;
    struct text line;

    for (bool is_first = true; at < log->pending.len; is_first = false) {
        bool is_whole_line = line_at(log, at, &line);
        if (!is_first && !(line.len && line.data[0] == '\t')) {
            struct log_line parsed;
            if (is_whole_line &&
                (!parse_line(line, &parsed) || parsed.pid != pid || !is_part(parsed.label))) {
                *ret_end = at;
                return EXTENT_WHOLE;
            }
        }
        if (!is_whole_line)
            break;
        at += line.len + 1;
    }
    if (at - log->start > LOG_ENTRY_MAX || log->pending.len - log->start > LOG_ENTRY_MAX) {
        *ret_end = log->pending.len;
        return EXTENT_CUT;
    }
    if (at == log->pending.len) {
        *ret_end = at; /* the end of the file */
        return EXTENT_WHOLE;
    }
    return EXTENT_NONE;
}

/* Our own reports (should log_min_messages be overridden) and what event triggers log of
 * themselves. */
static bool is_ours(const struct log_line *head)
{
    return !strcmp(head->sqlstate, PG_EVIDENCE_SQLSTATE) ||
           rh_text_starts_with(head->text, "EventTriggerInvoke ");
}

/* Reads what has been written since; false at the end of the file. */
static enum err_code read_more(struct server_log *log, bool *ret_any, struct err *err)
{
    char chunk[LOG_READ_SIZE];
    size_t room;
    ssize_t got;

    rh_buf_consume(&log->pending, log->start);
    log->start = 0;
    room = log->pending.max - log->pending.len;
    do
        got = read(log->fd, chunk, room < sizeof(chunk) ? room : sizeof(chunk));
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return rh_err_set_errno(err, errno, "cannot read the server's log");
    rh_buf_add(&log->pending, chunk, (size_t)got);
    *ret_any = got > 0;
    return RH_OK;
}

/* Skips what begins no entry: noise of libraries, the rest of an entry that was cut. */
static bool find_start(struct server_log *log, struct log_line *ret_head)
{
    struct text line;

    while (log->start < log->pending.len) {
        bool is_whole = line_at(log, log->start, &line);
        if (log->is_dropping && !is_whole && line.len > 4 && !has_prefix(line)) {
            log->start = log->pending.len; /* the middle of a long line */
            return false;
        }
        if (!is_whole && line.len < LOG_ENTRY_MAX)
            return false;
        if (parse_line(line, ret_head) && !is_part(ret_head->label)) {
            log->is_dropping = false;
            return true;
        }
        log->start += line.len + (is_whole ? 1 : 0);
    }
    return false;
}

enum err_code rh_pg_log_next(struct server_log *log, struct arena *arena,
                             struct log_entry *ret_entry, bool *ret_any, struct err *err)
{
    bool at_end = false;
    enum err_code code;

    for (;;) {
        struct log_line head;
        size_t end = 0;
        enum extent extent = EXTENT_NONE;

        if (log->pending.data && find_start(log, &head))
            extent = find_end(log, head.pid, &end);
        /* An entry that ends where our bytes end may go on in the file: ask once. */
        if (extent == EXTENT_NONE ||
            (extent == EXTENT_WHOLE && end == log->pending.len && !at_end)) {
            bool any = false;
            if (extent == EXTENT_NONE && at_end) {
                *ret_any = false;
                return RH_OK;
            }
            if ((code = read_more(log, &any, err)))
                return code;
            at_end = !any;
            continue;
        }
        struct text lines = {log->pending.data + log->start, end - log->start};
        if (lines.len > LOG_ENTRY_MAX)
            lines.len = LOG_ENTRY_MAX;
        if (lines.len && lines.data[lines.len - 1] == '\n')
            lines.len--;
        bool skip = is_ours(&head);
        if (!skip) {
            struct log_entry entry = {0};
            fill_entry(lines, &head, arena, &entry);
            *ret_entry = entry;
        }
        log->start = end;
        log->is_dropping = extent == EXTENT_CUT;
        if (!skip) {
            *ret_any = true;
            return RH_OK;
        }
    }
}
