#include "sql/facts.h"

#include "sql/lexer.h"

#include <jansson.h>
#include <pg_query.h>

/* Words of a statement that are looked at: enough for the longest tag and its modifiers. */
#define WORDS_MAX 16

struct words {
    char *items[WORDS_MAX]; /* upper case, outside parentheses, in order */
    size_t count;
    bool has_concurrently; /* anywhere; a reserved word, so never a name */
};

static void gather_words(struct text sql, struct arena *arena, struct words *words)
{
    struct sql_lexer lexer = rh_sql_lexer(sql);
    struct sql_boundary boundary = {0};
    struct sql_token token;

    while (rh_sql_lexer_next(&lexer, &token)) {
        if (!rh_sql_token_is_significant(&token))
            continue;
        if (rh_sql_token_is_word(sql, &token, "concurrently"))
            words->has_concurrently = true;
        if (token.kind == SQL_TOKEN_WORD && boundary.parentheses == 0 && words->count < WORDS_MAX) {
            char *word = rh_arena_strndup(arena, sql.data + token.offset, token.len);

            for (char *p = word; *p; p++) {
                if (*p >= 'a' && *p <= 'z')
                    *p = (char)(*p - 'a' + 'A');
            }
            words->items[words->count++] = word;
        }
        if (rh_sql_boundary_feed(&boundary, sql, &token) && words->count > 0)
            return;
    }
}

static bool word_is(const struct words *words, size_t i, const char *word)
{
    return i < words->count && strcmp(words->items[i], word) == 0;
}

/* Words between CREATE and the kind of object. */
static bool is_modifier(const struct words *words, size_t i)
{
    static const char *const modifiers[] = {"OR",      "REPLACE",   "TEMP",      "TEMPORARY",
                                            "GLOBAL",  "LOCAL",     "UNIQUE",    "UNLOGGED",
                                            "TRUSTED", "RECURSIVE", "PROCEDURAL"};

    for (size_t m = 0; m < sizeof(modifiers) / sizeof(*modifiers); m++) {
        if (word_is(words, i, modifiers[m]))
            return true;
    }
    return (word_is(words, i, "CONSTRAINT") && word_is(words, i + 1, "TRIGGER")) ||
           (word_is(words, i, "DEFAULT") && word_is(words, i + 1, "CONVERSION"));
}

/* How many words name the kind of object at `i`. */
static size_t object_word_count(const struct words *words, size_t i)
{
    static const char *const pairs[][2] = {
        {"MATERIALIZED", "VIEW"}, {"FOREIGN", "TABLE"},  {"EVENT", "TRIGGER"},
        {"ACCESS", "METHOD"},     {"OPERATOR", "CLASS"}, {"OPERATOR", "FAMILY"},
        {"USER", "MAPPING"},      {"LARGE", "OBJECT"},   {"DEFAULT", "PRIVILEGES"}};

    if (word_is(words, i, "FOREIGN") && word_is(words, i + 1, "DATA"))
        return 3;
    if (word_is(words, i, "TEXT") && word_is(words, i + 1, "SEARCH"))
        return 3;
    for (size_t p = 0; p < sizeof(pairs) / sizeof(*pairs); p++) {
        if (word_is(words, i, pairs[p][0]) && word_is(words, i + 1, pairs[p][1]))
            return 2;
    }
    return 1;
}

static char *join_words(struct arena *arena, const char *first, const struct words *words,
                        size_t from, size_t count)
{
    char *joined = rh_arena_strdup(arena, first);

    for (size_t i = from; i < from + count && i < words->count; i++)
        joined = rh_arena_printf(arena, "%s %s", joined, words->items[i]);
    return joined;
}

