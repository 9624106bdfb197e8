#include "base/progress.h"

#include "base/clock.h"
#include "base/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At most five redraws a second: more flickers and costs the program more than it tells. */
#define REDRAW_US INT64_C(200000)
/* In a log the first sign of life of a phase comes after 10 s, the next after 30 s, then after 1,
   2, 4 ... minutes: a long phase costs a handful of lines. */
#define LOG_FIRST_US INT64_C(10000000)
#define LOG_SECOND_US INT64_C(30000000)
#define LOG_THIRD_US INT64_C(60000000)
/* A line of a child that never ends is passed on in pieces of this size. */
#define OUTPUT_LINE_BYTES ((size_t)4096)
/* How long a full pipe behind stderr may hold us up before a line is dropped. */
#define WRITE_WAIT_MS 1000

struct progress {
    int fd;
    enum progress_style style;
    struct terminal terminal;
    char phase[256]; /* "" between phases */
    char at[256];
    struct mono phase_start;
    struct mono next_at;  /* terminal: next redraw allowed; log: next line due */
    int64_t log_step_us;  /* log: age of the phase at which next_at is due */
    bool has_status_line; /* something is drawn that must be cleared */
    struct buf output;    /* the unfinished line of a child */
};

struct progress *rh_progress_new(int fd, enum progress_style style)
{
    struct progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL)
        RH_PANIC("out of memory (%zu bytes)", sizeof *progress);
    progress->fd = fd;
    progress->style = style;
    progress->terminal = rh_terminal_probe(fd, COLOR_AUTO);
    rh_buf_init(&progress->output, OUTPUT_LINE_BYTES);
    return progress;
}

void rh_progress_free(struct progress *progress)
{
    if (progress == NULL)
        return;
    rh_progress_end(progress);
    rh_buf_deinit(&progress->output);
    free(progress);
}

/* Progress is never worth an error: what cannot be written is dropped. */
static void write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written > 0) {
            data += written;
            len -= (size_t)written;
            continue;
        }
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0 && errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            if (poll(&wait, 1, WRITE_WAIT_MS) > 0)
                continue;
        }
        return;
    }
}

static void write_buf(struct progress *progress, const struct buf *buf)
{
    write_all(progress->fd, rh_buf_text(buf).data, buf->len);
}

static void clear_status_line(struct progress *progress, struct buf *buf)
{
    if (!progress->has_status_line)
        return;
    /* ECMA-48: carriage return, erase to the end of the line. */
    rh_buf_add_str(buf, "\r\x1b[K");
    progress->has_status_line = false;
}

/* Text from file names and children: control characters would move the cursor. */
static void add_printable(struct buf *buf, struct text text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        rh_buf_add_char(buf, (c < 0x20 && c != '\t') || c == 0x7f ? ' ' : (char)c);
    }
}

static void add_status(struct progress *progress, struct buf *buf, bool with_age)
{
    add_printable(buf, rh_text(progress->phase));
    if (progress->at[0] != '\0') {
        rh_buf_add_str(buf, ": ");
        add_printable(buf, rh_text(progress->at));
    }
    if (with_age) {
        char age[24];
        rh_duration_format((rh_clock_mono().us - progress->phase_start.us) / 1000000 * 1000000,
                           age);
        rh_buf_printf(buf, " (%s)", age);
    }
}

static void draw_status_line(struct progress *progress)
{
    struct mono now = rh_clock_mono();
    RH_CLEANUP_BUF struct buf status;
    rh_buf_init(&status, 1024);
    add_status(progress, &status, now.us - progress->phase_start.us >= 1000000);

    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 2048);
    rh_buf_add_str(&line, "\r");
    /* One column stays free: a full last line makes some terminals wrap. */
    rh_buf_add_str(&line,
                   rh_text_one_line(arena, rh_buf_text(&status), progress->terminal.columns - 1));
    rh_buf_add_str(&line, "\x1b[K");
    write_buf(progress, &line);
    progress->has_status_line = true;
    progress->next_at = rh_clock_after(now, REDRAW_US);
}

static void log_status(struct progress *progress)
{
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 1024);
    add_status(progress, &line, true);
    rh_buf_add_char(&line, '\n');
    write_buf(progress, &line);

    if (progress->log_step_us == LOG_FIRST_US)
        progress->log_step_us = LOG_SECOND_US;
    else if (progress->log_step_us == LOG_SECOND_US)
        progress->log_step_us = LOG_THIRD_US;
    else
        progress->log_step_us *= 2;
    progress->next_at = rh_clock_after(progress->phase_start, progress->log_step_us);
}

