/*
 * What the questions about risks share: pg_risks.c (marks, keys), pg_risks_casts.c and
 * pg_risks_steps.c. Contracts of what engine.h exports are there.
 */
#ifndef RH_ENGINE_POSTGRES_PG_RISKS_INT_H
#define RH_ENGINE_POSTGRES_PG_RISKS_INT_H

#include "engine/postgres/pg_engine_int.h"
#include "engine/postgres/pg_sql_int.h"

/* A value, copied; NULL for SQL NULL. */
const char *rh_pg_risk_text(const struct rows *rows, size_t row, size_t column,
                            struct arena *arena);

#endif
