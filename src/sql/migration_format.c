#include "sql/migration_format.h"

#include "sql/facts.h"
#include "sql/lexer.h"
#include "sql/split.h"

#include <ctype.h>
#include <strings.h>

const char *rh_migration_tool_name(enum migration_tool tool)
{
    switch (tool) {
#define X(symbol, name) \
    case symbol:        \
        return name;
        MIGRATION_TOOL_LIST(X)
#undef X
    }
    return "unknown";
}

/* --- names ---------------------------------------------------------------------------------------
 */

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t len = strlen(name), suffix_len = strlen(suffix);

    return len > suffix_len && strcmp(name + len - suffix_len, suffix) == 0;
}

/* Length of "1", "1_2", "1.2.3" at `s`, 0 when it is no version. */
static size_t version_length(const char *s)
{
    size_t len = 0;

    while (isdigit((unsigned char)s[len])) {
        while (isdigit((unsigned char)s[len]))
            len++;
        if ((s[len] == '.' || s[len] == '_') && isdigit((unsigned char)s[len + 1]))
            len++;
    }
    return len;
}

/* V1_2__name.sql, U..., B..., R__name.sql; the prefix, or 0. */
static char flyway_prefix(const char *name)
{
    const char *base = base_name(name);

    if (!ends_with(base, ".sql"))
        return 0;
    if (base[0] == 'R' && base[1] == '_' && base[2] == '_')
        return 'R';
    if (base[0] == 'V' || base[0] == 'U' || base[0] == 'B') {
        size_t len = version_length(base + 1);

        if (len > 0 && base[1 + len] == '_' && base[2 + len] == '_')
            return base[0];
    }
    return 0;
}

bool rh_migration_is_flyway_name(const char *name)
{
    return flyway_prefix(name) != 0;
}

static bool is_directory_name(const char *name)
{
    const char *base = base_name(name);

    return base != name && (strcmp(base, "up.sql") == 0 || strcmp(base, "down.sql") == 0 ||
                            strcmp(base, "migration.sql") == 0);
}

enum migration_role rh_migration_role_of_name(const char *name)
{
    switch (flyway_prefix(name)) {
    case 'V':
        return MIGRATION_UP;
    case 'U':
        return MIGRATION_DOWN;
    case 'R':
        return MIGRATION_REPEATABLE;
    case 'B':
        return MIGRATION_IGNORED;
    }
    if (ends_with(name, ".down.sql") || (is_directory_name(name) && ends_with(name, "/down.sql")))
        return MIGRATION_DOWN;
    return MIGRATION_UP;
}

char *rh_migration_down_name(const char *name, struct arena *arena)
{
    const char *base = base_name(name);
    int directory_len = (int)(base - name);

    if (ends_with(name, ".up.sql"))
        return rh_arena_printf(arena, "%.*s.down.sql", (int)(strlen(name) - strlen(".up.sql")),
                               name);
    if (flyway_prefix(name) == 'V')
        return rh_arena_printf(arena, "%.*sU%s", directory_len, name, base + 1);
    if (is_directory_name(name))
        return strcmp(base, "down.sql") == 0
                   ? NULL
                   : rh_arena_printf(arena, "%.*sdown.sql", directory_len, name);
    if (ends_with(name, ".sql") && !flyway_prefix(name) && !ends_with(name, ".down.sql"))
        return rh_arena_printf(arena, "%.*s.down.sql", (int)(strlen(name) - strlen(".sql")), name);
    return NULL;
}

/* --- order
 * ---------------------------------------------------------------------------------------- */

/* Compares digit runs of any length as numbers. */
static int compare_digits(const char *a, size_t a_len, const char *b, size_t b_len)
{
    while (a_len > 0 && *a == '0')
        a++, a_len--;
    while (b_len > 0 && *b == '0')
        b++, b_len--;
    if (a_len != b_len)
        return a_len < b_len ? -1 : 1;

    int order = memcmp(a, b, a_len);

    return order < 0 ? -1 : order > 0;
}

/* The next number of a version; advances, gives length 0 at its end. */
static size_t next_part(const char **version, size_t *left, const char **ret_digits)
{
    size_t len = 0;

    *ret_digits = *version;
    while (len < *left && isdigit((unsigned char)(*version)[len]))
        len++;

    size_t skip = len < *left ? len + 1 : len;

    *version += skip;
    *left -= skip;
    return len;
}

