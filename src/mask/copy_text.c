#include "mask/copy_text.h"

#include "mask/copy_words.h"

size_t rh_copy_special(const char *data, size_t len)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t word = len - at >= 8 ? rh_word_load(data + at)
                                      : rh_word_load_part(data + at, len - at);
        uint64_t marks = rh_word_equals(word, '\t') | rh_word_equals(word, '\n') |
                         rh_word_equals(word, '\\');
        if (marks != 0)
            return at + rh_word_first(marks);
    }
    return len;
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Length of the escape that begins at raw[0] == '\\', and its meaning; 0: perhaps not all is here.
 */
static size_t read_escape(const char *raw, size_t len, bool at_end, char *ret_char)
{
    if (len < 2) {
        *ret_char = '\\';
        return at_end ? len : 0;
    }
    size_t used = 2;
    unsigned value = 0;
    switch (raw[1]) {
    case 'b':
        *ret_char = '\b';
        return used;
    case 'f':
        *ret_char = '\f';
        return used;
    case 'n':
        *ret_char = '\n';
        return used;
    case 'r':
        *ret_char = '\r';
        return used;
    case 't':
        *ret_char = '\t';
        return used;
    case 'v':
        *ret_char = '\v';
        return used;
    case 'x':
        while (used < len && used < 4 && rh_hex_value(raw[used]) >= 0)
            value = value * 16 + (unsigned)rh_hex_value(raw[used++]);
        if (used < 4 && used == len && !at_end)
            return 0;
        *ret_char = used == 2 ? 'x' : (char)value;
        return used;
    default:
        break;
    }
    if (!is_octal(raw[1])) {
        *ret_char = raw[1];
        return used;
    }
    value = (unsigned)(raw[1] - '0');
    while (used < len && used < 4 && is_octal(raw[used]))
        value = value * 8 + (unsigned)(raw[used++] - '0');
    if (used < 4 && used == len && !at_end)
        return 0;
    *ret_char = (char)(value & 0xff);
    return used;
}

size_t rh_copy_unescape(struct text raw, bool at_end, char *out, size_t *ret_used)
{
    size_t at = 0, written = 0;
    while (at < raw.len) {
        const char *backslash = memchr(raw.data + at, '\\', raw.len - at);
        size_t plain = backslash != NULL ? (size_t)(backslash - raw.data) - at : raw.len - at;
        memmove(out + written, raw.data + at, plain);
        written += plain;
        at += plain;
        if (backslash == NULL)
            break;
        char c;
        size_t used = read_escape(raw.data + at, raw.len - at, at_end, &c);
        if (used == 0)
            break;
        out[written++] = c;
        at += used;
    }
    if (ret_used != NULL)
        *ret_used = at;
    return written;
}

/* The letter behind the backslash, or 0 for what stands bare. */
static char escape_letter(unsigned char c)
{
    switch (c) {
    case '\b':
        return 'b';
    case '\t':
        return 't';
    case '\n':
        return 'n';
    case '\v':
        return 'v';
    case '\f':
        return 'f';
    case '\r':
        return 'r';
    case '\\':
        return '\\';
    default:
        return 0;
    }
}

static size_t escape_bytes(const char *data, size_t len, char *out)
{
    size_t written = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        char letter = c < 0x20 || c == '\\' ? escape_letter(c) : 0;
        if (letter != 0)
            out[written++] = '\\';
        out[written++] = letter != 0 ? letter : data[i];
    }
    return written;
}

size_t rh_copy_escape(struct text value, char *out)
{
    size_t at = 0, written = 0;
    for (; value.len - at >= 8; at += 8) {
        uint64_t word = rh_word_load(value.data + at);
        if ((rh_word_controls(word) | rh_word_equals(word, '\\')) == 0) {
            memcpy(out + written, value.data + at, 8);
            written += 8;
        } else {
            written += escape_bytes(value.data + at, 8, out + written);
        }
    }
    return written + escape_bytes(value.data + at, value.len - at, out + written);
}
