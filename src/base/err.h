/*
 * Errors: what went wrong, where, why, and what to do.
 *
 * A fallible function returns an `enum err_code`, 0 for success, and takes a `struct err *` as its
 * last parameter, which is left untouched on success. Libraries never print and never exit: `cmd`
 * prints an error once, with rh_err_format.
 *
 * Style of texts: message in lower case, no full stop, "cannot ...", values in double quotes;
 * hint is a sentence that says what to do. Never put row values or secrets into an error.
 */
#ifndef RH_BASE_ERR_H
#define RH_BASE_ERR_H

#include <stddef.h>

/* X(symbol, name, exit status of a run that ends with it) */
#define RH_ERR_LIST(X)                                                                             \
    X(RH_OK, "ok", 0)                                                                              \
    X(RH_ERR_USAGE, "usage", 2)               /* wrong option, missing or unreadable argument */   \
    X(RH_ERR_CONFIG, "configuration", 1)      /* bad value in a configuration file */              \
    X(RH_ERR_IO, "input/output", 1)           /* a system call failed; errno_value is set */       \
    X(RH_ERR_ENVIRONMENT, "environment", 1)   /* something this machine lacks */                   \
    X(RH_ERR_CONNECTION, "connection", 1)     /* a server cannot be reached or went away */        \
    X(RH_ERR_PROTOCOL, "protocol", 1)         /* a peer broke the wire protocol */                 \
    X(RH_ERR_SERVER, "server", 1)             /* a server refused a statement of ours; sqlstate */ \
    X(RH_ERR_SYNTAX, "syntax", 1)             /* the migration does not parse */                   \
    X(RH_ERR_FORMAT, "format", 1)             /* a file is not what it should be */                \
    X(RH_ERR_LIMIT, "limit", 1)               /* a cap was reached */                              \
    X(RH_ERR_TIMEOUT, "timeout", 124)         /* a deadline passed */                              \
    X(RH_ERR_INTERRUPTED, "interrupted", 130) /* SIGINT; SIGTERM exits 143, see base/interrupt.h   \
                                               */

enum err_code {
#define X(symbol, name, status) symbol,
    RH_ERR_LIST(X)
#undef X
};

#define RH_ERR_CONTEXTS 4

struct err {
    enum err_code code;
    int errno_value;   /* 0 when no system call was at fault */
    char sqlstate[6];  /* "" when no server was at fault */
    int position;      /* 1-based character of the statement at fault; 0: unknown */
    char message[768]; /* one line */
    char detail[1024]; /* may hold several lines, "" for none */
    char hint[512];    /* "" for none */
    char context[RH_ERR_CONTEXTS][160]; /* innermost first: "while restoring \"x.dump\"" */
    unsigned context_count;
};

#define RH_ERR_INIT \
    {               \
        0           \
    }
#define RH_MUST_CHECK __attribute__((warn_unused_result))
#define RH_PRINTF(fmt_index, first) __attribute__((format(printf, fmt_index, first)))

/* Fills *err (resets it first) and returns `code`, so that callers can `return rh_err_set(...)`. */
enum err_code rh_err_set(struct err *err, enum err_code code, const char *fmt, ...) RH_PRINTF(3, 4);

/* As rh_err_set with RH_ERR_IO, appending ": strerror(errno_value)" to the message. */
enum err_code rh_err_set_errno(struct err *err, int errno_value, const char *fmt, ...)
    RH_PRINTF(3, 4);

/* Add to an error that is already set. rh_err_while adds a context line (the fifth is dropped). */
void rh_err_detail(struct err *err, const char *fmt, ...) RH_PRINTF(2, 3);
void rh_err_hint(struct err *err, const char *fmt, ...) RH_PRINTF(2, 3);
void rh_err_while(struct err *err, const char *fmt, ...) RH_PRINTF(2, 3);

const char *rh_err_code_name(enum err_code code);
int rh_err_exit_status(enum err_code code);

/*
 * Writes the error as a person reads it ("error: ...", detail, "hint: ...", contexts), lines ended
 * with \n, into `out`; returns the length it wanted, as snprintf does.
 */
size_t rh_err_format(const struct err *err, char *out, size_t out_size);

/* Reports a broken invariant of this program on stderr (version, place, stack) and aborts. */
_Noreturn void rh_panic(const char *file, int line, const char *fmt, ...) RH_PRINTF(3, 4);
#define RH_PANIC(...) rh_panic(__FILE__, __LINE__, __VA_ARGS__)
#define RH_ASSERT(condition)                              \
    do {                                                  \
        if (__builtin_expect(!(condition), 0))            \
            RH_PANIC("broken invariant: %s", #condition); \
    } while (0)

#endif
