/* Rules on the user's own checks: what they said before the migration and what after it. */
#include "judge/judge_int.h"

#include <string.h>

static const char *say_place(struct arena *arena, const struct check *check)
{
    return rh_arena_printf(arena, "%s:%d", check->file, check->line);
}

static void put_output(struct arena *arena, struct found *found, const char *when,
                       const struct check *check, const struct check_output *output)
{
    if (!output->ran) {
        rh_evidence_text(found, rh_arena_printf(arena, "problem_%s", when), output->problem);
    } else if (check->expect == CHECK_TESTS) {
        rh_evidence_count(found, rh_arena_printf(arena, "tests_failed_%s", when), output->failed);
        rh_evidence_count(found, rh_arena_printf(arena, "tests_passed_%s", when), output->passed);
    } else {
        rh_evidence_count(found, rh_arena_printf(arena, "rows_%s", when), output->row_count);
        if (output->number)
            rh_evidence_text(found, rh_arena_printf(arena, "number_%s", when), output->number);
    }
}

static struct found *add_check(const struct rule *rule, struct judgement *judgement,
                               enum severity severity, const struct check *check, const char *says)
{
    struct arena *arena = judgement->arena;
    struct found *found = rh_judgement_add(judgement, rule, severity, NULL, NULL);
    rh_evidence_text(found, "check", check->name);
    rh_evidence_text(found, "place", say_place(arena, check));
    rh_evidence_text(found, "expect", rh_check_expect_text(arena, check->expect, check->limit));
    put_output(arena, found, "before", check, &check->before);
    put_output(arena, found, "after", check, &check->after);
    found->finding.title = rh_arena_printf(arena, "check \"%s\" %s: %s", check->name, says,
                                           check->reason);
    return found;
}

void rh_rule_check_changed(const struct rule *rule, struct judgement *judgement)
{
    const struct checks *checks = &judgement->result->checks;
    for (size_t i = 0; i < checks->list.count; i++) {
        const struct check *check = &checks->list.items[i];
        if (check->expect != CHECK_SAME || check->outcome != CHECK_FAILED || !check->after.ran)
            continue;
        struct found *found = add_check(rule, judgement, SEVERITY_ERROR, check,
                                        "gives another result than before");
        found->finding.why = "The query was run before and after the migration, with nobody else "
                             "at work, and was expected to say the same.";
        found->finding.advice =
            check->before.columns.count != check->after.columns.count
                ? "Name the columns it is about instead of *, so that a new one is no change."
                : "If the change is meant, say so before the query: -- expect: changed. Else find "
                  "the statement that did it: the differences of the data are listed in this "
                  "report.";
    }
}

static void say_failed(struct found *found, const struct check *check)
{
    struct finding *finding = &found->finding;
    if (check->outcome == CHECK_FAILED_BEFORE) {
        finding->why = "It failed before the migration as well, so the migration is not to blame.";
        finding->advice = "Repair the data, or the check.";
    } else if (!check->after.ran) {
        finding->why = "The query could be asked before the migration, and the server refuses it "
                       "afterwards: so it will every application that sends the like.";
        finding->advice = "Keep what it reads until nobody reads it any more, or change the check "
                          "with the migration.";
    } else {
        finding->why = check->outcome == CHECK_WORSE
                           ? "It failed before the migration, and afterwards it is further from "
                             "what is expected."
                           : "Before the migration nothing was wrong with it, or it could not be "
                             "asked yet.";
        finding
            ->advice = check->expect == CHECK_TESTS
                           ? "Run the file with psql on the sandbox, which --keep leaves up: its "
                             "diagnostics say what each test found."
                           : "Run the query on the sandbox, which --keep leaves up, and look at "
                             "the rows it finds.";
    }
}

void rh_rule_check_failed(const struct rule *rule, struct judgement *judgement)
{
    const struct checks *checks = &judgement->result->checks;
    for (size_t i = 0; i < checks->list.count; i++) {
        const struct check *check = &checks->list.items[i];
        enum severity severity = SEVERITY_ERROR;
        const char *says = "fails after the migration";
        switch (check->outcome) {
        case CHECK_UNDECIDED:
        case CHECK_PASSED:
            continue;
        case CHECK_FAILED:
            if (check->expect == CHECK_SAME && check->after.ran)
                continue; /* check-changed */
            break;
        case CHECK_FAILED_BEFORE:
            severity = SEVERITY_INFO;
            says = "failed before the migration already";
            break;
        case CHECK_WORSE:
            severity = SEVERITY_WARNING;
            says = "failed before the migration, and more so after it";
            break;
        }
        say_failed(add_check(rule, judgement, severity, check, says), check);
    }
}

const char *rh_judgement_undecided_check(const struct judgement *judgement)
{
    const struct checks *checks = &judgement->result->checks;
    for (size_t i = 0; i < checks->list.count; i++) {
        const struct check *check = &checks->list.items[i];
        if (check->outcome == CHECK_UNDECIDED)
            return rh_arena_printf(judgement->arena, "check \"%s\" proves nothing: %s", check->name,
                                   check->reason);
    }
    return NULL;
}
