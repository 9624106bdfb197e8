#include "base/err.h"

#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Frames of the stack that rh_panic shows: enough to reach main from the deepest module. */
#define PANIC_FRAMES 64

static void set_message(struct err *err, enum err_code code, const char *fmt, va_list args)
    RH_PRINTF(3, 0);

static void set_message(struct err *err, enum err_code code, const char *fmt, va_list args)
{
    /* Formatted aside: arguments may point into *err itself (an error that wraps another). */
    char message[sizeof err->message];
    vsnprintf(message, sizeof message, fmt, args);
    for (char *c = message; *c != '\0'; c++) {
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    }
    memset(err, 0, sizeof *err);
    err->code = code;
    memcpy(err->message, message, strlen(message) + 1);
}

enum err_code rh_err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    RH_ASSERT(code != RH_OK);
    va_list args;
    va_start(args, fmt);
    set_message(err, code, fmt, args);
    va_end(args);
    return code;
}

enum err_code rh_err_set_errno(struct err *err, int errno_value, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set_message(err, RH_ERR_IO, fmt, args);
    va_end(args);
    err->errno_value = errno_value;

    char reason[128];
    /* The GNU variant: returns the text, which may or may not lie in the buffer. */
    const char *text = strerror_r(errno_value, reason, sizeof reason);
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", text);
    return RH_ERR_IO;
}

void rh_err_detail(struct err *err, const char *fmt, ...)
{
    char text[sizeof err->detail];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->detail, text, strlen(text) + 1);
}

void rh_err_hint(struct err *err, const char *fmt, ...)
{
    char text[sizeof err->hint];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    memcpy(err->hint, text, strlen(text) + 1);
}

void rh_err_while(struct err *err, const char *fmt, ...)
{
    if (err->context_count == RH_ERR_CONTEXTS)
        return;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->context[err->context_count], sizeof err->context[0], fmt, args);
    va_end(args);
    err->context_count++;
}

const char *rh_err_code_name(enum err_code code)
{
    switch (code) {
#define X(symbol, name, status) \
    case symbol:                \
        return name;
        RH_ERR_LIST(X)
#undef X
    }
    return "unknown";
}

int rh_err_exit_status(enum err_code code)
{
    switch (code) {
#define X(symbol, name, status) \
    case symbol:                \
        return status;
        RH_ERR_LIST(X)
#undef X
    }
    return 1;
}

/* Appends at *wanted and counts on beyond the end, as snprintf does. */
static void append(char *out, size_t out_size, size_t *wanted, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (*wanted + 1 < out_size)
            out[*wanted] = text[i];
        (*wanted)++;
    }
}

/* A label, then the text with every further line indented below it. */
static void append_lines(char *out, size_t out_size, size_t *wanted, const char *label,
                         const char *text)
{
    append(out, out_size, wanted, label, strlen(label));
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        append(out, out_size, wanted, text, len);
        append(out, out_size, wanted, "\n", 1);
        text += len;
        if (*text == '\n')
            text++;
        if (*text != '\0')
            append(out, out_size, wanted, "  ", 2);
    }
}

size_t rh_err_format(const struct err *err, char *out, size_t out_size)
{
    size_t wanted = 0;
    append_lines(out, out_size, &wanted,
                 "error: ", err->message[0] != '\0' ? err->message : rh_err_code_name(err->code));
    if (err->sqlstate[0] != '\0')
        append_lines(out, out_size, &wanted, "  SQLSTATE ", err->sqlstate);
    if (err->detail[0] != '\0')
        append_lines(out, out_size, &wanted, "  ", err->detail);
    for (unsigned i = 0; i < err->context_count; i++)
        append_lines(out, out_size, &wanted, "  ", err->context[i]);
    if (err->hint[0] != '\0')
        append_lines(out, out_size, &wanted, "hint: ", err->hint);
    if (out_size > 0)
        out[wanted < out_size ? wanted : out_size - 1] = '\0';
    return wanted;
}

_Noreturn void rh_panic(const char *file, int line, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    fprintf(stderr,
            "rehearse %s: internal error at %s:%d: %s\n"
            "This is a defect of rehearse. Please report it with the lines below.\n",
            REHEARSE_VERSION, file, line, text);
    fflush(stderr);

    void *frames[PANIC_FRAMES];
    int count = backtrace(frames, PANIC_FRAMES);
    backtrace_symbols_fd(frames, count, STDERR_FILENO);
    abort();
}
