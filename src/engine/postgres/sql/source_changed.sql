-- Tables that have other files now than the snapshot of this transaction says, or none: rewritten, truncated
-- or dropped since. pg_relation_filenode() looks at what is committed now, pg_class at the snapshot.
SELECT format('%I.%I', n.nspname, c.relname) AS identity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode
ORDER BY 1
LIMIT 5
