#include "replay/portals.h"

#include "net/pg_codec.h"

#include <stdlib.h>
#include <string.h>

void rh_portals_deinit(struct portals *portals)
{
    for (size_t i = 0; i < portals->count; i++)
        free(portals->names[i]);
    free(portals->names);
    *portals = (struct portals){0};
}

static char **find(const struct portals *portals, const char *name)
{
    for (size_t i = 0; i < portals->count; i++)
        if (strcmp(portals->names[i], name) == 0)
            return &portals->names[i];
    return NULL;
}

static void set(struct portals *portals, const char *name, bool is_binary)
{
    if (!name[0]) {
        portals->unnamed_is_binary = is_binary;
        return;
    }
    char **found = find(portals, name);
    if (found && !is_binary) {
        free(*found);
        *found = portals->names[--portals->count];
    }
    if (found || !is_binary || portals->count == PORTALS_BINARY_MAX)
        return;
    portals->names = realloc(portals->names, (portals->count + 1) * sizeof(*portals->names));
    char *copy = strdup(name);
    if (!portals->names || !copy)
        RH_PANIC("out of memory for portals");
    portals->names[portals->count++] = copy;
}

void rh_portals_take(struct portals *portals, unsigned char type, struct text body)
{
    struct pg_reader reader = {.rest = body};
    const char *name;
    char kind;
    if (type == 'B') {
        name = rh_pg_read_string(&reader);
        (void)rh_pg_read_string(&reader);
        if (!reader.failed)
            set(portals, name, rh_pg_bind_binary_columns(reader.rest) != 0);
    }
    if (type == 'C' && rh_pg_decode_target(body, &kind, &name) && kind == 'P')
        set(portals, name, false);
}

bool rh_portals_is_binary(const struct portals *portals, struct text execute)
{
    uint32_t max_rows;
    const char *name;
    if (!rh_pg_decode_execute(execute, &name, &max_rows))
        return false;
    return name[0] ? find(portals, name) != NULL : portals->unnamed_is_binary;
}
