"""kernel_stages.py DUMP: the stages of kernels in the order of passes.json, a line for each: its file, or its name if it has
none; whether its numbers of ops go on where those of the stage before it ended; the units in its file. Then the kernels that
no dispatch calls."""
import json
import os
import sys

dump = sys.argv[1]
left = {}
for stage in json.load(open(os.path.join(dump, "passes.json")))["passes"]:
    if stage["phase"] != "llvm":
        continue
    before, name, units = stage["ops_before"], stage["name"], []
    counts = "begins" if not before else "goes on" if before == left else "counts others"
    if stage["file"]:
        name = stage["file"]
        units = [line[3:].strip() for line in open(os.path.join(dump, name)) if line.startswith("// ")]
    print(" ".join([name, counts] + units))
    left = stage["ops_after"]

for kernel in json.load(open(os.path.join(dump, "kernels.json")))["kernels"]:
    if not kernel.get("dispatches"):
        print(f"{kernel['name']}.{kernel['variant']} without dispatches")
