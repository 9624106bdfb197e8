#include "trace/script_place.h"

#include <string.h>

void rh_script_place_init(struct script_place *place, struct text script, size_t offset)
{
    struct text_position position = rh_text_position(script, offset);
    *place = (struct script_place){
        .script = script, .offset = offset, .line = position.line, .column = position.column};
}

void rh_script_place_find(struct script_place *place, struct text sql, int *ret_line,
                          int *ret_column)
{
    struct text trimmed = rh_text_trim(sql);
    struct text rest = {place->script.data + place->offset, place->script.len - place->offset};
    const char *found = trimmed.len > 0 && trimmed.len <= rest.len
                            ? memmem(rest.data, rest.len, trimmed.data, trimmed.len)
                            : NULL;
    *ret_line = *ret_column = 0;
    if (!found)
        return;
    size_t skipped = (size_t)(found - rest.data);
    struct text_position position = rh_text_position(rest, skipped);
    place->column = position.line == 1 ? place->column + position.column - 1 : position.column;
    place->line += position.line - 1;
    place->offset += skipped;
    *ret_line = (int)place->line;
    *ret_column = (int)place->column;
}