static int compare_versions(const char *a, size_t a_left, const char *b, size_t b_left)
{
    while (a_left > 0 || b_left > 0) {
        const char *a_digits, *b_digits;
        size_t a_len = next_part(&a, &a_left, &a_digits);
        size_t b_len = next_part(&b, &b_left, &b_digits);
        int order = compare_digits(a_digits, a_len, b_digits, b_len);

        if (order != 0)
            return order;
    }
    return 0;
}

static int compare_flyway_versions(const char *a, const char *b)
{
    const char *a_version = base_name(a) + 1, *b_version = base_name(b) + 1;

    return compare_versions(a_version, version_length(a_version), b_version,
                            version_length(b_version));
}

int rh_migration_compare(const char *a, const char *b)
{
    char a_prefix = flyway_prefix(a), b_prefix = flyway_prefix(b);
    int order = (a_prefix == 'R') - (b_prefix == 'R');

    if (order == 0 && a_prefix && b_prefix && a_prefix != 'R')
        order = compare_flyway_versions(a, b);
    if (order == 0)
        order = rh_text_natural_compare(a, b);
    return order != 0 ? order : strcmp(a, b);
}

static size_t leading_digits(const char *name)
{
    size_t len = 0;

    while (isdigit((unsigned char)name[len]))
        len++;
    return len;
}

bool rh_migration_is_same_version(const char *a, enum migration_tool tool_a, const char *b,
                                  enum migration_tool tool_b)
{
    if (tool_a != tool_b || tool_a == TOOL_PLAIN)
        return false;
    if (tool_a == TOOL_FLYWAY)
        return flyway_prefix(a) == 'V' && flyway_prefix(b) == 'V' &&
               compare_flyway_versions(a, b) == 0;

    size_t a_len = leading_digits(a), b_len = leading_digits(b);

    /* Prisma and diesel go by the directory's whole name: equal digits are legal there. */
    return tool_a != TOOL_DIRECTORY && a_len > 0 && b_len > 0 &&
           compare_digits(a, a_len, b, b_len) == 0;
}

/* --- markers in the text
 * --------------------------------------------------------------------------- */

struct line_walk {
    struct text text;
    size_t offset; /* of the next line */
    size_t number; /* of the line given last, 1-based */
};

/* Gives the line without its line end; *ret_offset is where it begins. */
static bool next_line(struct line_walk *walk, struct text *ret_line, size_t *ret_offset)
{
    if (walk->offset >= walk->text.len)
        return false;

    const char *start = walk->text.data + walk->offset;
    size_t left = walk->text.len - walk->offset;
    const char *newline = memchr(start, '\n', left);
    size_t len = newline ? (size_t)(newline - start) : left;

    *ret_offset = walk->offset;
    walk->offset += newline ? len + 1 : len;
    walk->number++;
    if (len > 0 && start[len - 1] == '\r')
        len--;
    *ret_line = (struct text){start, len};
    return true;
}

/* The words behind "-- <keyword>" in a line that begins with "--"; false when it is no such line.
 */
static bool marker_words(struct text line, const char *keyword, struct text *ret_words)
{
    size_t keyword_len = strlen(keyword);

    if (!rh_text_starts_with(line, "--"))
        return false;

    struct text rest = rh_text_trim((struct text){line.data + 2, line.len - 2});

    if (rest.len < keyword_len || strncasecmp(rest.data, keyword, keyword_len) != 0)
        return false;
    *ret_words = rh_text_trim((struct text){rest.data + keyword_len, rest.len - keyword_len});
    return true;
}

static bool words_are(struct text words, const char *expected)
{
    return words.len == strlen(expected) && strncasecmp(words.data, expected, words.len) == 0;
}

static bool has_marker(struct text text, const char *keyword)
{
    struct line_walk walk = {.text = text};
    struct text line, words;
    size_t offset;

    while (next_line(&walk, &line, &offset)) {
        if (marker_words(line, keyword, &words))
            return true;
    }
    return false;
}

static struct text text_range(struct text text, size_t from, size_t to)
{
    return (struct text){text.data + from, to - from};
}

/* Blanks and comments between two markers are no piece. */
static void add_piece(struct migration_format *format, struct arena *arena, struct text text,
                      bool is_whole)
{
    if (rh_sql_skip_blank(text, 0) < text.len)
        *RH_PUSH(arena, &format->pieces) = (struct migration_piece){text, is_whole};
}

static void add_down_piece(struct migration_format *format, struct arena *arena, struct text text,
                           bool is_whole)
{
    if (rh_sql_skip_blank(text, 0) < text.len)
        *RH_PUSH(arena, &format->down_pieces) = (struct migration_piece){text, is_whole};
}

