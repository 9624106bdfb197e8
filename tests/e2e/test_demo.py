"""The product on its built-in shop."""
import re
import time

import pytest


@pytest.mark.alone
def test_demo_has_four_correct_verdicts_and_leaves_no_files_unless_asked(rehearse):
    before = set(rehearse.directory.iterdir())
    began = time.monotonic()
    outcome = rehearse("demo", timeout=150)
    assert outcome.status == 0, outcome
    table = outcome.stdout[outcome.stdout.rindex("migration  "):]
    verdicts = re.findall(r"^  (\d_\w+\.sql) +(SAFE|UNSAFE|INCONCLUSIVE) +(\S.*)$", table, re.M)
    assert [verdict for _, verdict, _ in verdicts] == ["SAFE", "UNSAFE", "UNSAFE", "UNSAFE"], table
    assert all(why for _, _, why in verdicts)
    for name, _, _ in verdicts:
        assert outcome.stdout.count(name) >= 2, "each migration is shown, and summed up"
    assert max(len(line) for line in outcome.stdout.splitlines()) <= 100
    assert time.monotonic() - began < 90
    assert set(rehearse.directory.iterdir()) - before <= {rehearse.directory / ".cache"}
