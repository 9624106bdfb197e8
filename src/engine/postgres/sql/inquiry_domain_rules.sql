-- What a domain asks of its values, one row of (name, expression) for each check and one of (NULL,
-- NULL) for NOT NULL. NAME: only the constraint of that name, validated or not.
SELECT con.conname AS name, pg_catalog.pg_get_expr(con.conbin, 0) AS expression
  FROM pg_catalog.pg_constraint AS con
 WHERE con.contypid = @DOMAIN@ AND con.contype = 'c'
   AND CASE WHEN @NAME@::text IS NULL THEN con.convalidated ELSE con.conname = @NAME@::text END
UNION ALL
SELECT NULL, NULL
  FROM pg_catalog.pg_type
 WHERE oid = @DOMAIN@ AND typnotnull AND @NAME@::text IS NULL
