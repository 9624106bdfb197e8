#!/usr/bin/env python3
"""The guards guard: in a small tree of its own, what is forbidden is really found."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

GUARDS = pathlib.Path(__file__).resolve().parent

LAYERS = """
| layer | folder | holds | may include |
|---|---|---|---|
| 0 | `base` | things | — |
| 1 | `model` | data | base |
| 1 | `sql` | text | base, model |
| 1 | `net` | bytes | base |
| 2 | `engine` | servers | base, model, net |
| 3 | `tap` | relay | base, net |
| 4 | `trace` | runs | below |
| 4 | `judge` | rules | base, model |
"""


class GuardCase(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.directory.name)
        self.put("ARCHITECTURE.md", LAYERS)

    def tearDown(self):
        self.directory.cleanup()

    def put(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def guard(self, name, *arguments):
        return subprocess.run([sys.executable, GUARDS / f"{name}.py", "--root", self.root, *arguments],
                              capture_output=True, text=True)

    def assert_clean(self, name, *arguments):
        result = self.guard(name, *arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def assert_finds(self, text, name, *arguments):
        result = self.guard(name, *arguments)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(text, result.stdout)


class Layers(GuardCase):
    def test_allowed_includes_pass(self):
        self.put("src/trace/a.c", '#include "trace/a.h"\n#include "tap/tap.h"\n#include <stdio.h>\n'
                 '#include "trace/own_int.h"\n#include "queries.inc.h"\n')
        self.assert_clean("layers")

    def test_forbidden_edge_is_found(self):
        self.put("src/judge/a.c", '#include "base/err.h"\n\n#include "net/loop.h"\n')
        self.assert_finds('src/judge/a.c:3: judge may not include net ("net/loop.h")', "layers")

    def test_upward_edge_is_found(self):
        self.put("src/base/a.h", '#include "model/trace.h"\n')
        self.assert_finds("base may not include model", "layers")

    def test_same_layer_is_found_below_is_not(self):
        self.put("src/trace/a.c", '#include "judge/judge.h"\n')
        self.assert_finds("trace may not include judge", "layers")

    def test_internal_header_of_another_folder_is_found(self):
        self.put("src/trace/a.c", '#include "tap/session_int.h"\n')
        self.assert_finds("internal to tap", "layers")

    def test_include_without_folder_is_found(self):
        self.put("src/trace/a.c", '#include "a.h"\n')
        self.assert_finds("does not name its folder", "layers")

    def test_external_header_away_from_home_is_found(self):
        self.put("src/trace/a.c", "#include <libpq-fe.h>\n")
        self.put("src/engine/b.c", "#include <libpq-fe.h>\n")
        self.put("src/engine/postgres/c.c", "#include <libpq-fe.h>\n")
        result = self.guard("layers")
        self.assertIn("src/trace/a.c:1: libpq-fe.h belongs to", result.stdout)
        self.assertIn("src/engine/b.c:1: libpq-fe.h belongs to", result.stdout)
        self.assertNotIn("c.c", result.stdout)

    def test_header_of_one_engine_is_found(self):
        self.put("src/trace/a.c", '#include "engine/postgres/pg_catalogue.h"\n')
        self.assert_finds("ask through engine/engine.h", "layers")

    def test_unknown_folder_is_found(self):
        self.put("src/helpers/a.c", "")
        self.assert_finds("helpers is not a folder", "layers")

    def test_cycle_is_found(self):
        self.put("ARCHITECTURE.md", LAYERS.replace("| data | base |", "| data | base, sql |"))
        self.put("src/model/a.c", '#include "sql/b.h"\n')
        self.put("src/sql/b.h", '#include "model/a.h"\n')
        self.assert_finds("a cycle: model -> sql -> model", "layers")

    def test_table_that_points_up_is_found(self):
        self.put("ARCHITECTURE.md", LAYERS.replace("| things | — |", "| things | tap |"))
        self.assert_finds("base (layer 0) may not include tap", "layers")

    def test_forbidden_link_is_found(self):
        self.put("src/judge/meson.build", "x = static_library('x', dependencies: [rh_net_dep])\n")
        self.assert_finds("judge may not link net", "layers")


class Texts(GuardCase):
    def test_banned_function_is_found_but_not_in_comments(self):
        self.put("src/base/a.c", '/* strcpy(a, b) */\nvoid f(void) { puts("system(1)"); x.exit(2); }\n'
                 "int g(void) { return atoi(s); }\n")
        result = self.guard("banned")
        self.assertIn("src/base/a.c:3: atoi", result.stdout)
        self.assertIn("1 found", result.stdout)

    def test_unfinished_work_is_found(self):
        self.put("src/base/a.c", "// TODO: later\n")
        self.assert_finds("unfinished", "banned")

    def test_long_file_is_found(self):
        self.put("src/base/a.c", "\n" * 800)
        self.assert_clean("length")
        self.put("src/base/a.c", "\n" * 801)
        self.assert_finds("801 lines", "length")

    def test_module_without_test_is_found(self):
        self.put("src/base/a.c", "")
        self.put("src/base/b.c", "")
        self.put("src/base/c.c", "")
        self.put("src/base/b_part.c", "")
        self.put("tests/unit/base/test_b.c", "")
        self.put("tests/guards/untested.txt", "src/base/c.c by tests/unit/base/test_b.c\n")
        self.assert_finds("src/base/a.c: no tests/unit/base/test_a.c\n\n1 found", "tested")

    def test_reason_that_is_stale_is_found(self):
        self.put("src/base/a.c", "")
        self.put("tests/unit/base/test_a.c", "")
        self.put("tests/guards/untested.txt",
                 "src/base/a.c reason\nsrc/base/gone.c tests/unit/gone.c\n")
        result = self.guard("tested")
        self.assertIn("src/base/a.c has a test now", result.stdout)
        self.assertIn("src/base/gone.c does not exist", result.stdout)

    def test_header_that_needs_another_is_found(self):
        good = "#ifndef RH_BASE_{0}_H\n#define RH_BASE_{0}_H\n{1}\n#endif\n"
        self.put("src/base/a.h", good.format("A", "#include <stddef.h>\nsize_t rh_a(void);"))
        self.assert_clean("headers")
        self.put("src/base/b.h", good.format("B", "size_t rh_b(void);"))
        self.assert_finds("src/base/b.h: does not compile alone", "headers")

    def test_guard_of_another_name_is_found(self):
        self.put("src/base/a.h", "#ifndef A_H\n#define A_H\n#endif\n")
        self.assert_finds("RH_BASE_A_H", "headers")

    def test_bad_format_is_found(self):
        self.put(".clang-format", (GUARDS.parents[1] / ".clang-format").read_text())
        self.put("src/base/a.c", "int a;\n")
        result = self.guard("format")
        if result.returncode == 77:
            self.skipTest(result.stdout)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.put("src/base/a.c", "int  a ;\n")
        self.assert_finds("src/base/a.c: not formatted", "format")


class Symbols(GuardCase):
    def build(self, folder, source):
        path = self.put(f"src/{folder}/a.c", source)
        archive = self.root / "out" / "src" / folder / f"librh_{folder}.a"
        archive.parent.mkdir(parents=True)
        subprocess.run(["gcc", "-c", path, "-o", archive.parent / "a.c.o"], check=True)
        subprocess.run(["ar", "rcs", archive, archive.parent / "a.c.o"], check=True)
        return str(self.root / "out")

    def test_pure_folder_passes(self):
        self.assert_clean("purity", self.build("judge", "#include <string.h>\n"
                          "unsigned long rh_f(const char *s) { return strlen(s); }\n"))

    def test_clock_in_a_pure_folder_is_found(self):
        self.assert_finds("src/judge/a.c: uses time", "purity", self.build(
            "judge", "#include <time.h>\nlong rh_f(void) { return time(0); }\n"))

    def test_environment_and_files_are_found(self):
        result = self.guard("purity", self.build(
            "report", "#include <stdlib.h>\n#include <stdio.h>\n"
            "void rh_f(void) { puts(getenv(\"A\")); }\n"))
        self.assertIn("uses getenv", result.stdout)
        self.assertIn("uses puts", result.stdout)

    def test_variable_is_found_constant_table_is_not(self):
        result = self.guard("symbols", self.build(
            "judge", "static int count; int rh_f(void) { static int calls = 1; return count += calls++; }\n"
            "const char *const rh_table[] = {\"a\"};\n"))
        self.assertIn("the variable count", result.stdout)
        self.assertIn("the variable calls", result.stdout)
        self.assertNotIn("rh_table", result.stdout)

    def test_global_name_without_prefix_is_found(self):
        self.assert_finds("the global name helper", "symbols",
                          self.build("judge", "int helper(void) { return 1; }\n"))


if __name__ == "__main__":
    unittest.main()
