#include "mask/mask_elements.h"

#include <stdlib.h>

size_t rh_element_decode(struct text inner, char *out)
{
    size_t written = 0;
    bool in_quotes = false;
    for (size_t i = 0; i < inner.len; i++) {
        char c = inner.data[i];
        if (c == '\\' && i + 1 < inner.len) {
            c = inner.data[++i];
        } else if (c == '"' && in_quotes && i + 1 < inner.len && inner.data[i + 1] == '"') {
            i++;
        } else if (c == '"') {
            in_quotes = !in_quotes;
            continue;
        }
        out[written++] = c;
    }
    return written;
}

size_t rh_element_quote(struct text source, size_t at, bool *ret_escapes)
{
    *ret_escapes = false;
    for (; at < source.len && source.data[at] != '"'; at++)
        if (source.data[at] == '\\') {
            *ret_escapes = true;
            at++;
        }
    return at < source.len ? at : source.len;
}

bool rh_element_part(struct text inner, bool at_end, size_t *ret_len)
{
    bool has_escapes;
    *ret_len = rh_element_quote(inner, 0, &has_escapes);
    if (*ret_len < inner.len || at_end)
        return true;
    /* A backslash at the end waits for what it speaks of. */
    size_t backslashes = 0;
    while (backslashes < inner.len && inner.data[inner.len - 1 - backslashes] == '\\')
        backslashes++;
    *ret_len = inner.len - backslashes % 2;
    return false;
}

void rh_element_encode_inner(struct text value, bool doubles, struct buf *out)
{
    size_t plain = 0; /* from here on, nothing was written yet */
    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        if (c != '"' && c != '\\')
            continue;
        rh_buf_add(out, value.data + plain, i - plain);
        rh_buf_add(out, doubles ? &value.data[i] : "\\", 1);
        plain = i;
    }
    rh_buf_add(out, value.data + plain, value.len - plain);
}

void rh_element_encode_quoted(struct text value, bool doubles, struct buf *out)
{
    rh_buf_add(out, "\"", 1);
    rh_element_encode_inner(value, doubles, out);
    rh_buf_add(out, "\"", 1);
}

static int compare_bytes(const void *left, const void *right)
{
    struct text a = ((const struct element_item *)left)->key;
    struct text b = ((const struct element_item *)right)->key;
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

static int compare_lengths(const void *left, const void *right)
{
    size_t a = ((const struct element_item *)left)->key.len;
    size_t b = ((const struct element_item *)right)->key.len;
    return a != b ? (a < b ? -1 : 1) : compare_bytes(left, right);
}

void rh_element_sort(struct element_item *items, size_t count, bool shorter_first,
                     const char *separator, struct buf *out)
{
    if (count > 1)
        qsort(items, count, sizeof *items, shorter_first ? compare_lengths : compare_bytes);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            rh_buf_add_str(out, separator);
        rh_buf_add_text(out, items[i].whole);
    }
}
