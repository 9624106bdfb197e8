"""A shop, and what its application said for a while."""
import contextlib
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import conftest
import test_capture
import test_tap_tls


@contextlib.contextmanager
def recorded_shop(setup, *runs):
    """A server with the database "shop", its `dump` and its `workload`: `runs` are pgbench's, each a script and options."""
    found = conftest.debian_server()
    if not found or not pathlib.Path(found[1], "pgbench").exists():
        pytest.skip("no complete PostgreSQL installation here")
    place = pathlib.Path(tempfile.mkdtemp(prefix="rh-recorded-", dir="/var/tmp"))
    cluster = test_tap_tls.open_cluster(*found)
    script = place / "shop.pgbench"
    try:
        cluster.start(listen_addresses="127.0.0.1", port=cluster.port)
        with cluster.database("shop", setup) as url:
            cluster.dump, cluster.workload = place / "shop.dump", place / "app.workload"
            subprocess.run([f"{found[1]}/pg_dump", "-d", url, "-Fc", "-f", cluster.dump], check=True)
            capture = test_capture.Capture(cluster, place=place, out=cluster.workload)
            try:
                for text, *options in runs:
                    script.write_text(text)
                    done = subprocess.run(
                        [f"{found[1]}/pgbench", "-n", "-h", "127.0.0.1", "-p", str(capture.port), "-U", "app", "-f",
                         script, *options, "shop"], capture_output=True, text=True, timeout=60)
                    assert done.returncode == 0, done.stderr
            finally:
                capture.end()
            yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(place)
