#include "mask/copy_int.h"

#include <stdlib.h>

/* Inline: the hash of a short row is a few instructions, and a library of ours that exports
   functions of these names (libpg_query) is not asked. */
#define XXH_INLINE_ALL
#include <xxhash.h>

struct copy_digest {
    XXH3_state_t *row; /* of the row that is not whole yet */
    size_t row_bytes;  /* of it so far */
    char row_start[2]; /* its first bytes: is it the end-of-data marker? */
    bool is_over;      /* that marker came */
    struct digest sum;
    int64_t rows;
};

struct copy_digest *rh_copy_digest_new(void)
{
    struct copy_digest *digest = calloc(1, sizeof *digest);
    XXH3_state_t *row = XXH3_createState();
    if (digest == NULL || row == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof *row);
    digest->row = row;
    XXH3_128bits_reset(row);
    return digest;
}

void rh_copy_digest_free(struct copy_digest *digest)
{
    if (digest == NULL)
        return;
    XXH3_freeState(digest->row);
    free(digest);
}

static void add_row(struct copy_digest *digest, XXH128_hash_t hash)
{
    uint64_t low = digest->sum.low + hash.low64;
    digest->sum.high += hash.high64 + (low < hash.low64);
    digest->sum.low = low;
    digest->rows++;
}

static void add_part(struct copy_digest *digest, const char *data, size_t len)
{
    for (size_t i = 0; i < len && digest->row_bytes + i < sizeof digest->row_start; i++)
        digest->row_start[digest->row_bytes + i] = data[i];
    digest->row_bytes += len;
    XXH3_128bits_update(digest->row, data, len);
}

static bool is_marker(const char *row, size_t len)
{
    return len == 2 && row[0] == '\\' && row[1] == '.';
}

void rh_copy_digest_feed(struct copy_digest *digest, struct text part)
{
    const char *at = part.data, *end = part.data + part.len;
    while (at < end && !digest->is_over) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline == NULL) {
            add_part(digest, at, (size_t)(end - at));
            return;
        }
        size_t len = (size_t)(newline - at);
        if (digest->row_bytes > 0) {
            add_part(digest, at, len);
            digest->is_over = is_marker(digest->row_start, digest->row_bytes);
            if (!digest->is_over)
                add_row(digest, XXH3_128bits_digest(digest->row));
            XXH3_128bits_reset(digest->row);
            digest->row_bytes = 0;
        } else {
            digest->is_over = is_marker(at, len);
            if (!digest->is_over)
                add_row(digest, XXH3_128bits(at, len));
        }
        at = newline + 1;
    }
}

struct digest rh_copy_digest_sum(const struct copy_digest *digest, int64_t *ret_rows)
{
    if (ret_rows != NULL)
        *ret_rows = digest->rows;
    return digest->sum;
}

bool rh_copy_digest_is_between_rows(const struct copy_digest *digest)
{
    return digest->row_bytes == 0;
}
