"""What `snapshot create` leaves in the cache: the sandbox that a run of it would have prepared."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
from conftest import wait_for
from test_snapshot import Production, SHOP, certificate, create, manifest, no_traces, production
from test_snapshot_cache import entries, entry_bytes, hidden, templates

__all__ = ["production", "templates"]  # fixtures

MIGRATION = "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n" \
            "CREATE INDEX ON orders (at);\nUPDATE users SET nickname = name WHERE id < 100;\n"


@pytest.fixture(scope="session")
def market(production):
    """With all that is kept of production beside its rows: settings, roles, owners, a sequence that has moved."""
    name = production.database("market", SHOP)
    production.sql("DO $$ BEGIN CREATE ROLE owner; EXCEPTION WHEN duplicate_object THEN NULL; END $$; "
                   "ALTER ROLE owner SET work_mem = '7MB'; ALTER DATABASE market SET work_mem = '6MB'; "
                   "ALTER ROLE reader SET search_path = public, pg_temp; "
                   "ALTER TABLE users OWNER TO owner; ALTER TABLE orders OWNER TO owner; "
                   "ALTER TABLE parted OWNER TO owner; ALTER TABLE parted_north OWNER TO owner; "
                   "ALTER TABLE parted_south OWNER TO owner; ALTER MATERIALIZED VIEW sums OWNER TO owner; "
                   "CREATE STATISTICS pairs ON user_id, total FROM orders; "
                   "ALTER TABLE orders ALTER COLUMN total SET STATISTICS 500; ANALYZE", name)
    return name


@pytest.fixture
def kept(rehearse, tmp_path, templates):
    rehearse.cache = tmp_path / "kept"
    rehearse.cache.mkdir(mode=0o700)
    (rehearse.cache / "templates").symlink_to(templates)
    rehearse.environment["REHEARSE_CACHE_DIR"] = str(rehearse.cache)
    rehearse.write("migration.sql", MIGRATION)
    return rehearse


def run(program, *arguments, snapshot="s", **options):
    return program("run", "--snapshot", snapshot, "migration.sql", *arguments, **options)


def nothing_kept(program):
    directory = program.cache / "sandboxes"
    return not directory.exists() or list(directory.iterdir()) == []


# What a clock says, or the server counts from: never the same twice.
TIMES = re.compile(r"(_ms|_at|_us|_s|^at|duration|pid|lsn|xid)$")


def without_times(value, path=""):
    if isinstance(value, dict):
        return {name: without_times(item, f"{path}.{name}") for name, item in value.items()
                if not TIMES.search(name)}
    if isinstance(value, list):
        return [without_times(item, path) for item in value]
    if isinstance(value, str):
        return re.sub(r"\b[\d.,]+ ?(ms|s|µs|min)\b", "TIME", value)
    return value


def differences(a, b, path=""):
    if isinstance(a, dict) and isinstance(b, dict):
        return [found for name in sorted({*a, *b})
                for found in differences(a.get(name), b.get(name), f"{path}.{name}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [found for n, (x, y) in enumerate(zip(a, b)) for found in differences(x, y, f"{path}[{n}]")]
    return [] if a == b else [(path, a, b)]


@pytest.mark.parametrize("arguments", [[], ["--unmasked"], ["--sample", "20%"]], ids=["masked", "unmasked", "sample"])
def test_the_first_run_starts_from_what_create_left_and_reports_the_same(production, market, kept, arguments):
    done = create(kept, production, *arguments, database=market)
    assert done.status == 0, done
    entry, = entries(kept)
    assert hidden(kept) == []
    more = (["--allow-unmasked"] if "--unmasked" in arguments else []) + \
        (["--accept-sample"] if "--sample" in arguments else [])
    first = run(kept, *more, "--out", "first")
    assert first.status == 0, first.stdout
    assert first.result["fidelity"]["from_cache"], first
    assert "from the cache" in first.stdout and "restore" not in first.stderr, first
    assert entries(kept) == [entry]
    scratch = run(kept, *more, "--no-cache", "--out", "scratch")
    assert not scratch.result["fidelity"]["from_cache"] and "restore" in scratch.stderr
    found = differences(without_times(first.result), without_times(scratch.result))
    print(json.dumps(found, indent=1))
    assert found == []
