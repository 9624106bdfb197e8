#include "judge/judge_int.h"

#include "base/quote.h"

#include <stdio.h>
#include <string.h>

/* NAMEDATALEN - 1 (PostgreSQL 15, section 4.1.1): longer names are cut by the server. */
#define NAME_BYTES_MAX 63

#define US_PER_S INT64_C(1000000)

const char *rh_say_duration(struct arena *arena, int64_t us)
{
    char text[24];
    if (us == 0)
        return "0 s";
    rh_duration_format(us, text);
    return rh_arena_strdup(arena, text);
}

const char *rh_say_limit(struct arena *arena, int64_t us)
{
    if (us % 1000 != 0)
        return rh_arena_printf(arena, "%lldus", (long long)us);
    if (us % US_PER_S != 0) /* 1500 ms is "1500ms": what the user gave may have been "1.5s" */
        return us > US_PER_S && us % (US_PER_S / 10) == 0
                   ? rh_arena_printf(arena, "%lld.%llds", (long long)(us / US_PER_S),
                                     (long long)(us % US_PER_S / (US_PER_S / 10)))
                   : rh_arena_printf(arena, "%lldms", (long long)(us / 1000));
    int64_t s = us / US_PER_S;
    if (s >= 3600 && s % 3600 == 0)
        return rh_arena_printf(arena, "%lldh", (long long)(s / 3600));
    /* Below three minutes seconds are how people set limits: 90s, 120s. */
    if (s >= 180 && s % 60 == 0)
        return rh_arena_printf(arena, "%lldm", (long long)(s / 60));
    return rh_arena_printf(arena, "%llds", (long long)s);
}

const char *rh_say_relation(struct arena *arena, const char *relation,
                            const struct relation_facts *facts)
{
    if (!facts)
        return relation;
    if (facts->is_empty)
        return rh_arena_printf(arena, "%s (empty here)", relation);
    if (facts->rows >= 0 && facts->bytes > 0)
        return rh_arena_printf(arena, "%s (%s, %s)", relation,
                               rh_say_count(arena, facts->rows, "row"),
                               rh_say_bytes(arena, facts->bytes));
    if (facts->rows >= 0)
        return rh_arena_printf(arena, "%s (%s)", relation, rh_say_count(arena, facts->rows, "row"));
    if (facts->bytes > 0)
        return rh_arena_printf(arena, "%s (%s)", relation, rh_say_bytes(arena, facts->bytes));
    return relation;
}

static void add_unquoted(struct buf *name, const char *part)
{
    for (const char *c = part; *c; c++)
        if (*c != '"')
            rh_buf_add_char(name, *c);
}

const char *rh_say_new_name(struct arena *arena, const char *relation, const char *column,
                            const char *suffix)
{
    RH_CLEANUP_BUF struct buf name;
    rh_buf_init(&name, 1024);
    add_unquoted(&name, rh_bare_name(relation));
    if (column) {
        rh_buf_add_char(&name, '_');
        add_unquoted(&name, column);
    }
    size_t suffix_len = strlen(suffix) + 1;
    size_t stem_len = name.len < NAME_BYTES_MAX - suffix_len ? name.len
                                                             : NAME_BYTES_MAX - suffix_len;
    while (stem_len > 0 && ((unsigned char)name.data[stem_len] & 0xc0) == 0x80)
        stem_len--; /* not inside a character */
    return rh_quote_name_where_needed(arena, rh_arena_printf(arena, "%.*s_%s", (int)stem_len,
                                                             name.data ? name.data : "", suffix));
}

const char *rh_say_waiters(const struct block *block)
{
    if (block->kind && strcmp(block->kind, "sequence") == 0)
        return block->read_us > 0 ? "everything that reads or advances it"
                                  : "nextval() and setval()";
    return rh_block_read_us(block) > 0 ? "every SELECT, INSERT, UPDATE and DELETE"
                                       : "every INSERT, UPDATE and DELETE";
}

static const char *say_blocked_times(struct arena *arena, const struct block *block)
{
    int64_t read_us = rh_block_read_us(block), write_us = rh_block_write_us(block);
    const char *reads = rh_say_duration(arena, read_us);
    const char *writes = rh_say_duration(arena, write_us);
    if (read_us <= 0)
        return rh_arena_printf(arena, "writes blocked for %s", writes);
    /* Whoever blocks reads blocks writes; a shorter time of writes is one that no probe measured.
     */
    if (write_us <= read_us || strcmp(reads, writes) == 0)
        return rh_arena_printf(arena, "reads and writes blocked for %s", reads);
    return rh_arena_printf(arena, "reads blocked for %s, writes for %s", reads, writes);
}

const char *rh_say_blocked(struct arena *arena, const struct block *block)
{
    const char *times = say_blocked_times(arena, block);
    if (!block->production.is_scaled)
        return times;
    if (block->production.refusal)
        return rh_arena_printf(arena, "%s here", times);
    return rh_arena_printf(arena, "%s in production (%s to %s; %s here)", times,
                           rh_say_duration(arena, rh_block_low_us(block)),
                           rh_say_duration(arena, rh_block_high_us(block)),
                           rh_say_duration(arena, block->here_us));
}

void rh_evidence_block(struct judgement *judgement, struct found *found, const struct block *block)
{
    if (block->mode)
        rh_evidence_text(found, "mode", block->mode);
    rh_evidence_ms(found, "blocked_reads_ms", rh_block_read_us(block));
    rh_evidence_ms(found, "blocked_writes_ms", rh_block_write_us(block));
    if (block->probe_read_us > 0)
        rh_evidence_ms(found, "probe_read_wait_ms", block->probe_read_us);
    if (block->probe_write_us > 0)
        rh_evidence_ms(found, "probe_write_wait_ms", block->probe_write_us);
    if (block->queries_waited > 0) {
        rh_evidence_count(found, "queries_waited", block->queries_waited);
        rh_evidence_ms(found, "query_read_wait_ms", block->query_read_us);
        rh_evidence_ms(found, "query_write_wait_ms", block->query_write_us);
    }
    if (block->waited_us > 0)
        rh_evidence_ms(found, "waited_ms", block->waited_us);
    if (block->production.is_scaled) {
        rh_evidence_ms(found, "blocked_here_ms", block->here_us);
        rh_evidence_ms(found, "blocked_low_ms", rh_block_low_us(block));
        rh_evidence_ms(found, "blocked_high_ms", rh_block_high_us(block));
    }
    rh_evidence_ms(found, "limit_ms", judgement->limits->blocked_us);
    if (block->facts) {
        rh_evidence_count(found, "table_rows", block->facts->rows);
        rh_evidence_count(found, "table_bytes", block->facts->bytes);
    }
}

const char *rh_headline_block(struct judgement *judgement, const struct act *act,
                              const struct block *block)
{
    struct arena *arena = judgement->arena;
    bool blocks_reads = rh_block_read_us(block) > 0;
    return rh_arena_printf(arena, "%s would %s %s for %s (limit %s)",
                           rh_judgement_subject(judgement, act->top),
                           blocks_reads ? "lock" : "block writes to", block->relation,
                           rh_say_duration(arena, rh_block_us(block)),
                           rh_say_limit(arena, judgement->limits->blocked_us));
}
