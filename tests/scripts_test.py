# SPDX-License-Identifier: Apache-2.0
"""Tests of the scripts that are written in Python: python3 tests/scripts_test.py"""
import contextlib
import gzip
import importlib.machinery
import importlib.util
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "scripts"

sys.dont_write_bytecode = True


def load(name):
    """A script without a suffix, as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(SCRIPTS / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


instructions = load("kernel-instructions")
resources = load("kernel-resources")
validate = load("gpu-validate")

ACCOUNT = """\
ptxas info    : Compiling entry function '_Z3oneILi5EEvv' for 'sm_90'
ptxas info    : Function properties for _Z3oneILi5EEvv
    8 bytes stack frame, 16 bytes spill stores, 24 bytes spill loads
ptxas info    : Used 72 registers, used 1 barriers, 8 bytes cumulative stack size, 128 bytes smem, 416 bytes cmem[0]
ptxas info    : Compile time = 21.104 ms
ptxas info    : Compiling entry function '_Z3twov' for 'sm_120'
ptxas info    : Function properties for _Z3twov
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 16 registers, used 0 barriers
"""


class KernelResources(unittest.TestCase):
    def test_account_of_ptxas(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.cu.o.resources"
            path.write_text(ACCOUNT, encoding="utf-8")
            one, two = resources.read_report(path)
        self.assertEqual(one, {"symbol": "_Z3oneILi5EEvv", "architecture": 90, "stack": 8, "spills": 40,
                               "registers": 72, "static_shared": 128})
        self.assertEqual(two, {"symbol": "_Z3twov", "architecture": 120, "stack": 0, "spills": 0, "registers": 16,
                               "static_shared": 0})

    def test_labels(self):
        name = "void touchstone::cuda::(anonymous namespace)::conv2d_tiled_kernel<(int)5, 8, (bool)0>(touchstone::X)"
        self.assertEqual(resources.kernel_label(name), "conv2d_tiled_kernel<5, 8, 0>")

    def test_occupancy(self):
        def blocks(architecture, threads, registers, shared=0):
            return resources.occupancy({"architecture": architecture, "threads": threads, "registers": registers,
                                        "shared": shared})

        self.assertEqual(blocks(75, 256, 64), (4, 1.0))  # all registers, all warps
        self.assertEqual(blocks(80, 256, 128), (2, 0.25))  # registers
        self.assertEqual(blocks(80, 256, 33)[0], 6)  # 1,280 registers a warp
        self.assertEqual(blocks(86, 32, 16)[0], 16)  # blocks
        self.assertEqual(blocks(86, 128, 32, 48 << 10)[0], 2)  # shared memory, 1 KiB of which CUDA keeps
        self.assertEqual(blocks(90, 1024, 32), (2, 1.0))  # threads

    def test_every_kernel_states_its_threads(self):
        sources = resources.read_sources()
        self.assertGreater(sum(len(source.threads) for source in sources.values()), 15)
        for file, source in sources.items():
            for kernel, threads in source.threads.items():
                self.assertIsNotNone(threads, f"{kernel} of {file}")
        self.assertEqual(sources["conv2d_tiled.cu"].threads["conv2d_tiled_kernel"], 160)
        self.assertEqual(sources["conv2d_tiled.cu"].shared, 24 << 10)
        self.assertEqual(sources["reduction.cu"].threads["sum_rows_kernel"], 256)
        self.assertEqual(sources["step.cu"].threads["advance_kernel"], 1)
        self.assertEqual(sources["fused_step.cu"].threads["steps_kernel"], 512)

    def test_the_fused_step_takes_what_its_plan_does(self):
        source = resources.read_sources()["fused_step.cu"]

        def described(function, architecture):
            kernel = {"architecture": architecture, "registers": 64, "static_shared": 0, "spills": 0, "stack": 0}
            return resources.describe(kernel, "fused_step.cu", f"{function}<AnyKind>", source)

        self.assertEqual(described("steps_kernel", 90)["shared"], 118000)
        self.assertEqual(described("steps_kernel", 90)["blocks"], 1)  # registers alone would allow 2
        self.assertEqual(described("forward_kernel", 75)["shared"], 64016)
        self.assertEqual(described("gradients_kernel", 89)["shared"], 98032)
        self.assertEqual(described("update_kernel", 90)["shared"], 0)

    def test_local_memory_is_a_fault(self):
        kernel = {"file": "x.cu", "kernel": "x", "architecture": 90, "spills": 0, "stack": 0}
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertTrue(resources.complain([kernel]))
            self.assertFalse(resources.complain([kernel, {**kernel, "spills": 4}]))
            self.assertFalse(resources.complain([{**kernel, "stack": 8}]))
        self.assertEqual(len(said.getvalue().splitlines()), 2)

    def test_a_kernel_without_account_is_a_fault(self):
        sources = resources.read_sources()
        kernels = [{"file": file, "kernel": kernel, "architecture": 90} for file, source in sources.items()
                   for kernel in source.threads]
        resources.require_all(sources, kernels)
        with self.assertRaisesRegex(resources.Problem, "no account of"):
            resources.require_all(sources, kernels[1:])


DISASSEMBLY = """\
		Function : _Z3onev
        /*0000*/                   LDC R1, c[0x0][0x28] ;                 /* 0x00000a00ff017b82 */
        /*0010*/                   LDG.E.128.CONSTANT R4, [R2] ;          /* 0x00000a00ff017b82 */
        /*0020*/                   LDS R9, [R3+0x10] ;                    /* 0x00000a00ff017b82 */
        /*0030*/                   LDS.128 R12, [R3] ;                    /* 0x00000a00ff017b82 */
        /*0040*/                   FFMA R8, R9, R12, R8 ;                 /* 0x00000a00ff017b82 */
        /*0050*/                   FFMA.FTZ R7, R9, R13, R7 ;             /* 0x00000a00ff017b82 */
        /*0060*/              @!P0 BRA 0x20 ;                             /* 0x00000a00ff017b82 */
        /*0070*/                   FFMA R7, R9, R13, R7 ;                 /* 0x00000a00ff017b82 */
        /*0080*/               @P1 BRA 0x10 ;                             /* 0x00000a00ff017b82 */
        /*0090*/                   EXIT ;                                 /* 0x00000a00ff017b82 */
        /*00a0*/                   BRA 0xa0;                              /* 0x00000a00ff017b82 */
        /*00b0*/                   NOP;                                   /* 0x00000a00ff017b82 */
		Function : _Z3twov
        /*0000*/                   FFMA R8, R9, R12, R8 ;                 /* 0x00000a00ff017b82 */
        /*0010*/              @!P0 BRA 0x30 ;                             /* 0x00000a00ff017b82 */
