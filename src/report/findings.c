#include "report/report_int.h"

#include <string.h>

/* A note is its title. */
#define INFO_LINES_MAX 3

/* A place cut shorter than this names nothing. */
#define PLACE_COLUMNS_MIN ((size_t)12)

#define LABEL_WHY "  why   "
#define LABEL_FIX "  fix   "
#define LABEL_ALSO "  also  "
#define INDENT_SQL "        "

enum section { SECTION_TITLE, SECTION_WHY, SECTION_FIX, SECTION_SQL, SECTION_ALSO, SECTION_COUNT };

static const char *mark_of(const struct layout *layout, enum severity severity,
                           enum style *ret_style)
{
    switch (severity) {
    case SEVERITY_ERROR:
        *ret_style = STYLE_BAD;
        return layout->glyphs->bad;
    case SEVERITY_WARNING:
        *ret_style = STYLE_WARNING;
        return layout->glyphs->warning;
    case SEVERITY_INFO:
        *ret_style = STYLE_DIM;
        return layout->glyphs->note;
    }
    *ret_style = STYLE_PLAIN;
    return layout->glyphs->note;
}

const char *rh_report_place(const struct layout *layout, const struct finding *finding)
{
    if (finding->step && finding->line > 0)
        return rh_arena_printf(layout->arena, "%s:%d", finding->step, finding->line);
    if (finding->statement > 0)
        return rh_arena_printf(layout->arena, "statement %d", finding->statement);
    return finding->step ? finding->step : "";
}

/* How many lines of each section fit in `budget`, the header not counted. */
static void allot(const struct layout_lines *sections, size_t budget, size_t *allotted)
{
    /* First what a reader needs of each section, then the rest in the order it is missed. */
    static const size_t least[SECTION_COUNT] = {[SECTION_TITLE] = 2,
                                                [SECTION_WHY] = 2,
                                                [SECTION_FIX] = 1,
                                                [SECTION_SQL] = 2,
                                                [SECTION_ALSO] = 1};
    static const enum section order[] = {SECTION_FIX, SECTION_SQL, SECTION_WHY, SECTION_ALSO,
                                         SECTION_TITLE};
    for (size_t s = 0; s < SECTION_COUNT; s++) {
        allotted[s] = sections[s].count < least[s] ? sections[s].count : least[s];
        if (allotted[s] > budget)
            allotted[s] = budget;
        budget -= allotted[s];
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        size_t wanted = sections[order[i]].count - allotted[order[i]];
        size_t given = wanted < budget ? wanted : budget;
        allotted[order[i]] += given;
        budget -= given;
    }
}

/* The last line of a section that was cut says so. */
static const char *cut_line(const struct layout *layout, enum section section, const char *line,
                            bool is_first)
{
    if (section == SECTION_SQL)
        return rh_layout_one_line(layout,
                                  is_first ? "-- the SQL: advice_sql in result.json"
                                           : "-- the rest: advice_sql in result.json",
                                  layout->columns - strlen(INDENT_SQL));
    size_t indent = strspn(line, " ");
    const char *body = rh_arena_printf(layout->arena, "%s%s", line + indent,
                                       layout->glyphs->ellipsis);
    return rh_arena_printf(layout->arena, "%.*s%s", (int)indent, line,
                           rh_layout_one_line(layout, body, layout->columns - indent));
}

/* SQL that does not fit is cut between statements: what is shown runs as it is shown. */
static size_t allot_statements(const struct layout_lines *lines, size_t allotted)
{
    if (allotted == 0 || allotted >= lines->count)
        return allotted;
    size_t shown = allotted - 1; /* and the line that tells where the rest is */
    while (shown > 0 && !lines->items[shown - 1].may_end)
        shown--;
    return shown + 1;
}

static void add_section(const struct layout *layout, enum section section,
                        const struct layout_lines *lines, size_t allotted)
{
    for (size_t i = 0; i < allotted; i++) {
        const char *text = lines->items[i].text;
        if (i + 1 == allotted && allotted < lines->count && section != SECTION_ALSO) {
            text = cut_line(layout, section, text, i == 0);
            if (section == SECTION_SQL)
                rh_buf_add_str(layout->out, INDENT_SQL);
        }
        rh_layout_add(layout, lines->items[i].style, text);
        rh_layout_end_line(layout);
    }
}

/* The line number is what is looked for: the name gives way. */
static const char *cut_place(const struct layout *layout, const char *place, size_t columns)
{
    const char *number = strrchr(place, ':');
    if (!number || rh_layout_width(place) <= columns)
        return rh_layout_one_line(layout, place, columns);
    const char *name = rh_arena_strndup(layout->arena, place, (size_t)(number - place));
    return rh_arena_printf(layout->arena, "%s%s",
                           rh_layout_one_line(layout, name, columns - strlen(number)), number);
}

