#include "base/suggest.h"
#include "cmd/cli.h"
#include "cmd/help.h"
#include "judge/rules.h"

static void list_rules(struct buf *out)
{
    size_t width = 0;

    for (size_t i = 0; i < rh_rule_count; i++) {
        if (strlen(rh_rules[i].id) > width)
            width = strlen(rh_rules[i].id);
    }
    for (size_t i = 0; i < rh_rule_count; i++)
        rh_buf_printf(out, "%-*s  %s\n", (int)width, rh_rules[i].id, rh_rules[i].summary);
    rh_buf_add_str(out,
                   "\n\"rehearse explain RULE\" tells what, why, and what to write instead.\n");
}

static int unknown_rule(const char *id)
{
    struct err err = RH_ERR_INIT;
    struct suggestion suggestion = {.typed = id};

    for (size_t i = 0; i < rh_rule_count; i++)
        rh_suggest_consider(&suggestion, rh_rules[i].id);
    if (suggestion.best)
        rh_err_set(&err, RH_ERR_USAGE, "unknown rule \"%s\"; did you mean \"%s\"?", id,
                   suggestion.best);
    else
        rh_err_set(&err, RH_ERR_USAGE, "unknown rule \"%s\"", id);
    rh_err_hint(&err, "\"rehearse explain\" lists all rules.");
    return rh_cli_fail(&err);
}

static int run(const struct options *options)
{
    RH_CLEANUP_BUF struct buf out;

    rh_buf_init(&out, OUTPUT_MAX_BYTES);
    if (options->positionals.count == 0) {
        list_rules(&out);
    } else {
        const struct rule *rule = rh_rule_find(options->positionals.items[0]);

        if (!rule)
            return unknown_rule(options->positionals.items[0]);
        rh_rule_explain(rule, HELP_COLUMNS, &out);
    }
    return rh_cli_finish(rh_buf_text(&out), 0);
}

static const char *const usage[] = {"rehearse explain [RULE]", NULL};
static const char *const description[] = {
    "Tells what a rule of the report looks for, why it matters, what it looks like, and what to "
    "write "
    "instead. RULE is the name a finding carries, or the name another tool has for the same thing. "
    "Without RULE it lists all rules.",
    NULL};
static const char *const examples[] = {"rehearse explain table-rewrite", NULL};

const struct command rh_command_explain = {
    .name = "explain",
    .summary = "what a rule means and what to write instead",
    .usage = usage,
    .description = description,
    .examples = examples,
    .positional_name = "RULE",
    .positional_max = 1,
    .run = run,
};
