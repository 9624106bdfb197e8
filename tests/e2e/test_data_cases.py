"""What rows do to a migration: all cases of data_cases/ as one release, on every server version.

One run has to list every blocker of the release with exact counts, whatever failed before, and has
to keep quiet about all that succeeds.
"""
import subprocess

import pytest

import data_cases
from conftest import Program

CASES = data_cases.load_all()
TOPICS = sorted({case.topic for case in CASES})
# Rules that speak of rows; those about locks and time may say what they like here.
ABOUT_DATA = {"statement-error", "duplicate-keys", "null-values", "orphan-rows", "check-violations",
              "exclusion-conflicts", "partition-misfits", "cast-failure", "value-too-long",
              "out-of-range", "lossy-cast", "data-lost", "unnamed-side-effect", "backfill-unbatched",
              "cascade-rows", "no-effect", "nullability-changed", "default-changed",
              "null-unhandled", "row-count-changed", "sequence-behind", "integer-headroom",
              "statistics-lost"}


def has_icu(server, directory):
    """A server built with ICU knows its locale provider."""
    output = subprocess.run([f"{server.bin}/postgres", "--version"], capture_output=True, text=True,
                            cwd=directory, check=True).stdout
    libraries = subprocess.run(["ldd", f"{server.bin}/postgres"], capture_output=True, text=True,
                               check=True).stdout
    return "PostgreSQL" in output and "libicui18n" in libraries


class Release:
    """The cases that apply to a server, in one run: those that succeed first."""

    def __init__(self, program, server):
        icu = has_icu(server, program.directory)
        self.cases = [case for case in CASES
                      if case.since <= server.major and (case.needs != "icu" or icu)]
        self.left_out = {case.name for case in CASES} - {case.name for case in self.cases}
        self.cases.sort(key=lambda case: case.fails)
        program.write("schema.sql", "".join(case.schema_sql() for case in self.cases))
        self.steps = {}
        for number, case in enumerate(self.cases, 1):
            name = f"{number:04}_{case.name}.sql"
            program.write(f"migrations/{name}", case.migration_sql())
            self.steps[case.name] = name
        self.outcome = program("run", "migrations", "--schema", "schema.sql", "--server-bin",
                               server.bin, timeout=300)
        self.result = self.outcome.result

    def found(self, case):
        return [finding for finding in self.result["findings"]
                if finding.get("step") == self.steps[case.name]]


@pytest.fixture(scope="session")
def release(server, place, tmp_path_factory):
    return Release(Program(place, tmp_path_factory.mktemp(f"release{server.major}")), server)


def complaint(case, found):
    """What is wrong with these findings of this case; None when nothing is."""
    told = [finding for finding in found if finding["rule"] in ABOUT_DATA]
    rules = [(finding["rule"], finding.get("evidence") or {}) for finding in told]
    if not case.fails:
        return f"found {rules}" if rules else None
    errors = [finding for finding in found if finding["severity"] == "error"]
    if not errors:
        return f"no error found, only {rules}"
    if case.expected[0].rule == "failure":
        return None
    left = list(rules)
    for expected in case.expected:
        match = next((pair for pair in left if pair[0] == expected.rule and
                      all(pair[1].get(name) == value for name, value in expected.facts.items())), None)
        if match is None:
            return f"expected {expected.rule} {expected.facts}, found {rules}"
        left.remove(match)
    if left:
        return f"found beyond what was expected: {left}"
    return complaint_of_repair(case, next(one for one in told if one["rule"] == case.expected[0].rule))


def complaint_of_repair(case, finding):
    if case.repair is None:
        return None
    sql = finding.get("advice_sql")
    is_right = sql is None if case.repair == "none" else case.repair in (sql or "") and finding["advice_tried"]
    return None if is_right else f"expected the repair {case.repair}, found {sql}: {finding['advice']}"


@pytest.mark.parametrize("topic", TOPICS)
def test_data_cases(release, topic):
    complaints = {case.name: complaint(case, release.found(case))
                  for case in release.cases if case.topic == topic}
    wrong = {name: text for name, text in complaints.items() if text}
    assert complaints and wrong == {}, "\n".join(f"{name}: {text}" for name, text in wrong.items())


def test_data_cases_are_many_and_half_of_them_succeed():
    assert len(CASES) >= 120
    assert 2 * sum(not case.fails for case in CASES) >= len(CASES)


def test_data_cases_all_run_where_the_server_can(release):
    assert release.outcome.status == 5
    assert len(release.left_out) <= 2, release.left_out
