/* A plan as a masking.yaml: every column with its rule, and why, ready to be changed. */
#include "mask/masking_int.h"

/* Plain where YAML takes it for the text that it is. */
static bool is_plain(const char *text)
{
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};

    for (const char *s = text; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || *s == '_' ||
              (s > text && ((*s >= '0' && *s <= '9') || *s == '.' || *s == '-'))))
            return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i], text) == 0)
            return false;
    return text[0] != '\0';
}

static void add_scalar(struct buf *out, const char *text)
{
    if (is_plain(text)) {
        rh_buf_add_str(out, text);
        return;
    }
    rh_buf_add_char(out, '"');
    for (const char *s = text; *s; s++) {
        if (*s == '"' || *s == '\\')
            rh_buf_printf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20 || *s == 0x7f)
            rh_buf_printf(out, "\\x%02x", (unsigned)*s);
        else
            rh_buf_add_char(out, *s);
    }
    rh_buf_add_char(out, '"');
}

/* In a comment: on one line, whatever a name holds. */
static void add_comment(struct buf *out, const char *text)
{
    for (const char *s = text; *s; s++)
        rh_buf_add_char(out, (unsigned char)*s < 0x20 || *s == 0x7f ? ' ' : *s);
}

static void add_member(struct buf *out, bool *has_any, const char *key)
{
    rh_buf_printf(out, "%s%s: ", *has_any ? ", " : "", key);
    *has_any = true;
}

/* Personal, or not, where the name alone would say otherwise. */
static const char *personal_word(const struct masked_column *masked,
                                 const struct catalog_table *table,
                                 const struct catalog_column *column)
{
    bool by_name = rh_detect_rule(rh_detect_name(table->name, column->name),
                                  rh_mask_family(column)) != MASK_KEEP;

    if (masked->rule == MASK_KEEP || masked->is_personal == by_name)
        return NULL;
    return masked->is_personal ? "true" : "false";
}

static void add_paths(struct buf *out, const struct masked_column *masked)
{
    rh_buf_add_char(out, '{');
    for (size_t i = 0; i < masked->paths.count; i++) {
        const struct mask_path *path = &masked->paths.items[i];
        if (i > 0)
            rh_buf_add_str(out, ", ");
        add_scalar(out, path->path);
        rh_buf_add_str(out, ": ");
        if (path->domain) {
            rh_buf_printf(out, "{rule: %s, domain: ", rh_mask_rule_name(path->rule));
            add_scalar(out, path->domain);
            rh_buf_add_char(out, '}');
        } else {
            add_scalar(out, rh_mask_rule_name(path->rule));
        }
    }
    rh_buf_add_char(out, '}');
}

/* Another name than the one column's that is alone in it: keys are made of names. */
static bool has_own_name(const struct masking *masking, const struct catalog *catalog,
                         const struct masking_domain *domain)
{
    const struct masked_column *first = &masking->columns.items[domain->members.items[0]];
    const struct catalog_table *table = &catalog->tables.items[first->table];
    const char *column = rh_catalog_column(table, first->column)->quoted;
    size_t len = strlen(table->identity);

    return domain->members.count > 1 || strncmp(domain->name, table->identity, len) != 0 ||
           domain->name[len] != '.' || strcmp(domain->name + len + 1, column) != 0;
}

/* `domain`: NULL when it goes without saying. */
static void add_column(const struct masked_column *masked, const struct masking_domain *domain,
                       const struct catalog_table *table, struct buf *out)
{
    const struct catalog_column *column = rh_catalog_column(table, masked->column);
    const char *personal = personal_word(masked, table, column);
    bool has_any = false;

    rh_buf_add_str(out, "      ");
    add_scalar(out, column->name);
    rh_buf_add_str(out, ": ");
    if (!domain && !personal && !masked->parameter && masked->paths.count == 0 &&
        masked->kept_values.count == 0) {
        add_scalar(out, rh_mask_rule_name(masked->rule));
    } else {
        rh_buf_add_char(out, '{');
        add_member(out, &has_any, "rule");
        add_scalar(out, rh_mask_rule_name(masked->rule));
        if (domain) {
            add_member(out, &has_any, "domain");
            add_scalar(out, domain->name);
        }
        if (masked->parameter) {
            add_member(out, &has_any, "parameter");
            add_scalar(out, masked->parameter);
        }
        if (masked->paths.count > 0) {
            add_member(out, &has_any, "paths");
            add_paths(out, masked);
        }
        if (masked->kept_values.count > 0) {
            add_member(out, &has_any, "keep_values");
            rh_buf_add_char(out, '[');
            for (size_t i = 0; i < masked->kept_values.count; i++) {
                if (i > 0)
                    rh_buf_add_str(out, ", ");
                add_scalar(out, masked->kept_values.items[i]);
            }
            rh_buf_add_char(out, ']');
        }
        if (personal) {
            add_member(out, &has_any, "personal");
            rh_buf_add_str(out, personal);
        }
        rh_buf_add_char(out, '}');
    }
    rh_buf_add_str(out, " # ");
    add_comment(out, column->type);
    rh_buf_add_str(out, "; ");
    add_comment(out, masked->reason);
    rh_buf_add_char(out, '\n');
}

