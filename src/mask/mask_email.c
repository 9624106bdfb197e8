/*
 * E-mail addresses: the local part as text, so that a user name of the same domain of keys stays
 * the local part; the mail domain as text that depends on nothing before it, so that addresses of
 * one provider stay together. "@", dots and the top-level domain stay.
 */
#include "mask/mask_int.h"

/* A top-level domain: two letters or more at the end of the host, in ASCII. */
#define TOP_LEVEL_LETTERS 2

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_alphanumeric(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

void rh_mask_host_modes(struct text host, unsigned char *modes)
{
    const char *dot = host.len > 0 ? memrchr(host.data, '.', host.len) : NULL;
    if (host.len == 0)
        return;
    modes[0] = TEXT_RESTART;
    if (!dot)
        return;
    const size_t first = (size_t)(dot - host.data) + 1;
    size_t end = first;
    while (end < host.len && is_letter(host.data[end]))
        end++;
    if (end - first < TOP_LEVEL_LETTERS || (end < host.len && is_alphanumeric(host.data[end])))
        return;
    memset(modes + first, TEXT_KEEP, end - first);
}

void rh_mask_with_modes(struct mask_map *map, const struct text *values, size_t count,
                        void (*set_modes)(struct text value, unsigned char *modes),
                        struct arena *scratch, struct text *ret_masked)
{
    struct text_item *items = rh_arena_alloc_array(scratch, count, sizeof(*items));

    for (size_t i = 0; i < count; i++) {
        /* Zeroed: TEXT_SHIFT. */
        unsigned char *modes = rh_arena_alloc(scratch, 2 * values[i].len + 1);
        char *out = (char *)modes + values[i].len;
        set_modes(values[i], modes);
        items[i] = (struct text_item){values[i].data, out, values[i].len, modes};
        ret_masked[i] = (struct text){out, values[i].len};
    }
    rh_text_core_map(map->core, items, count);
}

static bool reads_email(const struct mask_map *map, struct text value)
{
    (void)map;
    return memchr(value.data, '@', value.len) != NULL;
}

static void set_modes(struct text value, unsigned char *modes)
{
    const char *at = memrchr(value.data, '@', value.len);
    const size_t host = (size_t)(at - value.data) + 1;
    rh_mask_host_modes((struct text){value.data + host, value.len - host}, modes + host);
}

static void apply_email(struct mask_map *map, const struct text *values, size_t count,
                        struct arena *scratch, struct text *ret_masked)
{
    rh_mask_with_modes(map, values, count, set_modes, scratch, ret_masked);
}

const struct mask_kind rh_mask_email = {.reads = reads_email, .apply = apply_email};