/* What stands before the first section would run nowhere: its tool refuses the file, so do we. */
static enum err_code check_before(const char *name, struct text text, size_t end,
                                  const char *marker, struct err *err)
{
    struct text before = text_range(text, 0, end);
    size_t offset = rh_sql_skip_blank(before, 0);

    if (offset == before.len)
        return RH_OK;
    return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: a statement before \"%s\" would never run", name,
                      rh_text_position(text, offset).line, marker);
}

/* --- goose
 * ------------------------------------------------------------------------------------------ */

enum goose_place { GOOSE_BEFORE, GOOSE_UP, GOOSE_DOWN };

struct goose_parse {
    const char *name;
    struct text text;
    struct arena *arena;
    struct migration_format *format;
    enum goose_place place;
    bool seen[3], in_statement;
    size_t statement_line; /* of the open StatementBegin */
    size_t section_start, piece_start;
};

static void goose_end_piece(struct goose_parse *parse, size_t end, bool is_whole)
{
    struct text text = text_range(parse->text, parse->piece_start, end);

    if (parse->place == GOOSE_UP)
        add_piece(parse->format, parse->arena, text, is_whole);
    else if (parse->place == GOOSE_DOWN)
        add_down_piece(parse->format, parse->arena, text, is_whole);
}

static void goose_end_section(struct goose_parse *parse, size_t end)
{
    struct text section = text_range(parse->text, parse->section_start, end);

    goose_end_piece(parse, end, false);
    if (parse->place == GOOSE_UP)
        parse->format->up = section;
    else if (parse->place == GOOSE_DOWN)
        parse->format->down = section;
}

static enum err_code goose_direction(struct goose_parse *parse, enum goose_place place,
                                     const struct line_walk *walk, size_t offset, struct err *err)
{
    const char *word = place == GOOSE_UP ? "Up" : "Down";

    if (parse->in_statement)
        return rh_err_set(err, RH_ERR_USAGE,
                          "%s:%zu: \"-- +goose %s\" inside the StatementBegin of line %zu",
                          parse->name, walk->number, word, parse->statement_line);
    if (parse->seen[place])
        return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: second \"-- +goose %s\" in one file",
                          parse->name, walk->number, word);
    if (parse->place == GOOSE_BEFORE) {
        enum err_code code = check_before(parse->name, parse->text, offset, "-- +goose", err);

        if (code)
            return code;
    }
    goose_end_section(parse, offset);
    parse->seen[place] = true;
    parse->place = place;
    parse->section_start = parse->piece_start = walk->offset;
    return RH_OK;
}

static enum err_code goose_statement(struct goose_parse *parse, bool begins,
                                     const struct line_walk *walk, size_t offset, struct err *err)
{
    if (begins == parse->in_statement)
        return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: \"-- +goose Statement%s\" without its %s",
                          parse->name, walk->number, begins ? "Begin" : "End",
                          begins ? "StatementEnd before" : "StatementBegin");
    goose_end_piece(parse, offset, !begins);
    parse->in_statement = begins;
    parse->statement_line = walk->number;
    parse->piece_start = walk->offset;
    return RH_OK;
}

static enum err_code goose_marker(struct goose_parse *parse, struct text words,
                                  const struct line_walk *walk, size_t offset, struct err *err)
{
    if (words_are(words, "Up"))
        return goose_direction(parse, GOOSE_UP, walk, offset, err);
    if (words_are(words, "Down"))
        return goose_direction(parse, GOOSE_DOWN, walk, offset, err);
    if (words_are(words, "StatementBegin"))
        return goose_statement(parse, true, walk, offset, err);
    if (words_are(words, "StatementEnd"))
        return goose_statement(parse, false, walk, offset, err);
    if (words_are(words, "NO TRANSACTION")) {
        parse->format->no_transaction = true;
        return RH_OK;
    }
    if (words_are(words, "ENVSUB ON")) {
        *RH_PUSH(parse->arena, &parse->format->notes) = rh_arena_printf(
            parse->arena,
            "%s asks goose to replace environment variables (line %zu): that is not done here",
            parse->name, walk->number);
        return RH_OK;
    }
    if (words_are(words, "ENVSUB OFF"))
        return RH_OK;
    return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: unknown goose annotation \"%.*s\"", parse->name,
                      walk->number, (int)(words.len < 60 ? words.len : 60), words.data);
}

