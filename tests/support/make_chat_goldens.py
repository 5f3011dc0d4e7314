#!/usr/bin/env python3
"""Writes tests/fixtures/chat_templates/goldens.json: every template there rendered with every case of cases.json
by Jinja2, set up as Hugging Face transformers does; and in snippets.json, a list of [template, result], the results of
single constructs. Tests read both and need no Python."""
import json
import pathlib

import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedEnvironment


class Generation(jinja2.ext.Extension):
    """{% generation %} marks assistant text for training and changes nothing in the output."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    # transformers' sandbox refuses list.append, which some templates call all the same; llmc lets lists change.
    env.is_safe_attribute = lambda obj, name, value: SandboxedEnvironment.is_safe_attribute(env, obj, name, value)
    return env


# What rendering may end with where a template or its input is wrong.
ERRORS = (jinja2.exceptions.TemplateError, TypeError, ValueError, OverflowError, ZeroDivisionError, AttributeError, LookupError)


def render(source, case):
    """The text, or None where the reference fails."""
    variables = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}
    variables |= {"messages": case["messages"], "add_generation_prompt": case["add_generation_prompt"]}
    try:
        return environment().from_string(source).render(**(variables | case["extra"]))
    except ERRORS:
        return None


def main():
    folder = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "chat_templates"
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    goldens = [
        {"template": path.name, "case": case["name"], "expected": render(path.read_bytes().decode(), case)}
        for path in sorted(folder.glob("*.jinja"))
        for case in cases
    ]
    text = json.dumps(goldens, ensure_ascii=False, indent=1) + "\n"
    (folder / "goldens.json").write_text(text, encoding="utf-8")
    print(f"{len(goldens)} goldens, {sum(g['expected'] is None for g in goldens)} of them failures")
    snippets = json.loads((folder / "snippets.json").read_text(encoding="utf-8"))
    lines = [json.dumps([source, render(source, cases[1])], ensure_ascii=False) for source, _ in snippets]
    (folder / "snippets.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{len(lines)} snippets")


if __name__ == "__main__":
    main()
