#include "engine/postgres/pg_engine_int.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * The texts are those of PostgreSQL 13 to 18 with lc_messages C: index.c "building index",
 * tablecmds.c "rewriting table", "verifying table", "existing constraints ...", "validating foreign
 * key constraint", "partition constraint ...", fd.c "temporary file", auto_explain.c "duration: ...
 * plan", proc.c "process ... still waiting", postmaster.c "... was terminated by signal". Seen on
 * 13, 15 and 18.
 */

/* The text between `before` and the first `after` behind it; NULL when there is none. */
static char *between(struct arena *arena, const char *text, const char *before, const char *after)
{
    const char *start = strstr(text, before);
    const char *end;

    if (!start)
        return NULL;
    start += strlen(before);
    end = strstr(start, after);
    return end ? rh_arena_strndup(arena, start, (size_t)(end - start)) : NULL;
}

/* "rewriting table "x"": what stands in quotes to the end of the line. */
static char *quoted_tail(struct arena *arena, const char *text, const char *before)
{
    size_t len = strlen(before);
    size_t end = strcspn(text, "\n");

    if (strncmp(text, before, len) || end <= len || text[end - 1] != '"')
        return NULL;
    return rh_arena_strndup(arena, text + len, end - len - 1);
}

static int64_t duration_us(const char *text)
{
    return (int64_t)(strtod(text, NULL) * 1000 + 0.5);
}

static bool temporary_file(const struct log_entry *entry, struct log_fact *fact)
{
    const char *size;

    if (strncmp(entry->message, "temporary file: path \"", 22) ||
        !(size = strstr(entry->message, "\", size ")))
        return false;
    fact->kind = LOG_FACT_TEMPORARY_FILE;
    fact->bytes = strtoll(size + 8, NULL, 10);
    return true;
}

static bool table_work(const struct log_entry *entry, struct arena *arena, struct log_fact *fact)
{
    const char *message = entry->message;

    if ((fact->relation = quoted_tail(arena, message, "rewriting table \""))) {
        fact->kind = LOG_FACT_REWRITE;
        return true;
    }
    if ((fact->relation = quoted_tail(arena, message, "verifying table \"")) ||
        (fact->constraint = quoted_tail(arena, message, "validating foreign key constraint \""))) {
        fact->kind = LOG_FACT_VERIFY;
        return true;
    }
    if (!strncmp(message, "building index \"", 16)) {
        fact->index = between(arena, message, "building index \"", "\" on table \"");
        fact->relation = between(arena, message, "\" on table \"", "\" ");
        fact->kind = LOG_FACT_INDEX_BUILD;
        const char *request = strstr(message, "\" with request for ");
        if (request)
            fact->parallel_workers = strtoll(request + strlen("\" with request for "), NULL, 10);
        return fact->index && fact->relation;
    }
    return false;
}

static bool scan_spared(const struct log_entry *entry, struct arena *arena, struct log_fact *fact)
{
    const char *message = entry->message;
    char *dot;

    fact->kind = LOG_FACT_SCAN_SPARED;
    /* A dot inside a name cannot be told from the one between table and column: the last is taken.
     */
    if (!strncmp(message, "existing constraints on column \"", 32)) {
        char *both = between(arena, message, "on column \"", "\" are sufficient");
        if (!both || !(dot = strrchr(both, '.')))
            return false;
        *dot = '\0';
        fact->relation = both;
        fact->column = dot + 1;
        return true;
    }
    fact->relation = between(arena, message, "partition constraint for table \"",
                             "\" is implied by existing constraints");
    if (!fact->relation)
        fact->relation = between(arena, message, "partition constraint for default partition \"",
                                 "\" is implied by existing constraints");
    return fact->relation != NULL;
}

/* auto_explain with log_format = json: nested statements of functions. */
static bool explained(const struct log_entry *entry, struct arena *arena, struct log_fact *fact)
{
    const char *json = strchr(entry->message, '{');
    const char *text;
    json_t *root;

    if (strncmp(entry->message, "duration: ", 10) || !strstr(entry->message, " ms  plan:") || !json)
        return false;
    fact->kind = LOG_FACT_STATEMENT;
    fact->duration_us = duration_us(entry->message + 10);
    /* An entry that was cut is no JSON any more; the duration still stands. */
    root = json_loads(json, 0, NULL);
    text = json_string_value(json_object_get(root, "Query Text"));
    fact->query_text = text ? rh_arena_strdup(arena, text) : NULL;
    text = json_string_value(json_object_get(json_object_get(root, "Plan"), "Relation Name"));
    fact->relation = text ? rh_arena_strdup(arena, text) : NULL;
    json_decref(root);
    return true;
}

static bool lock_wait(const struct log_entry *entry, struct log_fact *fact)
{
    const char *message = entry->message;
    const char *after;
    int64_t pid;

    if (!strcmp(entry->sqlstate ? entry->sqlstate : "", "40P01")) {
        fact->kind = LOG_FACT_DEADLOCK;
        return true;
    }
    if (strncmp(message, "process ", strlen("process ")) != 0)
        return false;
    struct text rest = rh_text(message + strlen("process "));
    if (!rh_text_take_int64(&rest, &pid) || !strstr(message, "Lock on ") ||
        !(after = strstr(message, " after ")))
        return false;
    fact->kind = LOG_FACT_LOCK_WAIT;
    fact->pid = pid;
    fact->duration_us = duration_us(after + 7);
    return true;
}

/* "server process (PID 4711) was terminated by signal 9: Killed", "client backend (PID ..."
 * since 18. */
static bool crash(const struct log_entry *entry, struct arena *arena, struct log_fact *fact)
{
    const char *message = entry->message;
    const char *pid = strstr(message, "(PID ");
    const char *reason = strstr(message, "terminated by ");

    if (!pid ||
        (strncmp(message, "server process (", 16) && strncmp(message, "client backend (", 16)))
        return false;
    if (!reason && (reason = strstr(message, "exited with exit code ")) &&
        strtol(reason + strlen("exited with exit code "), NULL, 10) < 2)
        return false; /* 0 and 1 end a session, not the server (postmaster.c, EXIT_STATUS_1) */
    if (!reason)
        return false;
    fact->kind = LOG_FACT_CRASH;
    fact->pid = strtoll(pid + 5, NULL, 10);
    fact->reason = rh_arena_strndup(arena, reason, strcspn(reason, "\n"));
    return true;
}

bool rh_pg_log_fact(const struct log_entry *entry, struct arena *arena, struct log_fact *ret_fact)
{
    struct log_fact fact = {.bytes = -1, .duration_us = -1};

    if (!entry->message)
        return false;
    if (temporary_file(entry, &fact) || table_work(entry, arena, &fact) ||
        scan_spared(entry, arena, &fact) || explained(entry, arena, &fact) ||
        lock_wait(entry, &fact) || crash(entry, arena, &fact)) {
        *ret_fact = fact;
        return true;
    }
    return false;
}
