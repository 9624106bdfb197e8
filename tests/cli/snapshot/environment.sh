# What "run" takes from the environment means nothing here where it is about something else.
export REHEARSE_FROM=postgresql://nobody@nowhere.invalid/shop
REHEARSE_OUT=reports rehearse snapshot create 2>&1 | head -1
REHEARSE_SNAPSHOT_OUT=s REHEARSE_LOCK_TIMEOUT=5 REHEARSE_JOBS=0 rehearse snapshot create 2>&1 | head -1
REHEARSE_SNAPSHOT_OUT=s REHEARSE_SOURCE_LOCK_TIMEOUT=5 rehearse snapshot create 2>&1 | head -1
rehearse help environment | grep -E "_(OUT|LOCK_TIMEOUT) "
