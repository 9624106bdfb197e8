#include "replay/transformed_int.h"

#include "net/pg_codec.h"

#include <string.h>

/* --- the survey ------------------------------------------------------------------------------- */

static int64_t calls_of(const struct workload_pattern_sums *const *sums, size_t index)
{
    return sums && sums[index] ? sums[index]->calls : 0;
}

static void survey_one(struct transform_survey *survey, const struct workload_pattern *pattern,
                       size_t index, int64_t calls, struct arena *arena)
{
    struct transformation *summary = &survey->summary;
    struct sql_rewrite rewrite;
    rh_sql_rewrite(survey->transform, rh_text(pattern->query), &pattern->fingerprint, arena,
                   &rewrite);
    survey->patterns[index] = (struct transformed_pattern){
        rewrite.outcome, rh_text_dup(arena, rewrite.query), rewrite.why};
    for (size_t i = 0; i < summary->rules.count; i++) {
        summary->rules.items[i].patterns += rewrite.matched[i];
        summary->rules.items[i].calls += rewrite.matched[i] ? calls : 0;
    }
    switch (rewrite.outcome) {
    case REWRITE_NOTHING:
        return;
    case REWRITE_DONE:
        summary->patterns++;
        summary->calls += calls;
        return;
    case REWRITE_NOT_PARSED:
        summary->unparsed_patterns++;
        summary->unparsed_calls += calls;
        return;
    case REWRITE_REFUSED:
        *RH_PUSH(arena, &summary->refusals) = (struct transformation_refusal){
            .fingerprint = pattern->fingerprint,
            .query = rh_arena_strdup(arena, pattern->query),
            .why = rewrite.why,
            .calls = calls};
        return;
    }
}

/* The parameters of a pattern are its constants, too. */
static enum err_code check_replacement(const struct transform_survey *survey,
                                       const struct transform_rule *rule, const char *place,
                                       struct err *err)
{
    for (size_t i = 0; rule->kind == TRANSFORM_REPLACE && i < survey->summary.refusals.count; i++) {
        const struct transformation_refusal *refusal = &survey->summary.refusals.items[i];
        if (refusal->fingerprint == rule->fingerprint)
            return rh_err_set(err, RH_ERR_USAGE, "%s: \"%s\" cannot replace %s: %s", place,
                              rule->text, refusal->query, refusal->why);
    }
    return RH_OK;
}

static enum err_code check_rules(const struct transform_survey *survey, struct err *err)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    const char *others = "";
    size_t unmatched = 0;
    for (size_t i = 0; i < survey->summary.rules.count; i++) {
        const struct transformation_rule *rule = &survey->summary.rules.items[i];
        enum err_code code = check_replacement(survey, &survey->transform->rules.items[i],
                                               rule->place, err);
        if (code)
            return code;
        if (rule->patterns > 0)
            continue;
        if (unmatched++ == 0)
            rh_err_set(err, RH_ERR_USAGE, "%s: \"%s\" matches no query of the workload",
                       rule->place, rule->text);
        else
            others = rh_arena_printf(scratch, "%s%s%s: \"%s\" matches none, either", others,
                                     others[0] ? "\n" : "", rule->place, rule->text);
    }
    if (unmatched == 0)
        return RH_OK;
    if (others[0])
        rh_err_detail(err, "%s", others);
    rh_err_hint(err, "Names are those of the application that was recorded; \"rehearse workload "
                     "show\" lists its queries with their fingerprints.");
    return RH_ERR_USAGE;
}

enum err_code rh_transform_survey(const struct transform *transform,
                                  const struct workload_pattern *const *patterns,
                                  const struct workload_pattern_sums *const *sums, size_t count,
                                  struct arena *arena, struct transform_survey *ret_survey,
                                  struct err *err)
{
    struct transform_survey survey = {
        .transform = transform,
        .patterns = rh_arena_alloc_array(arena, count + 1, sizeof(*survey.patterns)),
        .count = count,
        .summary = {.path = transform->path, .is_old_stopped = transform->is_old_stopped},
    };
    for (size_t i = 0; i < transform->rules.count; i++) {
        const struct transform_rule *rule = &transform->rules.items[i];
        *RH_PUSH(arena, &survey.summary.rules) = (struct transformation_rule){
            .place = rh_arena_printf(arena, "%s:%zu:%zu", transform->path, rule->line,
                                     rule->column_number),
            .text = rule->text};
    }
    for (size_t i = 0; i < count; i++)
        survey_one(&survey, patterns[i], i, calls_of(sums, i), arena);
    enum err_code code = check_rules(&survey, err);
    if (!code)
        *ret_survey = survey;
    return code;
}

