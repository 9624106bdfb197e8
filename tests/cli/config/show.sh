mkdir -p repo/.git repo/db
cat >repo/rehearse.yaml <<'.'
schema: [db/schema.sql]
set: {work_mem: 64MB}
gates: {blocked: 500ms}
keep: true
.
cd repo/db
REHEARSE_MAX_WAL=1GB rehearse config show
