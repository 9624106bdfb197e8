-- The database's directory and the server's temporary files (those of parallel sorts, which lie in
-- directories of their own, are not seen by pg_ls_tmpdir()).
SELECT pg_catalog.pg_database_size(pg_catalog.current_database())
       + coalesce((SELECT pg_catalog.sum(f.size) FROM pg_catalog.pg_ls_tmpdir() AS f), 0)
           AS database_bytes
