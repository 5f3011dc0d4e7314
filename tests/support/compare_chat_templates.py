#!/usr/bin/env python3
"""Chat templates of real models, rendered by llmc and by Jinja2 under many conversations: the texts must be equal,
byte for byte, and where one refuses a conversation the other must, too, in the template's own words.

    compare_chat_templates.py RENDERER CACHE [TEMPLATES]

RENDERER is bin/render_templates. The templates are those of the source package of llama-cpp-python, which pip brings
into the folder CACHE once; TEMPLATES names a folder that has them already. Exit code 77: Jinja2, pip or the package
index are not in reach, so nothing was compared."""
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

SKIPPED = 77
PACKAGE = "llama-cpp-python==0.3.36"
INSIDE = "vendor/llama.cpp/models/templates/"
LEAST_TEMPLATES = 60
NOW = 1_700_000_000

# Template, what it needs beyond the subset. These must fail with the sentence given, so that the list stays true.
OUTSIDE = {}

# Written by users: none of it may become a special token.
TYPED = "<|im_end|><|eot_id|></s><s>[INST]<|endoftext|><|end|><end_of_turn><|start|>"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the <weather> & \"more\"",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Name, e.g. Zürich"},
                    "days": {"type": "integer", "default": 3},
                    "unit": {"type": "string", "enum": ["c", "f"]},
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "where": {"type": "object", "properties": {"lat": {"type": "number"}}, "required": ["lat"]},
                    "either": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "many": {"type": ["string", "integer"]},
                },
                "required": ["city"],
            },
            "return": {"type": "string"},
        },
    },
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]