static void add_problems(const struct masking *masking, struct buf *out)
{
    for (size_t i = 0; i < masking->problems.count; i++) {
        const struct masking_problem *problem = &masking->problems.items[i];
        rh_buf_printf(out, "# %s: ", problem->is_fatal ? "must be solved" : "note");
        add_comment(out, problem->table);
        if (problem->column) {
            rh_buf_add_char(out, '.');
            add_comment(out, problem->column);
        }
        if (problem->object) {
            rh_buf_add_str(out, ", ");
            add_comment(out, problem->object);
        }
        rh_buf_add_str(out, ": ");
        add_comment(out, problem->sentence);
        rh_buf_add_char(out, '\n');
    }
    if (masking->problems.count > 0)
        rh_buf_add_char(out, '\n');
}

static void add_references(const struct catalog *catalog, struct buf *out)
{
    bool has_any = false;

    for (size_t i = 0; i < catalog->foreign_keys.count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys.items[i];
        RH_CLEANUP_BUF struct buf side;

        rh_buf_init(&side, 65536);
        if (!key->is_declared)
            continue;
        if (!has_any)
            rh_buf_add_str(out, "references:\n");
        has_any = true;
        for (int s = 0; s < 2; s++) {
            const struct catalog_table *table = &catalog->tables
                                                     .items[s == 0 ? key->child : key->parent];
            size_t count = key->child_columns.count;
            rh_buf_clear(&side);
            rh_buf_printf(&side, "%s(", table->identity);
            for (size_t c = 0; c < count; c++) {
                int number = s == 0 ? key->child_columns.items[c] : key->parent_columns.items[c];
                rh_buf_printf(&side, "%s%s", c > 0 ? ", " : "",
                              rh_catalog_column(table, number)->quoted);
            }
            rh_buf_add_char(&side, ')');
            rh_buf_add_str(out, s == 0 ? "  - from: " : "    to: ");
            add_scalar(out, side.data);
            rh_buf_add_char(out, '\n');
        }
        if (key->condition) {
            rh_buf_add_str(out, "    when: ");
            add_scalar(out, key->condition);
            rh_buf_add_char(out, '\n');
        }
    }
}

void rh_masking_to_yaml(const struct masking *masking, const struct catalog *catalog,
                        struct buf *out)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    const struct masking_domain **shared = rh_arena_alloc_array(scratch, masking->columns.count,
                                                                sizeof(*shared));
    size_t table = CATALOG_NONE;

    for (size_t i = 0; i < masking->domains.count; i++) {
        const struct masking_domain *domain = &masking->domains.items[i];
        for (size_t j = 0; has_own_name(masking, catalog, domain) && j < domain->members.count; j++)
            shared[domain->members.items[j]] = domain;
    }
    rh_buf_add_str(out, "# What happens to every column of a snapshot. Rules and what they keep: "
                        "docs/masking.md.\n"
                        "# A column that is not in here is decided as if there were no file: what "
                        "nobody knows is masked.\n");
    add_problems(masking, out);
    rh_buf_add_str(out, "version: 1\n");
    if (masking->columns.count > 0)
        rh_buf_add_str(out, "tables:\n");
    for (size_t i = 0; i < masking->columns.count; i++) {
        const struct masked_column *masked = &masking->columns.items[i];
        const struct catalog_table *own = &catalog->tables.items[masked->table];
        if (masked->table != table) {
            table = masked->table;
            rh_buf_add_str(out, "  ");
            add_scalar(out, own->identity);
            rh_buf_add_str(out, ":\n    columns:\n");
        }
        add_column(masked, shared[i], own, out);
    }
    add_references(catalog, out);
}
