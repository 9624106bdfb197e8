echo "create index concurrently i on t (c);" >m.sql
echo "workload: nowhere.workload" >rehearse.yaml
rehearse run --rollback --sandbox-url postgresql://localhost/staging m.sql
