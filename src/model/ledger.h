/*
 * Ledgers: tables in which migration tools remember what they ran, by the names they give them
 * unless told otherwise. A tool that does not find its ledger as it was runs everything again.
 * Pure.
 */
#ifndef RH_MODEL_LEDGER_H
#define RH_MODEL_LEDGER_H

#include "model/catalog.h"

/* A table ("public.alembic_version"), or what belongs to it ("public.alembic_version.version_num",
   "x on public.alembic_version", its serial sequences); names as the server quotes them. NULL: no.
   A table of anybody's may be called "migrations", too. */
bool rh_is_ledger(const char *identity);
/* A table whose columns are known: one called "migrations" only with those that a tool gives it;
   those in which Django registers its models, too. */
bool rh_is_ledger_table(const struct catalog_table *table);
/* Whether a tool goes by this column of its ledger when it looks what is left to run. Not by who
   ran it and where, nor by what they or the server had to say, which may quote anything. */
bool rh_ledger_needs(const char *column);

#endif
