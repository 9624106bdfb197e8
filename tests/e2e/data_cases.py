"""Data cases: tests/e2e/data_cases/*.sql, each with rows, a migration, and what must be found.

    --- case NAME
    --- since MAJOR          only from this server version on
    --- needs icu            only where the server has ICU collations
    --- expect RULE [groups=N] [rows=N] [sqlstate=XXXXX]     may be repeated, the same rule too
    --- expect nothing       it succeeds, and no rule about data has anything to say
    --- expect failure       it fails; which rule tells it is not the point
    --- repair WORDS         they stand in the SQL of the first finding, which was tried; none: it has no SQL
    schema and rows
    --- migration
    the migration

Every case lives in a schema of its own, so that all of them make one release.
"""
import pathlib
import re

DIRECTORY = pathlib.Path(__file__).resolve().parent / "data_cases"


class Expectation:
    def __init__(self, words, where):
        self.rule, *facts = words
        self.facts = {}
        for fact in facts:
            name, equals, value = fact.partition("=")
            assert equals and name in ("groups", "rows", "sqlstate"), f"{where}: what is {fact!r}?"
            self.facts[name] = value if name == "sqlstate" else int(value)

    def key(self):
        return (self.rule, *sorted(self.facts.items()))


class Case:
    def __init__(self, topic, name, where):
        self.topic, self.where = topic, where
        self.name = f"{topic}_{name}"
        self.since, self.needs, self.repair = 0, None, None
        self.expected, self.schema, self.migration = [], [], None

    @property
    def fails(self):
        return self.expected[0].rule != "nothing"

    def preamble(self):
        return f"SET search_path = {self.name}, public;\n"

    def schema_sql(self):
        return f"CREATE SCHEMA {self.name};\n{self.preamble()}{''.join(self.schema)}"

    def migration_sql(self):
        return f"{self.preamble()}SET lock_timeout = '5s';\n{''.join(self.migration)}"


def load(path):
    cases = []
    for number, line in enumerate(path.read_text().splitlines(keepends=True), 1):
        where = f"{path.name}:{number}"
        marker = re.match(r"--- (\w+)\s*(.*)", line)
        if not marker:
            if cases:
                target = cases[-1].schema if cases[-1].migration is None else cases[-1].migration
                target.append(line)
            continue
        word, rest = marker.group(1), marker.group(2).split()
        if word == "case":
            cases.append(Case(path.stem, rest[0], where))
        elif word == "expect":
            cases[-1].expected.append(Expectation(rest, where))
        elif word == "since":
            cases[-1].since = int(rest[0])
        elif word == "needs":
            cases[-1].needs = rest[0]
        elif word == "repair":
            cases[-1].repair = marker.group(2)
        elif word == "migration":
            cases[-1].migration = []
        else:
            raise AssertionError(f"{where}: what is {word!r}?")
    for case in cases:
        assert case.expected and case.migration, f"{case.where}: {case.name} is not whole"
    return cases


def load_all():
    cases = [case for path in sorted(DIRECTORY.glob("*.sql")) for case in load(path)]
    assert len({case.name for case in cases}) == len(cases), "two cases have one name"
    return cases
