#include "rehearsal/pgtap_output.h"

#include "model/trace.h"

#include <strings.h>

static void skip_blanks(struct text *rest)
{
    while (rest->len > 0 && (*rest->data == ' ' || *rest->data == '\t')) {
        rest->data++;
        rest->len--;
    }
}

static bool take_word(struct text *rest, const char *word)
{
    size_t len = strlen(word);

    if (!rh_text_starts_with(*rest, word))
        return false;
    rest->data += len;
    rest->len -= len;
    return true;
}

/* "1..12", perhaps with "# SKIP reason" behind it. */
static bool take_plan(struct text line, struct check_output *output)
{
    int64_t count;

    if (!take_word(&line, "1..") || !rh_text_take_int64(&line, &count) || count < 0)
        return false;
    output->planned = count;
    return true;
}

/* Offset of the "#" that begins a directive; the length when there is none. "\#" is no such sign.
 */
static size_t directive_offset(struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] != '#' || (i > 0 && text.data[i - 1] == '\\'))
            continue;
        struct text rest = {text.data + i + 1, text.len - i - 1};
        skip_blanks(&rest);
        if (rest.len >= 4 &&
            (strncasecmp(rest.data, "todo", 4) == 0 || strncasecmp(rest.data, "skip", 4) == 0))
            return i;
    }
    return text.len;
}

static char *take_text(struct arena *arena, struct text text)
{
    text = rh_text_trim(text);
    if (text.len > PGTAP_DESCRIPTION_MAX)
        text.len = rh_text_utf8_valid_prefix((struct text){text.data, PGTAP_DESCRIPTION_MAX});
    return rh_text_dup(arena, text);
}

static bool take_test(struct text line, struct arena *arena, struct check_output *output)
{
    bool ok = !take_word(&line, "not ");

    if (!take_word(&line, "ok") || (line.len > 0 && *line.data != ' ' && *line.data != '\t'))
        return false;
    struct check_test test = {.ok = ok, .number = output->passed + output->failed + 1};
    skip_blanks(&line);
    (void)rh_text_take_int64(&line, &test.number);
    skip_blanks(&line);
    if (take_word(&line, "-"))
        skip_blanks(&line);

    size_t at = directive_offset(line);
    test.description = take_text(arena, (struct text){line.data, at});
    if (at < line.len) {
        struct text rest = {line.data + at + 1, line.len - at - 1};
        skip_blanks(&rest);
        test.is_todo = strncasecmp(rest.data, "todo", 4) == 0;
        test.is_skipped = !test.is_todo;
        test.reason = take_text(arena, (struct text){rest.data + 4, rest.len - 4});
    }
    if (ok || test.is_todo)
        output->passed++;
    else
        output->failed++;
    if (output->tests.count < CHECK_TESTS_MAX)
        *RH_PUSH(arena, &output->tests) = test;
    return true;
}

void rh_pgtap_output_parse(struct text text, struct arena *arena, struct check_output *output)
{
    output->planned = NOT_OBSERVED;
    while (text.len > 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        struct text line = {text.data, newline ? (size_t)(newline - text.data) : text.len};
        size_t taken = line.len + (newline ? 1 : 0);

        text.data += taken;
        text.len -= taken;
        if (line.len > 0 && line.data[line.len - 1] == '\r')
            line.len--;
        struct text rest = line;
        if (take_word(&rest, "Bail out!")) {
            output->bail_out = take_text(arena, rest);
            return;
        }
        if (!take_plan(line, output))
            (void)take_test(line, arena, output);
    }
}
