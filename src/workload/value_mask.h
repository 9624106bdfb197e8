/*
 * Masking of what clients sent: constants in texts and parameters of Bind messages, each by the
 * column that it is compared with or assigned to, with the key and the domains of a snapshot, so
 * that WHERE email = $1 finds in the snapshot the row that it found in production. What is compared
 * with no column that is known is masked as text, or as a document where it is cast to one; unless
 * it is a number, a time or another value that is no text, by its cast, or a word of the server's
 * by its place (workload/plain_value.h); so nothing personal is left because nobody said what it
 * is.
 *
 * Text and binary parameters of the types of mask/binary_value.h are masked; other binary ones are
 * numbers and times, which a rule turns to NULL if it says that the column is to be masked. Of no
 * known column, a binary parameter is what its client declared it to be; without that it is text if
 * it can be read as such. Not for two threads at once. No I/O.
 */
#ifndef RH_WORKLOAD_VALUE_MASK_H
#define RH_WORKLOAD_VALUE_MASK_H

#include "mask/copy_client.h"
#include "mask/mask_map.h"
#include "mask/masking.h"
#include "workload/query_cache.h"

struct value_mask;

/* Catalogue and plan must outlive it, the key need not. RH_ERR_USAGE: a rule cannot work. */
enum err_code rh_value_mask_new(const struct catalog *catalog, const struct masking *masking,
                                const struct mask_master_key *key, struct value_mask **ret_mask,
                                struct err *err) RH_MUST_CHECK;
void rh_value_mask_free(struct value_mask *mask); /* NULL allowed */

/* A text with its constants masked. In `arena`; *count goes up by those without a known column. */
struct text rh_value_mask_query(struct value_mask *mask, const struct known_query *known,
                                struct text query, struct arena *arena, int64_t *count);
/* The body of a Bind message. `types` are those of its parameters as Parse has them, behind their
   number: 0, or missing: the client left it to the server. */
struct text rh_value_mask_bind(struct value_mask *mask, const struct known_query *known,
                               struct text types, struct text body, struct arena *arena,
                               int64_t *count);
/* For the rows that this COPY FROM STDIN sends (sql/copy_from.h), in the order of their columns.
   NULL: the statement is another, the table is not known or several have that name, or a column
   has no rule. The caller's to free; `mask` must outlive it. *ret_encoding, in `arena`: that of the
   rows; NULL: the session's. */
struct copy_client *rh_value_mask_copy(struct value_mask *mask, struct text statement,
                                       struct arena *arena, const char **ret_encoding);
/* Whether the maps read values of this client_encoding: it is the database's. */
bool rh_value_mask_reads(const struct value_mask *mask, const char *encoding);

/* A value, as text, of the column "schema.table.column". False: it becomes NULL. */
bool rh_value_mask_text(struct value_mask *mask, const char *column, struct text value,
                        struct arena *arena, struct text *ret_masked);

#endif
