/*
 * From what a server's catalogue says of its keys (engine.h, ENGINE_QUERY_OWN_KEYS) to the keys of
 * a workload: columns that the server fills, and all that refer to them by foreign keys, over
 * however many tables. What is filled from one sequence, or refers to one another, is a domain. No
 * I/O.
 */
#ifndef RH_WORKLOAD_KEY_DOMAINS_H
#define RH_WORKLOAD_KEY_DOMAINS_H

#include "engine/engine.h"
#include "model/workload.h"

/* Appends to about->keys, WORKLOAD_KEYS_MAX at most; texts lie in `arena`. */
void rh_key_domains(const struct rows *rows, struct arena *arena, struct workload_about *about);

#endif
