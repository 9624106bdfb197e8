/*
 * URLs: scheme, separators, port and top-level domain stay; what comes before the host counts no
 * more from the host on, so that pages of one site stay together, under http as under https. The
 * two digits behind "%" stay hexadecimal.
 */
#include "mask/mask_int.h"

static bool is_scheme(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '-' || c == '.';
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* Length of "https://"; 0: it does not begin so. */
static size_t scheme_length(struct text value)
{
    size_t i = 0;
    while (i < value.len && is_scheme(value.data[i]))
        i++;
    if (i == 0 || value.len - i < 3 || memcmp(value.data + i, "://", 3) != 0)
        return 0;
    return i + 3;
}

static bool reads_url(const struct mask_map *map, struct text value)
{
    (void)map;
    return scheme_length(value) > 0;
}

static void set_modes(struct text value, unsigned char *modes)
{
    static const char ends[] = {'/', '?', '#'};
    size_t host = scheme_length(value), end = host;

    memset(modes, TEXT_KEEP, host);
    while (end < value.len && !memchr(ends, value.data[end], sizeof(ends)))
        end++;
    const char *at = memrchr(value.data + host, '@', end - host);
    if (at)
        host = (size_t)(at - value.data) + 1;
    /* The port is behind the last colon, unless that is inside an IPv6 address. */
    size_t port = end;
    while (port > host && value.data[port - 1] >= '0' && value.data[port - 1] <= '9')
        port--;
    if (port > host && port < end && value.data[port - 1] == ':') {
        memset(modes + port, TEXT_KEEP, end - port);
        rh_mask_host_modes((struct text){value.data + host, port - 1 - host}, modes + host);
    } else {
        rh_mask_host_modes((struct text){value.data + host, end - host}, modes + host);
    }
    for (size_t i = end; i + 2 < value.len; i++)
        if (value.data[i] == '%' && is_hex(value.data[i + 1]) && is_hex(value.data[i + 2])) {
            modes[i + 1] = modes[i + 2] = TEXT_HEX;
            i += 2;
        }
}

static void apply_url(struct mask_map *map, const struct text *values, size_t count,
                      struct arena *scratch, struct text *ret_masked)
{
    rh_mask_with_modes(map, values, count, set_modes, scratch, ret_masked);
}

const struct mask_kind rh_mask_url = {.reads = reads_url, .apply = apply_url};
