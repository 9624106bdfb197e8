#include "compare/compare_check.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names of tests or columns listed in one phrase. */
#define NAMES_SHOWN 3

/* --- digests -----------------------------------------------------------------------------------
 */

void rh_check_digest_init(struct check_digest *digest)
{
    memset(digest, 0, sizeof(*digest));
    rh_file_sha256(TEXT_LITERAL(""), digest->chain);
}

/* Each cell with its length in front: "ab", "c" is another row than "a", "bc". */
static void hash_row(const char *const *cells, size_t count, char ret_hash[static 65])
{
    RH_CLEANUP_BUF struct buf row;

    rh_buf_init(&row, SIZE_MAX / 4);
    for (size_t i = 0; i < count; i++) {
        if (cells[i])
            rh_buf_printf(&row, "%zu:", strlen(cells[i]));
        else
            rh_buf_add_str(&row, "-");
        if (cells[i])
            rh_buf_add_str(&row, cells[i]);
    }
    rh_file_sha256(rh_buf_text(&row), ret_hash);
}

void rh_check_digest_row(struct check_digest *digest, const char *const *cells, size_t count)
{
    char hash[65];
    unsigned carry = 0;

    hash_row(cells, count, hash);
    for (size_t i = sizeof(digest->sum); i-- > 0;) {
        carry += digest->sum[i] + (unsigned)rh_hex_value(hash[2 * i]) * 16 +
                 (unsigned)rh_hex_value(hash[2 * i + 1]);
        digest->sum[i] = (unsigned char)carry;
        carry >>= 8;
    }
}

void rh_check_digest_key(struct check_digest *digest, const char *const *cells, size_t count)
{
    char hash[65], link[129];

    hash_row(cells, count, hash);
    snprintf(link, sizeof(link), "%s%s", digest->chain, hash);
    rh_file_sha256((struct text){link, 128}, digest->chain);
}

void rh_check_digest_take(const struct check_digest *digest, struct check_output *output)
{
    rh_text_hex(digest->sum, sizeof(digest->sum), output->digest);
    memcpy(output->ordered_digest, digest->chain, 32);
    output->ordered_digest[32] = 0;
}

/* --- numbers -----------------------------------------------------------------------------------
 */

bool rh_check_is_number(const char *text)
{
    char *end = NULL;

    if (!text ||
        !((*text >= '0' && *text <= '9') || *text == '-' || *text == '.' || *text == '+') ||
        strpbrk(text, "xXpP"))
        return false;
    long double value = strtold(text, &end);
    return end != text && *end == 0 && isfinite(value);
}

/* 64 bits of mantissa: every bigint is exact. */
static long double number_of(const struct check_output *output)
{
    return output->number ? strtold(output->number, NULL) : (long double)output->row_count;
}

bool rh_check_is_met(const struct check *check, const struct check_output *output)
{
    long double limit = check->limit ? strtold(check->limit, NULL) : 0;
    long double number = number_of(output);

    switch (check->expect) {
    case CHECK_SAME:
    case CHECK_CHANGED:
        return true;
    case CHECK_ZERO:
    case CHECK_EQUAL:
        return number == limit;
    case CHECK_ROWS:
    case CHECK_MORE:
        return number > limit;
    case CHECK_AT_MOST:
        return number <= limit;
    case CHECK_AT_LEAST:
        return number >= limit;
    case CHECK_NOT_EQUAL:
        return number != limit;
    case CHECK_LESS:
        return number < limit;
    case CHECK_TESTS:
        return !output->bail_out && output->failed == 0 && output->planned >= 0 &&
               output->planned == output->passed;
    }
    return false;
}

/* Both are off; whether `after` is further off. */
static bool is_worse(const struct check *check)
{
    long double before = number_of(&check->before), after = number_of(&check->after);
    long double limit = check->limit ? strtold(check->limit, NULL) : 0;

    switch (check->expect) {
    case CHECK_ZERO:
    case CHECK_EQUAL:
        return (after > limit ? after - limit : limit - after) >
               (before > limit ? before - limit : limit - before);
    case CHECK_AT_MOST:
    case CHECK_LESS:
        return after > before;
    case CHECK_AT_LEAST:
    case CHECK_MORE:
    case CHECK_ROWS:
        return after < before;
    case CHECK_TESTS:
        return check->after.failed > check->before.failed ||
               (check->after.bail_out && !check->before.bail_out);
    case CHECK_SAME:
    case CHECK_CHANGED:
    case CHECK_NOT_EQUAL:
        return false;
    }
    return false;
}

/* --- phrases -----------------------------------------------------------------------------------
 */

static const char *say_count(struct arena *arena, int64_t count, const char *noun)
{
    char text[32];

    rh_count_format(count, text);
    return rh_arena_printf(arena, "%s %s%s", text, noun, count == 1 ? "" : "s");
}

static const char *say_size(struct arena *arena, const struct check_output *output)
{
    if (output->is_null)
        return "one NULL";
    return output->number ? output->number : say_count(arena, output->row_count, "row");
}

static const char *say_columns(struct arena *arena, const struct check_output *output)
{
    const char *text = "";

    for (size_t i = 0; i < output->columns.count; i++)
        text = rh_arena_printf(arena, "%s%s%s", text, i ? ", " : "", output->columns.items[i]);
    return text;
}

static bool has_same_columns(const struct check *check)
{
    if (check->before.columns.count != check->after.columns.count)
        return false;
    for (size_t i = 0; i < check->before.columns.count; i++)
        if (strcmp(check->before.columns.items[i], check->after.columns.items[i]) != 0)
            return false;
    return true;
}

