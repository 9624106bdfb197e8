/* The plan of a rollback, tried: on a clone behind the migration, one command after the other. */
#include "rehearsal/way_back_int.h"

#include "base/clock.h"
#include "base/interrupt.h"
#include "trace/redact.h"

/* Beyond it a command of the plan is told to end: about what a person waits for one. */
#define COMMAND_MAX_US INT64_C(600000000)

static enum err_code run_commands(struct way_back *back, struct sandbox *clone,
                                  const char **ret_failure, struct err *err)
{
    struct connection_parameters role = rh_sandbox_migration_role(clone);
    struct connection *connection = NULL;
    role.application_name = "rehearse/rollback";
    struct mono deadline = rh_clock_after(rh_clock_mono(), COMMAND_MAX_US);
    enum err_code code = back->engine->connect(&role, deadline, &connection, err);
    const struct rollback_plan *plan = &back->trip->plan;
    for (size_t i = 0; !code && !*ret_failure && i < plan->items.count; i++) {
        const char *sql = plan->items.items[i].sql;
        struct err why = RH_ERR_INIT;
        deadline = rh_clock_earlier(rh_clock_after(rh_clock_mono(), COMMAND_MAX_US),
                                    rh_interrupt_deadline());
        code = back->engine->query(connection, sql, NULL, 0, deadline, NULL, &why);
        if (code == RH_ERR_SERVER) {
            *ret_failure = rh_arena_printf(
                back->arena, "%s: %s", rh_text_one_line(back->arena, rh_text(sql), 60),
                rh_mask_message(back->arena, why.sqlstate, rh_text(why.message)));
            code = RH_OK;
        } else if (code) {
            *err = why;
        }
    }
    back->engine->close(connection);
    return code;
}

static enum err_code migrate_and_undo(struct way_back *back, struct sandbox *clone,
                                      const char **ret_failure, struct round_trip *found,
                                      struct err *err)
{
    struct states end;
    struct round_trip_states states;
    enum err_code code = rh_way_back_migrate(back, clone, 0, back->rehearsal->migration.steps.count,
                                             err);
    if (!code)
        code = run_commands(back, clone, ret_failure, err);
    if (code || *ret_failure)
        return code;
    code = rh_states_read_again(back->before, clone, back->engine, NULL, back->arena, &end, err);
    if (!code && (back->before->schema_reason || end.schema_reason))
        code = rh_err_set(err, RH_ERR_SERVER, "the schema could not be read");
    if (code)
        return code;
    rh_way_back_compare(back, back->before, &end, &states);
    rh_compare_round_trip(&states, false, back->arena, found);
    return RH_OK;
}

static void conclude(struct way_back *back, const char *failure, const struct round_trip *found)
{
    struct rollback_plan *plan = &back->trip->plan;
    enum round_trip_verdict verdict = rh_round_trip_verdict_of(found);
    plan->was_tried = true;
    if (failure) {
        plan->outcome = rh_arena_printf(back->arena, "it fails: %s", failure);
    } else if (verdict == ROUND_TRIP_LOSSLESS) {
        plan->is_proven = true;
        plan->outcome = "it brings back schema and data";
        back->trip->verdict = ROUND_TRIP_LOSSLESS;
        return;
    } else {
        plan->outcome = rh_arena_printf(back->arena, "it leaves a difference: %s",
                                        found->differences.items[0].sentence);
    }
    plan->is_complete = false;
    back->trip->reason = "no way back was given, and the plan that was written is not complete";
}

enum err_code rh_plan_trial_run(struct way_back *back, struct err *err)
{
    struct rollback_plan *plan = &back->trip->plan;
    struct round_trip found = {0};
    const char *failure = NULL;
    struct err why = RH_ERR_INIT;
    struct mono deadline;
    if (!plan->is_made) {
        back->trip->reason = "no way back was given";
        return RH_OK;
    }
    if (!plan->is_lossless || !plan->is_complete) {
        if (!plan->is_lossless)
            back->trip->verdict = ROUND_TRIP_NOT_REVERSIBLE;
        back->trip->reason = plan->is_lossless ? "no way back was given"
                                               : "no way back was given, and no command brings "
                                                 "back what is lost";
        return RH_OK;
    }
    if (plan->items.count == 0) {
        back->trip->verdict = ROUND_TRIP_LOSSLESS;
        plan->outcome = "there is nothing to undo";
        return RH_OK;
    }
    if (!rh_way_back_has_time(back, 1, &deadline)) {
        back->trip->reason = plan->outcome = "no time was left of --timeout";
        return RH_OK;
    }
    rh_interrupt_set_deadline(deadline);
    struct sandbox *clone = NULL;
    enum err_code code = rh_rehearsal_clone(back->rehearsal, &clone, &why);
    rh_progress_phase(back->rehearsal->options->progress, "try the rollback plan");
    if (!code)
        code = migrate_and_undo(back, clone, &failure, &found, &why);
    rh_sandbox_destroy(clone);
    rh_interrupt_set_deadline(back->run_deadline);
    if (code) {
        code = rh_way_back_reason(back, code, &why, &plan->outcome, err);
        back->trip->reason = plan->outcome;
        return code;
    }
    conclude(back, failure, &found);
    return RH_OK;
}
