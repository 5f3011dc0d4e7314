"""run_examples.py PASSES.TD COMMAND...: runs the examples in the descriptions of passes.

An example is two blocks of lm text with "becomes" between them, or "becomes, with `OPTIONS`,". COMMAND (llmc-opt) makes
of the first, with the pass, what it makes of the second without; every pass has an example.
"""

import re
import subprocess
import sys

DECLARATION = re.compile(r"^ *lm\.(cache|table|weights) ", re.M)
EXAMPLE = re.compile(r"```mlir\n(.*?)```\s*becomes(?:, with `([^`]*)`,)?\s*```mlir\n(.*?)```", re.S)
PASS = re.compile(r'^def \w+ : Pass<"([^"]+)"(.*?)^}$', re.S | re.M)


def as_module(text):
    """The lines of an entry, with what belongs before it."""
    lines = text.splitlines()
    before = [line for line in lines if DECLARATION.match(line)]
    entry = [line for line in lines if not DECLARATION.match(line)]
    return "\n".join(
        ["lm.model @example {vocab = 8, context = 4} {", *before, "lm.forward(%tokens: !lm.tokens) {", *entry, "}", "}", ""]
    )


def main():
    with open(sys.argv[1]) as file:
        passes = PASS.findall(file.read())
    command = sys.argv[2:]
    failures = examples = 0

    def run(text, *options):
        nonlocal failures
        done = subprocess.run([*command, "-", *options], input=as_module(text), capture_output=True, text=True)
        if done.returncode:
            failures += 1
            print(done.stderr)
        return done.stdout

    for flag, body in passes:
        found = EXAMPLE.findall(body)
        if not found or body.count("```mlir") != 2 * len(found):
            failures += 1
            print(f"{flag}: {len(found)} examples in {body.count('```mlir')} blocks")
        for before, options, after in found:
            examples += 1
            made = run(before, f"-{flag}={options}" if options else f"-{flag}")
            expected = run(after)
            if made != expected or not made or made == run(before):
                failures += 1
                print(f"{flag}: expected\n{expected}\nbut got\n{made}")
    print(f"{len(passes)} passes, {examples} examples, {failures} failures")
    return 1 if failures or examples < 8 else 0


sys.exit(main())
