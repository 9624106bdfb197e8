rehearse run gone.sql
status=$?
test ! -e .rehearse && exit $status
