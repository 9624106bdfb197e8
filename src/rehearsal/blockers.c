#include "rehearsal/blockers.h"

#include "base/interrupt.h"
#include "net/loop.h"
#include "rehearsal/unique_keys.h"
#include "trace/perform.h"
#include "trace/second_pass.h"

/* It may take so much of the time that is left for the run: one part in so many. */
#define TIME_SHARE 2

static enum err_code perform(struct rehearsal *rehearsal, struct sandbox *clone, struct loop *loop,
                             struct blockers *ret_blockers, struct err *err)
{
    const struct rehearsal_options *options = rehearsal->options;
    const struct performance_options performance_options = {
        .sandbox = clone,
        .engine = options->sandbox.engine,
        .migration = &rehearsal->migration,
        .environment = options->environment,
        .no_isolation = options->no_isolation,
        .loop = loop,
    };
    const struct second_pass_options pass_options = {
        .engine = options->sandbox.engine,
        .loop = loop,
        .arena = rehearsal->arena,
        .first = &rehearsal->trace,
        .shows_values = options->show_values,
        .answer_max_us = SECOND_PASS_ANSWER_MAX_US,
    };
    struct second_pass *pass = rh_second_pass_new(&pass_options);
    const struct audience audience = rh_second_pass_audience(pass);
    struct performance performance;
    enum err_code code = rh_perform(&performance_options, &audience, rehearsal->arena, &performance,
                                    err);
    *ret_blockers = rh_second_pass_blockers(pass, &performance);
    rh_second_pass_free(pass);
    return code;
}

enum err_code rh_blockers_find(struct rehearsal *rehearsal, struct err *err)
{
    struct blockers *blockers = &rehearsal->result.blockers;
    const struct engine *engine = rehearsal->options->sandbox.engine;
    struct sandbox *clone = NULL;
    struct err why = RH_ERR_INIT;
    RH_CLEANUP_LOOP struct loop *loop = NULL;
    if (!rh_second_pass_is_wanted(&rehearsal->trace))
        return RH_OK;
    blockers->incomplete = rh_rehearsal_why_once(rehearsal);
    blockers->looked = blockers->incomplete != NULL;
    if (blockers->looked)
        return RH_OK;
    /* The verdict stands already: what is left of --timeout is not all for this. */
    struct mono run_deadline = rh_interrupt_deadline(), now = rh_clock_mono();
    if (run_deadline.us != RH_NEVER.us)
        rh_interrupt_set_deadline(rh_clock_after(now, (run_deadline.us - now.us) / TIME_SHARE));
    enum err_code code = rh_rehearsal_clone(rehearsal, &clone, &why);
    rh_progress_phase(rehearsal->options->progress, "look for every blocker");
    if (!code)
        code = rh_loop_new(&loop, &why);
    struct unique_keys before = {0}, after = {0};
    if (!code)
        code = rh_unique_keys_read(engine, clone, rehearsal->arena, &before, &why);
    if (!code)
        code = perform(rehearsal, clone, loop, blockers, &why);
    if (!code)
        code = rh_unique_keys_read(engine, clone, rehearsal->arena, &after, &why);
    rh_unique_keys_mark(&before, &after, rehearsal->arena, blockers);
    struct err unsettled = RH_ERR_INIT;
    enum err_code settled = rh_unique_keys_settle(engine, clone, rehearsal->arena, blockers,
                                                  &unsettled);
    if (!code && settled) {
        code = settled;
        why = unsettled;
    }
    rh_sandbox_destroy(clone);
    rh_interrupt_set_deadline(run_deadline);
    if (rh_interrupt_check(err))
        return err->code;
    blockers->looked = true;
    if (code)
        blockers->incomplete = code == RH_ERR_TIMEOUT
                                   ? "its share of --timeout was over"
                                   : rh_arena_strdup(rehearsal->arena, why.message);
    return RH_OK;
}
