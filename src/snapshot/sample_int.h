/*
 * The parts of a sample plan:
 *
 *     sample.c          the steps in order, and what the plan says
 *     sample_graph.c    tables and foreign keys; who decides about whose rows; pure
 *     sample_sql.c      conditions as SQL; pure
 *     sample_rows.c     sets of rows
 *     sample_ask.c      questions to the server, and the rows they answer with
 *     sample_closure.c  parents of what was chosen, until none is missing; caps
 *     witness.c         rows that could break the pending migration
 *
 * A row is named by its table and its place (ctid). Both stay what they are for as long as the
 * snapshot is held: a version that it sees is neither moved nor removed, and what moves rows
 * (CLUSTER, VACUUM FULL) waits for the lock that reading them took. So a row needs no key, no value
 * of production is ever in a statement of ours, and a set of them costs eight bytes each.
 */
#ifndef RH_SNAPSHOT_SAMPLE_INT_H
#define RH_SNAPSHOT_SAMPLE_INT_H

#include "snapshot/sample.h"

/* Rows that are in it for a foreign key's or the migration's sake, of all tables together. 16 to
   32 bytes each while they are gathered, about 14 in the condition. */
#define SAMPLE_EXTRAS_MAX 2000000
/* Configuration and lookup tables: so few rows are no sample of anything. */
#define SAMPLE_SMALL_ROWS 1000
/* Of a table that was never analysed, with the free space and visibility maps (32 kB). */
#define SAMPLE_SMALL_BYTES (96 * 1024)
#define SAMPLE_ROW_BYTES 64 /* then: about so many */
/* A set of so many chosen parents is looked up in a hash table of the server (about 64 bytes each,
   gone with the query), a larger one through the parent's index. */
#define SAMPLE_HASHED_ROWS_MAX 2000000
/* Rows that are looked up are fetched by their places up to this share: above it the table is read
   in order anyway. */
#define SAMPLE_FETCHED_SHARE_MAX 0.3

/* Places of rows of one table: block << 16 | number in the block, which is never 0. */
struct row_set {
    VEC(uint64_t) rows; /* in the order in which they came */
    uint64_t *slots;    /* open addressing; 0: empty */
    size_t capacity;
};
/* False when it was there. */
bool rh_row_set_add(struct row_set *set, uint64_t row, struct arena *arena);
bool rh_row_set_has(const struct row_set *set, uint64_t row);
/* "(12,3)" to a place; 0 for anything else. *rest is behind it on success. */
uint64_t rh_row_parse(const char **rest);
/* Rows [from, to) as the text of a tid[]: {"(0,1)","(0,2)"}. */
const char *rh_row_set_array(const struct row_set *set, size_t from, size_t to,
                             struct arena *arena);
/* Sorts the rows: their order of coming is lost. */
void rh_row_set_sort(struct row_set *set);

enum sample_choice {
    SAMPLE_WHOLE,    /* every row */
    SAMPLE_ROOT,     /* by a hash of its own key, or by a condition */
    SAMPLE_FOLLOWER, /* a row is in when its parent is */
    SAMPLE_OMITTED   /* cannot be read at all: unlogged, on a standby */
};

/* What decides about rows: a table, or the root of a tree of partitions. */
struct sample_node {
    size_t table;
    VEC(size_t) leaves; /* tables that hold its rows: itself, or its partitions */
    bool is_partitioned;
    int64_t rows, bytes; /* estimates; rows -1: unknown */
    int64_t weight;      /* rows, or a guess of them */
    enum sample_choice choice;
    const char *reason;
    double fraction;       /* asked for, or inherited */
    const char *condition; /* the user's; NULL */
    bool has_share;        /* the user named a share */
    bool has_hash;         /* a condition of the user's does not replace it */
    size_t edge;           /* that a follower follows */
    /* Columns (attnum) a hash of which decides, and how (in sample_sql.c). Empty once anything else
       decides too: then children must ask the table itself. */
    VEC(int) hash_columns;
    bool looks_up;    /* its base asks other tables */
    bool asks_index;  /* of them, row by row: there would be too many for a hash table */
    const char *base; /* what selects its rows, before any extra; NULL: all */
};