static const char *tag_of(const struct words *words, struct arena *arena)
{
    static const struct {
        const char *word, *next, *tag; /* next NULL: whatever follows */
    } tags[] = {{"END", NULL, "COMMIT"},
                {"COMMIT", "PREPARED", "COMMIT PREPARED"},
                {"ROLLBACK", "PREPARED", "ROLLBACK PREPARED"},
                {"ABORT", NULL, "ROLLBACK"},
                {"START", "TRANSACTION", "START TRANSACTION"},
                {"PREPARE", "TRANSACTION", "PREPARE TRANSACTION"},
                {"TRUNCATE", NULL, "TRUNCATE TABLE"},
                {"LOCK", NULL, "LOCK TABLE"},
                {"REFRESH", "MATERIALIZED", "REFRESH MATERIALIZED VIEW"},
                {"IMPORT", "FOREIGN", "IMPORT FOREIGN SCHEMA"},
                {"REASSIGN", "OWNED", "REASSIGN OWNED"},
                {"SECURITY", "LABEL", "SECURITY LABEL"},
                {"TABLE", NULL, "SELECT"},
                {"VALUES", NULL, "SELECT"}};

    if (words->count == 0)
        return "";
    if (word_is(words, 0, "CREATE") || word_is(words, 0, "ALTER") || word_is(words, 0, "DROP")) {
        size_t i = 1;

        while (i < words->count && is_modifier(words, i))
            i++;
        return join_words(arena, words->items[0], words, i, object_word_count(words, i));
    }
    if (word_is(words, 0, "WITH")) {
        static const char *const verbs[] = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE"};

        for (size_t i = 1; i < words->count; i++) {
            for (size_t v = 0; v < sizeof(verbs) / sizeof(*verbs); v++) {
                if (word_is(words, i, verbs[v]))
                    return verbs[v];
            }
        }
    }
    for (size_t i = 0; i < sizeof(tags) / sizeof(*tags); i++) {
        if (word_is(words, 0, tags[i].word) && (!tags[i].next || word_is(words, 1, tags[i].next)))
            return tags[i].tag;
    }
    return words->items[0];
}

static bool tag_is_one_of(const char *tag, const char *const *tags)
{
    for (; *tags; tags++) {
        if (strcmp(tag, *tags) == 0)
            return true;
    }
    return false;
}

/* ROLLBACK TO [SAVEPOINT] goes back, but the transaction goes on. */
static bool ends_transaction(const struct words *words, const char *tag)
{
    static const char *const ending[] = {"COMMIT", "ROLLBACK", "PREPARE TRANSACTION", NULL};
    bool goes_on = word_is(words, 1, "TO") ||
                   ((word_is(words, 1, "WORK") || word_is(words, 1, "TRANSACTION")) &&
                    word_is(words, 2, "TO"));

    return tag_is_one_of(tag, ending) && !(goes_on && strcmp(tag, "ROLLBACK") == 0);
}

/* What calls PreventInTransactionBlock in PostgreSQL 13 to 18, as far as the words tell. */
static bool forbids_transaction(const struct words *words, const struct sql_facts *facts)
{
    static const char *const always[] = {"VACUUM",
                                         "CREATE DATABASE",
                                         "DROP DATABASE",
                                         "CREATE TABLESPACE",
                                         "DROP TABLESPACE",
                                         "ALTER SYSTEM",
                                         "COMMIT PREPARED",
                                         "ROLLBACK PREPARED",
                                         NULL};

    if (tag_is_one_of(facts->tag, always))
        return true;
    if (strcmp(facts->tag, "REINDEX") == 0 &&
        (word_is(words, 1, "DATABASE") || word_is(words, 1, "SYSTEM") ||
         word_is(words, 1, "SCHEMA")))
        return true;
    if (strcmp(facts->tag, "CLUSTER") == 0 && words->count == 1)
        return true;
    return facts->is_concurrently && strcmp(facts->tag, "REFRESH MATERIALIZED VIEW") != 0;
}

static bool is_same_name(const struct sql_name *name, const char *schema, const char *relation)
{
    return strcmp(name->name, relation) == 0 &&
           ((!name->schema && !schema) ||
            (name->schema && schema && strcmp(name->schema, schema) == 0));
}

static void add_relation(struct sql_facts *facts, struct arena *arena, const char *schema,
                         const char *name)
{
    struct sql_name *relation;

    for (size_t i = 0; i < facts->relations.count; i++) {
        if (is_same_name(&facts->relations.items[i], schema, name))
            return;
    }
    relation = RH_PUSH(arena, &facts->relations);
    relation->name = rh_arena_strdup(arena, name);
    relation->schema = schema ? rh_arena_strdup(arena, schema) : NULL;
}

static const char *name_part(const json_t *items, size_t i)
{
    const json_t *node = json_object_get(json_array_get(items, i), "String");

    return json_string_value(json_object_get(node, "sval"));
}

/* DROP names its objects as lists of strings; only relations are ours. */
static void add_dropped(struct sql_facts *facts, struct arena *arena, const json_t *drop)
{
    static const char *const kinds[] = {
        "OBJECT_TABLE",    "OBJECT_INDEX",         "OBJECT_VIEW", "OBJECT_MATVIEW",
        "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE", NULL};
    const char *kind = json_string_value(json_object_get(drop, "removeType"));
    size_t i;
    json_t *object;

    if (!kind || !tag_is_one_of(kind, kinds))
        return;
    json_array_foreach(json_object_get(drop, "objects"), i, object)
    {
        const json_t *items = json_object_get(json_object_get(object, "List"), "items");
        size_t parts = json_array_size(items);
        const char *name = parts > 0 ? name_part(items, parts - 1) : NULL;

        if (name)
            add_relation(facts, arena, parts > 1 ? name_part(items, parts - 2) : NULL, name);
    }
}

