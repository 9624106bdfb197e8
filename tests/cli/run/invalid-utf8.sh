printf 'select 1;\n-- caf\351\n' >m.sql
rehearse run m.sql
