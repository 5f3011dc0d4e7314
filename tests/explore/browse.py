"""browse.py WORKDIR KIND=REPORT ...: clicks through reports as a person would, and looks at what they then say.

Every report must keep its console clean and load nothing. The kinds differ in what they must show.
"""
import os, sys
from chromium import Browser

MOST_BYTES = 5 << 20
failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)
        print("FAILED:", words)


def text(browser, selector="main"):
    return browser.js(f"document.querySelector({selector!r})?.innerText ?? ''")


def click(browser, selector, what):
    """Clicks what leads elsewhere, and waits until it is there."""
    turn = browser.js("document.documentElement.dataset.ready")
    browser.click(selector)
    browser.wait(f"document.documentElement.dataset.ready !== {turn!r}", what)


def shows(browser, words, where):
    shown = text(browser).lower()
    for word in words:
        expect(word.lower() in shown, f"{where} shows '{word}'")


def check_all_views(browser, views):
    tabs = browser.js("[...document.querySelectorAll('#tabs a')].map((a) => a.textContent)")
    expect(tabs == views, f"the views are {views}, not {tabs}")
    for i, name in enumerate(tabs):
        click(browser, f"#tabs a:nth-child({i + 1})", name)
        expect(len(text(browser)) > 40, f"{name} is not empty")
        wide = browser.js("document.documentElement.scrollWidth - innerWidth")
        expect(wide <= 0, f"{name} is {wide} pixels wider than the window")
        nameless = browser.js("[...document.querySelectorAll('a, button, input, select')].filter((e) => e.checkVisibility() && "
                              "!(e.innerText || e.getAttribute('aria-label') || '').trim()).length")
        expect(nameless == 0, f"{name} has {nameless} controls without a name")


def check_theme(browser):
    before = browser.js("getComputedStyle(document.documentElement).backgroundColor")
    browser.click("#theme")
    after = browser.js("getComputedStyle(document.documentElement).backgroundColor")
    expect(before != after, "the switch changes the colours")
    browser.click("#theme")


def check_dump(browser):
    check_all_views(browser, ["Pipeline", "IR", "Graph", "Kernels", "Roofline", "Memory", "Tensors", "Model"])
    browser.go("#/pipeline")
    shows(browser, ["fuse-rmsnorm-matmul", "lower-to-step", "emit-object", "remarks"], "the pipeline")
    click(browser, "#pass-1", "the first pass")
    shows(browser, ["lm.fused_linear", "phase fuse"], "a pass")
    click(browser, ".details header a", "what it changed")
    expect(browser.js("document.querySelectorAll('td.added').length") > 0, "the pass adds lines")
    expect(browser.js("document.querySelectorAll('td.removed').length") > 0, "the pass removes lines")
    folds = "document.querySelectorAll('tr.fold').length"
    count = browser.js(folds)
    expect(count > 0, "what stayed is folded")
    browser.click("tr.fold button")
    expect(browser.js(folds) == count - 1, "a fold opens")

    # One op, from its line through all passes to assembly and the roofline.
    browser.js("[...document.querySelectorAll('td.can-follow')].find((td) => td.textContent.includes('lm.fused_linear')).scrollIntoView({block: 'center'})")
    browser.js("[...document.querySelectorAll('td.can-follow')].find((td) => td.textContent.includes('lm.fused_linear')).id = 'line'")
    click(browser, "#line", "following a line")
    expect("blk.{i}.attn_q" in text(browser, ".follow h2"), "the followed op says where it is from")
    shows(browser, ["lower-to-step", "kernel"], "the way of an op")
    click(browser, ".way a[href^='#/kernels/']", "its kernel")
    shows(browser, ["assembly", "In the roofline", "Back through the passes"], "the kernel")
    browser.js("(() => { const s = [...document.querySelectorAll('select')].find((s) => s.ariaLabel === 'Stage'); s.value = 'assembly'; s.dispatchEvent(new Event('change')); })()")
    browser.wait("document.querySelector('.code code')?.closest('table')?.innerText.includes('vmov')", "assembly")
    kernel = browser.js("location.hash")
    click(browser, ".code code a[href*='line=']", "the line that an instruction is from")
    marked = text(browser, "td.marked")
    number = browser.js("document.querySelector('td.marked').previousSibling.innerText")
    expect("line=" + number in browser.js("location.hash"), f"the line of the emitted kernels is {number}")
    expect("llvm." in marked or "arith." in marked or "scf." in marked or "vector." in marked, f"an op is marked, not '{marked}'")
    shows(browser, ["around line " + number], "the emitted kernels")
    expect("loc(" not in text(browser), "no location stands in the text of kernels")
    browser.go(kernel.replace("assembly", "LLVM%20IR"))
    browser.wait("document.querySelector('table.code').innerText.includes('define')", "LLVM IR")
    click(browser, ".actions a[href^='#/roofline']", "its point")
    expect(browser.js("document.querySelectorAll('.point.chosen').length") == 1, "the kernel is marked in the plot")
    shows(browser, ["Predicted, not measured", "By kernel"], "the roofline")

    browser.go("#/graph")
    nodes = browser.js("document.querySelectorAll('.node').length")
    expect(nodes > 4, f"the graph has {nodes} nodes")
    box = "document.querySelector('svg.graph').getAttribute('viewBox')"
    before = browser.wait(box, "the graph's place")
    browser.click("button[title='Larger']")
    expect(browser.js(box) != before, "the graph zooms")
    click(browser, ".node.heavy", "an op of the graph")
    shows(browser, ["flops a token", "Where it runs", "Through all passes"], "the chosen op")
    expect(browser.js("document.querySelectorAll('.panel .links a').length") > 0, "the op leads to a kernel")

    browser.go("#/memory")
    shows(browser, ["arena", "Weights by scheme", "q4_k", "KV cache"], "memory")
    expect(browser.wait("document.querySelectorAll('rect.live').length", "the arena") > 5, "the arena has buffers")
    browser.go("#/model")
    shows(browser, ["llama", "No profile was given"], "the model")
    browser.go("#/tensors?q=ffn_down")
    rows = browser.js("[...document.querySelectorAll('tbody tr')].map((row) => row.innerText)")
    expect(rows and all("ffn_down" in row for row in rows), "the tensors are those that were asked for")

    # Search with the keyboard alone.
    browser.js("document.activeElement?.blur()")
    browser.press("/")
    expect(browser.js("document.getElementById('search').open"), "/ opens the search")
    browser.js("(() => { const i = document.querySelector('#search input'); i.value = 'attn_norm'; i.dispatchEvent(new Event('input')); })()")
    found = text(browser, "#results")
    expect("blk.0.attn_norm.weight" in found and "tensor" in found, "the search finds a tensor")
    browser.press("ArrowDown")
    turn = browser.js("document.documentElement.dataset.ready")
    browser.press("Enter")
    browser.wait(f"document.documentElement.dataset.ready !== {turn!r}", "the result")
    expect(not browser.js("document.getElementById('search').open"), "Enter goes to the result")
    browser.go("#/nowhere/at?all=%")
    expect("Pipeline" in browser.js("document.title"), "an address that leads nowhere shows the pipeline")


