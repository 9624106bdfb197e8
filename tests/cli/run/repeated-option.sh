rehearse run --out a --out=b m.sql
