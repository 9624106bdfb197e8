"""`rehearse run --snapshot DIR` on a snapshot of ours: what its manifest says decides what is concluded."""
import json
import shutil

import pytest

from snapshots import make_snapshot, manifest_of, write_manifest

SAFE = "SET lock_timeout = '2s';\nALTER TABLE users ADD COLUMN nickname text;\n"
# It reads every row and blocks nobody, so that no time has to be scaled.
UNIQUE = "SET lock_timeout = '2s';\nCREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);\n"
SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, email text, age int);
INSERT INTO users SELECT n, 'user' || n || '@example.com', n % 90 FROM generate_series(1, 1000) n;
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users);
INSERT INTO orders SELECT n, n FROM generate_series(1, 500) n;
ANALYZE;
"""


@pytest.fixture(scope="session")
def town(debian_cluster, tmp_path_factory):
    """(cluster, database, directory of a whole snapshot of it)"""
    debian_cluster.sql("CREATE ROLE app")
    debian_cluster.sql("CREATE DATABASE town OWNER app")
    debian_cluster.sql("SET ROLE app;" + SCHEMA, "town")
    return debian_cluster, "town", make_snapshot(debian_cluster, "town", tmp_path_factory.mktemp("town") / "whole")


@pytest.fixture
def snapshot_with(town, tmp_path):
    """snapshot_with(**changes of the manifest): a copy of its own."""
    cluster, database, whole = town

    def make(**changes):
        directory = tmp_path / "town.snapshot"
        shutil.copytree(whole, directory, dirs_exist_ok=True)
        write_manifest(directory, manifest_of(cluster, database, **changes))
        return directory
    return make


def run(rehearse, snapshot, *arguments, migration=SAFE):
    return rehearse("run", "--snapshot", snapshot, rehearse.write("1_migration.sql", migration).name,
                    "--no-way-back", *arguments)


def sampled(fraction=0.01, **changes):
    """The manifest of a sample of `users`, whatever is in the archive."""
    def tables(manifest):
        for table in manifest["tables"]:
            if table["name"] == "users":
                table.update(sample_fraction=fraction, production_rows=int(table["rows"] / fraction),
                             sample_reason="root, 1 %", **changes)
        return manifest["tables"]
    return {"tables": tables, "is_complete": False, "sample_fraction": fraction}


# --- what the report opens with ----------------------------------------------------------------------

def test_report_opens_with_how_like_production_it_is(rehearse, snapshot_with):
    outcome = run(rehearse, snapshot_with(server_version="15.2", is_standby=True))
    assert outcome.status == 0, outcome
    lines = outcome.stdout.splitlines()
    assert lines[0].startswith("sandbox") and lines[1].strip() != ""
    opening = outcome.stdout.partition("\n\n")[0]
    for part in ("copy of", "PostgreSQL 15.2, a standby", "all of its 1,500 rows", "integrity, shape, leak passed",
                 "warm", "column masked", "old"):
        assert part in opening, opening
    fidelity = outcome.result["fidelity"]
    said = fidelity["snapshot"]
    assert said["production_version"] == "15.2" and said["is_masked"] and said["is_complete"]
    assert said["production_rows"] == said["rows"] == 1500
    assert said["witnesses"] == "not-needed" and said["sampled_tables"] == []
    assert [certificate["status"] for certificate in said["certificates"]] == ["passed"] * 3
    assert fidelity["masked_columns"] == 1 and fidelity["sample_fraction"] == 1.0
    assert fidelity["snapshot_age_s"] is not None
    # The migration touched a table with a masked text column.
    assert any("public.users: email is masked" in sentence for sentence in said["weakened"])
    assert "order is not" in opening


def test_a_value_that_is_replaced_weakens_more(rehearse, snapshot_with):
    def tables(manifest):
        manifest["tables"][1]["columns"][1]["rule"] = "fixed"
        return manifest["tables"]
    outcome = run(rehearse, snapshot_with(tables=tables))
    assert any("public.users: email is replaced" in text for text in outcome.result["fidelity"]["snapshot"]["weakened"])


@pytest.mark.parametrize("rule, type_name, said", [
    ("text", "text", "lengths and equal values are production's, their order is not"),
    ("text", "text[]", "their lengths and their order need not be"),
    ("free-text", "text", "their lengths and their order need not be"),
    ("inet", "inet", "their lengths and their order need not be"),
    ("tsvector", "tsvector", "their lengths and their order need not be"),
    ("number", "integer", "the order of numbers below the bound of their type"),
    ("date", "date", None)])
def test_of_a_masked_column_only_that_is_said_which_its_rule_keeps(rehearse, snapshot_with, rule, type_name, said):
    def tables(manifest):
        manifest["tables"][1]["columns"][1].update(rule=rule, type=type_name)
        return manifest["tables"]
    weakened = run(rehearse, snapshot_with(tables=tables)).result["fidelity"]["snapshot"]["weakened"]
    about = [sentence for sentence in weakened if "email is masked" in sentence]
    assert [said in sentence for sentence in about] == ([True] if said else []), weakened


def test_tables_that_are_masked_alike_are_one_sentence(rehearse, snapshot_with):
    def tables(manifest):
        for table in manifest["tables"]:
            table["columns"][0].update(rule="text", type="text")
        return manifest["tables"]
    weakened = run(rehearse, snapshot_with(tables=tables),
                   migration=SAFE + "ALTER TABLE orders ADD COLUMN note text;\n").result["fidelity"]["snapshot"]["weakened"]
    about, = [sentence for sentence in weakened if "lengths and equal values" in sentence]
    assert about.startswith("public.orders: id; public.users: id and email are masked: "), about


def test_a_plain_dump_says_nothing_of_itself(rehearse, town):
    cluster, database, whole = town
    outcome = run(rehearse, whole / "archive")
    assert outcome.status == 0
    assert any("plain dump" in note for note in outcome.result["fidelity"]["notes"])
    assert outcome.result["fidelity"]["snapshot"] is None


# --- settings ---------------------------------------------------------------------------------------------

def test_production_s_settings_are_kept_where_they_can_be(rehearse, snapshot_with):
    settings = [("server", "work_mem", "7MB"), ("server", "random_page_cost", "1.1"),
                ("server", "TimeZone", "Europe/Berlin"), ("server", "default_statistics_target", "500"),
                ("server", "shared_buffers", "4000GB"), ("server", "log_destination", "syslog"),
                ("server", "data_directory", "/srv"), ("server", "shared_preload_libraries", "citus"),
                ("server", "no_such_setting", "1"), ("server", "enable_seqscan", "perhaps"),
                ("server", "archive_command", "(not shown)"), ("server", "my.key", "(not shown)"),
                ("server", "synchronous_standby_names", "*"),
                ("role app", "lock_timeout", "3s"), ("role app", "search_path", "\"$user\", public"),
                ("role app in database town", "statement_timeout", "1h"), ("role gone", "work_mem", "1MB")]
    snapshot = snapshot_with(settings=[dict(zip(("scope", "name", "value"), setting)) for setting in settings])
    shown = ["work_mem", "random_page_cost", "TimeZone", "lock_timeout", "statement_timeout", "search_path",
             "shared_buffers", "default_statistics_target"]
    queries = "; ".join(f"SELECT 'is {name} ' || current_setting('{name}')" for name in shown)
    for _ in range(2):  # the second time from the cache
        outcome = rehearse("run", "--snapshot", snapshot, "--set", "random_page_cost=3", "--",
                           "psql", "-Atc", queries + "; ALTER TABLE users ADD COLUMN b int")
        assert outcome.status == 0, outcome
        output = (outcome.directory / "output.log").read_text()
        for line in ("is work_mem 7MB", "is random_page_cost 3", "is TimeZone Europe/Berlin", "is lock_timeout 3s",
                     "is statement_timeout 1h", 'is search_path "$user", public',
                     "is default_statistics_target 500"):
            assert line in output.splitlines(), output
        said = outcome.result["fidelity"]["snapshot"]
        left_out = "\n".join(said["settings_not_kept"])
        for setting in ("shared_buffers = 4000GB (server): a sandbox may take", "shared_preload_libraries = citus",
                        "no_such_setting", "enable_seqscan = perhaps", "my.key", "synchronous_standby_names"):
            assert setting in left_out, left_out
        assert "3 of files, networks, logs and replicas" in left_out
        assert "/srv" not in left_out and "gone" not in left_out
        assert said["settings_kept"] == 6
        assert "not kept" in outcome.stdout
    assert outcome.result["fidelity"]["from_cache"]


def test_extensions_and_collations_that_differ_are_named(rehearse, snapshot_with):
    snapshot = snapshot_with(
        extensions=[{"name": "plpgsql", "version": "0.9", "schema": "pg_catalog"}],
        collations=[{"name": "database", "provider": "libc", "locale": "en_US.utf8", "recorded_version": "1.0",
                     "actual_version": "1.0"},
                    {"name": "\"en-x-icu\"", "provider": "icu", "locale": "en", "recorded_version": "0.1",
                     "actual_version": "0.1"}])
    notes = "\n".join(run(rehearse, snapshot).result["fidelity"]["notes"])
    assert 'extension "plpgsql" is 1.0 here, 0.9 in production' in notes
    assert 'collation "en-x-icu" sorts text by icu 0.1 in production' in notes


# --- masked or not --------------------------------------------------------------------------------------------

@pytest.mark.parametrize("changes, said", [
    ({"is_masked": False}, "not masked"),
    ({"certificates": [{"name": "leak", "status": "failed", "detail": "3 e-mail addresses survived",
                        "notes": []}]}, "3 e-mail addresses survived")])
def test_a_snapshot_with_clear_data_is_refused(rehearse, snapshot_with, changes, said):
    snapshot = snapshot_with(**changes)
    refused = run(rehearse, snapshot)
    assert refused.status == 1, refused
    assert said in refused.stderr and "unsanitized-snapshot" in refused.stderr
    assert "--allow-unmasked" in refused.stderr and refused.stdout == ""
    assert not (rehearse.directory / ".rehearse/runs/latest").exists()  # before anything was started
    rehearse.write("rehearse.yaml", "allow-unmasked: true\n")
    allowed = run(rehearse, snapshot)
    assert allowed.status == 0, allowed
    finding, = allowed.findings("unsanitized-snapshot")
    assert finding["severity"] == "warning" and said in finding["why"]
    assert allowed.result["fidelity"]["snapshot"]["clear_data"]


def test_a_plain_dump_is_refused_only_when_the_configuration_says_so(rehearse, town):
    archive = town[2] / "archive"
    rehearse.write("rehearse.yaml", "require-masked: true\n")
    refused = run(rehearse, archive)
    assert refused.status == 1 and "says nothing of masking" in refused.stderr, refused
    assert run(rehearse, archive, "--allow-unmasked").status == 0


def test_a_failed_certificate_of_another_kind_makes_it_inconclusive(rehearse, snapshot_with):
    outcome = run(rehearse, snapshot_with(certificates=[
        {"name": "integrity", "status": "failed", "detail": "public.users differs", "notes": []}]))
    assert outcome.status == 3, outcome
    assert "public.users differs" in outcome.result["headline"]


# --- samples ----------------------------------------------------------------------------------------------------

def test_success_on_a_sample_is_inconclusive_without_witnesses(rehearse, snapshot_with):
    snapshot = snapshot_with(**sampled())
    outcome = run(rehearse, snapshot, migration=UNIQUE)
    assert outcome.status == 3, outcome
    headline = outcome.result["headline"]
    assert "public.users" in headline and "sample" in headline and "--witness" in headline
    fidelity = outcome.result["fidelity"]
    assert fidelity["snapshot"]["witnesses"] == "missing"
    assert 0.01 < fidelity["sample_fraction"] < 0.02
    assert "1,500 of its 101 k rows" in " ".join(outcome.stdout.split())
    accepted = run(rehearse, snapshot, "--accept-sample", migration=UNIQUE)
    assert accepted.status == 0, accepted
    assert any("--accept-sample" in note for note in accepted.result["fidelity"]["notes"])


def test_a_materialized_view_does_not_make_a_sample_of_a_whole_snapshot(rehearse, snapshot_with):
    """A restore fills it from rows that are all here."""
    def tables(manifest):
        view = dict(manifest["tables"][0], name="totals", identity="public.totals", rows=0, production_rows=4000,
                    columns=[], omitted="materialized view: a restore fills it from the rows here")
        return [*manifest["tables"], view]
    outcome = run(rehearse, snapshot_with(tables=tables), migration=UNIQUE)
    assert outcome.status == 0 and outcome.result["fidelity"]["sample_fraction"] == 1.0, outcome
    assert "% sample" not in outcome.stdout


def test_what_reads_no_row_of_the_sample_is_safe(rehearse, snapshot_with):
    assert run(rehearse, snapshot_with(**sampled())).status == 0


def test_what_reads_other_tables_than_the_sampled_is_safe(rehearse, snapshot_with):
    assert run(rehearse, snapshot_with(**sampled()), migration="SET lock_timeout = '2s';\n"
               "CREATE UNIQUE INDEX CONCURRENTLY orders_id ON orders (id, user_id);").status == 0


def test_an_update_by_key_depends_on_the_rows_too(rehearse, snapshot_with):
    outcome = run(rehearse, snapshot_with(**sampled()), migration="UPDATE users SET age = 1 WHERE id = 7;")
    assert outcome.status == 3 and "sample" in outcome.result["headline"], outcome


@pytest.mark.parametrize("not_covered, status", [([], 0), (["duplicates of users (email) were too expensive"], 3)])
def test_witnesses_of_this_very_migration_make_the_difference(rehearse, snapshot_with, not_covered, status):
    import hashlib
    witness = {"name": "1_migration.sql", "sha256": hashlib.sha256(UNIQUE.encode()).hexdigest(), "found": [],
               "not_covered": not_covered}
    snapshot = snapshot_with(**sampled(), witnesses=[witness])
    outcome = run(rehearse, snapshot, migration=UNIQUE)
    assert outcome.status == status, outcome
    said = outcome.result["fidelity"]["snapshot"]
    assert said["witnesses"] == ("partly" if not_covered else "covered")
    assert said["not_covered"] == not_covered
    # Another migration is another matter.
    assert run(rehearse, snapshot, migration=UNIQUE + "-- more\n").status == 3


def test_what_was_not_covered_for_several_files_is_said_once(rehearse, snapshot_with):
    import hashlib
    said = "duplicates of users (email) were too expensive"
    files = {"1_migration.sql": UNIQUE, "2_more.sql": SAFE}
    witnesses = [{"name": name, "sha256": hashlib.sha256(sql.encode()).hexdigest(), "found": [], "not_covered": [said]}
                 for name, sql in files.items()]
    snapshot = snapshot_with(**sampled(), witnesses=witnesses)
    outcome = run(rehearse, snapshot, rehearse.write("2_more.sql", SAFE).name, migration=UNIQUE)
    assert outcome.result["fidelity"]["snapshot"]["not_covered"] == [said], outcome
    assert " ".join(outcome.stdout.split()).count(said) == 1, outcome.stdout


def test_counts_of_a_sample_say_so(rehearse, snapshot_with):
    duplicates = "UPDATE users SET email = 'x' WHERE id < 4;\nCREATE UNIQUE INDEX ON users (email);\n"
    outcome = run(rehearse, snapshot_with(**sampled()), migration=duplicates)
    assert outcome.status == 5, outcome
    finding, = outcome.findings("duplicate-keys")
    assert "in a 1 % sample" in finding["title"] and "1,000 of 100,000 rows" in finding["why"]
    assert finding["evidence"]["production_rows"] == 100000 and finding["evidence"]["sample_fraction"] == 0.01
    assert finding["evidence"]["rows"] == 3
    assert "in a 1 % sample" in outcome.stdout


# --- manifest and archive ------------------------------------------------------------------------------------

@pytest.mark.parametrize("changes, said", [
    ({"database": "other"}, "another database"),
    ({"server_major": 14, "server_version": "14.2"}, "another version"),
    ({"tables": lambda manifest: [{**manifest["tables"][0], "name": "elsewhere", "identity": "public.elsewhere"}]},
     "lacks the rows of a table")])
def test_an_archive_of_another_snapshot_is_noticed(rehearse, snapshot_with, changes, said):
    outcome = run(rehearse, snapshot_with(**changes))
    assert outcome.status == 1, outcome
    assert "is not the one its manifest is about" in outcome.stderr and said in outcome.stderr


def test_a_manifest_that_is_none_is_said(rehearse, snapshot_with):
    snapshot = snapshot_with()
    (snapshot / "manifest.json").write_text('{"format_version": "1.0", ')
    outcome = run(rehearse, snapshot)
    assert outcome.status == 2 and "manifest.json" in outcome.stderr and "line 1" in outcome.stderr
    (snapshot / "manifest.json").write_text(json.dumps({"format_version": "2.0"}))
    outcome = run(rehearse, snapshot)
    assert outcome.status == 2 and "2.0" in outcome.stderr, outcome
    snapshot = snapshot_with()
    shutil.rmtree(snapshot / "archive")
    outcome = run(rehearse, snapshot)
    assert outcome.status == 2 and "archive" in outcome.stderr, outcome
