/*
 * What the stream in front of us can show: colour, width, UTF-8.
 */
#ifndef RH_BASE_TERMINAL_H
#define RH_BASE_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct terminal {
    bool is_terminal;
    bool has_color; /* tty, TERM not "dumb", NO_COLOR unset or empty; or forced */
    bool has_utf8;  /* from LC_ALL, LC_CTYPE, LANG */
    size_t columns; /* COLUMNS, else the window, else 80; between 40 and 100 */
};

struct terminal rh_terminal_probe(int fd, enum color_choice choice);

#endif
