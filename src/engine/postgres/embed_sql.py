#!/usr/bin/env python3
"""Embeds sql/*.sql as C strings: embed_sql.py OUTPUT FILE...

Each file becomes `static const struct pg_sql PG_SQL_<NAME>[]`, the variants of its text, newest
server first, ended by one for every server. A line that ends in "-- since N" is for servers of major
version N and above, "-- before N" for older ones. A file with lines that end in "-- as superuser" or "-- as
another" becomes two: PG_SQL_<NAME> for superusers, PG_SQL_<NAME>_AS_ANOTHER for other roles. @REPORT_DIGEST@ becomes the md5 of the evidence
function's source, as the server computes it of pg_proc.prosrc.
"""
import hashlib
import os
import re
import sys

ROLE = re.compile(r"\s*-- as (superuser|another)$")
MARK = re.compile(r"\s*-- (since|before) (\d+)\s*$")


def variant(lines, major):
    kept = []
    for line in lines:
        mark = MARK.search(line)
        if mark:
            if (mark.group(1) == "since") != (major >= int(mark.group(2))):
                continue
            line = line[: mark.start()]
        kept.append(line)
    return kept


def literal(lines):
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return "\n".join('        "%s\\n"' % line for line in escaped)


def as_role(lines, role):
    marks = [(line, ROLE.search(line)) for line in lines]
    return [line[: mark.start()] if mark else line for line, mark in marks if not mark or mark.group(1) == role]


def by_role(texts):
    for name, text in texts.items():
        lines = text.rstrip("\n").split("\n")
        yield name, as_role(lines, "superuser")
        if any(map(ROLE.search, lines)):
            yield name + "_as_another", as_role(lines, "another")


def main():
    output, files = sys.argv[1], sys.argv[2:]
    texts = {os.path.basename(f)[:-4]: open(f, encoding="utf-8").read() for f in files}
    source = texts["evidence"].split("$rehearse$")[1]
    digest = hashlib.md5(source.encode()).hexdigest()
    out = ["/* Made by embed_sql.py from sql/; not to be edited. */", ""]
    for name, lines in sorted(by_role(texts)):
        lines = [line.replace("@REPORT_DIGEST@", digest) for line in lines]
        majors = {int(m.group(2)) for m in map(MARK.search, lines) if m}
        out.append("static const struct pg_sql PG_SQL_%s[] = {" % name.upper())
        for major in sorted(majors, reverse=True) + [0]:
            out.append("    {%d,\n%s}," % (major, literal(variant(lines, major))))
        out.append("};\n")
    with open(output, "w", encoding="utf-8") as f:
        f.write("\n".join(out))


main()
