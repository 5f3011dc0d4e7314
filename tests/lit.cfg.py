# What all lit tests share: file suffixes, and the tools, which run only under limits on time and memory.
import os
import sys

import lit.formats

config.name = "llmc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.llmc_build_root, "tests", "lit")
config.excludes = ["Inputs", "e2e", "fixtures", "fuzz"]

run_limited = os.path.join(config.test_source_root, "support", "run_limited.sh")


def limited(tool, seconds, mebibytes):
    """The tool's path under run_limited.sh; a sanitizer reserves terabytes of addresses, so only time is limited then."""
    path = os.path.join(config.llmc_build_root, "bin", tool)
    if config.sanitize:
        return "timeout -k 5 %d %s" % (seconds, path)
    return "sh %s %d %d %s" % (run_limited, seconds, mebibytes, path)


config.substitutions += [
    ("%llmc-compile", limited("llmc-compile", 120, 4096)),
    ("%llmc-opt", limited("llmc-opt", 60, 2048)),
    ("%python", sys.executable),
    ("%fixtures", os.path.join(config.test_source_root, "fixtures")),
    ("%tests", config.test_source_root),
]
config.environment["PATH"] = os.pathsep.join([config.llvm_tools_dir, config.environment.get("PATH", "")])
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input=fail --dump-input-filter=error"