/* The last word of a line before a comment ends with a semicolon: there goose ends a statement. */
static bool goose_cuts_behind(struct text line)
{
    size_t end = line.len;

    for (size_t i = 0; i + 1 < line.len; i++) {
        bool starts_word = i == 0 || isspace((unsigned char)line.data[i - 1]);

        if (starts_word && line.data[i] == '-' && line.data[i + 1] == '-') {
            end = i;
            break;
        }
    }
    return rh_text_ends_with(rh_text_trim((struct text){line.data, end}), ";");
}

/*
 * goose knows no dollar quotes: outside StatementBegin it ends a statement at every line that ends
 * with a semicolon, so a function body breaks there. We send the statement whole, and say so.
 */
static void note_goose_cuts(struct goose_parse *parse)
{
    struct arena *scratch = rh_arena_new();

    for (size_t p = 0; p < parse->format->pieces.count; p++) {
        const struct migration_piece *piece = &parse->format->pieces.items[p];
        struct sql_script script = {0};

        if (!piece->is_whole)
            rh_sql_split(piece->text, scratch, &script);
        for (size_t i = 0; i < script.statements.count; i++) {
            struct text sql = script.statements.items[i].text, line;
            struct line_walk walk = {.text = sql};
            size_t offset;

            while (next_line(&walk, &line, &offset) && walk.offset < sql.len) {
                if (!goose_cuts_behind(line))
                    continue;
                offset += (size_t)(sql.data - parse->text.data);
                *RH_PUSH(parse->arena, &parse->format->notes) = rh_arena_printf(
                    parse->arena,
                    "goose itself would cut a statement of %s behind line %zu: put it between "
                    "\"-- +goose StatementBegin\" and \"-- +goose StatementEnd\"",
                    parse->name, rh_text_position(parse->text, offset).line);
                break;
            }
        }
    }
    rh_arena_free(scratch);
}

static enum err_code parse_goose(const char *name, struct text text, struct arena *arena,
                                 struct migration_format *format, struct err *err)
{
    struct goose_parse parse = {.name = name, .text = text, .arena = arena, .format = format};
    struct line_walk walk = {.text = text};
    struct text line, words;
    size_t offset;

    format->tool = TOOL_GOOSE;
    while (next_line(&walk, &line, &offset)) {
        if (!marker_words(line, "+goose", &words))
            continue;

        enum err_code code = goose_marker(&parse, words, &walk, offset, err);

        if (code)
            return code;
    }
    if (parse.in_statement)
        return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: \"-- +goose StatementBegin\" is never ended",
                          name, parse.statement_line);
    if (!parse.seen[GOOSE_UP])
        return rh_err_set(err, RH_ERR_USAGE, "%s has goose annotations but no \"-- +goose Up\"",
                          name);
    goose_end_section(&parse, text.len);
    note_goose_cuts(&parse);
    format->tool_transaction = format->down_tool_transaction = !format->no_transaction;
    return RH_OK;
}

/* --- dbmate
 * ----------------------------------------------------------------------------------------- */

static enum err_code parse_dbmate(const char *name, struct text text, struct arena *arena,
                                  struct migration_format *format, struct err *err)
{
    struct line_walk walk = {.text = text};
    size_t offset, up_start = 0, up_end = text.len, down_start = 0;
    bool has_up = false, has_down = false;
    struct text line, words;

    format->tool = TOOL_DBMATE;
    while (next_line(&walk, &line, &offset)) {
        bool is_up = marker_words(line, "migrate:up", &words);

        if (!is_up && !marker_words(line, "migrate:down", &words))
            continue;
        if (is_up ? has_up : has_down)
            return rh_err_set(err, RH_ERR_USAGE, "%s:%zu: second \"-- migrate:%s\" in one file",
                              name, walk.number, is_up ? "up" : "down");
        bool no_transaction = memmem(words.data, words.len, "transaction:false",
                                     strlen("transaction:false")) != NULL;

        if (!is_up) {
            has_down = true;
            up_end = offset;
            down_start = walk.offset;
            format->down_tool_transaction = !no_transaction;
            continue;
        }
        if (has_down)
            return rh_err_set(err, RH_ERR_USAGE,
                              "%s:%zu: \"-- migrate:up\" behind \"-- migrate:down\"", name,
                              walk.number);
        enum err_code code = check_before(name, text, offset, "-- migrate:up", err);

        if (code)
            return code;
        has_up = true;
        up_start = walk.offset;
        format->no_transaction = no_transaction;
    }
    if (!has_up)
        return rh_err_set(err, RH_ERR_USAGE, "%s has no \"-- migrate:up\"", name);
    if (has_down) {
        format->down = text_range(text, down_start, text.len);
        add_down_piece(format, arena, format->down, !format->down_tool_transaction);
    }
    format->up = text_range(text, up_start, up_end);
    format->tool_transaction = !format->no_transaction;
    /* dbmate sends the section as one string: without its transaction that is an implicit one. */
    add_piece(format, arena, format->up, format->no_transaction);
    return RH_OK;
}

