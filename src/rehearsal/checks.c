#include "rehearsal/checks.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "compare/compare_check.h"
#include "rehearsal/check_query.h"
#include "rehearsal/pgtap.h"
#include "rehearsal/rehearsal_int.h"
#include "sql/check_file.h"

#include <string.h>

#define CONNECT_MAX_US (30 * INT64_C(1000000))

enum err_code rh_checks_open(const char *const *paths, size_t count, struct arena *arena,
                             struct checks *ret_checks, struct err *err)
{
    struct checks checks = {0};

    for (size_t i = 0; i < count; i++) {
        struct text text;
        enum err_code code = rh_file_read(paths[i], CHECK_FILE_BYTES_MAX, arena, &text, err);
        if (!code)
            code = rh_check_file_parse(paths[i], text, arena, &checks, err);
        if (code) {
            if (code != RH_ERR_USAGE)
                rh_err_while(err, "while reading the checks of \"%s\"", paths[i]);
            return code;
        }
    }
    *ret_checks = checks;
    return RH_OK;
}

/* --- asking ------------------------------------------------------------------------------------
 */

/* The sandbox that is asked, as the migration's role; reconnects after a failure. */
struct asking {
    struct rehearsal *rehearsal;
    const struct engine *engine;
    struct connection *connection;
};

static void asking_deinit(struct asking *asking)
{
    asking->engine->close(asking->connection);
}
#define CLEANUP_ASKING __attribute__((cleanup(asking_deinit)))

static struct asking asking_of(struct rehearsal *rehearsal)
{
    return (struct asking){.rehearsal = rehearsal, .engine = rehearsal->options->sandbox.engine};
}

static enum err_code ask_once(struct asking *asking, const struct check *check,
                              struct check_output *ret_output, struct err *err)
{
    struct rehearsal *rehearsal = asking->rehearsal;

    if (!asking->connection) {
        struct connection_parameters role = rh_sandbox_migration_role(rehearsal->sandbox);
        role.application_name = "rehearse/checks";
        enum err_code code = asking->engine->connect(
            &role, rh_clock_after(rh_clock_mono(), CONNECT_MAX_US), &asking->connection, err);
        if (code)
            return code;
    }
    return rh_check_query(asking->engine, asking->connection, check,
                          rehearsal->options->show_values, rehearsal->arena, ret_output, err);
}

/* Fails only when the user or the clock ended the run. */
static enum err_code ask(struct asking *asking, const struct check *check,
                         struct check_output *ret_output, struct err *err)
{
    struct err why = RH_ERR_INIT;

    if (!ask_once(asking, check, ret_output, &why))
        return RH_OK;
    asking->engine->close(asking->connection);
    asking->connection = NULL;
    if (rh_interrupt_check(err))
        return err->code;
    *ret_output = (struct check_output){
        .planned = -1, .problem = rh_arena_strdup(asking->rehearsal->arena, why.message)};
    return RH_OK;
}

/* --- before ------------------------------------------------------------------------------------
 */

static enum err_code fail(const struct check *check, struct err *err, const char *message,
                          const char *hint)
{
    rh_err_set(err, RH_ERR_USAGE, "%s:%d:%d: check \"%s\" %s", check->file, check->line,
               check->column, check->name, message);
    rh_err_hint(err, "%s", hint);
    return RH_ERR_USAGE;
}

/* Resources, a cancelled query, a lock that was not free: no fault of the query's own (classes 53,
   54, 57, 58 and 55P03 of appendix A of the manual). */
static bool is_of_the_moment(const char *sqlstate)
{
    static const char *const classes[] = {"53", "54", "57", "58", "55P03", "40"};

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i], strlen(classes[i])) == 0)
            return true;
    return false;
}

static enum err_code look_at_problem(const struct check *check, struct arena *arena,
                                     struct err *err)
{
    const struct check_output *before = &check->before;
    bool is_relative = rh_check_expect_is_relative(check->expect);

    if (before->ran || !before->sqlstate[0] || is_of_the_moment(before->sqlstate) ||
        (before->is_missing && !is_relative))
        return RH_OK;
    const char *hint = "A check runs as the migration's role, in a read-only transaction.";
    if (before->is_missing)
        hint = rh_arena_printf(arena,
                               "\"expect: %s\" compares with the result before the migration. For "
                               "what the migration makes, expect zero, rows or a number.",
                               rh_check_expect_name(check->expect));
    return fail(check, err,
                rh_arena_printf(arena, "cannot be run before the migration: %s", before->problem),
                hint);
}