def check_module(browser):
    check_all_views(browser, ["Pipeline", "Kernels", "Roofline", "Memory", "Tensors", "Model"])
    browser.go("#/model")
    shows(browser, ["holds no IR", "tokenizer", "weights", "variants", "avx2", "fuse-rmsnorm-matmul"], "the model")
    browser.go("#/kernels")
    sizes = "[...document.querySelectorAll('tbody tr')].filter((row) => [...row.cells].some((cell) => /^[0-9.]+\\s(KiB|B)$/.test(cell.innerText))).length"
    expect(browser.js(sizes) > 2, "kernels have sizes")
    browser.go("#/graph")
    shows(browser, ["does not store"], "the graph of a model.so")


def check_layers(browser):
    browser.go("#/model")
    shows(browser, ["layers", "32"], "the model")
    browser.go("#/memory")
    shows(browser, ["arena", "Weights by scheme"], "memory")


def check_hostile(browser):
    check_all_views(browser, ["Pipeline", "IR", "Graph", "Kernels", "Roofline", "Memory", "Tensors", "Model"])
    for hash in ("#/pipeline/1", "#/ir/1", "#/graph/0", "#/kernels/linear%3Cb%3E?stage=LLVM%20IR", "#/kernels/linear%3Cb%3E?stage=convert-arith-to-llvm",
                 "#/tensors", "#/model", "#/ir/0?place=1", "#/ir/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E", "#/roofline?kernel=<b>x"):
        browser.go(hash)
        made = browser.js("document.querySelectorAll('main img, main script, main b > b, main u').length")
        expect(made == 0, f"{hash} makes elements of names")
    browser.go("#/pipeline/1")
    shows(browser, ["<script>alert(2)</script> has a second user"], "a remark")
    browser.go("#/tensors")
    shows(browser, ["blk.0.</script>"], "a tensor's name")


def main():
    work, reports = sys.argv[1], [item.split("=", 1) for item in sys.argv[2:]]
    with Browser() as browser:
        for kind, path in reports:
            size = os.path.getsize(path)
            expect(size < MOST_BYTES, f"{kind} has less than 5 MiB")
            browser.size(1360, 900)
            milliseconds = browser.open(path)
            print(f"{kind}: {size / 1024:.0f} KiB, drawn after {milliseconds:.0f} ms")
            {"dump": check_dump, "module": check_module, "layers": check_layers, "hostile": check_hostile}[kind](browser)
            check_theme(browser)
            browser.go("#/pipeline")
            browser.picture(f"{work}/{kind}.png")
            browser.size(390, 800)
            for view in ("pipeline", "roofline", "model"):
                browser.go("#/" + view)
                wide = browser.js("document.documentElement.scrollWidth - innerWidth")
                expect(wide <= 0, f"{view} fits a phone")
            expect(len(browser.print()) > 1000, f"{kind} prints")
        for problem in browser.problems:
            expect(False, "a clean console: " + problem)
    print(f"{len(failures)} failures")
    return 1 if failures else 0


sys.exit(main())