/* Where a statement has no line its first words tell which one it was. */
static const char *place_of(const struct layout *layout, const struct result *result,
                            const struct finding *finding, size_t columns)
{
    const char *place = rh_report_place(layout, finding);
    if (finding->line > 0 || finding->statement < 1 ||
        (size_t)finding->statement > result->trace->statements.count)
        return cut_place(layout, place, columns);
    const struct statement *statement = &result->trace->statements.items[finding->statement - 1];
    if (statement->index != finding->statement || !statement->sql)
        return cut_place(layout, place, columns);
    place = rh_arena_printf(layout->arena, "%s: %s", place, rh_report_first_words(statement->sql));
    return rh_layout_one_line(layout, place, columns);
}

static void add_header(const struct layout *layout, const struct result *result,
                       const struct finding *finding)
{
    enum style style;
    const char *mark = mark_of(layout, finding->severity, &style);
    const char *word = rh_severity_name(finding->severity);
    const char *head = rh_arena_printf(layout->arena, "%s %s", mark, word);
    rh_layout_add(layout, style, head);
    rh_layout_add(layout, STYLE_PLAIN, "  ");
    size_t used = rh_layout_width(head) + 2;
    const char *rule = rh_layout_one_line(layout, finding->rule, layout->columns - used);
    rh_layout_add(layout, STYLE_BOLD, rule);
    used += rh_layout_width(rule) + 2;
    if (used + PLACE_COLUMNS_MIN <= layout->columns) {
        const char *place = place_of(layout, result, finding, layout->columns - used);
        rh_layout_add(layout, STYLE_PLAIN, place[0] ? "  " : "");
        rh_layout_add(layout, STYLE_PLAIN, place);
    }
    rh_layout_end_line(layout);
}

/* `others` are those of the same rule that share this one's lines. */
static void add_finding(const struct layout *layout, const struct result *result,
                        const struct finding *finding, const struct finding *const *others,
                        size_t other_count, enum report_detail detail)
{
    struct layout_lines sections[SECTION_COUNT] = {0};
    bool is_info = finding->severity == SEVERITY_INFO && detail != REPORT_VERBOSE;
    const char *title = is_info && other_count > 0
                            ? rh_arena_printf(layout->arena, "%s (and %zu more like it)",
                                              finding->title, other_count)
                            : finding->title;
    rh_layout_wrap(layout, &sections[SECTION_TITLE], STYLE_BOLD, "  ", title);
    if (!is_info) {
        if (finding->why)
            rh_layout_wrap(layout, &sections[SECTION_WHY], STYLE_PLAIN, LABEL_WHY, finding->why);
        if (finding->advice)
            rh_layout_wrap(layout, &sections[SECTION_FIX], STYLE_PLAIN, LABEL_FIX, finding->advice);
        if (finding->advice_sql)
            rh_layout_wrap_sql(layout, &sections[SECTION_SQL], INDENT_SQL, finding->advice_sql);
        /* One line each, so that the number of those left out can be told. */
        for (size_t i = 0; i < other_count; i++) {
            const char *place = rh_report_place(layout, others[i]);
            const char *text = rh_arena_printf(layout->arena, "%s%s%s", place, place[0] ? ": " : "",
                                               others[i]->title);
            struct layout_line *line = RH_PUSH(layout->arena, &sections[SECTION_ALSO]);
            line->style = STYLE_PLAIN;
            line->text = rh_arena_printf(
                layout->arena, "%s%s", LABEL_ALSO,
                rh_layout_one_line(layout, text, layout->columns - strlen(LABEL_ALSO)));
        }
    }
    size_t budget = is_info ? INFO_LINES_MAX : FINDING_LINES_MAX;
    size_t allotted[SECTION_COUNT];
    allot(sections, budget - 1, allotted);
    size_t also = allotted[SECTION_ALSO];
    if (also > 0 && also < other_count)
        sections[SECTION_ALSO].items[also - 1].text = rh_arena_printf(
            layout->arena, "%s%zu more in result.json", LABEL_ALSO, other_count - also + 1);
    allotted[SECTION_SQL] = allot_statements(&sections[SECTION_SQL], allotted[SECTION_SQL]);
    add_header(layout, result, finding);
    for (size_t s = 0; s < SECTION_COUNT; s++)
        add_section(layout, (enum section)s, &sections[s], allotted[s]);
    rh_buf_add_char(layout->out, '\n');
}

/* Rows of its own, and a repair: each is told in full. */
static bool has_own_rows(const struct finding *finding)
{
    return finding->evidence && json_object_get(finding->evidence, "sample_keys");
}

void rh_report_findings(const struct layout *layout, const struct result *result,
                        enum report_detail detail)
{
    size_t count = result->findings.count;
    const struct finding *items = result->findings.items;
    bool *is_told = rh_arena_alloc_array(layout->arena, count + 1, sizeof(bool));
    const struct finding **others = rh_arena_alloc_array(layout->arena, count + 1,
                                                         sizeof(struct finding *));
    for (size_t i = 0; i < count; i++) {
        if (is_told[i])
            continue;
        size_t other_count = 0;
        for (size_t j = i + 1; j < count && detail != REPORT_VERBOSE; j++) {
            if (items[j].severity != items[i].severity ||
                strcmp(items[j].rule, items[i].rule) != 0 || has_own_rows(&items[j]))
                continue;
            is_told[j] = true;
            others[other_count++] = &items[j];
        }
        add_finding(layout, result, &items[i], others, other_count, detail);
    }
}
