/* Values that the server made, as the recorder keeps them: of a known key, masked. */
#include "workload/capture_recorder_int.h"

/* The key that a text's nextval() or the like asks for. False: it is not known which. */
static bool find_called_key(const struct capture_recorder *recorder,
                            const struct known_query *query, uint32_t *ret_key)
{
    const struct sequence_call *call = query ? query->call : NULL;

    if (!call)
        return false;
    *ret_key = 0;
    for (size_t i = 0; i < recorder->options.key_count && call->name; i++) {
        const struct workload_key *key = &recorder->options.keys[i];
        const char *schema = call->column ? key->schema : key->sequence_schema;

        if ((call->schema && strcmp(call->schema, schema) != 0) ||
            strcmp(call->name, call->column ? key->table : key->sequence) != 0 ||
            (call->column && strcmp(call->column, key->column) != 0))
            continue;
        /* The same name in two schemas: only the search_path would tell. */
        if (*ret_key && recorder->options.keys[*ret_key - 1].domain != key->domain)
            return false;
        *ret_key = *ret_key ? *ret_key : (uint32_t)i + 1;
    }
    return *ret_key || !call->name;
}

/* As the parameter of a later statement will be. False: it becomes NULL there. */
static bool mask_id(struct capture_recorder *recorder, struct arena *arena, struct workload_id *id)
{
    const struct workload_key *key = id->key ? &recorder->options.keys[id->key - 1] : NULL;

    if (!recorder->options.mask || !key || !key->column[0])
        return true;
    const char *name = rh_arena_printf(arena, "%s.%s.%s", key->schema, key->table, key->column);
    return rh_value_mask_text(recorder->options.mask, name, id->value, arena, &id->value) &&
           id->value.len <= WORKLOAD_ID_BYTES_MAX;
}

void rh_recorded_ids_add(struct capture_recorder *recorder, struct recorded_session *session,
                         struct text body)
{
    struct capture_id it;

    for (; body.len >= sizeof(it); body.data += sizeof(it), body.len -= sizeof(it)) {
        memcpy(&it, body.data, sizeof(it));
        struct workload_id id = {.result = it.result,
                                 .row = it.row,
                                 .column = it.column,
                                 .key = it.key,
                                 .is_binary = it.is_binary};

        if (it.key == UINT32_MAX &&
            !find_called_key(recorder, rh_recorded_session_query(session, it.step), &id.key))
            continue;
        id.value = (struct text){rh_arena_strndup(session->answer_arena, it.value, it.length),
                                 it.length};
        if (session->ids.count < IDS_MAX && mask_id(recorder, session->answer_arena, &id))
            *RH_PUSH(session->answer_arena, &session->ids) = id;
    }
}
