/*
 * What subcommands share: the list of them, standard output and standard error.
 * Everything is printed here and nowhere below.
 */
#ifndef RH_CMD_CLI_H
#define RH_CMD_CLI_H

#include "base/err.h"
#include "base/text.h"
#include "cmd/options.h"

#include <jansson.h>

/* One screen of text, help, or a report. */
#define OUTPUT_MAX_BYTES ((size_t)64 * 1024 * 1024)

extern const struct command rh_command_run;
extern const struct command rh_command_demo;
extern const struct command rh_command_snapshot_create;
extern const struct command rh_command_snapshot_import;
extern const struct command rh_command_snapshot_inspect;
extern const struct command rh_command_snapshot_prune;
extern const struct command rh_command_capture;
extern const struct command rh_command_replay;
extern const struct command rh_command_compare;
extern const struct command rh_command_workload_show;
extern const struct command rh_command_workload_export;
extern const struct command rh_command_workload_import;
extern const struct command rh_command_doctor;
extern const struct command rh_command_explain;
extern const struct command rh_command_config;
extern const struct command rh_command_help;
extern const struct command rh_command_version;

/* In the order help shows them; NULL-terminated. */
extern const struct command *const rh_commands[];
const struct command *rh_command_find(const char *name);
/* Whether commands of two words begin with it; their second words, with commas between. */
bool rh_command_is_group(const char *name, struct buf *members);
const char *rh_command_suggest(const char *name); /* NULL: nothing like it */

/* Writes to standard output; a reader that went away is no failure. */
enum err_code rh_cli_write(struct text text, struct err *err) RH_MUST_CHECK;
/* One object a line, flushed, for those who read along. */
enum err_code rh_cli_write_json(const json_t *json, struct err *err) RH_MUST_CHECK;
/* Prints the error once, on standard error; returns the exit status that goes with it. */
int rh_cli_fail(const struct err *err);
/* Writes and turns what failed into the status, else `status`. */
int rh_cli_finish(struct text text, int status);
/* The same with one object, which it takes. */
int rh_cli_finish_json(json_t *json);
/* A line on standard error. */
void rh_cli_note(const char *fmt, ...) RH_PRINTF(1, 2);

/* A core file of ours, or of a program that we start, would hold rows in clear, keys and passwords
   that pass. A limit of one byte and not of none: Linux keeps to none only for files, and pipes the
   core to what core_pattern names all the same (core(5)). */
void rh_cli_forbid_core_files(void);

/* For those who read JSON, the first line: {"format_version":"1.0","event":"start",...}. */
enum err_code rh_cli_write_json_start(struct err *err) RH_MUST_CHECK;
/* As rh_cli_fail; where they read JSON, the last line before: {"event":"error",...}. */
int rh_cli_fail_as(bool json, const struct err *err);

/* What `rehearse`, `rehearse -h` and `rehearse help` show. */
void rh_cli_overview(struct buf *out);

#endif
