"""Lock facts (tests/scenarios), proven by hand and by rehearse on every server version."""
import threading

import pytest

import scenarios
from conftest import wait_for
from scenarios import strongest

ALL = scenarios.load_all()
pytestmark = pytest.mark.every_version


def applies(params):
    return params["scenario"].applies_to(params["server"])


@pytest.fixture(params=ALL, ids=[scenario.name for scenario in ALL])
def scenario(request):
    return request.param


# --- by hand -----------------------------------------------------------------------------------------

RELATIONS = """SELECT c.oid, c.relname, pg_relation_filenode(c.oid) FROM pg_class c
    WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'i', 'm', 'p', 'I')"""
LOCKS = """SELECT l.relation, l.mode FROM pg_locks l
    WHERE l.pid = %s AND l.locktype = 'relation' AND l.relation = ANY (%s)"""
SCANS = """SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE schemaname = %s"""


class Seen:
    def __init__(self, relations):
        self.names = {oid: name for oid, name, _ in relations}  # as before: they may be renamed or gone
        self.locks, self.rewritten, self.read = {}, set(), {}

    def add_locks(self, rows):
        for oid, mode in rows:
            self.locks.setdefault(self.names[oid], set()).add(mode)


def in_a_transaction(connection, scenario, relations):
    seen = Seen(relations)
    pid = connection.info.backend_pid
    for statement in scenario.statements:
        if statement in ("BEGIN;", "COMMIT;"):
            continue
        before = set(connection.execute(LOCKS, (pid, list(seen.names))).fetchall())
        read_before = dict(connection.execute(SCANS, (scenario.name,)).fetchall())
        connection.execute(statement)
        if statement == scenario.tested:
            seen.add_locks(set(connection.execute(LOCKS, (pid, list(seen.names))).fetchall()) - before)
            for name, rows in connection.execute(SCANS, (scenario.name,)).fetchall():
                seen.read[name] = rows - read_before.get(name, 0)
    after = {oid: node for oid, _, node in connection.execute(RELATIONS, (scenario.name,)).fetchall()}
    seen.rewritten = {name for oid, name, node in relations if oid in after and after[oid] != node}
    connection.commit()
    return seen


def beside_a_waiting_session(cluster, connection, scenario, relations):
    """What cannot run in a transaction block is looked at while it waits behind somebody."""
    seen = Seen(relations)
    pid = connection.info.backend_pid
    with cluster.connect() as blocker, cluster.connect(autocommit=True) as watcher:
        blocker.execute(f"SET search_path TO {scenario.name}")
        blocker.execute(scenario.beside)
        worker = threading.Thread(target=connection.execute, args=(scenario.tested,))
        worker.start()
        waiting = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s"
        wait_for(lambda: watcher.execute(waiting, (pid,)).fetchone()[0], what="it waits")
        seen.add_locks(watcher.execute(LOCKS, (pid, list(seen.names))).fetchall())
        blocker.commit()
        worker.join(30)
        assert not worker.is_alive()
        after = {oid: node for oid, _, node in watcher.execute(RELATIONS, (scenario.name,)).fetchall()}
    seen.rewritten = {name for oid, name, node in relations if oid in after and after[oid] != node}
    return seen


