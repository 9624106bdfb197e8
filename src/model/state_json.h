/*
 * States as JSON, for whoever keeps one beside the data it was read from. No part of result.json;
 * the form may change with the program. Pure.
 */
#ifndef RH_MODEL_STATE_JSON_H
#define RH_MODEL_STATE_JSON_H

#include "base/err.h"
#include "model/state.h"

#include <jansson.h>

/* A new reference, the caller's. */
json_t *rh_state_to_json(const struct schema_state *schema, const struct data_state *data);
/* RH_ERR_FORMAT for what rh_state_to_json did not make. Texts lie in `arena`. */
enum err_code rh_state_from_json(const json_t *json, struct arena *arena,
                                 struct schema_state *ret_schema, struct data_state *ret_data,
                                 struct err *err) RH_MUST_CHECK;

/* 32 hexadecimal digits in small letters, for whoever keeps a checksum; a new reference. */
json_t *rh_digest_to_json(struct digest digest);
bool rh_digest_from_json(const json_t *json, struct digest *ret_digest); /* false: it is none */

#endif