/* A foreign key between nodes. */
struct sample_edge {
    const char *name;
    size_t child, parent;             /* nodes */
    size_t child_table, parent_table; /* the very tables: a leaf, where only it has the key */
    VEC(int) columns, parent_columns; /* attnum, pairwise */
    bool is_mandatory;                /* no column may be NULL */
    bool is_vouched; /* by the server: of the database, not of the user or the migration */
    bool is_void;    /* its columns cannot be compared */
};

struct sample_extras {
    struct row_set set;
    size_t done; /* rows whose parents were asked for */
    int64_t witnesses;
};

/* A name that may do more than read: 'f' a function, 's' one of the server's, 'a' one that an
   attribute of a row may be, 'o' an operator, 't' a type to which casts are. */
struct sample_volatile {
    char kind;
    const char *name;
};

struct sampling {
    const struct engine *engine;
    struct connection *connection;
    const struct catalog *catalog;
    const struct sample_options *options;
    struct mono deadline;
    struct arena *arena;   /* of the plan */
    struct arena *scratch; /* of the planning */
    int major;             /* of the server */
    VEC(struct sample_node) nodes;
    size_t *node_of; /* by table; CATALOG_NONE: a view, a foreign table */
    VEC(struct sample_edge) edges;
    struct sample_extras *extras; /* by table */
    size_t extras_count;          /* of all */
    /* The role's search_path, or the one that the migration set: its text, and schemas in it. */
    const char *search_path;
    VEC(const char *) schemas;
    const char *statement_timeout; /* that the caller's session has */
    struct sample_plan *plan;
    struct mono witness_deadline;
    VEC(struct sample_volatile) volatiles; /* for witnesses */
};

/* --- sample_graph.c: pure --- */
/* Nodes of the catalogue, and its foreign keys. */
void rh_sample_nodes(struct sampling *sampling);
/* Adds a foreign key; one that says the same is not added twice. False then. */
bool rh_sample_edge_add(struct sampling *sampling, const char *name, size_t child_table,
                        size_t parent_table, const int *columns, const int *parent_columns,
                        size_t count, bool is_vouched);
/* Who is whole, who is a root, who follows whom; shares and conditions of the user. */
enum err_code rh_sample_choose(struct sampling *sampling, struct err *err) RH_MUST_CHECK;
/* A table as the user, or a statement, wrote it; CATALOG_NONE when there is none, or several. */
size_t rh_sample_find_table(const struct sampling *sampling, const char *written);
/* The same of bare names; schema NULL: by the search_path. */
size_t rh_sample_find_raw(const struct sampling *sampling, const char *schema, const char *name);
/* The last part of a name as written, as the catalogue has it; NULL when it is none. */
const char *rh_sample_name(const struct sampling *sampling, const char *written);
/* Whether both mean the same; where one has no schema, by the rest alone. */
bool rh_sample_same_name(const struct sampling *sampling, const char *one, const char *other);
/* Nodes in an order in which everybody comes behind whom he follows. */
const size_t *rh_sample_order(const struct sampling *sampling);

/* Whether nobody has its rows: unlogged, on a standby. */
bool rh_sample_is_unreadable(const struct sampling *sampling, size_t table);
/* An unreadable partition among others that are readable: who reads the whole fails at it.
   CATALOG_NONE when there is none. */
size_t rh_sample_unreadable_partition(const struct sampling *sampling);

