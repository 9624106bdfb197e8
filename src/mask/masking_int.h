/*
 * Inside of `mask`: how a masking plan comes about. masking_rules.c reads masking.yaml, detect.c
 * and sight.c tell what a column seems to hold, category.c what the schema says of its values,
 * domains.c joins columns, masking.c decides, check.c looks for what stands against it.
 */
#ifndef RH_MASK_MASKING_INT_H
#define RH_MASK_MASKING_INT_H

#include "mask/masking.h"
#include "sql/expression.h"

/* ---- masking.yaml
 * -------------------------------------------------------------------------------- */

struct rules_place {
    size_t line, column; /* of masking.yaml; line 0: nowhere */
};

struct column_rule {
    const char *table, *column; /* as written */
    struct rules_place place;
    enum mask_rule rule;
    bool has_rule; /* else it only adds to what is decided: a domain, kept values */
    const char *domain, *parameter;
    VEC(struct mask_path) paths;
    VEC(const char *) kept_values;
    enum { PERSONAL_UNSAID, PERSONAL_YES, PERSONAL_NO } personal;
};
struct named_column { /* "public.users.email", or "public.users.*" in the keep list */
    const char *text;
    struct rules_place place;
};
struct domain_rule {
    const char *name;
    struct rules_place place;
    enum mask_rule rule;
    bool has_rule;
    VEC(struct named_column) columns;
};
struct reference_rule { /* "public.comments(kind, subject_id)" */
    const char *from, *to, *when;
    struct rules_place from_place, to_place;
};
struct masking_rules {
    const char *path;
    bool keeps_unclassified;
    struct rules_place keeps_place;
    VEC(struct column_rule) columns;
    VEC(struct named_column) keep;
    VEC(struct domain_rule) domains;
    VEC(struct reference_rule) references;
};
/* "masking.yaml:12". */
const char *rh_masking_place(const struct masking_rules *rules, struct rules_place place,
                             struct arena *arena);
/* Finds what the file names. RH_ERR_USAGE with the place when there is no such table or column. */
enum err_code rh_masking_find_table(const struct catalog *catalog,
                                    const struct masking_rules *rules, const char *name,
                                    struct rules_place place, size_t *ret_table,
                                    struct err *err) RH_MUST_CHECK;
enum err_code rh_masking_find_column(const struct catalog *catalog,
                                     const struct masking_rules *rules, size_t table,
                                     const char *name, struct rules_place place, int *ret_column,
                                     struct err *err) RH_MUST_CHECK;
/* "schema.table.column"; *ret_column 0 for "schema.table.*", where that is allowed. */
enum err_code rh_masking_find_path(const struct catalog *catalog, const struct masking_rules *rules,
                                   const struct named_column *name, bool allows_all,
                                   size_t *ret_table, int *ret_column,
                                   struct err *err) RH_MUST_CHECK;

/* ---- what a column can hold
 * ------------------------------------------------------------------------ */

/* Types that take the same rules. */
enum type_family {
    FAMILY_TEXT,
    FAMILY_NUMBER,
    FAMILY_TIME, /* dates and timestamps */
    FAMILY_UUID,
    FAMILY_JSON,
    FAMILY_XML,
    FAMILY_HSTORE,
    FAMILY_TSVECTOR,
    FAMILY_BYTES, /* and bit strings */
    FAMILY_INET,
    FAMILY_MACADDR,
    FAMILY_POINT,     /* geometric */
    FAMILY_MONEY,     /* its text depends on lc_monetary */
    FAMILY_RANGE,     /* of numbers or times, that somebody made */
    FAMILY_PLAIN,     /* booleans, enums, times of day, intervals, ranges of those: nobody's data by
                         themselves */
    FAMILY_COMPOSITE, /* of attributes of which at least one needs a rule */
    FAMILY_UNKNOWN,   /* of an extension that we do not know */
    FAMILY_COUNT
};
enum type_family rh_mask_family(const struct catalog_column *column);
enum type_family rh_mask_attribute_family(const struct catalog_attribute *attribute);
/* Of a composite type's attribute: what its name says, else what is done to its family; a uuid
   whose name says nothing stays. */
enum mask_rule rh_mask_attribute_rule(const struct catalog_attribute *attribute);
/* What is done to values of a family that nobody classified; MASK_NULL: there is no map for them.
 */
enum mask_rule rh_mask_family_rule(enum type_family family);
bool rh_mask_rule_fits(enum mask_rule rule, enum type_family family);
/* "text, varchar and the like": for sentences. */
const char *rh_mask_family_name(enum type_family family);
/* "text, email, url, ..." */
const char *rh_mask_family_rules(enum type_family family, struct arena *arena);

/* ---- what a column seems to hold
 * ------------------------------------------------------------------- */

