#include "snapshot/create_int.h"

#include "base/interrupt.h"

static enum err_code stage(struct creation *creation, struct err *err)
{
    struct sandbox_recipe recipe = {0};
    enum err_code code;

    rh_recipe_add_snapshot(&recipe, creation->place.directory, creation->place.final,
                           creation->arena);
    code = rh_sandbox_cache_stage(creation->options->runs, &recipe, creation->certified,
                                  &creation->cache, err);
    /* Copying to another disk does not look for the user. */
    return code ? code : rh_interrupt_check(err);
}

enum err_code rh_creation_stage_sandbox(struct creation *creation, struct err *err)
{
    struct err failure = RH_ERR_INIT;
    enum err_code code;

    if (!creation->certified || !creation->options->runs)
        return RH_OK;
    code = stage(creation, &failure);
    if (code == RH_ERR_INTERRUPTED || code == RH_ERR_TIMEOUT) {
        *err = failure;
        return code;
    }
    if (code)
        rh_progress_note(creation->options->sandbox.progress, "the sandbox is not cached: %s",
                         failure.message);
    return RH_OK;
}

void rh_creation_leave_sandbox(struct creation *creation)
{
    if (creation->cache)
        rh_sandbox_cache_name(creation->cache, creation->certified);
}
