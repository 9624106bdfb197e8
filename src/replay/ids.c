/*
 * Values that servers make, from the recording's answers and the replay's to later statements.
 *
 * An answer of the recording tells where in its results such values were; the rows of the replay's
 * answer are kept, as far as they may be needed, until both are there.
 */
#include "replay/replay_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of one item: rows in which values may be. A batch of inserts; results that are read have theirs
   in one row. */
#define ROWS_BYTES_MAX ((size_t)256 * 1024)

/* Before each row in item->rows. */
struct kept_row {
    uint32_t outcome, row, length;
};

/* --- messages --------------------------------------------------------------------------------- */

static void add_place(struct item *item, size_t offset, struct id_statement statement)
{
    item->places = realloc(item->places, (item->place_count + 1) * sizeof(*item->places));
    if (!item->places)
        RH_PANIC("out of memory for a request");
    item->places[item->place_count++] = (struct id_place){offset, statement};
}

void rh_ids_take_message(struct replay_session *session, struct item *item, unsigned char type,
                         char *body, size_t length, size_t offset)
{
    struct replay *replay = session->replay;
    struct id_statement statement = rh_id_session_take(session->id_session, replay->id_texts, type,
                                                       body, length);
    if (!statement.text || !item)
        return;
    struct id_counts counts = rh_id_message_look(replay->ids, &statement, type,
                                                 (struct text){body, length});
    if (!replay->options->about->is_masked)
        replay->result->ids_unknown += counts.unknown;
    if (counts.has_any || (statement.widened && !counts.is_malformed))
        add_place(item, offset, statement);
}

static struct text body_at(const struct item *item, size_t offset)
{
    struct pg_reader reader = {.rest = {item->bytes + offset + 1, 4}};
    return (struct text){item->bytes + offset + 5, rh_pg_read_u32(&reader) - 4};
}

bool rh_ids_are_awaited(const struct replay *replay, const struct item *item)
{
    for (size_t i = 0; i < item->place_count; i++) {
        const struct id_place *place = &item->places[i];
        if (rh_id_message_look(replay->ids, &place->statement,
                               (unsigned char)item->bytes[place->offset],
                               body_at(item, place->offset))
                .is_awaited)
            return true;
    }
    return false;
}

static void count(struct replay_result *result, const struct id_counts *counts)
{
    result->ids_mapped += counts->mapped;
    result->ids_moved += counts->moved;
    result->ids_unknown += counts->unknown;
}

void rh_ids_turn(struct replay *replay, struct item *item)
{
    struct buf out, body;
    size_t at = 0;
    rh_buf_init(&out, SIZE_MAX / 2);
    rh_buf_init(&body, SIZE_MAX / 2);
    for (size_t i = 0; i < item->place_count; i++) {
        const struct id_place *place = &item->places[i];
        struct text before = body_at(item, place->offset);
        char type = item->bytes[place->offset];
        rh_buf_clear(&body);
        struct id_counts counts = rh_id_message_turn(replay->ids, &place->statement,
                                                     (unsigned char)type, before, &body);
        count(replay->result, &counts);
        item->has_moved_ids |= counts.moved > 0;
        rh_buf_add(&out, item->bytes + at, place->offset - at);
        rh_pg_encode_message(&out, type, rh_buf_text(&body));
        at = place->offset + 5 + before.len;
    }
    rh_buf_add(&out, item->bytes + at, item->length - at);
    rh_buf_deinit(&body);
    free(item->places);
    item->places = NULL;
    item->place_count = 0;
    replay->ahead_bytes += out.len - item->length;
    item->memory += out.len - item->length;
    item->length = out.len;
    free(item->bytes);
    item->bytes = out.data; /* malloc'ed by struct buf, ours from here */
}

/* --- the recording ---------------------------------------------------------------------------- */

static uint32_t domain_of(const struct replay_session *session, const struct workload_id *id)
{
    return id->key ? rh_id_map_domain_of_key(session->replay->ids, id->key) : session->last_domain;
}

/* lastval() is of the last sequence that gave the session a value; an INSERT has one of its own. */
static void note_insert(struct replay_session *session, uint32_t number)
{
    const struct replay_options *options = session->replay->options;
    if (number == 0 || number > options->pattern_count)
        return;
    const struct workload_pattern *pattern = options->patterns[number - 1];
    if (pattern->writes.count == 0 || strncasecmp(pattern->query, "insert", 6) != 0)
        return;
    uint32_t domain = rh_id_map_domain_of_table(session->replay->ids, pattern->writes.items[0]);
    session->last_domain = domain ? domain : session->last_domain;
}

void rh_ids_expect(struct replay_session *session, const struct workload_event *event)
{
    size_t next = 0;
    for (size_t i = 0; i < event->result_count; i++) {
        if (!event->results[i].sqlstate[0])
            note_insert(session, event->results[i].pattern);
        for (; next < event->id_count && event->ids[next].result <= i; next++) {
            struct workload_id *id = &event->ids[next];
            struct id_value value;
            uint32_t domain = domain_of(session, id);
            if (domain && rh_id_value_parse(id->value, &value))
                rh_id_map_expect(session->replay->ids, domain, &value);
            if (id->key)
                session->last_domain = domain;
        }
    }
}

