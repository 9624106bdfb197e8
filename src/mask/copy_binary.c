#include "mask/copy_binary.h"

#include "base/big_endian.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static const char signature[] = "PGCOPY\n\377\r\n"; /* and its NUL */
#define SIGNATURE_BYTES sizeof(signature)
#define HEADER_BYTES (SIGNATURE_BYTES + 8) /* flags; bytes of the extension */
/* A reader must not go on where it does not know one of these; none is known ("Binary Format"). */
#define CRITICAL_FLAGS UINT32_C(0xffff0000)

enum part { PART_HEADER, PART_EXTENSION, PART_COUNT, PART_LENGTH, PART_FIELD, PART_OVER };

struct copy_binary {
    struct copy_binary_column *columns;
    size_t column_count, column;
    enum part part;
    bool has_failed;
    size_t waiting;
    char number[HEADER_BYTES]; /* what has a size of its own: header, count, length */
    size_t number_length;
    size_t left; /* of the extension, of the field */
    struct buf field, row;
    struct arena *scratch;
};

struct copy_binary *rh_copy_binary_new(const struct copy_binary_column *columns, size_t count)
{
    struct copy_binary *binary = calloc(1, sizeof(*binary));
    struct copy_binary_column *own = reallocarray(NULL, count + 1, sizeof(*own));

    if (!binary || !own)
        RH_PANIC("out of memory for %zu columns", count);
    memcpy(own, columns, count * sizeof(*own));
    binary->columns = own;
    binary->column_count = count;
    binary->scratch = rh_arena_new();
    rh_buf_init(&binary->field, COPY_VALUE_BYTES);
    rh_buf_init(&binary->row, COPY_BINARY_ROW_BYTES);
    return binary;
}

void rh_copy_binary_free(struct copy_binary *binary)
{
    if (!binary)
        return;
    if (binary->field.data) /* originals were in here */
        OPENSSL_cleanse(binary->field.data, binary->field.capacity);
    rh_buf_deinit(&binary->field);
    rh_buf_deinit(&binary->row);
    rh_arena_free(binary->scratch);
    free(binary->columns);
    free(binary);
}

/* --- fields ----------------------------------------------------------------------------------- */

static void add_u32(struct buf *out, uint32_t value)
{
    char bytes[4];

    rh_store_be32(bytes, value);
    rh_buf_add(out, bytes, sizeof(bytes));
}

static struct mask_map *map_of(const struct copy_binary *binary)
{
    return binary->columns[binary->column].map;
}

static void next_field(struct copy_binary *binary, struct buf *out)
{
    binary->part = PART_LENGTH;
    if (++binary->column < binary->column_count)
        return;
    binary->part = PART_COUNT;
    rh_buf_add_text(out, rh_buf_text(&binary->row));
    rh_buf_clear(&binary->row);
}

static bool end_field(struct copy_binary *binary, struct buf *out)
{
    struct text value = rh_buf_text(&binary->field), masked = {NULL, 0};
    enum binary_value outcome = BINARY_VALUE_MASKED;

    if (map_of(binary)) {
        if (!value.data)
            value.data = "";
        outcome = rh_mask_binary_value(map_of(binary), binary->columns[binary->column].column,
                                       value, binary->scratch, &masked);
        if (outcome == BINARY_VALUE_MASKED) {
            add_u32(&binary->row, (uint32_t)masked.len);
            rh_buf_add_text(&binary->row, masked);
        } else {
            add_u32(&binary->row, UINT32_MAX);
        }
        rh_arena_clear(binary->scratch);
        rh_buf_clear(&binary->field);
    }
    if (outcome == BINARY_VALUE_UNKNOWN || binary->row.failed)
        return false;
    next_field(binary, out);
    return true;
}