/* --- parameters ------------------------------------------------------------------------------- */

static bool is_dropped(const struct sql_rewrite *rewrite, size_t number)
{
    for (size_t i = 0; i < rewrite->dropped_parameters.count; i++)
        if (rewrite->dropped_parameters.items[i] == number)
            return true;
    return false;
}

static void add_u16(struct buf *out, size_t number)
{
    const unsigned char bytes[2] = {(unsigned char)(number >> 8), (unsigned char)number};
    rh_buf_add(out, bytes, 2);
}

static void put_u16(struct buf *out, size_t at, size_t number)
{
    out->data[at] = (char)(unsigned char)(number >> 8);
    out->data[at + 1] = (char)(unsigned char)number;
}

/* The end of a Parse: how many types, and each. */
static void add_types(const struct sql_rewrite *rewrite, struct text types, struct buf *out)
{
    struct pg_reader reader = {.rest = types};
    size_t count = rh_pg_read_u16(&reader), kept = 0, at = out->len;
    add_u16(out, 0);
    for (size_t i = 1; i <= count && !reader.failed; i++) {
        struct text oid = rh_pg_read_bytes(&reader, 4);
        if (reader.failed || is_dropped(rewrite, i))
            continue;
        rh_buf_add_text(out, oid);
        kept++;
    }
    put_u16(out, at, kept);
}

/* The middle of a Bind: formats (none, one for all, or one each), then values. */
static void add_values(const struct sql_rewrite *rewrite, struct text values, struct buf *out)
{
    struct pg_reader reader = {.rest = values};
    size_t formats = rh_pg_read_u16(&reader), kept = 0, at = out->len;
    add_u16(out, 0);
    for (size_t i = 1; i <= formats && !reader.failed; i++) {
        uint16_t format = rh_pg_read_u16(&reader);
        if (formats > 1 && is_dropped(rewrite, i))
            continue;
        add_u16(out, format);
        kept++;
    }
    put_u16(out, at, kept);
    size_t count = rh_pg_read_u16(&reader);
    at = out->len;
    kept = 0;
    add_u16(out, 0);
    for (size_t i = 1; i <= count && !reader.failed; i++) {
        struct text start = reader.rest;
        uint32_t len = rh_pg_read_u32(&reader);
        if (len != UINT32_MAX)
            (void)rh_pg_read_bytes(&reader, len);
        if (reader.failed || is_dropped(rewrite, i))
            continue;
        rh_buf_add(out, start.data, start.len - reader.rest.len);
        kept++;
    }
    put_u16(out, at, kept);
}

/* The end of a Bind. A driver that asks for each column's format by itself has fewer to ask for,
   or, behind a star, may not know how many: what is the same for all is said once. */
static void add_formats(const struct sql_rewrite *rewrite, struct text formats, struct buf *out)
{
    struct pg_reader reader = {.rest = formats};
    size_t count = rh_pg_read_u16(&reader), kept = 0, at = out->len;
    uint16_t first = 0;
    bool is_one = true;
    for (size_t i = 0; i < count && !reader.failed; i++) {
        uint16_t format = rh_pg_read_u16(&reader);
        first = i == 0 ? format : first;
        is_one &= format == first;
    }
    reader = (struct pg_reader){.rest = formats};
    (void)rh_pg_read_u16(&reader);
    add_u16(out, 0);
    for (size_t i = 0; i < count && !reader.failed; i++) {
        uint16_t format = rh_pg_read_u16(&reader);
        bool is_gone = is_one && i > 0;
        for (size_t n = 0; !is_one && n < rewrite->dropped_results.count; n++)
            is_gone |= rewrite->dropped_results.items[n] == i;
        if (is_gone)
            continue;
        add_u16(out, format);
        kept++;
    }
    put_u16(out, at, kept);
}