"""


class KernelInstructions(unittest.TestCase):
    def test_counts(self):
        functions = instructions.read_functions(DISASSEMBLY)
        self.assertEqual(list(functions), ["_Z3onev", "_Z3twov"])
        counts = instructions.count(functions["_Z3onev"])
        self.assertEqual({name: counts[name] for name in counts if counts[name]},
                         {"instructions": 11, "FFMA": 3, "LDS.32": 1, "LDS.128": 1, "LDG.128": 1})

    def test_the_hottest_loop_holds_no_other(self):
        one, two = instructions.read_functions(DISASSEMBLY).values()
        self.assertEqual([address for address, _, _ in instructions.hottest_loop(one)], [32, 48, 64, 80, 96])
        self.assertIsNone(instructions.hottest_loop(two))  # its branch goes forward


# Answers as the program does, and writes down what it was asked.
PROGRAM = """\
#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
here = os.path.dirname(os.path.abspath(__file__))
open(os.path.join(here, "asked"), "a").write(" ".join(arguments) + "\\n")
answers = json.load(open(os.path.join(here, "answers")))
words = [word for word in arguments if word in ("--version", "info", "check", "train", "bench")]
print("to read", file=sys.stderr)
key = words[0]
if key == "train" and "cpu" in arguments:
    key = "train-layered-cpu" if "layered" in arguments else "train-cpu"