/* Every RangeVar is an object with a relname; the depth is bounded by jansson's parser (2048). */
static void walk_tree(struct sql_facts *facts, struct arena *arena, const json_t *node,
                      json_t *cte_names)
{
    if (json_is_array(node)) {
        size_t i;
        json_t *item;

        json_array_foreach(node, i, item) walk_tree(facts, arena, item, cte_names);
    } else if (json_is_object(node)) {
        const char *name = json_string_value(json_object_get(node, "relname"));
        const char *cte = json_string_value(json_object_get(node, "ctename"));
        const json_t *drop = json_object_get(node, "DropStmt");
        const char *key;
        json_t *value;

        if (name)
            add_relation(facts, arena, json_string_value(json_object_get(node, "schemaname")),
                         name);
        if (cte)
            json_object_set_new(cte_names, cte, json_true());
        if (drop)
            add_dropped(facts, arena, drop);
        json_object_foreach((json_t *)node, key, value) walk_tree(facts, arena, value, cte_names);
    }
}

static void read_tree(struct text sql, struct arena *arena, struct sql_facts *facts)
{
    struct arena *scratch = rh_arena_new();
    PgQueryParseResult tree = pg_query_parse(rh_text_dup(scratch, sql));
    json_t *root = tree.error ? NULL : json_loads(tree.parse_tree, 0, NULL);

    if (root) {
        json_t *cte_names = json_object();
        size_t kept = 0;

        facts->parsed = true;
        walk_tree(facts, arena, json_object_get(root, "stmts"), cte_names);
        for (size_t i = 0; i < facts->relations.count; i++) {
            struct sql_name *name = &facts->relations.items[i];

            if (name->schema || !json_object_get(cte_names, name->name))
                facts->relations.items[kept++] = *name;
        }
        facts->relations.count = kept;
        json_decref(cte_names);
        json_decref(root);
    }
    pg_query_free_parse_result(tree);
    rh_arena_free(scratch);
}

void rh_sql_facts_of_words(struct text sql, struct arena *arena, struct sql_facts *ret_facts)
{
    static const char *const concurrent[] = {
        "CREATE INDEX", "DROP INDEX", "REINDEX", "ALTER TABLE", "REFRESH MATERIALIZED VIEW", NULL};
    struct sql_facts facts = {0};
    struct words words = {0};

    gather_words(sql, arena, &words);
    facts.tag = tag_of(&words, arena);
    facts.opens_transaction = strcmp(facts.tag, "BEGIN") == 0 ||
                              strcmp(facts.tag, "START TRANSACTION") == 0;
    facts.ends_transaction = ends_transaction(&words, facts.tag);
    facts.is_concurrently = words.has_concurrently && tag_is_one_of(facts.tag, concurrent);
    facts.forbids_transaction = forbids_transaction(&words, &facts);
    *ret_facts = facts;
}

void rh_sql_facts(struct text sql, struct arena *arena, struct sql_facts *ret_facts)
{
    struct sql_facts facts;

    rh_sql_facts_of_words(sql, arena, &facts);
    if (sql.len > 0 && sql.len <= SQL_TREE_MAX && !memchr(sql.data, '\0', sql.len))
        read_tree(sql, arena, &facts);
    *ret_facts = facts;
}

bool rh_sql_is_written_as_sql(struct text text, struct arena *arena)
{
    static const char *const certain[] = {"ALTER TABLE",  "CREATE TABLE", "DROP TABLE",
                                          "CREATE INDEX", "DROP INDEX",   NULL};
    /* Not those that are programs too with any words behind them: show, load, fetch, lock. */
    static const char *const verbs[] = {"ALTER ",   "BEGIN",   "COMMENT", "CREATE ", "DELETE",
                                        "DO",       "DROP ",   "GRANT",   "INSERT",  "MERGE",
                                        "REFRESH",  "REINDEX", "REVOKE",  "SELECT",  "START ",
                                        "TRUNCATE", "UPDATE"};
    struct sql_facts facts;

    rh_sql_facts(text, arena, &facts);
    if (tag_is_one_of(facts.tag, certain))
        return true;
    for (size_t i = 0; facts.parsed && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strncmp(facts.tag, verbs[i], strlen(verbs[i])) == 0)
            return true;
    return false;
}
