#include "unit.h"

#include "base/terminal.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>

static int setup(void **state)
{
    (void)state;
    static const char *const names[] = {"NO_COLOR", "TERM",     "COLUMNS",
                                        "LC_ALL",   "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    setenv("TERM", "xterm", 1);
    return 0;
}

struct pty {
    int master, slave;
};

static struct pty open_pty(unsigned short columns)
{
    struct pty pty;
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    assert_int_equal(openpty(&pty.master, &pty.slave, NULL, NULL, &size), 0);
    return pty;
}

static void close_pty(struct pty pty)
{
    close(pty.master);
    close(pty.slave);
}

static void test_terminal_is_plain_when_it_is_a_file(void **state)
{
    (void)state;
    int fd = open("/dev/null", O_WRONLY);
    struct terminal terminal = rh_terminal_probe(fd, COLOR_AUTO);
    assert_false(terminal.is_terminal);
    assert_false(terminal.has_color);
    assert_int_equal(terminal.columns, 80);
    assert_true(rh_terminal_probe(fd, COLOR_ALWAYS).has_color);
    close(fd);
    assert_false(rh_terminal_probe(-1, COLOR_AUTO).is_terminal);
}

static void test_terminal_has_color_unless_the_environment_says_no(void **state)
{
    (void)state;
    struct pty pty = open_pty(90);
    assert_true(rh_terminal_probe(pty.slave, COLOR_AUTO).is_terminal);
    assert_true(rh_terminal_probe(pty.slave, COLOR_AUTO).has_color);
    assert_false(rh_terminal_probe(pty.slave, COLOR_NEVER).has_color);
    setenv("NO_COLOR", "", 1);
    assert_true(rh_terminal_probe(pty.slave, COLOR_AUTO).has_color);
    setenv("NO_COLOR", "1", 1);
    assert_false(rh_terminal_probe(pty.slave, COLOR_AUTO).has_color);
    assert_true(rh_terminal_probe(pty.slave, COLOR_ALWAYS).has_color);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    assert_false(rh_terminal_probe(pty.slave, COLOR_AUTO).has_color);
    unsetenv("TERM");
    assert_false(rh_terminal_probe(pty.slave, COLOR_AUTO).has_color);
    close_pty(pty);
}

static void test_terminal_width_comes_from_columns_then_window(void **state)
{
    (void)state;
    struct pty pty = open_pty(90);
    assert_int_equal(rh_terminal_probe(pty.slave, COLOR_AUTO).columns, 90);
    setenv("COLUMNS", "60", 1);
    assert_int_equal(rh_terminal_probe(pty.slave, COLOR_AUTO).columns, 60);
    setenv("COLUMNS", "10", 1);
    assert_int_equal(rh_terminal_probe(pty.slave, COLOR_AUTO).columns, 40);
    setenv("COLUMNS", "500", 1);
    assert_int_equal(rh_terminal_probe(pty.slave, COLOR_AUTO).columns, 100);
    static const char *const nonsense[] = {"", "-5", "abc", "0", "60x"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        setenv("COLUMNS", nonsense[i], 1);
        assert_int_equal(rh_terminal_probe(pty.slave, COLOR_AUTO).columns, 90);
    }
    close_pty(pty);
}

static void test_terminal_utf8_is_decided_by_the_first_variable_set(void **state)
{
    (void)state;
    assert_false(rh_terminal_probe(2, COLOR_AUTO).has_utf8);
    setenv("LANG", "de_DE.UTF-8", 1);
    assert_true(rh_terminal_probe(2, COLOR_AUTO).has_utf8);
    setenv("LC_CTYPE", "C", 1);
    assert_false(rh_terminal_probe(2, COLOR_AUTO).has_utf8);
    setenv("LC_ALL", "C.utf8", 1);
    assert_true(rh_terminal_probe(2, COLOR_AUTO).has_utf8);
    setenv("LC_ALL", "", 1);
    assert_false(rh_terminal_probe(2, COLOR_AUTO).has_utf8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_terminal_is_plain_when_it_is_a_file, setup),
        cmocka_unit_test_setup(test_terminal_has_color_unless_the_environment_says_no, setup),
        cmocka_unit_test_setup(test_terminal_width_comes_from_columns_then_window, setup),
        cmocka_unit_test_setup(test_terminal_utf8_is_decided_by_the_first_variable_set, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
