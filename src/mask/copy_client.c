#include "mask/copy_client.h"

#include "mask/copy_encode.h"

#include <openssl/crypto.h>
#include <stdlib.h>

/* What is decoded at once: originals in clear twice for as many bytes. */
#define SLICE_BYTES ((size_t)64 * 1024)
/* What a slice gives at most: a batch, or a value that was held (copy_mask.h), and what a rule puts
   in the place of each. */
#define MASKED_BYTES_MAX ((size_t)32 * 1024 * 1024)

struct copy_client {
    struct arena *arena;
    struct sql_copy_format format;
    bool is_plain; /* the text format with its defaults: nothing is to be encoded */
    struct copy_binary *binary;
    struct copy_decode *decode;
    struct copy_mask *mask;
    struct copy_encode *encode;
    struct buf rows, masked; /* in the text format with its defaults */
};

static void open_rows(struct copy_client *client, const struct copy_client_column *columns,
                      size_t count)
{
    const struct sql_copy_format *format = &client->format;
    struct copy_column *names = rh_arena_alloc_array(client->arena, count + 1, sizeof(*names));
    struct mask_map **maps = rh_arena_alloc_array(client->arena, count + 1, sizeof(*maps));

    for (size_t i = 0; i < count; i++) {
        names[i] = (struct copy_column){rh_arena_strdup(client->arena, columns[i].column->name),
                                        columns[i].forces_null, columns[i].forces_not_null};
        maps[i] = columns[i].map;
    }
    client->is_plain = format->kind == SQL_COPY_TEXT && format->header == SQL_COPY_HEADER_NONE &&
                       format->delimiter == '\t' && strcmp(format->null, "\\N") == 0;
    client->decode = rh_copy_decode_new(format, names, count);
    client->mask = rh_copy_mask_new(
        &(struct copy_mask_options){.maps = maps, .column_count = count});
    client->encode = rh_copy_encode_new(format, names, count);
}

struct copy_client *rh_copy_client_new(const struct sql_copy_format *format,
                                       const struct copy_client_column *columns, size_t count)
{
    struct arena *arena = rh_arena_new();
    struct copy_client *client = RH_NEW(arena, struct copy_client);

    *client = (struct copy_client){.arena = arena, .format = *format};
    if (format->kind == SQL_COPY_BINARY) {
        struct copy_binary_column *fields = rh_arena_alloc_array(arena, count + 1, sizeof(*fields));

        for (size_t i = 0; i < count; i++)
            fields[i] = (struct copy_binary_column){columns[i].map, columns[i].column};
        client->binary = rh_copy_binary_new(fields, count);
        return client;
    }
    client->format.null = rh_arena_strdup(arena, format->null);
    rh_buf_init(&client->rows, 4 * SLICE_BYTES);
    rh_buf_init(&client->masked, MASKED_BYTES_MAX);
    open_rows(client, columns, count);
    return client;
}

void rh_copy_client_free(struct copy_client *client)
{
    if (!client)
        return;
    rh_copy_binary_free(client->binary);
    rh_copy_decode_free(client->decode);
    rh_copy_mask_free(client->mask);
    rh_copy_encode_free(client->encode);
    if (client->rows.data)
        OPENSSL_cleanse(client->rows.data, client->rows.capacity);
    rh_buf_deinit(&client->rows);
    rh_buf_deinit(&client->masked);
    rh_arena_free(client->arena);
}

/* The rows that were decoded go on. */
static bool pass_on(struct copy_client *client, bool at_end, struct buf *out)
{
    struct err ignored = RH_ERR_INIT; /* "row 7 has 3 columns" */
    struct buf *masked = client->is_plain ? out : &client->masked;
    bool is_passed;

    rh_buf_clear(&client->masked);
    is_passed = !client->rows.failed &&
                rh_copy_mask_feed(client->mask, rh_buf_text(&client->rows), masked, &ignored) ==
                    RH_OK &&
                rh_copy_mask_flush(client->mask, at_end, masked, &ignored) == RH_OK;
    rh_buf_clear(&client->rows);
    if (is_passed && !client->is_plain)
        is_passed = rh_copy_encode_feed(client->encode, rh_buf_text(&client->masked), out);
    return is_passed && !out->failed;
}

bool rh_copy_client_feed(struct copy_client *client, struct text part, struct buf *out)
{
    if (client->binary)
        return rh_copy_binary_feed(client->binary, part, out) && !out->failed;
    while (part.len > 0) {
        struct text slice = {part.data, part.len < SLICE_BYTES ? part.len : SLICE_BYTES};

        if (!rh_copy_decode_feed(client->decode, slice, &client->rows) ||
            !pass_on(client, false, out))
            return false;
        part = (struct text){part.data + slice.len, part.len - slice.len};
    }
    return true;
}

bool rh_copy_client_finish(struct copy_client *client, struct buf *out)
{
    if (client->binary)
        return rh_copy_binary_waiting(client->binary) == 0;
    return rh_copy_decode_finish(client->decode, &client->rows) && pass_on(client, true, out);
}

size_t rh_copy_client_waiting(const struct copy_client *client)
{
    return client->binary ? rh_copy_binary_waiting(client->binary)
                          : rh_copy_decode_waiting(client->decode);
}

bool rh_copy_client_is_binary(const struct copy_client *client)
{
    return client->binary != NULL;
}