/* What gives two results while nothing happens cannot tell what the migration did. */
static enum err_code ask_again(struct asking *asking, struct check *check, struct err *err)
{
    struct check_output again = {0};
    const struct check_output *before = &check->before;
    enum err_code code = ask(asking, check, &again, err);

    if (code || !again.ran)
        return code;
    if (strcmp(before->digest, again.digest) != 0 ||
        strcmp(before->ordered_digest, again.ordered_digest) != 0)
        return fail(check, err, "gives another result each time it is run",
                    "Leave out what changes by itself: now(), random(), sequences, LIMIT without "
                    "ORDER BY.");
    return RH_OK;
}

static enum err_code run_query_before(struct asking *asking, struct check *check, struct err *err)
{
    enum err_code code = ask(asking, check, &check->before, err);

    if (!code)
        code = look_at_problem(check, asking->rehearsal->arena, err);
    if (!code && check->before.ran && rh_check_expect_is_relative(check->expect))
        code = ask_again(asking, check, err);
    return code;
}

static enum err_code run_tests_before(struct asking *asking, struct check *check, struct err *err)
{
    RH_CLEANUP_SANDBOX struct sandbox *clone = NULL;
    enum err_code code = rh_rehearsal_clone(asking->rehearsal, &clone, err);

    if (code)
        return code;
    return rh_pgtap_run(asking->engine, clone, check->file, asking->rehearsal->arena,
                        &check->before, err);
}

enum err_code rh_checks_run_before(struct rehearsal *rehearsal, struct err *err)
{
    struct checks *checks = &rehearsal->result.checks;
    CLEANUP_ASKING struct asking asking = asking_of(rehearsal);
    enum err_code code = RH_OK;

    if (checks->list.count > 0)
        rh_progress_phase(rehearsal->options->progress, "checks before");
    for (size_t i = 0; i < checks->list.count && !code; i++) {
        struct check *check = &checks->list.items[i];
        code = check->expect == CHECK_TESTS ? run_tests_before(&asking, check, err)
                                            : run_query_before(&asking, check, err);
    }
    return code;
}

/* --- after -------------------------------------------------------------------------------------
 */

/* Why nothing can be concluded from what the checks say now; NULL. */
static const char *why_not(const struct trace *trace)
{
    if (trace->server_crashed)
        return "the server did not live to be asked";
    if (trace->interrupted || trace->timed_out)
        return "the run was cut short";
    for (size_t i = 0; i < trace->steps.count; i++)
        if (!trace->steps.items[i].ok)
            return "the migration did not come to its end";
    return NULL;
}

static enum err_code run_tests_after(struct asking *asking, struct check *check, struct err *err)
{
    struct rehearsal *rehearsal = asking->rehearsal;
    struct err why = RH_ERR_INIT;

    if (!rh_pgtap_run(asking->engine, rehearsal->sandbox, check->file, rehearsal->arena,
                      &check->after, &why))
        return RH_OK;
    if (rh_interrupt_check(err))
        return err->code;
    check->after = (struct check_output){.planned = -1,
                                         .problem = rh_arena_strdup(rehearsal->arena, why.message)};
    return RH_OK;
}

enum err_code rh_checks_run_after(struct rehearsal *rehearsal, struct err *err)
{
    struct checks *checks = &rehearsal->result.checks;
    const char *reason = why_not(&rehearsal->trace);
    CLEANUP_ASKING struct asking asking = asking_of(rehearsal);
    enum err_code code = RH_OK;

    if (checks->list.count > 0 && !reason)
        rh_progress_phase(rehearsal->options->progress, "checks after");
    for (size_t i = 0; i < checks->list.count; i++) {
        struct check *check = &checks->list.items[i];
        check->after = (struct check_output){.planned = -1, .problem = reason};
        if (!reason && !code)
            code = check->expect == CHECK_TESTS ? run_tests_after(&asking, check, err)
                                                : ask(&asking, check, &check->after, err);
        if (code)
            check->after.problem = "the run was cut short";
        rh_compare_check(check, rehearsal->arena);
    }
    return code;
}
