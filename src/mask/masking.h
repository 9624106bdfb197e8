/*
 * The masking plan: what happens to every column, and why. Made of the catalogue, of what values
 * looked like, and of the user's masking.yaml; checked against the catalogue before the first row
 * is read. Pure.
 */
#ifndef RH_MASK_MASKING_H
#define RH_MASK_MASKING_H

#include "mask/mask_map.h"
#include "model/catalog.h"

struct masked_column {
    size_t table; /* index into the catalogue's tables */
    int column;   /* attnum */
    enum mask_rule rule;
    const char *domain;    /* NULL for keep, fixed, null */
    const char *parameter; /* as struct mask_map_options */
    VEC(struct mask_path) paths;
    VEC(const char *) kept_values; /* of the domain: the same for all of its members */
    int max_characters;            /* of the domain's shortest member; 0: no limit */
    const char *reason;            /* as struct manifest_column */
    /* Its originals must not be found anywhere afterwards: found by name or content, or declared.
       Not what is masked for want of knowledge alone: "active" may well stand elsewhere. */
    bool is_personal;
};

struct masking_domain {
    const char *name; /* "public.users.email": its first member, or as the user named it */
    enum mask_rule rule;
    VEC(size_t) members;       /* indexes into struct masking's columns */
    VEC(const char *) reasons; /* "foreign key orders_email_fkey", "view v joins it" */
};

/* What stands against a plan, or must be known about it. */
struct masking_problem {
    bool is_fatal;              /* else: a sentence for the report */
    const char *table, *column; /* identity, name; column may be NULL */
    const char *object;         /* index or constraint; NULL */
    const char *sentence;       /* what, why, and what to write instead */
};

struct masking {
    VEC(struct masked_column) columns; /* every column of every copied table, in catalogue order */
    VEC(struct masking_domain) domains;
    VEC(struct masking_problem) problems;
};

/* What the user wrote; rh_masking_rules_parse makes it of masking.yaml's text. */
struct masking_rules;
/* RH_ERR_USAGE with file:line:col for unknown keys, rules, duplicate keys. */
enum err_code rh_masking_rules_parse(const char *path, struct text yaml, struct arena *arena,
                                     struct masking_rules **ret_rules,
                                     struct err *err) RH_MUST_CHECK;

/* What a sample of values of one column looked like, counted while a few rows were read. */
struct mask_sighting {
    size_t table;
    int column;
    int64_t values; /* not NULL, not empty */
    /* That look like an e-mail, a card number, ...; free text: with an e-mail somewhere in it. */
    int64_t matches[MASK_RULE_COUNT];
    int64_t secrets; /* tokens, keys, password hashes */
    int64_t names;   /* person names, addresses, national ids: personal text */
};
/* Adds one value to a sighting. */
void rh_mask_sight(struct mask_sighting *sighting, struct text value);

/* `rules`, `sightings` may be NULL. A rule for a table or column that does not exist is
   RH_ERR_USAGE with its place. Problems are in the plan: a fatal one forbids the snapshot. */
enum err_code rh_masking_plan(const struct catalog *catalog, const struct masking_rules *rules,
                              const struct mask_sighting *sightings, size_t sighting_count,
                              struct arena *arena, struct masking *ret_masking,
                              struct err *err) RH_MUST_CHECK;
const struct masked_column *rh_masking_column(const struct masking *masking, size_t table,
                                              int column);
/* What a map of that column is made of: composites with their attributes, numeric(10,2) with its
   precision. Lies in `arena`. Not for MASK_KEEP. */
struct mask_map_options rh_masking_map_options(const struct catalog *catalog,
                                               const struct masked_column *column,
                                               const struct mask_master_key *key,
                                               struct arena *arena);
/* The plan as a masking.yaml to review, with the reason of each decision as a comment. */
void rh_masking_to_yaml(const struct masking *masking, const struct catalog *catalog,
                        struct buf *out);
/* Foreign keys that the user declared (virtual references), added to the catalogue. */
enum err_code rh_masking_declare(const struct masking_rules *rules, struct catalog *catalog,
                                 struct arena *arena, struct err *err) RH_MUST_CHECK;

#endif