typedef void part_fn(const struct sql_rewrite *rewrite, struct text part, struct buf *out);

static struct text rewrite_part(part_fn *fn, const struct sql_rewrite *rewrite, struct text part,
                                struct arena *arena)
{
    RH_CLEANUP_BUF struct buf out;
    if (part.len < 2)
        return part;
    rh_buf_init(&out, part.len + 2);
    fn(rewrite, part, &out);
    return (struct text){rh_arena_memdup(arena, out.data, out.len), out.len};
}

struct text rh_transformed_types(const struct sql_rewrite *rewrite, struct text types,
                                 struct arena *arena)
{
    return rewrite->dropped_parameters.count > 0 ? rewrite_part(add_types, rewrite, types, arena)
                                                 : types;
}

struct text rh_transformed_values(const struct sql_rewrite *rewrite, struct text values,
                                  struct arena *arena)
{
    return rewrite->dropped_parameters.count > 0 ? rewrite_part(add_values, rewrite, values, arena)
                                                 : values;
}

struct text rh_transformed_formats(const struct sql_rewrite *rewrite, struct text formats,
                                   struct arena *arena)
{
    return rewrite_part(add_formats, rewrite, formats, arena);
}

/* --- executions ------------------------------------------------------------------------------- */

static void transform_states(const struct transform_survey *survey, struct arena *arena,
                             struct replay_sample *sample)
{
    struct sampled_state *states = rh_arena_alloc_array(arena, sample->states.count + 1,
                                                        sizeof(*states));
    for (size_t i = 0; i < sample->states.count; i++) {
        const struct sampled_state *state = &sample->states.items[i];
        states[i].user = state->user;
        for (size_t j = 0; j < state->statements.count; j++) {
            struct sql_rewrite rewrite;
            rh_sql_rewrite(survey->transform, rh_text(state->statements.items[j]), NULL, arena,
                           &rewrite);
            *RH_PUSH(arena, &states[i].statements) = rewrite.outcome == REWRITE_DONE
                                                         ? rh_text_dup(arena, rewrite.query)
                                                         : state->statements.items[j];
        }
    }
    sample->candidate_states = states;
}

/* False: it is refused, and `pattern` says why. */
static bool transform_execution(const struct transform_survey *survey, struct arena *arena,
                                struct sampled_pattern *pattern,
                                struct sampled_execution *execution)
{
    struct sql_rewrite rewrite;
    rh_sql_rewrite(survey->transform, execution->query, NULL, arena, &rewrite);
    if (rewrite.outcome == REWRITE_REFUSED) {
        pattern->cannot_be_sent++;
        pattern->why_not = rewrite.why;
        return false;
    }
    struct sampled_execution *changed = rh_arena_memdup(arena, execution, sizeof(*execution));
    changed->query = rewrite.query;
    if (!execution->is_simple) {
        changed->types = rh_transformed_types(&rewrite, execution->types, arena);
        changed->values = rh_transformed_values(&rewrite, execution->values, arena);
        changed->formats = rh_transformed_formats(&rewrite, execution->formats, arena);
    }
    execution->on_candidate = changed;
    return true;
}

void rh_transform_sample(const struct transform_survey *survey, struct arena *arena,
                         struct replay_sample *sample)
{
    transform_states(survey, arena, sample);
    for (size_t i = 0; i < sample->patterns.count; i++) {
        struct sampled_pattern *pattern = &sample->patterns.items[i];
        size_t kept = 0;
        if (survey->patterns[i].outcome != REWRITE_DONE)
            continue;
        for (size_t j = 0; j < pattern->count; j++) {
            struct sampled_execution execution = pattern->executions[j];
            if (transform_execution(survey, arena, pattern, &execution))
                pattern->executions[kept++] = execution;
        }
        pattern->count = kept;
    }
}
