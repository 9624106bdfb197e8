#!/usr/bin/env python3
"""Asks the linker what the pure folders need: no input, output, clock, chance, environment or exit.

  purity.py BUILD_DIRECTORY

An allow list, so that what nobody thought of is seen too. Whoever adds to it says why it is pure:
the result depends on the arguments alone, and nothing outside of them changes.
"""
import collections
import pathlib
import re
import subprocess
import sys

import common

# Archive -> the members that are pure; None for all.
PURE = {
    "stats": None,
    "model": None,
    "sql": None,
    "mask": None,
    "compare": None,
    "judge": None,
    "report": None,
    "net": ["pg_codec.c", "pg_walk.c"],
}

ALLOWED = re.compile("^(?:" + "|".join([
    # C library: memory, strings, sorting, numbers, formatting into memory
    r"mem\w+", r"str(?!error|ftime|ptime)\w+", r"__isoc23_strto\w+", r"malloc|calloc|realloc|free",
    r"reallocarray", r"qsort|bsearch", r"v?snprintf", r"__(mem|str|v?sn)\w+_chk",
    r"__stack_chk_fail", r"__ctype_\w+", r"(l?lround|l?lrint|floor|ceil|fabs|sqrt|pow|exp|log|log1p|log2|"
    r"log10|round|trunc|fmod|isnan|isinf|nextafter|fmin|fmax)[fl]?",
    r"gmtime_r|timegm",              # calendar arithmetic: no time zone, no clock
    r"newlocale|uselocale|freelocale",
    r"_GLOBAL_OFFSET_TABLE_",
    # sanitizers
    r"__(asan|ubsan|lsan)_\w+",
    # jansson, but not what opens files
    r"json(?!_(dump|load)(_file|f|fd)|_object_seed)\w+|jsonp_\w+",
    # libpg_query parses text into memory; protobuf-c unpacks what it returns
    r"pg_query_\w+|protobuf_c_\w+",
    # OpenSSL: ciphers, digests and key derivation over memory; never its random numbers
    r"(EVP|HMAC|OSSL_PARAM)_\w+|HMAC|OPENSSL_cleanse|CRYPTO_memcmp|XXH\w+",
    # other code of ours in a pure folder, or pure parts of base
    r"rh_(err|arena|text|buf|duration|bytes|count|say|quote)_\w+", r"rh_panic",
    r"rh_clock_(rfc3339|parse_rfc3339|compact|after|earlier)", r"rh_file_(join|sha256)",
    r"rh_process_command_text|rh_process_status_text",
    r"rh_yaml_read|rh_suggest_consider", # text to a tree, names to the closest
]) + ")$")


def read_symbols(archive):
    """{member: (defined, undefined)} of the global symbols."""
    listing = subprocess.run(["nm", "-g", archive], capture_output=True, text=True, check=True).stdout
    members = collections.defaultdict(lambda: (set(), set()))
    member = None
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
            continue
        fields = line.split()
        if len(fields) < 2:
            continue
        kind, name = fields[-2], fields[-1]
        members[member][1 if kind in "Uw" else 0].add(name.split("@")[0])
    return members


def member_source(member):
    """pg_codec.c from "pg_codec.c.o" or "meson-generated_..._x.c.o"."""
    return pathlib.Path(member).name.removesuffix(".o")


def main():
    build = pathlib.Path(common.parse_arguments("build").build)
    problems = []
    symbols = {}
    for folder in PURE:
        archive = build / "src" / folder / f"librh_{folder}.a"
        if archive.exists():
            symbols[folder] = read_symbols(archive)
    if not symbols:
        sys.exit(f"{build}: no libraries of pure folders were found")

    def is_pure(folder, member):
        return PURE[folder] is None or member_source(member) in PURE[folder]

    own = set()
    for folder, members in symbols.items():
        for member, (defined, _) in members.items():
            if is_pure(folder, member):
                own |= defined
    for folder, members in symbols.items():
        for member, (_, undefined) in sorted(members.items()):
            if is_pure(folder, member):
                problems += [f"src/{folder}/{member_source(member)}: uses {name}"
                             for name in sorted(undefined - own) if not ALLOWED.match(name)]
    common.finish(problems, "model, sql, judge, report and the codec depend on their arguments alone")


if __name__ == "__main__":
    main()