def call(name, arguments, number=0):
    return {"id": f"call0000{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def text(role, content, **more):
    return {"role": role, "content": content, **more}


def conversations():
    hello = text("user", "Hello")
    system = text("system", "You are terse.")
    weather = {"city": "Zürich", "days": 2, "detail": True, "hint": None, "x": 1e-7, "deep": {"a": [1, "b"]}}
    result = text("tool", '{"temp": 20.5, "text": "sunny"}', name="get_weather", tool_call_id="call00000")
    one_call = text("assistant", "", tool_calls=[call("get_weather", weather)])
    yield "one", [hello], {}
    yield "turns", [system, hello, text("assistant", "Hi!"), text("user", "Bye")], {}
    yield "long", [system] + [text("user", "a"), text("assistant", "b")] * 6 + [hello], {}
    yield "unicode", [text("system", "Grüße, 世界"), text("user", "🙂 ñandú\u00a0\u2028 \t\n\n x"), text("assistant", "שלום ﬁ")], {}
    yield "typed", [text("system", TYPED), text("user", f"a{TYPED}b"), text("assistant", TYPED), text("user", f" {TYPED}\n")], {}
    yield "spaces", [text("system", " s \n"), text("user", "\n\n u\t"), text("assistant", "  a  "), text("user", " ")], {}
    yield "blank", [text("system", ""), text("user", ""), text("assistant", ""), text("user", "x")], {}
    yield "none", [], {}
    yield "null", [hello, text("assistant", None), hello], {}
    yield "ends-with-answer", [hello, text("assistant", "An answer.")], {}
    yield "think", [hello, text("assistant", "<think>\nhm\n</think>\n\nYes."), text("user", "Why?"), text("assistant", "no tags")], {}
    yield "reasoning", [hello, text("assistant", "Yes.", reasoning_content="hm\n"), text("user", "Why?")], {}
    yield "reasoning-last", [hello, text("assistant", "Yes.", reasoning_content="hm", thinking="t")], {}
    for thinking in (True, False):
        yield f"thinking-{thinking}", [system, hello, text("assistant", "Hi!"), text("user", "Bye")], {"enable_thinking": thinking}
        yield f"thinking-tools-{thinking}", [system, hello], {"enable_thinking": thinking, "tools": TOOLS, "thinking": thinking}
    yield "effort", [hello], {"reasoning_effort": "high", "thinking_budget": 512, "date_string": "26 Jul 2024"}
    yield "tools", [system, hello], {"tools": TOOLS}
    yield "tools-no-system", [hello], {"tools": TOOLS}
    yield "tools-empty", [hello], {"tools": []}
    yield "call", [hello, one_call, result], {"tools": TOOLS}
    yield "call-text", [hello, text("assistant", "", tool_calls=[call("get_weather", json.dumps(weather))]), result], {"tools": TOOLS}
    yield "call-null", [hello, text("assistant", None, tool_calls=[call("now", {})]), text("tool", "12:00", tool_call_id="call00000")], {"tools": TOOLS}
    yield "call-answered", [system, hello, one_call, result, text("assistant", "20.5."), text("user", "Thanks")], {"tools": TOOLS}
    yield "call-with-text", [hello, text("assistant", "Let me see.", tool_calls=[call("now", {})]), text("tool", "12"), hello], {"tools": TOOLS}
    two = [call("get_weather", weather), call("now", {}, 1)]
    yield "calls", [hello, text("assistant", "", tool_calls=two), result, text("tool", "noon", name="now", tool_call_id="call00001")], {"tools": TOOLS}
    yield "calls-reasoning", [hello, text("assistant", "", tool_calls=two, reasoning_content="two"), result, text("tool", "noon"), text("assistant", "Done", reasoning_content="ok")], {"tools": TOOLS}
    yield "call-no-tools", [hello, one_call, result], {}
    yield "tool-typed", [hello, one_call, text("tool", TYPED, name=TYPED, tool_call_id="call00000")], {"tools": TOOLS}
    yield "two-users", [hello, hello], {}
    yield "answer-first", [text("assistant", "I begin."), hello], {}
    yield "late-system", [hello, system], {}
    yield "developer", [text("developer", "Dev."), hello], {}
    yield "unknown-role", [hello, text("narrator", "Once")], {}
    parts = [{"type": "text", "text": "look "}, {"type": "text", "text": TYPED}]
    yield "parts", [text("system", [{"type": "text", "text": "sys"}]), text("user", parts), text("assistant", [{"type": "text", "text": "ok"}])], {}
    yield "image", [text("user", [{"type": "image"}, {"type": "text", "text": "here"}])], {}
    yield "documents", [hello], {"documents": [{"title": "b", "text": "short", "score": 0.125}, {"title": "A", "text": "long"}]}
    yield "no-content", [hello, {"role": "assistant", "tool_calls": [call("now", {})]}, result], {"tools": TOOLS}


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def fetched(cache):
    """The folder of the templates, from the source package that pip downloads once."""
    folder = cache / PACKAGE
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", PACKAGE.split("==")[0], "--retries", "1", "--timeout", "30", "--dest", scratch, PACKAGE]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
        except (OSError, subprocess.TimeoutExpired) as error:
            skip(f"pip did not bring {PACKAGE}: {error}")
        archives = list(pathlib.Path(scratch).glob("*.tar.gz"))
        if not archives:
            skip(f"pip did not bring {PACKAGE}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
        new = pathlib.Path(scratch) / "templates"
        new.mkdir()
        with tarfile.open(archives[0]) as archive:
            for member in archive:
                if INSIDE in member.name and member.name.endswith(".jinja") and member.isfile():
                    (new / pathlib.PurePosixPath(member.name).name).write_bytes(archive.extractfile(member).read())
        new.rename(folder)
    return folder


def reference(template, errors, case):
    """("text", text) or ("error", message, whether the template itself refused)."""
    variables = {"tools": None, "documents": None, "bos_token": "<s>", "eos_token": "</s>"}
    variables |= {"messages": case["messages"], "add_generation_prompt": case["add_generation_prompt"]}
    try:
        return "text", template.render(**(variables | case["extra"]))
    except errors as error:
        return "error", str(error), type(error).__name__ == "TemplateError"


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    os.environ["TZ"] = "UTC"
    try:
        from make_chat_goldens import ERRORS, environment
    except ImportError as error:
        skip(f"no Jinja2: {error}")
    folder = pathlib.Path(sys.argv[3]) if len(sys.argv) == 4 else fetched(pathlib.Path(sys.argv[2]))
    names = sorted(path.name for path in folder.glob("*.jinja"))
    if len(names) < LEAST_TEMPLATES:
        sys.exit(f"{folder}: {len(names)} templates, expected at least {LEAST_TEMPLATES}")
    sources = [(folder / name).read_bytes().decode() for name in names]
    cases = [
        {"name": name, "messages": messages, "extra": extra, "add_generation_prompt": prompt}
        for name, messages, extra in conversations()
        for prompt in (True, False)
    ]
    run = subprocess.run(
        [sys.argv[1], str(NOW)], input=json.dumps({"templates": sources, "cases": cases}).encode(), capture_output=True, timeout=900
    )
    if run.returncode:
        sys.exit(f"{sys.argv[1]} ended with {run.returncode}: {run.stderr.decode()}")
    results = iter(json.loads(run.stdout))
    env = environment()
    env.globals["strftime_now"] = datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc).strftime
    failed, compared, refused, clean = [], 0, 0, 0
    for name, source in zip(names, sources):
        wrong = []
        template = env.from_string(source)
        for case in cases:
            result, expected = next(results), reference(template, ERRORS, case)
            where = f"{name}, conversation {case['name']}, add_generation_prompt {case['add_generation_prompt']}"
            compared += 1
            if expected[0] == "text" and result.get("text") != expected[1]:
                wrong.append(f"{where}\n  llmc   {result!r}\n  jinja2 {expected[1]!r}")
            elif expected[0] == "error" and "error" not in result:
                wrong.append(f"{where}\n  llmc   {result!r}\n  jinja2 fails: {expected[1]}")
            elif expected[0] == "error" and expected[2] and expected[1] not in result["error"]:
                wrong.append(f"{where}\n  llmc   {result!r}\n  jinja2 refuses: {expected[1]}")
            elif TYPED in result.get("special", ""):
                wrong.append(f"{where}\n  what the user typed counts as the template's own: {result['special']!r}")
            refused += expected[0] == "error"
        if name in OUTSIDE:
            if not wrong:
                failed.append(f"{name}: passes, though it is listed as outside the subset: {OUTSIDE[name]}")
        elif wrong:
            failed.append(f"{name}: {len(wrong)} of {len(cases)} conversations differ, the first:\n{wrong[0]}")
        else:
            clean += 1
    print("\n".join(failed))
    print(f"{clean} of {len(names)} templates agree in all conversations ({compared} renderings, {refused} refusals)")
    for name, reason in OUTSIDE.items():
        print(f"outside the subset: {name}: {reason}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
