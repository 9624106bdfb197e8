rehearse run --out --json m.sql
