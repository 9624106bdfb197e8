/*
 * Types that a server numbers in its own way (OIDs of 16384 and above: enums, composites, domains,
 * types of extensions, and arrays and ranges of them), from the numbers of the recording to those
 * of the target, by name; and messages with the one turned into messages with the other. Pure.
 *
 * Numbers stand in Parse (types of parameters) and inside binary parameters of Bind and
 * FunctionCall: arrays name the type of their elements, composites the type of each field
 * (array_send and record_send in PostgreSQL's sources). A parameter whose type is not declared is
 * looked into when it is, byte for byte, a well-formed array or composite that names a type of the
 * recording. Lengths never change.
 */
#ifndef RH_REPLAY_OID_MAP_H
#define RH_REPLAY_OID_MAP_H

#include "model/workload.h"

/* Below, numbers are the same everywhere (FirstNormalObjectId, src/include/access/transam.h). */
#define OID_FIRST_OWN 16384u

struct oid_map;

/* A type of the target. */
struct target_type {
    uint32_t oid;
    const char *schema, *name;
};

/* A function of the target. */
struct target_function {
    uint32_t oid;
    const char *schema, *signature;
};

/* What was mapped: for the result. */
struct oid_map_facts {
    size_t types;              /* of the recording */
    size_t moved;              /* have another number in the target */
    size_t functions_moved;    /* the same of functions */
    size_t missing;            /* the target has none of that name */
    const char *first_missing; /* "schema.name"; NULL */
};

/* Lives in `arena`, which must outlive it. */
struct oid_map *rh_oid_map_new(struct arena *arena, const struct workload_type *types,
                               size_t type_count, const struct target_type *target,
                               size_t target_count);
/* Functions, which FunctionCall names: by schema and signature; those that are missing keep their
   numbers, for the server to say so. Once. */
void rh_oid_map_add_functions(struct oid_map *map, struct arena *arena,
                              const struct workload_function *functions, size_t function_count,
                              const struct target_function *target, size_t target_count);
struct oid_map_facts rh_oid_map_facts(const struct oid_map *map);
/* False: nothing has moved, messages can go as they are. */
bool rh_oid_map_is_needed(const struct oid_map *map);

/* Statements that a session has prepared, with the types that it declared for their parameters. */
struct oid_session;
struct oid_session *rh_oid_session_new(void);
void rh_oid_session_free(struct oid_session *session); /* NULL allowed */

/* Changes the body of a frontend message in place. Malformed ones stay as they are: the server
   judges them. Returns how many numbers were changed. */
size_t rh_oid_map_message(const struct oid_map *map, struct oid_session *session,
                          unsigned char type, char *body, size_t length);

#endif
