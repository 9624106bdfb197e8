printf 'alter table t add c int;\ncreate index concurrently i on t (c);\n' >1.sql
printf 'begin;\nselect 1;\ncommit;\n' >2.sql
rehearse run --rollback --sandbox-url postgresql://localhost/staging 1.sql 2.sql
