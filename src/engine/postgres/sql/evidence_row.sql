-- The row of rehearse.evidence; $1 is the secret. Scans are reported of the 256 largest existing
-- tables: the look-up costs about 0.5 us a table at the start of every command.
INSERT INTO rehearse.evidence (secret, newest, tables)
SELECT $1,
       (SELECT pg_catalog.max(c.oid) FROM pg_catalog.pg_class AS c),
       coalesce((SELECT pg_catalog.array_agg(t.oid)
                   FROM (SELECT c.oid
                           FROM pg_catalog.pg_class AS c
                          WHERE c.relkind IN ('r', 'm') AND c.oid >= 16384
                            AND c.relnamespace <> 'rehearse'::pg_catalog.regnamespace
                          ORDER BY c.relpages DESC, c.oid
                          LIMIT 256) AS t), '{}')
