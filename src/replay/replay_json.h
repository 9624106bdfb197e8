/*
 * What a replay came to, as JSON (docs/replay.md). Pure; no row value and no secret is in it.
 */
#ifndef RH_REPLAY_REPLAY_JSON_H
#define RH_REPLAY_REPLAY_JSON_H

#include "replay/replay.h"

#include <jansson.h>

/* The caller's to decref. */
json_t *rh_replay_json(const struct replay_options *options, const struct replay_result *result);

#endif