enum personal_kind {
    PERSONAL_NONE,
    PERSONAL_EMAIL,
    PERSONAL_PHONE,
    PERSONAL_NAME,
    PERSONAL_USERNAME,
    PERSONAL_ADDRESS,
    PERSONAL_LOCATION,
    PERSONAL_BIRTH,
    PERSONAL_IBAN,
    PERSONAL_CARD,
    PERSONAL_ACCOUNT,
    PERSONAL_NATIONAL_ID,
    PERSONAL_IP,
    PERSONAL_MAC,
    PERSONAL_URL,
    PERSONAL_INCOME,
    PERSONAL_SECRET,
    PERSONAL_TEXT, /* names, addresses, national numbers, as values show them */
    PERSONAL_FREE_TEXT,
    PERSONAL_KIND_COUNT
};
struct name_phrase {
    const char *words; /* with blanks between */
    enum personal_kind kind;
};
extern const struct name_phrase rh_detect_phrases[];
extern const size_t rh_detect_phrase_count;
/* What a name says; PERSONAL_NONE for most. */
enum personal_kind rh_detect_name(const char *table, const char *column);
/* What values looked like. */
enum personal_kind rh_detect_values(const struct mask_sighting *sighting);
/* The rule for a kind in a column of that family; MASK_KEEP: what the name says does not matter
   there ("email_sent" of type boolean). */
enum mask_rule rh_detect_rule(enum personal_kind kind, enum type_family family);
const char *rh_personal_kind_name(enum personal_kind kind); /* "e-mail" */

/* ---- domains
 * --------------------------------------------------------------------------------------- */

/* Union-find over dense numbers. */
struct unions {
    size_t *parents;
    size_t count;
};
struct unions rh_unions_new(size_t count, struct arena *arena);
size_t rh_unions_find(struct unions *unions, size_t item);
/* The smaller of both roots becomes the root of both, so that names do not depend on the order. */
void rh_unions_join(struct unions *unions, size_t a, size_t b);

/* ---- the plan while it is made
 * --------------------------------------------------------------------- */

/* Constants that the schema compares a column with, in CHECKs (which then list all its values),
   predicates and bounds of partitions. Not '' and blanks, which tell nothing. */
struct schema_values {
    VEC(const char *) values;
    bool is_complete;   /* no other value can be there */
    const char *object; /* the constraint, index or partition that said so first; NULL: none */
};
struct decided_column {
    const struct catalog_column *column;
    const struct catalog_table *table;
    struct masked_column *masked;
    enum type_family family;
    const struct column_rule *declared; /* NULL */
    const struct mask_sighting *sighting;
    enum personal_kind kind;         /* that counts in a column of this type */
    bool is_kind_of_values;          /* the kind was seen in values, not in the name */
    const struct named_column *kept; /* in the file's keep list; NULL */
    const struct domain_rule *domain_rule;
    const char *domain; /* the file's name for it; NULL */
    bool is_key;        /* of a primary or foreign key */
    bool is_child;      /* of a foreign key, on its referencing side */
    struct schema_values schema;
    bool is_category;   /* `schema` tells what its values are */
    size_t category_of; /* the column of which that was read: its own, or that it follows */
};
struct group_edge {
    size_t a, b; /* columns */
    const char *reason;
    bool is_weak; /* a view's join: gives way where decisions differ */
};
struct planning {
    const struct catalog *catalog;
    const struct masking_rules *rules; /* NULL */
    struct arena *arena;
    struct masking *masking;
    VEC(struct decided_column) columns; /* as masking's */
    size_t *first_columns; /* of each table; masking's columns of one table lie together */
    VEC(struct group_edge) edges;
    struct unions groups;
};
/* SIZE_MAX: not of the plan. */
size_t rh_planning_find(const struct planning *planning, size_t table, int column);
void rh_planning_problem(struct planning *planning, bool is_fatal, size_t column,
                         const char *object, const char *fmt, ...) RH_PRINTF(5, 6);
/* Fills edges and groups; declared domains are checked. */
enum err_code rh_domains_find(struct planning *planning, struct err *err) RH_MUST_CHECK;
/* After the decisions: masking->domains, and the names in its columns. */
void rh_domains_write(struct planning *planning);

void rh_schema_values(const struct catalog *catalog, const struct catalog_table *table,
                      const struct catalog_column *column, struct arena *arena,
                      struct schema_values *ret_values);
/* Fills schema, is_category and category_of of every text column. A foreign key that is valid, and
   a partition, hand completeness down; nothing else does. */
void rh_categories_find(struct planning *planning);

/* ---- checks
 * ---------------------------------------------------------------------------------------- */

/* What a predicate is worth once some of its columns are masked. */
enum predicate_fate {
    PREDICATE_SAME,  /* true for the same rows as before */
    PREDICATE_HOLDS, /* still not false where it was not false before; more rows may satisfy it */
    /* As before, but where one of two dates is a sentinel, and for numbers near the end of their
       type. */
    PREDICATE_BUT_EXTREMES,
    PREDICATE_UNKNOWN
};
struct predicate_column {
    const char *name;
    enum mask_rule rule;
    enum type_family family;
    const char *domain, *parameter;
    const char *const *kept_values;
    size_t kept_value_count;
    bool is_array;
};
enum predicate_fate rh_predicate_fate(const struct sql_expression *expression,
                                      const struct predicate_column *columns, size_t count);
/* Whether a unique index over the expression stays unique: what was different before is different
 * after. */
bool rh_expression_commutes(const struct sql_expression *expression,
                            const struct predicate_column *columns, size_t count);
bool rh_expression_names(const struct sql_expression *expression, const char *column);

void rh_masking_check(struct planning *planning);

#endif