print(json.dumps(answers[key]))
"""


def training(loss):
    epoch = {"epoch": 1, "train_loss": loss, "test_loss": 0.1, "test_accuracy": 0.9, "seconds": 0.5}
    return {"epochs": [epoch], "test_accuracy": 0.9}


class GpuValidate(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.program = self.folder / "touchstone"
        self.program.write_text(PROGRAM, encoding="utf-8")
        self.program.chmod(0o755)
        self.answers = {
            "--version": {"commit": "abc"},
            "info": [{"name": "emulated", "available": True, "description": "the kernels"}],
            "check": {"passed": True, "operations": [{"operation": "sgd", "cases": 3, "failures": 0}],
                      "trajectories": [{"path": "fused", "worst_ratio": 0.2}]},
            "train": training(0.3001), "train-cpu": training(0.3),
            "train-layered-cpu": training(0.3), "bench": {"operations": []}}

    def run_script(self, *arguments):
        """Exit code, what the program was asked beside questions about itself, and the results by stage."""
        (self.folder / "answers").write_text(json.dumps(self.answers), encoding="utf-8")
        asked = self.folder / "asked"
        asked.write_text("", encoding="utf-8")
        code = subprocess.run([sys.executable, SCRIPTS / "gpu-validate", "--device", "emulated", "--program",
                               self.program, "--results", self.folder / "results", *arguments],
                              capture_output=True, check=False).returncode
        words = [line.split()[0] for line in asked.read_text(encoding="utf-8").splitlines()]
        results = list((self.folder / "results").glob("emulated-*.json"))
        self.assertEqual(len(results), 1)
        stages = json.loads(results[0].read_text(encoding="utf-8"))["stages"]
        return code, [word for word in words if word in ("check", "train", "bench")], stages

    def test_all_stages_and_then_only_what_has_not_passed(self):
        code, asked, stages = self.run_script()
        self.assertEqual(code, 0)
        self.assertEqual(asked, ["check"] + 6 * ["train"] + 2 * ["bench"])
        self.assertEqual({name: entry["status"] for name, entry in stages.items()},
                         {name: "not run" if name in ("tests", "memcheck", "racecheck", "initcheck", "synccheck")
                          else "passed" for name in validate.STAGES})
        self.assertIn("to read", stages["check"]["log"])
        self.assertAlmostEqual(stages["seed"]["loss_apart"], 1 / 3000)

        self.assertEqual(self.run_script()[1], [])
        self.assertEqual(self.run_script("bench")[1], ["bench"])
        self.answers["--version"] = {"commit": "another"}
        self.assertEqual(len(self.run_script()[1]), 9)

    def test_a_failure_is_kept_beside_the_others_results(self):
        self.run_script("bench")
        self.answers["check"]["passed"] = False
        self.answers["check"]["operations"][0]["failures"] = 1
        code, _, stages = self.run_script("check")
        self.assertEqual(code, 1)
        self.assertEqual((stages["check"]["status"], stages["bench"]["status"]), ("FAILED", "passed"))
        self.assertIn("sgd", stages["check"]["summary"])

    def test_losses_far_from_the_cpu_are_a_failure(self):
        for loss in (0.31, 0.29, None):
            self.answers["train"] = training(loss)
            self.assertEqual(self.run_script("seed")[2]["seed"]["status"], "FAILED")

    def test_losses_may_part_as_the_cpu_parts_from_itself(self):
        self.answers["train"] = training(0.31)
        self.answers["train-layered-cpu"] = training(0.3005)
        self.assertEqual(self.run_script("seed")[2]["seed"]["status"], "FAILED")
        self.answers["train-layered-cpu"] = training(0.302)
        self.assertEqual(self.run_script("seed")[2]["seed"]["status"], "passed")

    def test_results_do_not_tell_where_they_were_made(self):
        self.assertEqual(validate.from_here(str(ROOT / "build" / "touchstone")), os.path.join("build", "touchstone"))
        self.assertEqual(validate.from_here("/elsewhere/touchstone"), "/elsewhere/touchstone")
        self.assertEqual(validate.from_here("--device"), "--device")

    def test_part_of_a_data_set(self):
        source = self.folder / "train-images.gz"
        source.write_bytes(gzip.compress(struct.pack(">4I", 0x803, 3, 2, 1) + b"abcdef"))
        target = self.folder / "part"
        validate.first_images(source, target, 2)
        self.assertEqual(target.read_bytes(), struct.pack(">4I", 0x803, 2, 2, 1) + b"abcd")
        validate.first_images(source, target, 9)
        self.assertEqual(target.read_bytes(), struct.pack(">4I", 0x803, 3, 2, 1) + b"abcdef")


@unittest.skipUnless(importlib.util.find_spec("tomllib"), "needs Python 3.11")
class Mutate(unittest.TestCase):
    TABLE = """\
checks = ["network"]
{device}

[plain]
what = "a mistake"
from = "a"
to = "b"

[elsewhere]
what = "another"
device = "cpu"
from = "a"
to = "c"
"""

    def setUp(self):
        self.mutate = load("mutate")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.mutate.TABLES = Path(folder.name)

    def mutants(self, device):
        path = self.mutate.TABLES / "kernels" / "x.h.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(self.TABLE.format(device=device), encoding="utf-8")
        return self.mutate.read_table(path)

    def test_device_of_a_mutant_of_a_file_and_of_a_folder(self):
        self.assertEqual([mutant.device for mutant in self.mutants("")], ["emulated", "cpu"])
        self.assertEqual([mutant.device for mutant in self.mutants('device = "emulated:1"')], ["emulated:1", "cpu"])

    def test_all_rounds_are_on_that_device(self):
        mutant = self.mutants('device = "emulated:1"')[0]
        for checks in (mutant.checks, ()):  # the first round, and all checks
            with unittest.mock.patch.object(self.mutate.subprocess, "run") as run:
                run.return_value.returncode = 0
                self.assertEqual(self.mutate.run_check(Path("touchstone"), mutant, checks)[0], "survived")
            self.assertEqual(run.call_args.args[0][:4], ["touchstone", "check", "--device", "emulated:1"])


if __name__ == "__main__":
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    unittest.main()
