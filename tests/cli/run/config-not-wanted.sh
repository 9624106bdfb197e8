echo nonsense >rehearse.yaml
rehearse run --no-config gone.sql
