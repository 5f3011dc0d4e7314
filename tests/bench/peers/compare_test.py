"""Tests what compare.py computes; with --bin it also runs llmc alone through small sizes of a fixture.

    compare_test.py [--bin build/bin]
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import types
import unittest

from compare import depths, numbers
from engines import Failed, Ik, Llmc, LlamaCpp, batched_speeds, run
from roofline import Work
from table import Results, ratio

HERE = os.path.dirname(os.path.abspath(__file__))
FIXTURE = os.path.join(HERE, os.pardir, os.pardir, "fixtures", "llama-q4_0.gguf")
LIMITS = {"read_gb_s": 10.0, "f32_gops": 100.0, "bf16_gops": 50.0, "int8_gops": 1000.0}


def write_gguf(path, fields, tensors):
    """Tensors of Q8_0 (34 bytes for 32 numbers): {name: shape}."""
    text = lambda word: struct.pack("<Q", len(word)) + word.encode()
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(fields))
    for name, value in fields.items():
        out += text(name) + (struct.pack("<II", 4, value) if isinstance(value, int) else
                             struct.pack("<I", 8) + text(value))
    data = b""
    for name, shape in tensors.items():
        out += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape) + struct.pack("<IQ", 8, len(data))
        size = shape[0] * (shape[1] if len(shape) > 1 else 1) // 32 * 34
        data += bytes(-(-size // 32) * 32)
    with open(path, "wb") as file:
        file.write(out + bytes(-len(out) % 32) + data)


class Roofline(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "model.gguf")
        self.fields = {"general.architecture": "llama", "llama.block_count": 1, "llama.embedding_length": 64,
                       "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2}
        self.tensors = {"token_embd.weight": (64, 320), "output.weight": (64, 320), "blk.0.ffn_up.weight": (64, 640)}

    def tearDown(self):
        self.folder.cleanup()

    def work(self):
        write_gguf(self.path, self.fields, self.tensors)
        return Work(self.path)

    def test_reads_all_but_an_embedding_of_its_own(self):
        self.assertEqual(self.work().bytes, (320 + 640) * 64 // 32 * 34)
        del self.tensors["output.weight"]
        self.assertEqual(self.work().bytes, (320 + 640) * 64 // 32 * 34)

    def test_counts_keys_and_values(self):
        work = self.work()  # heads of 16: a token's keys and values are 2 * 2 * 16 numbers, of two bytes
        read, operations = work.step(3, 1, 9)
        self.assertEqual(read, work.bytes + 3 * 10 * 128)
        self.assertEqual(operations, 3 * (2 * 640 * 64 + 2 * 320 * 64 + 10 * 4 * 16 * 4))

    def test_speed_is_of_the_slower_limit(self):
        work = self.work()
        read, _ = work.step(1, 1, 0)
        self.assertAlmostEqual(work.best_speed(1, 1, 0, LIMITS), 10e9 / read)
        _, operations = work.step(1, 4096, 0)
        self.assertAlmostEqual(work.best_speed(1, 4096, 0, LIMITS), 4096 * 1000e9 / operations)

    def test_refuses_another_file(self):
        with open(self.path, "wb") as file:
            file.write(b"something else")
        with self.assertRaises(ValueError):
            Work(self.path)


class Table(unittest.TestCase):
    def test_batched_table(self):
        text = "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |\n" \
               "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|\n" \
               "|   128 |     64 |    8 |   1536 |    5.069 |   202.00 |    7.200 |    71.11 |   12.269 |   125.19 |\n"
        self.assertEqual(batched_speeds(text), {"tg x8": 71.11})
        with self.assertRaises(Failed):
            batched_speeds("error: no such model\n")

    def test_ratios_above_one_are_better(self):
        self.assertEqual(ratio("tg", 30, 20), 1.5)
        self.assertEqual(ratio("load s", 0.5, 1), 2)

    def test_best_setting_of_a_peer(self):
        results, work = Results(), Work(FIXTURE)
        for setting, speeds in ((Llmc("default", "", [], None), [30, 10, 20]),
                                (LlamaCpp("llama.cpp", "native", ""), [10, 4, 5]),
                                (LlamaCpp("llama.cpp", "noamx", ""), [8, 8, 9])):
            for speed in speeds:
                results.add("m", 2, "decode", setting, {"tg": speed})
        results.limits["m", 2, "decode"] = [LIMITS]
        results.failures["m", "depth", "llama.cpp", "native"] = "it ended"
        text = results.text({"m": work}, 128)
        self.assertIn("| 20.0 (10.0-30.0) |", text)
        self.assertIn("| 8.0 noamx |", text)
        self.assertIn("| 2.50 |", text)
        self.assertIn("not measured: m, depth, llama.cpp native: it ended", text)

    def test_what_was_not_measured(self):
        results, work = Results(), Work(FIXTURE)
        ours, fast, peer = Llmc("default", "", [], None), Llmc("fast", "", [], None), LlamaCpp("llama.cpp", "native", "")
        for setting, found in ((ours, {"tg": 3, "tg @8": 2}), (fast, {"tg": 4}), (peer, {"tg": 1})):
            results.add("m", 1, "decode", setting, found)
        self.assertIn("| m | 1 | tg @8 | 2.0 (2.0-2.0) |  | - | - | - | - | - | - |", results.text({"m": work}, 128))

    def test_activations(self):
        given = Llmc("fast", "", ["--fast"], None, "bf16")
        self.assertEqual((given.name, given.options), ("fast-bf16", ["--fast", "--activations", "bf16"]))
        own = Llmc("exact", "", ["--activations=f32"], None, "bf16")
        self.assertEqual((own.name, own.options), ("exact", ["--activations=f32"]))
        self.assertEqual(Llmc("default", "", [], "avx2").options, ["--cpu", "avx2"])

    def test_depths(self):
        self.assertEqual(depths("0,8"), [0, 8])
        with self.assertRaises(ValueError):
            numbers("0,8")
        asked = []

        class Recorded(Ik):
            def speeds(self, command):
                asked.extend(command)
                return [{"n_prompt": 0, "avg_ts": 5.0}, {"n_prompt": 8, "avg_ts": 4.0}]

        sizes = types.SimpleNamespace(depths=[0, 8], new_at_depth=3)
        self.assertEqual(Recorded("ik_llama.cpp", "fa", "").depth("m", 1, sizes), {"tg @0": 5.0, "tg @8": 4.0})
        self.assertIn("-n 3 -gp 8,3 -r", " ".join(asked))

    def test_a_failure_says_the_last_line(self):
        with self.assertRaisesRegex(Failed, "ended with 3: the reason"):
            run(["sh", "-c", "echo other >&2; echo the reason >&2; exit 3"])

    def test_what_a_run_prints(self):
        command = ["sh", "-c", "echo said; echo besides >&2"]
        self.assertEqual(run(command)[0], "said\n")
        self.assertEqual(run(command, with_errors=True)[0], "said\nbesides\n")


class Everything(unittest.TestCase):
    def test_llmc_alone(self):
        if not BIN:
            self.skipTest("no --bin")
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as work:
            written = os.path.join(work, "all.json")
            done = subprocess.run([sys.executable, os.path.join(HERE, "compare.py"), "--bin", BIN, "--no-llama", "--quick",
                                   "--rounds", "1", "--threads", "1", "--rows", "decode,depth,load,compile", "--depths",
                                   "0,8", "--activations", "bf16", "--work", work, "--json", written, FIXTURE],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(written) as file:
                found = json.load(file)
        self.assertEqual(found["about"]["activations"], "bf16")
        self.assertEqual({each["setting"] for row in found["rows"] for each in row["engines"]}, {"bf16"})
        self.assertIn("| llmc bf16 (min-max) |", done.stdout)
        for test in ("tg", "tg @0", "tg @8", "load s", "peak bytes", "compile s", "compile again s"):
            self.assertRegex(done.stdout, rf"\| llama-q4_0.gguf \| 1 \| {test} \| \d")
        self.assertNotIn("not measured", done.stdout)


if __name__ == "__main__":
    BIN = sys.argv.pop(2) if "--bin" in sys.argv[:-1] else None
    if BIN:
        sys.argv.pop(1)
        BIN = os.path.abspath(BIN)
    unittest.main()
