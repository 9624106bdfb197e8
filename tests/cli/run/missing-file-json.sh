rehearse run --json gone.sql