void rh_ids_give(struct replay_session *session, struct item *item,
                 const struct workload_event *event, size_t first, size_t count)
{
    size_t from = 0, until, bytes = 0;
    uint32_t last_domain = session->last_domain;
    while (from < event->id_count && event->ids[from].result < first)
        from++;
    for (until = from; until < event->id_count && event->ids[until].result < first + count; until++)
        bytes += sizeof(struct workload_id) + event->ids[until].value.len;
    if (until == from)
        return;
    item->ids = malloc(bytes);
    if (!item->ids)
        RH_PANIC("out of memory for generated values");
    item->id_count = until - from;
    item->last_domain = last_domain;
    char *text = (char *)(item->ids + item->id_count);
    for (size_t i = 0; i < item->id_count; i++) {
        struct workload_id *id = &item->ids[i];
        *id = event->ids[from + i];
        id->result -= (uint32_t)first;
        memcpy(text, id->value.data, id->value.len);
        id->value.data = text;
        text += id->value.len;
    }
}

/* --- the replay ------------------------------------------------------------------------------- */

void rh_ids_take_row(struct replay_session *session, const struct pg_part *part)
{
    struct item *item = session->flying;
    struct kept_row head = {(uint32_t)item->outcome_count, (uint32_t)session->returned, 0};
    if (item->is_answered && item->id_count == 0)
        return;
    if (!item->rows.max)
        rh_buf_init(&item->rows, ROWS_BYTES_MAX);
    if (item->rows.failed)
        return;
    if (part->begins) {
        item->row_at = item->rows.len;
        rh_buf_add(&item->rows, &head, sizeof(head));
    }
    rh_buf_add_text(&item->rows, part->bytes);
    if (item->rows.failed || !part->ends)
        return;
    head.length = (uint32_t)(item->rows.len - item->row_at - sizeof(head));
    memcpy(item->rows.data + item->row_at, &head, sizeof(head));
}

/* Kept as a row of one column. */
void rh_ids_take_value(struct replay_session *session, struct text body)
{
    rh_ids_take_row(session, &(struct pg_part){.bytes = {"\0\1", 2}, .begins = true});
    rh_ids_take_row(session, &(struct pg_part){.bytes = body, .ends = true});
}

static bool value_in(struct text row, uint32_t column, bool is_binary, struct id_value *ret_value)
{
    struct pg_reader reader = {.rest = row};
    uint16_t count = rh_pg_read_u16(&reader);
    for (uint16_t i = 0; i < count && !reader.failed; i++) {
        uint32_t length = rh_pg_read_u32(&reader);
        struct text value = length == UINT32_MAX ? (struct text){"", 0}
                                                 : rh_pg_read_bytes(&reader, length);
        if (i == column)
            return !reader.failed && (is_binary ? rh_id_value_decode(value, ret_value)
                                                : rh_id_value_parse(value, ret_value));
    }
    return false;
}

/* Which of the recorded results an outcome is. */
static uint32_t result_of(const struct item *item, uint32_t outcome)
{
    if (item->is_simple || item->step_count == 0)
        return outcome;
    return item->steps[outcome < item->step_count ? outcome : item->step_count - 1].index;
}

static bool is_alike(const struct item *item, uint32_t outcome, uint32_t result)
{
    return outcome < item->outcome_count && result < item->recorded_count &&
           item->outcomes[outcome].result.returned == item->recorded[result].returned;
}

/* Ids and rows come in one order; *next is the first id that may be of this row. */
static void pair_row(struct replay_session *session, struct item *item, const struct kept_row *head,
                     struct text row, size_t *next)
{
    struct replay *replay = session->replay;
    uint32_t result = result_of(item, head->outcome);
    while (*next < item->id_count &&
           (item->ids[*next].result < result ||
            (item->ids[*next].result == result && item->ids[*next].row < head->row)))
        ++*next;
    for (size_t i = *next;
         i < item->id_count && item->ids[i].result == result && item->ids[i].row == head->row;
         i++) {
        const struct workload_id *id = &item->ids[i];
        struct id_value value, replayed;
        uint32_t domain = id->key ? rh_id_map_domain_of_key(replay->ids, id->key)
                                  : item->last_domain;
        if (!is_alike(item, head->outcome, result) || !domain ||
            !rh_id_value_parse(id->value, &value) ||
            !value_in(row, id->column, id->is_binary, &replayed))
            continue;
        item->has_moved_ids |= replayed.low != value.low || replayed.high != value.high;
        replay->result->ids_learned += rh_id_map_set(replay->ids, domain, &value, &replayed);
    }
}

void rh_ids_pair(struct replay_session *session, struct item *item)
{
    struct text rest = rh_buf_text(&item->rows);
    struct kept_row head;
    size_t next = 0;
    while (rest.len >= sizeof(head)) {
        memcpy(&head, rest.data, sizeof(head));
        rest.data += sizeof(head);
        rest.len -= sizeof(head);
        if (head.length == 0 || head.length > rest.len)
            break;
        pair_row(session, item, &head, (struct text){rest.data, head.length}, &next);
        rest.data += head.length;
        rest.len -= head.length;
    }
    rh_ids_lose(session->replay, item);
    rh_order_wait_look(session->replay);
}

void rh_ids_lose(struct replay *replay, struct item *item)
{
    bool has_lost = false;
    for (size_t i = 0; i < item->id_count; i++) {
        const struct workload_id *id = &item->ids[i];
        struct id_value value;
        uint32_t domain = id->key ? rh_id_map_domain_of_key(replay->ids, id->key)
                                  : item->last_domain;
        if (domain && rh_id_value_parse(id->value, &value))
            has_lost |= rh_id_map_lose(replay->ids, domain, &value);
    }
    if (has_lost)
        rh_order_wait_look(replay);
}
