rehearse run --config gone.yaml m.sql