static bool begin_field(struct copy_binary *binary, uint32_t length, struct buf *out)
{
    bool is_kept = !map_of(binary);

    if (length == UINT32_MAX) {
        add_u32(&binary->row, length);
        next_field(binary, out);
        return true;
    }
    if (length > (is_kept ? COPY_BINARY_ROW_BYTES : COPY_VALUE_BYTES))
        return false;
    binary->left = length;
    binary->part = PART_FIELD;
    if (is_kept)
        add_u32(&binary->row, length);
    return length > 0 || end_field(binary, out);
}

/* --- the stream ------------------------------------------------------------------------------- */

static bool read_header(struct copy_binary *binary, struct buf *out)
{
    const char *header = binary->number;

    if (memcmp(header, signature, SIGNATURE_BYTES) != 0 ||
        rh_load_be32(header + SIGNATURE_BYTES) & CRITICAL_FLAGS)
        return false;
    binary->left = rh_load_be32(header + SIGNATURE_BYTES + 4);
    if (binary->left > INT32_MAX)
        return false;
    rh_buf_add(out, signature, SIGNATURE_BYTES);
    add_u32(out, 0);
    add_u32(out, 0);
    binary->part = binary->left > 0 ? PART_EXTENSION : PART_COUNT;
    return true;
}

static bool read_count(struct copy_binary *binary, struct buf *out)
{
    unsigned count = (unsigned)(unsigned char)binary->number[0] << 8 |
                     (unsigned char)binary->number[1];

    if (count == UINT16_MAX) {
        rh_buf_add(out, binary->number, 2);
        binary->part = PART_OVER;
        return true;
    }
    if (count != binary->column_count)
        return false;
    rh_buf_add(&binary->row, binary->number, 2);
    binary->column = 0;
    binary->part = PART_LENGTH;
    return true;
}

/* Bytes of a number; when it is whole, what it says. */
static bool take_number(struct copy_binary *binary, struct text *part, struct buf *out)
{
    size_t wanted = binary->part == PART_HEADER ? HEADER_BYTES : binary->part == PART_COUNT ? 2 : 4;
    size_t taken = wanted - binary->number_length < part->len ? wanted - binary->number_length
                                                              : part->len;

    memcpy(binary->number + binary->number_length, part->data, taken);
    *part = (struct text){part->data + taken, part->len - taken};
    binary->number_length += taken;
    if (binary->number_length < wanted)
        return true;
    binary->number_length = 0;
    if (binary->part == PART_HEADER)
        return read_header(binary, out);
    if (binary->part == PART_COUNT)
        return read_count(binary, out);
    return begin_field(binary, rh_load_be32(binary->number), out);
}

static bool take_bytes(struct copy_binary *binary, struct text *part, struct buf *out)
{
    size_t taken = binary->left < part->len ? binary->left : part->len;
    bool is_field = binary->part == PART_FIELD;

    if (is_field)
        rh_buf_add(map_of(binary) ? &binary->field : &binary->row, part->data, taken);
    *part = (struct text){part->data + taken, part->len - taken};
    binary->left -= taken;
    if (binary->left > 0)
        return true;
    if (is_field)
        return end_field(binary, out);
    binary->part = PART_COUNT;
    return true;
}

bool rh_copy_binary_feed(struct copy_binary *binary, struct text part, struct buf *out)
{
    while (part.len > 0 && !binary->has_failed) {
        size_t before = part.len;

        switch (binary->part) {
        case PART_HEADER:
        case PART_COUNT:
        case PART_LENGTH:
            binary->has_failed = !take_number(binary, &part, out);
            break;
        case PART_EXTENSION:
        case PART_FIELD:
            binary->has_failed = !take_bytes(binary, &part, out);
            break;
        case PART_OVER:
            binary->has_failed = true;
            break;
        }
        binary->waiting += before - part.len;
        if (binary->number_length == 0 && (binary->part == PART_COUNT || binary->part == PART_OVER))
            binary->waiting = 0;
    }
    return !binary->has_failed;
}

size_t rh_copy_binary_waiting(const struct copy_binary *binary)
{
    return binary->waiting;
}
