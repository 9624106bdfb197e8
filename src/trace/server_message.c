#include "trace/server_message.h"

#include "net/pg_codec.h"
#include "trace/redact.h"

#include <stdio.h>
#include <stdlib.h>

static void take_field(void *context, char code, const char *value)
{
    struct server_fields *fields = context;
    if ((unsigned char)code < 128)
        fields->values[(unsigned char)code] = value;
}

bool rh_server_fields_read(struct text body, struct server_fields *ret_fields)
{
    *ret_fields = (struct server_fields){{0}};
    return rh_pg_decode_fields(body, take_field, ret_fields);
}

static const char *keep(struct arena *arena, const char *value)
{
    return value ? rh_arena_strdup(arena, value) : NULL;
}

struct server_message rh_server_message_read(struct arena *arena, struct text body)
{
    struct server_fields fields;
    (void)rh_server_fields_read(body, &fields);
    const char *const *v = fields.values;
    struct server_message message = {0};
    const char *sqlstate = v['C'] ? v['C'] : "";
    snprintf(message.sqlstate, sizeof(message.sqlstate), "%s", sqlstate);
    message.severity = keep(arena, v['V'] ? v['V'] : v['S']);
    if (v['M'])
        message.message = rh_mask_message(arena, sqlstate, rh_text(v['M']));
    if (v['D'])
        message.detail = rh_mask_detail(arena, sqlstate, rh_text(v['D']));
    message.hint = keep(arena, v['H']);
    if (v['W'])
        message.context = rh_mask_context(arena, rh_text(v['W']));
    message.schema = keep(arena, v['s']);
    message.table = keep(arena, v['t']);
    message.column = keep(arena, v['c']);
    message.constraint = keep(arena, v['n']);
    message.data_type = keep(arena, v['d']);
    message.position = v['P'] ? strtoll(v['P'], NULL, 10) : 0;
    if (v['q'])
        message.internal_query = rh_redact_sql(arena, rh_text(v['q']));
    return message;
}
