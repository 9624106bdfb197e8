/*
 * The SQL of sql/, embedded: every text has a variant for each range of server versions it differs
 * in.
 */
#ifndef RH_ENGINE_POSTGRES_PG_SQL_INT_H
#define RH_ENGINE_POSTGRES_PG_SQL_INT_H

struct pg_sql {
    int since_major; /* 0 ends the list: for every older server */
    const char *text;
};

/* The newest variant that this server (major version 15) understands. */
static inline const char *rh_pg_sql_for(const struct pg_sql *variants, int major)
{
    while (variants->since_major > major)
        variants++;
    return variants->text;
}

#endif
