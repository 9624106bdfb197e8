-- The attributes of the composite types that users made, row types of tables included where something is of them.
SELECT a.attrelid::int8 AS relation_id, a.attname AS name, a.atttypid::int8 AS type_id, a.atttypmod AS modifier
  FROM pg_attribute AS a
  JOIN pg_class AS c ON c.oid = a.attrelid
 WHERE c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
   AND (c.relkind = 'c'
        OR c.reltype IN (SELECT u.atttypid FROM pg_attribute AS u WHERE u.attrelid >= 16384)
        OR c.reltype IN (SELECT t.typelem FROM pg_attribute AS u JOIN pg_type AS t ON t.oid = u.atttypid
                          WHERE u.attrelid >= 16384))
 ORDER BY a.attrelid, a.attnum
