#include "net/pg_walk.h"

#include "base/big_endian.h"
#define HEADER_BYTES 5

static void consume(struct text *rest, size_t length)
{
    rest->data += length;
    rest->len -= length;
}

/* False: the header is not complete, or impossible. */
static bool take_header(struct pg_walk *walk, struct text *rest)
{
    const unsigned char *header = (const unsigned char *)rest->data;

    if (walk->header_length == 0 && rest->len >= HEADER_BYTES) {
        consume(rest, HEADER_BYTES);
    } else {
        size_t used = (size_t)HEADER_BYTES - walk->header_length;

        if (used > rest->len)
            used = rest->len;
        memcpy(walk->header + walk->header_length, rest->data, used);
        walk->header_length += (unsigned char)used;
        consume(rest, used);
        if (walk->header_length < HEADER_BYTES)
            return false;
        header = walk->header;
        walk->header_length = 0;
    }

    uint32_t length = rh_load_be32(header + 1);

    if (length < 4 || length > INT32_MAX) {
        walk->is_lost = true;
        return false;
    }
    walk->type = header[0];
    walk->body_length = walk->body_left = length - 4;
    walk->in_body = true;
    return true;
}

bool rh_pg_walk_next(struct pg_walk *walk, struct text *rest, struct pg_piece *ret_piece)
{
    if (walk->is_lost || rest->len == 0) {
        rest->len = 0;
        return false;
    }
    if (!walk->in_body && !take_header(walk, rest)) {
        rest->len = 0;
        return false;
    }
    /* A header at the very end of the input: the message begins with the next one. */
    if (rest->len == 0 && walk->body_left > 0)
        return false;

    size_t used = walk->body_left < rest->len ? walk->body_left : rest->len;

    ret_piece->type = walk->type;
    ret_piece->body_length = walk->body_length;
    ret_piece->bytes = (struct text){rest->data, used};
    ret_piece->begins = walk->body_left == walk->body_length;
    walk->body_left -= (uint32_t)used;
    ret_piece->ends = walk->body_left == 0;
    walk->in_body = !ret_piece->ends;
    consume(rest, used);
    return true;
}
