cat >rehearse.yaml <<'.'
max-bloked: 2s
out: a
gates:
  blocked: 2
  duration: 2m
out: b
.
rehearse run gone.sql
status=$?
test ! -e .rehearse && exit $status
