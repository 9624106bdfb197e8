"""rehearse snapshot: what production, pg_dump and the machine see of it when it goes wrong, or could."""
import contextlib
import os
import pathlib
import resource
import signal

import pytest
from conftest import IS_ROOT, wait_for
from test_snapshot import children, create, large, no_sessions, no_traces, production, start_slowly

__all__ = ["large", "production"]  # fixtures


def parent_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def test_create_fails_when_workers_are_killed_while_rows_flow(production, large, rehearse):
    """The one that would tell, pg_dump itself, sleeps: the next rows are sent to nobody."""
    process = start_slowly(rehearse, production, large, "--jobs", "2")
    sessions = children(process.pid, "pg_dump")
    leader = next(pid for pid in sessions if parent_of(pid) == process.pid)
    try:
        os.kill(leader, signal.SIGSTOP)
        for pid in sessions:
            if pid != leader:
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: production.rows("SELECT count(*) FROM pg_stat_activity WHERE query LIKE "
                                         "'COPY public.filler%'", large)[0][0] == 0, 10, "the copy ends")
        assert process.poll() is None, "it ended by itself"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(leader, signal.SIGCONT)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 1, done
    assert "public.filler" in done.stderr, done
    no_traces(rehearse)
    no_sessions(production, large)


def test_create_interrupted_cancels_what_runs_on_the_server(production, large, rehearse):
    """A condition that no row meets: nothing is sent that would tell the server."""
    running = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%pg_sleep%' AND state = 'active' "
               "AND pid <> pg_backend_pid()")
    process = rehearse.start("snapshot", "create", "--from", production.url(large), "-o", "s", "--where",
                             "filler=pg_sleep(0.01) IS NULL")
    wait_for(lambda: production.rows(running, large)[0][0] > 0, 20, "it runs")
    process.send_signal(signal.SIGINT)
    done = rehearse.finish(process, timeout=15)
    assert done.status == 130, done
    no_sessions(production, large)
    no_traces(rehearse)


def test_create_fails_when_the_archive_cannot_be_restored(production, rehearse):
    """Rows came into production past its foreign keys."""
    production.database("broken", "CREATE TABLE parent (id int PRIMARY KEY); "
                        "CREATE TABLE child (parent_id int CONSTRAINT child_of REFERENCES parent); "
                        "SET session_replication_role = replica; INSERT INTO child VALUES (1)")
    done = create(rehearse, production, database="broken")
    assert done.status == 1, done
    assert 'failed its certificate "integrity"' in done.stderr and "child_of" in done.stderr, done
    no_traces(rehearse)


@pytest.mark.nightly
@pytest.mark.skipif(not IS_ROOT, reason="stopping a backend needs its owner")
def test_create_gives_up_on_a_server_that_is_silent(production, large, rehearse):
    process = rehearse.start("snapshot", "create", "--from", production.url(large), "-o", "s", "--rate-limit",
                             "100kB/s")
    ours = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_locks%' AND pid <> pg_backend_pid()"
    wait_for(lambda: production.rows(ours, large), 20, "locks are looked at")
    pid = production.rows(ours, large)[0][0]
    os.kill(pid, signal.SIGSTOP)
    try:
        done = rehearse.finish(process, timeout=60)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert done.status == 1, done
    assert "does not answer any more" in done.stderr, done
    no_traces(rehearse)
    no_sessions(production, large)


def test_create_sets_a_limit_for_locks_where_pg_dump_sets_none(production, rehearse):
    log = production.directory / "log"
    start = log.stat().st_size
    done = create(rehearse, production, "--no-verify", "--lock-timeout", "7654ms")
    assert done.status == 0, done
    said = [line for line in log.read_bytes()[start:].decode(errors="replace").splitlines()
            if line.startswith("rehearse snapshot|") and "statement: SET lock_timeout" in line]
    assert said and {line.rpartition("statement: ")[2] for line in said} == {"SET lock_timeout = 7654"}, said


def test_create_forbids_core_files(production, large, rehearse):
    """Of itself and of pg_dump."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        if IS_ROOT:  # whose limit may be raised: what is to be forbidden must be allowed first
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process = start_slowly(rehearse, production, large)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    for pid in [process.pid, *children(process.pid, "pg_dump")]:
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size")).split()
        assert core[4:6] == ["1", "1"] or core[4:6] == ["0", "0"], core
    process.send_signal(signal.SIGINT)
    assert rehearse.finish(process, timeout=15).status == 130
