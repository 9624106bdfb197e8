/*
 * One message of a server's log, whatever form it was written in, and what hands them out: the
 * parsers of stderr logs, csvlog and jsonlog. Texts live until the next record.
 */
#ifndef RH_WORKLOAD_LOG_RECORD_H
#define RH_WORKLOAD_LOG_RECORD_H

#include "base/err.h"
#include "base/text.h"

/* One message: a statement with its parameters. Longer ones are cut, and counted. */
#define LOG_MESSAGE_BYTES_MAX ((size_t)16 * 1024 * 1024)

struct log_record {
    int64_t at_us; /* since 1970 */
    bool has_time;
    const char *session; /* of log_line_prefix %c, else the pid; "" */
    const char *user, *database, *application_name;
    const char *severity; /* "LOG", "ERROR" */
    const char *sqlstate; /* "" when the log has none */
    struct text message, detail, statement;
};

enum log_form { LOG_STDERR, LOG_CSV, LOG_JSON };

/*
 * Microseconds since 1970 of "2026-11-20 10:49:12.123 UTC", with or without fraction; +HH, -HH:MM
 * and UTC, GMT, Z are known, of other zones the time is taken as UTC's. False: it is none.
 */
bool rh_log_time(struct text text, int64_t *ret_at_us, size_t *ret_len);

/* Fills the record from one CSV row (log_destination csvlog: 23 to 26 columns). */
bool rh_log_csv_record(struct arena *arena, struct text row, struct log_record *ret_record);
/* Takes what stands between two quotes, of which doubled ones are one, off the front of *rest, which
   begins with a quote. False: it is not closed; the value is what there is. */
bool rh_log_quoted(struct arena *arena, struct text *rest, char quote, struct text *ret_value);
/* Takes a field, and the comma behind it, off the front of a row. */
struct text rh_log_csv_field(struct arena *arena, struct text *rest);
/* Whether the text ends within quotes: the row goes on in the next line. */
bool rh_log_csv_is_open(struct text row);
bool rh_log_json_record(struct arena *arena, struct text line, struct log_record *ret_record);

/* A log_line_prefix, ready to be matched. */
struct log_prefix;
/* NULL: no escape in it tells a time, or it is too long. */
const struct log_prefix *rh_log_prefix(struct arena *arena, const char *prefix);
/*
 * Matches a line against the prefix; what it tells goes into the record (user and the like where
 * they are not empty). *ret_rest begins with the severity. False: the line continues another.
 */
bool rh_log_prefix_match(const struct log_prefix *prefix, struct arena *arena, struct text line,
                         struct log_record *ret_record, struct text *ret_rest);
/* "LOG:  message": the severity, and what follows. False: it is none the server writes. */
bool rh_log_severity(struct text rest, const char **ret_severity, struct text *ret_message);
/* The prefixes people use, most telling first; NULL-terminated. */
extern const char *const rh_log_prefixes[];

#endif
