"""Plans of samples, and what they select: asks tests/unit/snapshot/plan_sample, reads as a dump does."""
import contextlib
import json
import os
import pathlib
import subprocess

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("REHEARSE", ROOT / "build" / "rehearse")).resolve()
PLANNER = PROGRAM.parent / "tests/unit/snapshot/plan_sample"


class Failed(Exception):
    pass


class Plan:
    def __init__(self, answer, url):
        self.answer, self.url = answer, url
        self.tables = answer["tables"]

    def base(self, table):
        """What selects rows without those that were added; None: all."""
        condition = self.tables[table]["condition"]
        if condition is None:
            return None
        if condition.startswith("ctid = ANY (ARRAY("):
            found, added, _ = condition.rpartition(" || '{")
            return f"{found})" if added else condition
        if condition.startswith("ctid = ANY"):
            return "false"
        return condition.split(" OR ctid = ANY (")[0].split(" OR ctid IN (SELECT pg_catalog.unnest(")[0]

    def _rows(self, conditions):
        found = {}
        with psycopg.connect(self.url) as connection:
            connection.execute("SET default_transaction_isolation = 'repeatable read'")
            connection.commit()
            with connection.transaction():
                connection.execute(f"SET TRANSACTION SNAPSHOT '{self.answer['snapshot']}'")
                connection.execute("SET LOCAL search_path = ''")
                for table, condition in conditions.items():
                    rows = connection.execute(
                        f"SELECT to_json(r)::text FROM (SELECT * FROM ONLY {table} WHERE {condition}) AS r")
                    found[table] = [json.loads(row[0]) for row in rows]
        return found

    def rows_of(self, table):
        return self._rows({table: self.kept()[table]})[table]

    def kept(self):
        return {table: condition or "true" for table, condition in
                ((t, self.tables[t]["condition"]) for t in self.tables if self.tables[t]["kind"] == "r")}

    def rows(self):
        """{table: rows in the sample}"""
        return self._rows(self.kept())

    def base_rows(self):
        return self._rows({t: self.base(t) or "true" for t in self.tables if self.tables[t]["kind"] == "r"})

    def all_rows(self):
        return self._rows({t: "true" for t in self.tables if self.tables[t]["kind"] == "r"})


@contextlib.contextmanager
def planned(url, **request):
    """The plan, its snapshot held open."""
    request.setdefault("small_rows", -1)
    request.setdefault("seed", 7)
    process = subprocess.Popen([PLANNER, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        process.stdin.write(json.dumps({**request, "hold": True}))
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise Failed(answer["error"], answer["hint"], answer["code"])
        yield Plan(answer, url)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def make_sample(cluster, source, target, **request):
    """A database like `source` (that nobody uses) with the rows of the sample alone; its plan."""
    with planned(cluster.url(source), **request) as plan:
        pass
    cluster.sql(f"CREATE DATABASE {target} TEMPLATE {source}")  # pages as they are: rows keep their places
    with cluster.connect(target) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET search_path = ''")
        kept = {table: [row[0] for row in connection.execute(f"SELECT ctid::text FROM ONLY {table} WHERE {condition}")]
                for table, condition in plan.kept().items() if condition != "true"}
        for table, places in kept.items():
            connection.execute(f"DELETE FROM ONLY {table} WHERE NOT ctid = ANY (%s::text[]::tid[])", [places])
    return plan
