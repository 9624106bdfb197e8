-- CHECK constraints: of tables with the columns that they name (numbers with commas between), of domains with
-- the domain's type.
SELECT k.conrelid::int8 AS table_id, k.contypid::int8 AS type_id,
       CASE WHEN k.contypid <> 0 THEN k.contypid::regtype::text || '.' ELSE '' END || quote_ident(k.conname) AS name,
       pg_get_constraintdef(k.oid) AS expression, array_to_string(k.conkey, ',') AS columns,
       k.convalidated
       AND k.conenforced -- since 18
       AS is_validated,
       k.connoinherit AS no_inherit
  FROM pg_constraint AS k
 WHERE k.oid >= 16384 AND k.contype = 'c'
 ORDER BY k.conrelid, k.contypid, k.conname COLLATE "C", k.oid
