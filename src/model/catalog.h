/*
 * A catalogue: what a database that is to be copied holds, as far as masking, sampling and the
 * manifest need to know. Plain data; an engine reads it (read_catalog) in one snapshot. Every name
 * is kept twice where both are needed: bare as the catalogue has it, and quoted, ready for SQL.
 * Estimates only, no row is read; no row value is ever in here but the texts of the schema itself.
 */
#ifndef RH_MODEL_CATALOG_H
#define RH_MODEL_CATALOG_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a composite type; or what a range is of (alone, name ""). Nested at most 8 deep: below that,
   attributes is empty. */
struct catalog_attribute {
    const char *name;      /* bare */
    const char *base_type; /* this and the following as in struct catalog_column */
    bool is_array;
    char type_kind, type_category;
    int precision, scale;
    VEC(struct catalog_attribute) attributes;
};

struct catalog_column {
    int number;       /* attnum; ascending, holes where columns were dropped */
    const char *name; /* bare */
    const char *quoted;
    const char *type; /* format_type: "character varying(20)", "public.email" */
    /* Behind domains, without modifier: "text", "int4", "uuid" for pg_catalog, else
       "schema.name" (bare). An array's is that of its element, with is_array. */
    const char *base_type;
    bool is_array;
    char type_kind;     /* pg_type.typtype of base_type's: b, c, d, e, m, p, r */
    char type_category; /* pg_type.typcategory of the same */
    const char *domain; /* outermost domain, quoted and qualified; NULL: none */
    int max_characters; /* varchar(n), char(n), bit(n), through domains; 0: no limit */
    bool is_padded;     /* char(n) */
    /* Of numeric(precision, scale), through domains and arrays; precision 0: no limit. */
    int precision, scale;
    bool not_null;
    bool is_generated; /* STORED or VIRTUAL: never copied */
    bool is_identity;
    const char *default_expression;           /* NULL: none; a generated column's expression */
    const char *collation;                    /* quoted and qualified; NULL: not collatable */
    bool is_deterministic;                    /* of its collation */
    VEC(struct catalog_attribute) attributes; /* of a composite type or a range, in order */
    bool may_select;
    /* From pg_stats, where it was analysed and may be read; else -1, 0, -1. */
    double null_fraction, distinct; /* distinct as n_distinct has it */
    int average_width;
};

/* A primary key, unique constraint, exclusion constraint, or any other index, unique or not: a
   plain one has a predicate or expressions too that must go on to mean something. */
struct catalog_key {
    const char *name; /* quoted */
    bool is_primary, is_unique, is_exclusion, is_constraint;
    bool nulls_not_distinct;
    VEC(int) columns;              /* attnum, without INCLUDE; 0: an expression */
    const char *definition;        /* pg_get_indexdef; of an exclusion, pg_get_constraintdef */
    const char *predicate;         /* of a partial index; NULL */
    VEC(const char *) expressions; /* one for each 0 in columns */
};

struct catalog_check {
    const char
        *name; /* quoted; of a domain's check, the domain's too: "public.email.email_check" */
    const char *expression; /* pg_get_constraintdef */
    VEC(int) columns;       /* that it names */
    bool is_validated;
    bool no_inherit; /* of the table alone, not of those that inherit from it */
};

struct catalog_foreign_key {
    const char *name;                       /* quoted */
    size_t child, parent;                   /* indexes into struct catalog's tables */
    VEC(int) child_columns, parent_columns; /* attnum, pairwise */
    bool match_full;
    bool is_validated;
    bool is_declared; /* by the user (virtual reference), not by the database */
    /* Of a polymorphic reference: SQL over the child's columns, for which rows it holds; NULL. */
    const char *condition;
};

struct catalog_table {
    int64_t id;
    const char *schema, *name; /* bare */
    const char *identity;      /* quoted and qualified: public.users */
    char kind;                 /* pg_class.relkind: r, p, m, f, v */
    const char *owner;
    size_t parent;             /* of a partition or an inheriting table (its first); CATALOG_NONE */
    VEC(size_t) parents;       /* all of them */
    const char *partition_key; /* pg_get_partkeydef; NULL: not partitioned */
    VEC(int) partition_columns;  /* attnum that the key names, expressions included */
    const char *partition_bound; /* of a partition; NULL */
    bool is_unlogged;
    bool row_security, row_security_forced; /* relrowsecurity, relforcerowsecurity */
    bool rows_visible;     /* the asking role reads all its rows: privileges and row security */
    bool may_select;       /* has SELECT on every column that is copied, and USAGE on the schema */
    bool may_lock;         /* may LOCK it as pg_dump does: SELECT on the table itself */
    const char *extension; /* that owns it; NULL */
    bool is_extension_configuration; /* pg_extension.extconfig: dumped by pg_dump */
    int64_t rows_estimate;           /* reltuples; -1: never analysed */
    int64_t pages, bytes;            /* relpages; pg_table_size (TOAST included) */
    VEC(struct catalog_column) columns;
    VEC(struct catalog_key) keys;
    VEC(struct catalog_check) checks;
};
#define CATALOG_NONE SIZE_MAX

/* Two columns that a view joins by equality. */
struct catalog_join {
    const char *view;
    size_t left_table, right_table;
    int left_column, right_column;
};

struct catalog_extension {
    const char *name, *version, *schema;
};

struct catalog_setting {
    const char *scope;        /* "server", "database", "role app", "role app in database shop" */
    const char *name, *value; /* value: "(not shown)" where it may be a secret */
};

struct catalog_collation {
    const char *name;     /* quoted and qualified; "database" for the default */
    const char *provider; /* "libc", "icu", "builtin" */
    const char *locale;
    const char *recorded_version, *actual_version; /* NULL: none */
};

struct catalog_replica {
    const char *application_name, *state, *sync_state;
    int64_t lag_bytes; /* -1: not visible */
};

struct catalog {
    const char *server_version; /* "15.18" */
    int server_major;
    const char *database, *encoding;
    bool is_standby;
    int64_t database_bytes;
    const char *system_identifier;    /* NULL: may not be read */
    const char *wal_position;         /* "0/16B3748" */
    int64_t taken_at_us;              /* the server's clock, since 1970 */
    VEC(struct catalog_table) tables; /* by identity */
    VEC(struct catalog_foreign_key) foreign_keys;
    VEC(struct catalog_join) joins;
    VEC(struct catalog_extension) extensions;
    VEC(struct catalog_setting) settings; /* not at their default */
    VEC(struct catalog_collation) collations;
    VEC(struct catalog_replica) replicas;
    VEC(const char *) roles;
    int64_t large_objects, large_object_bytes; /* -1: not counted */
    int64_t sequences, materialized_views;
    VEC(const char *) not_observed; /* sentences: what this role may not see */
};

/* NULL when there is none. */
const struct catalog_table *rh_catalog_find(const struct catalog *catalog, const char *schema,
                                            const char *name);
const struct catalog_column *rh_catalog_column(const struct catalog_table *table, int number);
const struct catalog_column *rh_catalog_column_named(const struct catalog_table *table,
                                                     const char *name);

#endif
