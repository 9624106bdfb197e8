"""Snapshots of ours for tests that are not about making them: an archive and a manifest by hand."""
import json
import pathlib
import subprocess


def manifest_of(cluster, database, /, **changes):
    """What `rehearse snapshot create` would say of a whole, masked copy."""
    with cluster.connect(database) as connection:
        def ask(query):
            return connection.execute(query).fetchall()
        version = ask("SELECT current_setting('server_version')")[0][0].split(" ")[0]
        tables = ask("SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.oid FROM pg_class c "
                     "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' "
                     "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 3")
        described = []
        for schema, name, identity, oid in tables:
            rows = ask(f"SELECT count(*) FROM ONLY {identity}")[0][0]
            columns = ask("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                          f"WHERE attrelid = {oid} AND attnum > 0 AND NOT attisdropped ORDER BY attnum")
            described.append({
                "schema": schema, "name": name, "identity": identity, "production_rows": rows, "rows_exact": True,
                "production_pages": 1, "production_bytes": 8192, "rows": rows, "bytes": 100,
                "sample_fraction": 1.0, "sample_reason": None, "omitted": None, "checksum": None,
                "columns": [{"name": column, "type": type_name,
                             "rule": "text" if type_name == "text" else "keep", "domain": None,
                             "reason": "nobody classified it"} for column, type_name in columns]})
    manifest = {
        "format_version": "1.0", "rehearse_version": "0.1.0", "created_at": "2026-11-20T10:00:00.000Z",
        "source": f"primary db1:5432/{database}", "dump_version": version, "duration_ms": 1000.0,
        "server_version": version, "server_major": int(version.split(".")[0]), "database": database,
        "encoding": "UTF8", "is_standby": False, "system_identifier": "7", "wal_position": "0/16B3748",
        "taken_at": "2026-11-20T10:00:00.000Z", "is_masked": True, "is_complete": True, "key_id": "k1",
        "seed_id": None, "sample_fraction": 1.0,
        "masked_columns": sum(c["rule"] != "keep" for t in described for c in t["columns"]), "kept_columns": 1,
        "footprint": {"statements": 1, "bytes_read": 1, "snapshot_age_ms": 1.0, "locks": []},
        "extensions": [], "collations": [], "settings": [], "replicas": [], "roles": [], "tables": described,
        "large_objects": 0, "large_object_bytes": 0,
        "certificates": [{"name": name, "status": "passed", "detail": None, "notes": []}
                         for name in ("integrity", "shape", "leak")],
        "witnesses": [], "notes": []}
    for name, value in changes.items():
        manifest[name] = value(manifest) if callable(value) else value
    return manifest


def make_snapshot(cluster, database, directory, /, **changes):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    subprocess.run([f"{cluster.server.bin}/pg_dump", "-h", str(cluster.directory), "-U", "postgres", "-d", database,
                    "-Fd", "-Z0", "-f", str(directory / "archive")], check=True, capture_output=True)
    write_manifest(directory, manifest_of(cluster, database, **changes))
    return directory


def write_manifest(directory, manifest):
    (pathlib.Path(directory) / "manifest.json").write_text(json.dumps(manifest, indent=1))