static const char *say_difference(const struct check *check, struct arena *arena)
{
    const struct check_output *before = &check->before, *after = &check->after;

    if (!has_same_columns(check))
        return rh_arena_printf(arena, "its columns were %s, now %s", say_columns(arena, before),
                               say_columns(arena, after));
    if (before->row_count != after->row_count || (before->number && after->number))
        return rh_arena_printf(arena, "was %s, now %s", say_size(arena, before),
                               say_size(arena, after));
    return rh_arena_printf(arena, "other values in its %s",
                           say_count(arena, after->row_count, "row"));
}

/* "2 of 12 tests fail: has email, is unique". */
static const char *say_tests(const struct check_output *output, struct arena *arena)
{
    int64_t seen = output->passed + output->failed;
    const char *names = "";
    size_t shown = 0;

    if (output->bail_out)
        return rh_arena_printf(arena, "it bailed out%s%s", output->bail_out[0] ? ": " : "",
                               output->bail_out);
    if (output->planned < 0)
        return rh_arena_printf(arena, "no plan came: %s ran", say_count(arena, seen, "test"));
    if (output->failed == 0)
        return rh_arena_printf(arena, "%s planned, %lld ran",
                               say_count(arena, output->planned, "test"), (long long)seen);
    for (size_t i = 0; i < output->tests.count && shown < NAMES_SHOWN; i++) {
        const struct check_test *test = &output->tests.items[i];
        if (test->ok || test->is_todo)
            continue;
        names = rh_arena_printf(arena, "%s%s%s", names, shown++ ? ", " : ": ",
                                test->description[0]
                                    ? test->description
                                    : rh_arena_printf(arena, "test %lld", (long long)test->number));
    }
    if ((int64_t)shown < output->failed)
        names = rh_arena_printf(arena, "%s%s", names, shown ? " and more" : "");
    return rh_arena_printf(arena, "%lld of %s fail%s%s", (long long)output->failed,
                           say_count(arena, seen, "test"), output->failed == 1 ? "s" : "", names);
}

static const char *say_miss(const struct check *check, const struct check_output *output,
                            struct arena *arena)
{
    if (check->expect == CHECK_TESTS)
        return say_tests(output, arena);
    return rh_arena_printf(arena, "%s, expected %s", say_size(arena, output),
                           rh_check_expect_text(arena, check->expect, check->limit));
}

/* --- outcome -----------------------------------------------------------------------------------
 */

static void decide(struct check *check, enum check_outcome outcome, const char *reason)
{
    check->outcome = outcome;
    check->reason = reason;
}

static void compare_relative(struct check *check, struct arena *arena)
{
    const struct check_output *before = &check->before, *after = &check->after;
    bool same_rows = has_same_columns(check) && before->row_count == after->row_count &&
                     strcmp(before->digest, after->digest) == 0;
    bool same_order = strcmp(before->ordered_digest, after->ordered_digest) == 0;
    const char *rows = say_count(arena, after->row_count, "row");

    if (check->expect == CHECK_CHANGED && same_rows && same_order)
        decide(check, CHECK_FAILED,
               rh_arena_printf(arena, "the same %s as before", say_size(arena, after)));
    else if (check->expect == CHECK_SAME && !same_rows)
        decide(check, CHECK_FAILED, say_difference(check, arena));
    else if (check->expect == CHECK_SAME && !same_order)
        decide(check, CHECK_FAILED, rh_arena_printf(arena, "the same %s in another order", rows));
    else
        decide(check, CHECK_PASSED, NULL);
}

static void compare_absolute(struct check *check, struct arena *arena)
{
    bool met_before = check->before.ran && rh_check_is_met(check, &check->before);

    if (rh_check_is_met(check, &check->after)) {
        decide(check, CHECK_PASSED, NULL);
    } else if (met_before || !check->before.ran) {
        /* What could not be asked before did not fail before: the migration brings it. */
        decide(check, CHECK_FAILED,
               met_before && check->expect != CHECK_TESTS
                   ? rh_arena_printf(arena, "%s; was %s", say_miss(check, &check->after, arena),
                                     say_size(arena, &check->before))
                   : say_miss(check, &check->after, arena));
    } else if (is_worse(check)) {
        decide(check, CHECK_WORSE,
               rh_arena_printf(arena, "%s; before: %s", say_miss(check, &check->after, arena),
                               check->expect == CHECK_TESTS ? say_tests(&check->before, arena)
                                                            : say_size(arena, &check->before)));
    } else {
        decide(check, CHECK_FAILED_BEFORE, say_miss(check, &check->after, arena));
    }
}

void rh_compare_check(struct check *check, struct arena *arena)
{
    const struct check_output *before = &check->before, *after = &check->after;
    /* A name that is not there yet: the migration makes it, or nobody does. */
    bool may_begin_after = before->is_missing && !rh_check_expect_is_relative(check->expect);

    if (!before->ran && !after->ran && before->sqlstate[0] && after->sqlstate[0])
        decide(check, CHECK_UNDECIDED,
               rh_arena_printf(arena, "it can be run neither before nor after the migration: %s",
                               after->problem));
    else if (!before->ran && !may_begin_after)
        decide(check, CHECK_UNDECIDED,
               rh_arena_printf(arena, "not run before the migration: %s",
                               before->problem ? before->problem : "nobody asked"));
    else if (!after->ran && after->sqlstate[0])
        decide(check, CHECK_FAILED,
               rh_arena_printf(arena, "it cannot be run any more: %s", after->problem));
    else if (!after->ran)
        decide(check, CHECK_UNDECIDED,
               rh_arena_printf(arena, "not run after the migration: %s",
                               after->problem ? after->problem : "nobody asked"));
    else if (rh_check_expect_is_relative(check->expect))
        compare_relative(check, arena);
    else
        compare_absolute(check, arena);
}