/* --- sample_sql.c: pure --- */
/* "ONLY public.users", "public.events" of partitions. */
const char *rh_sample_from(const struct sampling *sampling, size_t table);
/* An int8 that depends on the row's key alone. */
const char *rh_sample_key_hash(const struct sampling *sampling, size_t node);
/* Makes node->base and hash_columns; the node it follows has its own. */
void rh_sample_base(struct sampling *sampling, size_t index);
/* `base` AND the hash of the row's key is below the limit. */
void rh_sample_base_below(struct sampling *sampling, size_t index, int64_t limit);
/* At most `max` rows of each parent along the edge. */
void rh_sample_base_edge_cap(struct sampling *sampling, size_t index, int64_t max);
/* Whether a key names its rows. */
bool rh_sample_has_key(const struct sampling *sampling, size_t node);
/* "a AS rehearse_<first>, ...": what rows of the edge's child refer to, and whether rows of its
   parent (their columns bare) are among `rows`, which has such columns. */
const char *rh_sample_child_columns(const struct sampling *sampling, const struct sample_edge *edge,
                                    size_t first);
const char *rh_sample_is_parent(const struct sampling *sampling, const struct sample_edge *edge,
                                const char *rows, size_t first);
/* Whether a row of the child (its columns bare) refers to one of `rehearse_rows`, whose columns are
   called rehearse_0, ... */
const char *rh_sample_child_match(const struct sampling *sampling, const struct sample_edge *edge);
static inline const struct catalog_table *rh_sampling_table(const struct sampling *sampling,
                                                            size_t table)
{
    return &sampling->catalog->tables.items[table];
}
/* The whole condition of a table, extras included; NULL: every row. */
const char *rh_sample_condition(const struct sampling *sampling, size_t table);

/* --- sample_ask.c --- */
/* The session as pg_dump's will be: what a condition means must not depend on it. */
enum err_code rh_sample_prepare(struct sampling *sampling, struct err *err) RH_MUST_CHECK;
/* Whether it failed at such a partition; then *err says so. */
bool rh_sample_failed_at_partition(const struct sampling *sampling, struct err *err);
enum err_code rh_sample_query(struct sampling *sampling, const char *sql,
                              const char *const *parameters, int parameter_count,
                              struct rows **ret_rows, struct err *err) RH_MUST_CHECK;
/*
 * A question that may fail, or take too long: *ret_why is then a reason for a person (the plan's
 * arena; it begins with SERVER_VALUE_FAILS when a row's value is to blame), and nothing happened.
 * sampling->search_path is in force. RH_OK but when the connection or the transaction is lost.
 * *ret_rows NULL when there is a reason.
 */
enum err_code rh_sample_probe(struct sampling *sampling, const char *sql, int64_t timeout_us,
                              struct rows **ret_rows, const char **ret_why,
                              struct err *err) RH_MUST_CHECK;
/* Rows of (table's id, array of places) become extras. RH_ERR_LIMIT beyond SAMPLE_EXTRAS_MAX.
 *ret_rows, of all that were named, may be NULL. */
enum err_code rh_sample_take(struct sampling *sampling, const struct rows *rows, bool is_witness,
                             int64_t *ret_rows, struct err *err) RH_MUST_CHECK;
/* `query` (columns id, place) as rh_sample_take wants it, at most `max` rows of it. */
const char *rh_sample_gather(const struct sampling *sampling, const char *query, int64_t max);

/* --- sample_closure.c --- */
enum err_code rh_sample_check_conditions(struct sampling *sampling, struct err *err) RH_MUST_CHECK;
/* Makes the table's base, as the server can work with it. */
enum err_code rh_sample_plan_base(struct sampling *sampling, size_t index,
                                  struct err *err) RH_MUST_CHECK;
/* Foreign keys that no server vouches for, from the `first` one on: those whose columns cannot be
   compared become void, which is said. */
enum err_code rh_sample_check_edges(struct sampling *sampling, size_t first,
                                    struct err *err) RH_MUST_CHECK;
/* --max-rows and the edge's cap, where the table exceeds them. */
enum err_code rh_sample_cap(struct sampling *sampling, size_t index, struct err *err) RH_MUST_CHECK;
/* A row of every partition, and of the heaviest keys. */
enum err_code rh_sample_top_up(struct sampling *sampling, struct err *err) RH_MUST_CHECK;
enum err_code rh_sample_close(struct sampling *sampling, struct err *err) RH_MUST_CHECK;

#endif
