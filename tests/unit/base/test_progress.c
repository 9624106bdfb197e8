#include "unit.h"

#include "base/clock.h"
#include "base/progress.h"

#include <poll.h>
#include <pty.h>

/* Seconds by which the test is ahead of the real clock; the linker leads progress.c's calls here.
 */
static int64_t seconds_ahead;

struct mono __real_rh_clock_mono(void);
struct mono __wrap_rh_clock_mono(void);
bool __wrap_rh_clock_passed(struct mono deadline);

struct mono __wrap_rh_clock_mono(void)
{
    return rh_clock_after(__real_rh_clock_mono(), seconds_ahead * 1000000);
}

bool __wrap_rh_clock_passed(struct mono deadline)
{
    return deadline.us != RH_NEVER.us && __wrap_rh_clock_mono().us >= deadline.us;
}

static char *read_all(int fd, char *out, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len + 1 < size && (got = read(fd, out + len, size - 1 - len)) > 0)
        len += (size_t)got;
    out[len] = '\0';
    return out;
}

/* Durations vary: every "(...)" at the end of a line becomes "(T)". */
static void hide_durations(char *text)
{
    char *to = text;
    for (char *from = text; *from != '\0';) {
        if (*from == '(') {
            while (*from != ')')
                from++;
            from++;
            memcpy(to, "(T)", 3);
            to += 3;
            continue;
        }
        *to++ = *from++;
    }
    *to = '\0';
}

static void test_progress_log_names_each_phase_and_its_duration(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct progress *progress = rh_progress_new(ends[1], PROGRESS_LOG);
    rh_progress_phase(progress, "restore %s", "app.dump");
    for (int i = 0; i < 10000; i++)
        rh_progress_at(progress, "%d of 10000", i); /* within 10 s a log says nothing */
    rh_progress_note(progress, "note: role \"%s\"", "app");
    rh_progress_output(progress, rh_text("psql: one\npart"));
    rh_progress_output(progress, rh_text("ial\r\n\x1b[31mred"));
    rh_progress_phase(progress, "migrate");
    rh_progress_free(progress);
    close(ends[1]);
    char out[4096];
    hide_durations(read_all(ends[0], out, sizeof out));
    close(ends[0]);
    assert_string_equal(out, "restore app.dump ...\n"
                             "note: role \"app\"\n"
                             "  psql: one\n"
                             "  partial\n"
                             "   [31mred\n"
                             "restore app.dump (T)\n"
                             "migrate ...\n"
                             "migrate (T)\n");
}

static void test_progress_log_grows_sparse_when_a_phase_is_long(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct progress *progress = rh_progress_new(ends[1], PROGRESS_LOG);
    rh_progress_phase(progress, "load");
    int64_t start = seconds_ahead;
    for (int second = 0; second <= 15 * 60; second++) {
        seconds_ahead = start + second;
        rh_progress_at(progress, "%d s", second);
    }
    rh_progress_free(progress);
    close(ends[1]);
    char out[4096];
    hide_durations(read_all(ends[0], out, sizeof out));
    close(ends[0]);
    seconds_ahead = 0;
    assert_string_equal(out, "load ...\n"
                             "load: 10 s (T)\n"
                             "load: 30 s (T)\n"
                             "load: 60 s (T)\n"
                             "load: 120 s (T)\n"
                             "load: 240 s (T)\n"
                             "load: 480 s (T)\n"
                             "load (T)\n");
}

static void test_progress_is_silent_when_quiet(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct progress *progress = rh_progress_new(ends[1], PROGRESS_NONE);
    rh_progress_phase(progress, "a");
    rh_progress_at(progress, "b");
    rh_progress_note(progress, "c");
    rh_progress_output(progress, rh_text("d\n"));
    rh_progress_end(progress);
    rh_progress_free(progress);
    close(ends[1]);
    char out[64];
    assert_string_equal(read_all(ends[0], out, sizeof out), "");
    close(ends[0]);
}

static void test_progress_allows_null_everywhere(void **state)
{
    (void)state;
    rh_progress_phase(NULL, "a");
    rh_progress_at(NULL, "b");
    rh_progress_note(NULL, "c");
    rh_progress_output(NULL, rh_text("d\n"));
    rh_progress_end(NULL);
    rh_progress_free(NULL);
}

static void test_progress_terminal_redraws_at_most_five_times_a_second(void **state)
{
    (void)state;
    int master, slave;
    struct winsize size = {.ws_row = 24, .ws_col = 60};
    unsetenv("COLUMNS");
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    struct progress *progress = rh_progress_new(slave, PROGRESS_TERMINAL);
    rh_progress_phase(progress, "copy %0100d", 7);
    for (int i = 0; i < 5000; i++)
        rh_progress_at(progress, "%d", i);
    rh_progress_end(progress);
    rh_progress_free(progress);
    char out[4096];
    /* A read of a master returns one write's worth; all is written, so poll tells when it is over.
     */
    size_t len = 0;
    struct pollfd wait = {.fd = master, .events = POLLIN};
    while (len + 1 < sizeof out && poll(&wait, 1, 100) == 1) {
        ssize_t got = read(master, out + len, sizeof out - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
    out[len] = '\0';
    int redraws = 0;
    for (char *at = out; (at = strstr(at, "\x1b[K")) != NULL; at++)
        redraws++;
    assert_in_range(redraws, 2, 4); /* first drawing, clearing, and what a slow machine adds */
    assert_non_null(strstr(out, "\xe2\x80\xa6")); /* cut to the window */
    assert_string_equal(out + strlen(out) - 2, "\r\n");
    close(master);
    close(slave);
}

static void test_progress_passes_on_endless_lines_in_pieces(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct progress *progress = rh_progress_new(ends[1], PROGRESS_LOG);
    char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    rh_progress_output(progress, (struct text){bytes, sizeof bytes});
    rh_progress_free(progress);
    close(ends[1]);
    char out[8192];
    read_all(ends[0], out, sizeof out);
    close(ends[0]);
    assert_int_equal(strlen(out), 5000 + 2 * strlen("  \n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_log_names_each_phase_and_its_duration),
        cmocka_unit_test(test_progress_log_grows_sparse_when_a_phase_is_long),
        cmocka_unit_test(test_progress_is_silent_when_quiet),
        cmocka_unit_test(test_progress_allows_null_everywhere),
        cmocka_unit_test(test_progress_terminal_redraws_at_most_five_times_a_second),
        cmocka_unit_test(test_progress_passes_on_endless_lines_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
