"""Set questions: every row that makes a statement fail, and repairs that mend it, asked of real servers.

The sender of the questions is tests/unit/engine/inquire.c; what it finds is compared with what is
known of small tables, and of random ones with what looking at every row says.
"""
import json
import os
import pathlib
import subprocess

import pytest

from conftest import PROGRAM, SERVERS, Server
from questions import CASES, SILENT

INQUIRE = PROGRAM.parent / "tests" / "unit" / "engine" / "inquire"
pytestmark = pytest.mark.skipif(not INQUIRE.exists(), reason=f"{INQUIRE} is not built")


class Inquirer:
    """One session's worth of questions on an own database of a server."""

    def __init__(self, cluster, name):
        self.cluster, self.database = cluster, name
        cluster.sql(f"DROP DATABASE IF EXISTS {name}")
        cluster.sql(f"CREATE DATABASE {name}")
        self.process = None

    def reset(self, setup):
        self.cluster.sql("SET client_min_messages = error; DROP SCHEMA public CASCADE; CREATE SCHEMA public;" + setup,
                         self.database)

    def ask(self, sql, role="postgres", **request):
        if self.process is None or role != self.role:
            self.stop()
            self.role = role
            url = self.cluster.url(self.database).replace("user=postgres", f"user={role}")
            self.process = subprocess.Popen([INQUIRE, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps({"sql": sql, **request}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait(20)
            self.process.stdout.close()
        self.process = None


@pytest.fixture(scope="module", params=[pytest.param(item, id=f"pg{item[0]}") for item in SERVERS.items()])
def inquirer(request, cluster_of):
    made = Inquirer(cluster_of(Server(*request.param)), "questions")
    made.major = request.param[0]
    yield made
    made.stop()


def found(answer):
    return sorted((o["offence"], o["rows"]) if o["groups"] < 0 else (o["offence"], o["rows"], o["groups"])
                  for o in answer["blocker"]["offenders"])


def show(answer):
    return json.dumps(answer, indent=1)


@pytest.mark.parametrize("name", CASES)
def test_every_offending_row_is_counted(inquirer, name):
    setup, sql, expected, worked, *since = CASES[name]
    if since and inquirer.major < since[0]:
        pytest.skip(f"new in {since[0]}")
    if "provider = icu" in setup and not has_icu(inquirer):
        pytest.skip("this server knows no ICU collations")
    inquirer.reset(setup)
    answer = inquirer.ask(sql)
    assert answer, "the statement was to fail"
    assert answer["blocker"], show(answer)
    blocker = answer["blocker"]
    if isinstance(expected, list):
        assert found(answer) == sorted(expected), show(answer)
    assert blocker["offenders"] or blocker["not_asked"], show(answer)
    if worked is not None:
        assert (blocker["tried"] and blocker["worked"]) == worked, show(answer)
    else:
        assert not blocker["worked"], show(answer)
    for offenders in blocker["offenders"]:
        assert len(offenders["keys"]) <= 10
    if worked and isinstance(expected, list):
        paste_repairs(inquirer, sql, blocker)


def paste_repairs(inquirer, sql, blocker):
    """What is reported works when it is pasted, by hand, right before the statement."""
    order = ["cast-failure", "value-too-long", "out-of-range", "partition-misfits", "check-violations", "orphan-rows",
             "null-values", "duplicate-keys", "exclusion-conflicts"]
    with inquirer.cluster.connect(inquirer.database, autocommit=True) as connection:
        if "CONCURRENTLY" in sql:
            connection.execute("DROP INDEX IF EXISTS i")
        for offenders in sorted(blocker["offenders"], key=lambda o: order.index(o["offence"])):
            if offenders["repair"]:
                connection.execute(offenders["repair"])
        connection.execute(sql)


def has_icu(inquirer):
    with inquirer.cluster.connect(inquirer.database) as connection:
        return connection.execute("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'").fetchone()[0] > 0


@pytest.mark.parametrize("name", SILENT)
def test_nothing_is_claimed_of_other_failures(inquirer, name):
    setup, sql = SILENT[name]
    inquirer.reset(setup)
    answer = inquirer.ask(sql)
    assert answer, "the statement was to fail"
    blocker = answer["blocker"]
    assert blocker is None or (blocker["not_asked"] and not blocker["offenders"] and not blocker["tried"]), show(answer)
