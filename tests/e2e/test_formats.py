"""Directories of migration tools, run as the files stand; what is new on a branch."""
import subprocess

import pytest

SCHEMA = "CREATE TABLE users (id int PRIMARY KEY);\nINSERT INTO users SELECT generate_series(1, 100);\n"


def run_directory(rehearse, files, *arguments):
    for name, content in files.items():
        rehearse.write(f"migrations/{name}", content)
    rehearse.write("schema.sql", SCHEMA)
    return rehearse("run", "migrations", "--schema", "schema.sql", *arguments)


def steps(outcome):
    return [step["name"] for step in outcome.result["steps"]]


def columns_added(outcome):
    return [statement["sql"].split("COLUMN ")[1].split()[0] for statement in outcome.result["statements"]
            if "ADD COLUMN" in statement["sql"]]


def test_plain_files_run_in_natural_order(rehearse):
    outcome = run_directory(rehearse, {f"{n}_step.sql": f"ALTER TABLE users ADD COLUMN c{n} int;\n"
                                       for n in (1, 2, 10)})
    assert outcome.status == 0, outcome
    assert steps(outcome) == ["1_step.sql", "2_step.sql", "10_step.sql"]
    assert columns_added(outcome) == ["c1", "c2", "c10"]


def test_golang_migrate_and_sqlx_run_the_up_files(rehearse):
    outcome = run_directory(rehearse, {
        "000001_a.up.sql": "ALTER TABLE users ADD COLUMN a int;\n",
        "000001_a.down.sql": "ALTER TABLE users DROP COLUMN a;\n",
        "000002_b.up.sql": "ALTER TABLE users ADD COLUMN b int;\n",
        "000002_b.down.sql": "ALTER TABLE users DROP COLUMN b;\n"})
    assert outcome.status == 0, outcome
    assert steps(outcome) == ["000001_a.up.sql", "000002_b.up.sql"]
    assert columns_added(outcome) == ["a", "b"]


def test_goose_runs_the_up_section_in_a_transaction(rehearse):
    outcome = run_directory(rehearse, {
        "20260101000000_a.sql": "-- +goose Up\nALTER TABLE users ADD COLUMN a int;\n"
                                "-- +goose StatementBegin\nDO $$ BEGIN\n  PERFORM 1;\n  PERFORM 2;\nEND $$;\n"
                                "-- +goose StatementEnd\n"
                                "-- +goose Down\nALTER TABLE users DROP COLUMN a;\n",
        "20260102000000_b.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n"
                                "CREATE INDEX CONCURRENTLY users_a ON users (a);\n"
                                "-- +goose Down\nDROP INDEX users_a;\n"})
    assert outcome.status == 0, outcome
    assert outcome.statement("ADD COLUMN a")["in_transaction"]
    assert not outcome.statement("CONCURRENTLY")["in_transaction"]
    assert not any("DROP" in statement["sql"] for statement in outcome.result["statements"])
    assert outcome.statement("ADD COLUMN a")["line"] == 2


def test_dbmate_runs_the_up_section(rehearse):
    outcome = run_directory(rehearse, {
        "20260101000000_a.sql": "-- migrate:up\nALTER TABLE users ADD COLUMN a int;\n\n"
                                "-- migrate:down\nALTER TABLE users DROP COLUMN a;\n",
        "20260102000000_b.sql": "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY users_a ON users (a);\n\n"
                                "-- migrate:down\nDROP INDEX users_a;\n"})
    assert outcome.status == 0, outcome
    assert outcome.statement("ADD COLUMN a")["in_transaction"]
    assert not outcome.statement("CONCURRENTLY")["in_transaction"]
    assert not any("DROP" in statement["sql"] for statement in outcome.result["statements"])


def test_failure_in_the_transaction_of_a_tool_is_a_finding(rehearse):
    """It was an error of ours once: the tool's ROLLBACK stood behind the statement that failed."""
    outcome = run_directory(rehearse, {
        "20260101000000_a.sql": "-- migrate:up\nALTER TABLE nowhere ADD COLUMN a int;\n"
                                "-- migrate:down\nSELECT 1;\n"})
    assert outcome.status == 5, outcome
    assert outcome.statement("nowhere")["error"]["sqlstate"] == "42P01"
    assert [statement["tag"] for statement in outcome.result["statements"]][-1] == "ROLLBACK"


def test_copy_to_stdout_goes_nowhere_and_the_file_goes_on(rehearse):
    outcome = run_directory(rehearse, {"1.sql": "INSERT INTO users SELECT generate_series(101, 50100);\n"
                                                "COPY users TO STDOUT;\n"
                                                "ALTER TABLE users ADD COLUMN a int;\n"})
    assert outcome.result["steps"][0]["ok"], outcome
    assert outcome.statement("COPY")["rows"] >= 50000
    assert columns_added(outcome) == ["a"]