/* --- tools without sections
 * --------------------------------------------------------------------------- */

struct script_facts {
    size_t statements;
    bool controls_transactions;
    size_t forbidding; /* statements that no transaction may hold */
};

static struct script_facts gather_facts(struct text text)
{
    struct script_facts facts = {0};
    struct arena *scratch = rh_arena_new();
    struct sql_script script;

    rh_sql_split(text, scratch, &script);
    facts.statements = script.statements.count;
    for (size_t i = 0; i < script.statements.count; i++) {
        struct text sql = script.statements.items[i].text;
        struct sql_facts statement;

        rh_sql_facts_of_words(sql, scratch, &statement);
        facts.controls_transactions |= statement.opens_transaction || statement.ends_transaction;
        facts.forbidding += statement.forbids_transaction;
    }
    rh_arena_free(scratch);
    return facts;
}

/*
 * golang-migrate sends the file as one string (an implicit transaction when it holds several
 * statements), sqlx sends it as one string inside a transaction unless its first line says not to:
 * either way several statements are one transaction, and a single one may be alone.
 */
static void parse_up_down(struct text text, struct arena *arena, struct migration_format *format)
{
    struct line_walk walk = {.text = text};
    struct text line;
    size_t offset;
    struct script_facts facts = gather_facts(text);

    format->tool = TOOL_UP_DOWN;
    if (next_line(&walk, &line, &offset) && rh_text_starts_with(line, "-- no-transaction"))
        format->no_transaction = true;
    format->tool_transaction = !format->no_transaction && facts.statements > 1 &&
                               !facts.controls_transactions;
    add_piece(format, arena, text, format->no_transaction);
}

static void parse_flyway(const char *name, struct text text, struct arena *arena,
                         struct migration_format *format)
{
    struct script_facts facts = gather_facts(text);

    format->tool = TOOL_FLYWAY;
    format->tool_transaction = facts.forbidding == 0 && !facts.controls_transactions;
    if (facts.forbidding > 0 && facts.forbidding < facts.statements)
        *RH_PUSH(arena, &format->notes) = rh_arena_printf(
            arena,
            "%s mixes statements that need a transaction with %zu that forbid one: Flyway refuses "
            "that unless \"mixed\" is set; here each runs on its own",
            name, facts.forbidding);
    if (memmem(text.data, text.len, "${", 2))
        *RH_PUSH(arena, &format->notes) = rh_arena_printf(
            arena,
            "%s seems to hold Flyway placeholders (${...}): they are sent "
            "as they are",
            name);
    add_piece(format, arena, text, false);
}

/* Prisma sends migration.sql, and diesel up.sql, as one string; diesel in a transaction of its own.
 */
static void parse_directory(struct text text, struct arena *arena, struct migration_format *format)
{
    struct script_facts facts = gather_facts(text);

    format->tool = TOOL_DIRECTORY;
    format->tool_transaction = facts.statements > 1 && !facts.controls_transactions;
    add_piece(format, arena, text, false);
}

enum err_code rh_migration_format(const char *name, struct text text, struct arena *arena,
                                  struct migration_format *ret_format, struct err *err)
{
    struct migration_format format = {.role = rh_migration_role_of_name(name), .up = text};
    enum err_code code = RH_OK;

    if (has_marker(text, "+goose"))
        code = parse_goose(name, text, arena, &format, err);
    else if (has_marker(text, "migrate:up"))
        code = parse_dbmate(name, text, arena, &format, err);
    else if (flyway_prefix(name))
        parse_flyway(name, text, arena, &format);
    else if (ends_with(name, ".up.sql") || ends_with(name, ".down.sql"))
        parse_up_down(text, arena, &format);
    else if (is_directory_name(name))
        parse_directory(text, arena, &format);
    else
        add_piece(&format, arena, text, false);
    if (code)
        return code;
    *ret_format = format;
    return RH_OK;
}
