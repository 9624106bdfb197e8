#include "base/wrap.h"

size_t rh_text_character_bytes(struct text a)
{
    if (a.len == 0)
        return 0;
    unsigned char lead = (unsigned char)a.data[0];
    size_t wanted = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (wanted > a.len || rh_text_utf8_valid_prefix((struct text){a.data, wanted}) != wanted)
        return 1;
    return wanted;
}

/* Cuts *rest behind `end` and the blanks there (and one \n, which ends the line too). */
static void take_line(struct text *rest, size_t end, struct text *ret_line)
{
    size_t line_end = end;
    while (line_end > 0 && rest->data[line_end - 1] == ' ')
        line_end--;
    *ret_line = (struct text){rest->data, line_end};
    while (end < rest->len && rest->data[end] == ' ')
        end++;
    if (end < rest->len && rest->data[end] == '\n')
        end++;
    rest->data += end;
    rest->len -= end;
}

bool rh_text_wrap(struct text *rest, size_t columns, struct text *ret_line)
{
    if (rest->len == 0)
        return false;
    size_t at = 0, used = 0;
    size_t last_blank = 0; /* 0: none yet (a blank in front breaks nothing) */
    while (at < rest->len && rest->data[at] != '\n') {
        struct text here = {rest->data + at, rest->len - at};
        size_t bytes = rh_text_character_bytes(here);
        size_t width = rh_text_columns((struct text){here.data, bytes});
        if (here.data[0] == ' ') {
            last_blank = at;
        } else if (used + width > columns && at > 0) {
            take_line(rest, last_blank ? last_blank : at, ret_line);
            return true;
        }
        used += width;
        at += bytes;
    }
    take_line(rest, at, ret_line);
    return true;
}