def test_lock_facts_by_hand(cluster_of, server, scenario):
    cluster = cluster_of(server)
    with cluster.connect(autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {scenario.name} CASCADE")
        connection.execute(f"CREATE SCHEMA {scenario.name}")
        connection.execute(f"SET search_path TO {scenario.name}")
        connection.execute("\n".join(scenario.setup))
        connection.execute("SET max_parallel_maintenance_workers = 0")
        relations = connection.execute(RELATIONS, (scenario.name,)).fetchall()
        if scenario.beside:
            seen = beside_a_waiting_session(cluster, connection, scenario, relations)
        else:
            connection.autocommit = False
            seen = in_a_transaction(connection, scenario, relations)
            connection.autocommit = True

        for (relation, mode), line in scenario.expectations("lock", "seen"):
            assert strongest(seen.locks.get(relation, ())) == mode, line
        for (relation,), line in scenario.expectations("no lock"):
            assert relation not in seen.locks, line
        for (relation, _), line in scenario.expectations("rewrite"):
            assert relation in seen.rewritten, line
        for _, line in scenario.expectations("no rewrite"):
            assert seen.rewritten == set(), line
        if not scenario.beside:
            for (relation,), line in scenario.expectations("scan"):
                assert seen.read.get(relation, 0) > 0, line
            for (relation,), line in scenario.expectations("no scan"):
                assert seen.read.get(relation, 0) == 0, line
        for words, line in scenario.expectations("then"):
            value, query = " ".join(words).split(" = ", 1)
            assert str(connection.execute(query).fetchone()[0]) == value.strip(), line
        connection.execute(f"DROP SCHEMA {scenario.name} CASCADE")


# --- by rehearse ---------------------------------------------------------------------------------------

@pytest.fixture(scope="session")
def rehearsed(session_rehearse):
    """rehearsed(server): one run of all scenarios that apply to it, one step each."""
    runs = {}

    def get(server):
        if server.major not in runs:
            rehearse = session_rehearse(f"lock_facts_{server.major}")
            applying = [scenario for scenario in ALL if scenario.applies_to(server.major)]
            rehearse.write("schema.sql", "".join(
                f"CREATE SCHEMA {one.name};\nSET search_path TO {one.name};\n" + "\n".join(one.setup) + "\n"
                for one in applying))
            for number, one in enumerate(applying, 1):
                rehearse.write(f"migrations/{number:03}_{one.name}.sql",
                               f"SET search_path TO {one.name};\n" + "\n".join(one.run) + "\n")
            runs[server.major] = rehearse("run", "migrations", "--schema", "schema.sql", "--server-bin",
                                          server.bin, "--no-input", timeout=180)
        return runs[server.major]
    return get


def relation_of(scenario, locks, relation):
    return [lock for lock in locks if lock["relation"] == f"{scenario.name}.{relation}"]


def tested_statement(outcome, scenario):
    result = outcome.result
    steps = [step for step in result["steps"] if step["name"].endswith(f"_{scenario.name}.sql")]
    assert steps and steps[0]["ok"], f"{steps}\n{outcome}"
    for statement in result["statements"]:
        if statement["step"] == steps[0]["name"] and statement["sql"].strip() == scenario.tested:
            return statement
    pytest.fail(f"{scenario.tested!r} is not among the statements of {steps[0]['name']}")


def test_lock_facts_by_rehearse(rehearsed, server, scenario):
    statement = tested_statement(rehearsed(server), scenario)
    assert statement["ok"], statement
    locks = statement["locks"]
    seen = {relation: {lock["mode"] for lock in relation_of(scenario, locks, relation)}
            for relation in {lock["relation"].rpartition(".")[2] for lock in locks}}
    for (relation, mode), line in scenario.expectations("lock"):
        assert strongest(seen.get(relation, ())) == mode, (line, statement)
    for (relation, mode), line in scenario.expectations("seen"):
        if statement["observation"] == "not-observed":
            assert statement["not_observed_reason"], "what was not observed says why"
        else:
            assert strongest(seen.get(relation, ())) == mode, (line, statement)
    for (relation,), line in scenario.expectations("no lock"):
        assert not seen.get(relation), (line, statement)

    rewrites = {rewrite["relation"]: rewrite["reason"] for rewrite in statement["rewrites"]
                if rewrite["preexisting"]}
    for (relation, reason), line in scenario.expectations("rewrite"):
        assert rewrites.get(f"{scenario.name}.{relation}") == reason, (line, rewrites)
    for _, line in scenario.expectations("no rewrite"):
        assert rewrites == {}, line

    read = {scan["relation"]: scan["rows"] for scan in statement["scans"]}
    for (relation,), line in scenario.expectations("scan"):
        assert read.get(f"{scenario.name}.{relation}", 0) > 0, (line, read)
    for (relation,), line in scenario.expectations("no scan"):
        assert not read.get(f"{scenario.name}.{relation}"), (line, read)

    for (relation, what), line in scenario.expectations("blocks"):
        held = [lock for lock in relation_of(scenario, locks, relation) if lock["preexisting"]]
        blocked = {name for name in ("reads", "writes") if any(lock[f"blocks_{name}"] for lock in held)}
        assert blocked == (set() if what == "nothing" else set(what.split(","))), (line, held)
