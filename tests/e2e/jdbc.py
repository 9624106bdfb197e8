"""The JDBC client of the tests (Jdbc.java): compiled once a session, by the runtime's own compiler."""
import pathlib
import shutil
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).parent / "Jdbc.java"
DRIVER = pathlib.Path("/usr/share/java/postgresql.jar")


@pytest.fixture(scope="session")
def jdbc(tmp_path_factory):
    """-> the command that the client's arguments go behind"""
    if not shutil.which("java"):
        pytest.skip("no java here")
    if not DRIVER.exists():
        pytest.fail(f"{DRIVER} is not there: tools/bootstrap check installs it")
    classes = tmp_path_factory.mktemp("jdbc")
    done = subprocess.run(["java", "-m", "jdk.compiler/com.sun.tools.javac.Main", "-nowarn", "-cp", DRIVER, "-d",
                           classes, SOURCE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    # Quick to start; what it does is over in a second.
    return ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", f"{DRIVER}:{classes}", "Jdbc"]
