#include "base/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Narrower than 40 nothing of ours is readable; lines beyond 100 are hard to follow. */
#define COLUMNS_MIN ((size_t)40)
#define COLUMNS_MAX ((size_t)100)
#define COLUMNS_DEFAULT ((size_t)80)

static bool is_set(const char *value)
{
    return value != NULL && value[0] != '\0';
}

/* The first of the three that is set decides, as in POSIX (Base Definitions 8.2). */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (is_set(value))
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

static size_t width_of(int fd, bool is_terminal)
{
    size_t columns = 0;
    const char *value = getenv("COLUMNS");
    if (is_set(value)) {
        char *end = NULL;
        unsigned long parsed = strtoul(value, &end, 10);
        if (value[0] != '-' && *end == '\0')
            columns = parsed;
    }
    struct winsize window = {0};
    if (columns == 0 && is_terminal && ioctl(fd, TIOCGWINSZ, &window) == 0)
        columns = window.ws_col;
    if (columns == 0)
        columns = COLUMNS_DEFAULT;
    if (columns < COLUMNS_MIN)
        return COLUMNS_MIN;
    return columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
}

struct terminal rh_terminal_probe(int fd, enum color_choice choice)
{
    struct terminal terminal = {.is_terminal = isatty(fd) == 1, .has_utf8 = locale_is_utf8()};
    terminal.columns = width_of(fd, terminal.is_terminal);

    const char *term = getenv("TERM");
    switch (choice) {
    case COLOR_ALWAYS:
        terminal.has_color = true;
        break;
    case COLOR_NEVER:
        terminal.has_color = false;
        break;
    case COLOR_AUTO:
        /* https://no-color.org: set and not empty means no. */
        terminal.has_color = terminal.is_terminal && is_set(term) && strcmp(term, "dumb") != 0 &&
                             !is_set(getenv("NO_COLOR"));
        break;
    }
    return terminal;
}