/* The unfinished line of a child is shown before anything else is. */
static void flush_output(struct progress *progress)
{
    if (progress->output.len > 0)
        rh_progress_output(progress, TEXT_LITERAL("\n"));
}

static void end_phase(struct progress *progress)
{
    flush_output(progress);
    if (progress->phase[0] == '\0')
        return;
    char duration[24];
    rh_duration_format(rh_clock_mono().us - progress->phase_start.us, duration);
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 1024);
    clear_status_line(progress, &line);
    add_printable(&line, rh_text(progress->phase));
    rh_buf_printf(&line, " (%s)\n", duration);
    write_buf(progress, &line);
    progress->phase[0] = '\0';
    progress->at[0] = '\0';
}

void rh_progress_phase(struct progress *progress, const char *fmt, ...)
{
    if (progress == NULL || progress->style == PROGRESS_NONE)
        return;
    end_phase(progress);
    va_list args;
    va_start(args, fmt);
    vsnprintf(progress->phase, sizeof progress->phase, fmt, args);
    va_end(args);
    progress->phase_start = rh_clock_mono();
    if (progress->style == PROGRESS_TERMINAL) {
        draw_status_line(progress);
        return;
    }
    progress->log_step_us = LOG_FIRST_US;
    progress->next_at = rh_clock_after(progress->phase_start, LOG_FIRST_US);
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 1024);
    add_status(progress, &line, false);
    rh_buf_add_str(&line, " ...\n");
    write_buf(progress, &line);
}

void rh_progress_at(struct progress *progress, const char *fmt, ...)
{
    if (progress == NULL || progress->style == PROGRESS_NONE || progress->phase[0] == '\0')
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(progress->at, sizeof progress->at, fmt, args);
    va_end(args);
    if (!rh_clock_passed(progress->next_at))
        return;
    if (progress->style == PROGRESS_TERMINAL)
        draw_status_line(progress);
    else
        log_status(progress);
}

void rh_progress_note(struct progress *progress, const char *fmt, ...)
{
    if (progress == NULL || progress->style == PROGRESS_NONE)
        return;
    flush_output(progress);
    RH_CLEANUP_BUF struct buf note;
    rh_buf_init(&note, 4096);
    va_list args;
    va_start(args, fmt);
    rh_buf_vprintf(&note, fmt, args);
    va_end(args);

    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 8192);
    clear_status_line(progress, &line);
    add_printable(&line, rh_buf_text(&note));
    rh_buf_add_char(&line, '\n');
    write_buf(progress, &line);
    if (progress->style == PROGRESS_TERMINAL && progress->phase[0] != '\0')
        draw_status_line(progress);
}

static void write_output_line(struct progress *progress)
{
    bool dim = progress->style == PROGRESS_TERMINAL && progress->terminal.has_color;
    RH_CLEANUP_BUF struct buf line;
    rh_buf_init(&line, 2 * OUTPUT_LINE_BYTES);
    clear_status_line(progress, &line);
    rh_buf_add_str(&line, dim ? "  \x1b[2m" : "  ");
    add_printable(&line, rh_buf_text(&progress->output));
    rh_buf_add_str(&line, dim ? "\x1b[0m\n" : "\n");
    write_buf(progress, &line);
    rh_buf_clear(&progress->output);
}

void rh_progress_output(struct progress *progress, struct text bytes)
{
    if (progress == NULL || progress->style == PROGRESS_NONE)
        return;
    bool has_written = false;
    for (size_t i = 0; i < bytes.len; i++) {
        char c = bytes.data[i];
        if (c == '\r')
            continue;
        if (c != '\n')
            rh_buf_add_char(&progress->output, c);
        if (c == '\n' || progress->output.len == OUTPUT_LINE_BYTES) {
            write_output_line(progress);
            has_written = true;
        }
    }
    if (has_written && progress->style == PROGRESS_TERMINAL && progress->phase[0] != '\0')
        draw_status_line(progress);
}

void rh_progress_end(struct progress *progress)
{
    if (progress == NULL || progress->style == PROGRESS_NONE)
        return;
    end_phase(progress);
}