def test_copy_from_stdin_without_data_fails_where_no_data_can_follow(rehearse):
    outcome = run_directory(rehearse, {
        "20260101000000_a.sql": "-- migrate:up\nCOPY users FROM STDIN;\nALTER TABLE users ADD COLUMN a int;\n"
                                "-- migrate:down\nSELECT 1;\n"})
    assert outcome.status == 5, outcome
    assert "no data came with the statement" in outcome.statement("COPY")["error"]["message"]
    assert not columns_added(outcome)


def test_copy_from_stdin_takes_what_follows_for_data_as_psql_does(rehearse):
    outcome = run_directory(rehearse, {"1.sql": "COPY users FROM STDIN;\nALTER TABLE users ADD COLUMN a int;\n"})
    assert outcome.status == 5, outcome
    assert outcome.statement("COPY")["error"]["sqlstate"] == "22P02"
    assert not columns_added(outcome)


def test_flyway_runs_versions_then_repeatables(rehearse):
    outcome = run_directory(rehearse, {
        "V1__a.sql": "ALTER TABLE users ADD COLUMN a int;\n",
        "V1_2__b.sql": "ALTER TABLE users ADD COLUMN b int;\n",
        "V10__c.sql": "ALTER TABLE users ADD COLUMN c int;\n",
        "U1__a.sql": "ALTER TABLE users DROP COLUMN a;\n",
        "R__view.sql": "CREATE OR REPLACE VIEW v AS SELECT a, b, c FROM users;\n"})
    assert outcome.status == 0, outcome
    assert steps(outcome) == ["V1__a.sql", "V1_2__b.sql", "V10__c.sql", "R__view.sql"]


def test_psql_meta_commands_go_through_psql(rehearse):
    rehearse.write("migrations/included.sql.part", "ALTER TABLE users ADD COLUMN b int;\n")
    outcome = run_directory(rehearse, {"1.sql": "\\set column a\nALTER TABLE users ADD COLUMN :column int;\n"
                                                "\\ir included.sql.part\n"})
    assert outcome.status == 0, outcome
    assert columns_added(outcome) == ["a", "b"]


def test_psql_script_that_fails_is_a_finding(rehearse):
    outcome = run_directory(rehearse, {"1.sql": "\\set x 1\nALTER TABLE nowhere ADD COLUMN a int;\n"
                                                "ALTER TABLE users ADD COLUMN b int;\n"})
    assert outcome.status == 5, outcome
    assert columns_added(outcome) == ["a"]
    assert not outcome.result["steps"][0]["ok"]


def test_files_given_one_by_one_run_in_the_order_given(rehearse):
    rehearse.write("schema.sql", SCHEMA)
    rehearse.write("b.sql", "ALTER TABLE users ADD COLUMN b int;\n")
    rehearse.write("a.sql", "ALTER TABLE users ADD COLUMN a int;\n")
    outcome = rehearse("run", "b.sql", "a.sql", "--schema", "schema.sql")
    assert outcome.status == 0, outcome
    assert steps(outcome) == ["b.sql", "a.sql"]


# --- --since ---------------------------------------------------------------------------------------------------

def git(rehearse, *arguments):
    subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c",
                    "init.defaultBranch=main", *arguments], cwd=rehearse.directory, check=True, capture_output=True)


@pytest.fixture
def repository(rehearse):
    git(rehearse, "init", "-q")
    rehearse.write("migrations/1_users.sql", SCHEMA)
    rehearse.write("migrations/2_a.sql", "ALTER TABLE users ADD COLUMN a int;\n")
    git(rehearse, "add", ".")
    git(rehearse, "commit", "-qm", "start")
    git(rehearse, "checkout", "-qb", "feature")
    rehearse.write("migrations/3_b.sql", "UPDATE users SET a = 1;\nALTER TABLE users ADD COLUMN b int;\n")
    git(rehearse, "add", ".")
    git(rehearse, "commit", "-qm", "more")
    rehearse.write("migrations/4_c.sql", "ALTER TABLE users ADD COLUMN c int;\n")  # not even committed
    return rehearse


def test_since_takes_only_what_is_new(repository):
    outcome = repository("run", "--since", "main", "--dir", "migrations")
    assert outcome.status == 0, outcome
    assert steps(outcome) == ["3_b.sql", "4_c.sql"]
    assert outcome.statement("UPDATE")["rows"] == 100
    assert any("starting point" in note for note in outcome.result["fidelity"]["notes"])


def test_since_with_nothing_new_says_so(repository):
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "all")
    outcome = repository("run", "--since", "HEAD", "--dir", "migrations")
    assert outcome.status == 0, outcome
    assert "nothing to rehearse" in outcome.stderr and "HEAD" in outcome.stderr
    assert not (repository.directory / ".rehearse").exists()


def test_since_an_unknown_commit(repository):
    outcome = repository("run", "--since", "nowhere", "--dir", "migrations")
    assert outcome.status == 2, outcome
    assert "nowhere" in outcome.stderr


def test_since_outside_a_repository(rehearse):
    rehearse.write("migrations/1.sql", SCHEMA)
    outcome = rehearse("run", "--since", "main", "--dir", "migrations")
    assert outcome.status == 2, outcome
    assert "git" in outcome.stderr
