echo "select 1;" >m.sql
rehearse run --speed 2x --workload nowhere.workload m.sql
rehearse run --speed max --workload nowhere.workload m.sql
