"""Results of compare.py: what was measured in each round, and the table of medians and ratios."""
import json
import os
import statistics

BYTES = ("peak bytes", "compiler bytes")
LESS_IS_BETTER = ("load s", "peak bytes")


class Results:
    def __init__(self):
        self.samples = {}   # (model, threads, test): {(engine, setting): [numbers]}
        self.limits = {}    # (model, threads, kind): [what machine_probe said]
        self.kinds = {}     # test: kind
        self.failures = {}  # (model, kind, engine, setting): why

    def add(self, model, threads, kind, setting, found):
        for test, number in found.items():
            self.kinds[test] = kind
            self.samples.setdefault((model, threads, test), {}).setdefault((setting.engine, setting.name), []).append(
                number)

    def limit(self, model, threads, kind):
        """Medians of the limits measured around this kind of rows; the units by name."""
        seen = self.limits.get((model, threads, kind), [])
        return {name: statistics.median(probe[name] for probe in seen)
                for name in ("read_gb_s", "f32_gops", "bf16_gops", "int8_gops")} if seen else None

    def save(self, path, works, about):
        rows = []
        for (model, threads, test), cells in self.samples.items():
            limits = self.limit(model, threads, self.kinds[test])
            rows.append({"model": os.path.basename(model), "threads": threads, "test": test, "limits": limits,
                         "best_speed": best_speed(works[model], test, limits, about["before_batch"]),
                         "engines": [{"engine": engine, "setting": name, "samples": numbers,
                                      "median": statistics.median(numbers)}
                                     for (engine, name), numbers in cells.items()]})
        failures = [{"model": os.path.basename(model), "kind": kind, "engine": engine, "setting": name, "why": why}
                    for (model, kind, engine, name), why in self.failures.items()]
        probes = [{"model": os.path.basename(model), "threads": threads, "kind": kind, "probes": seen}
                  for (model, threads, kind), seen in self.limits.items()]
        with open(path + ".part", "w") as file:
            json.dump({"about": about, "rows": rows, "limits": probes, "failures": failures}, file, indent=1)
        os.replace(path + ".part", path)

    def text(self, works, before_batch):
        """Markdown. Ratios above 1: llmc does better. -: not measured."""
        engines = []
        for cells in self.samples.values():
            engines += [cell for cell in cells if cell not in engines]
        ours = [cell for cell in engines if cell[0] == "llmc"]
        peers = list(dict.fromkeys(engine for engine, _ in engines if engine != "llmc"))
        lines = ["| model | threads | test | "
                 + "".join(f"{label(cell)} (min-max) | % roof | " for cell in ours)
                 + "".join(f"best {peer} | % roof | " + "".join(f"{label(cell)} / it | " for cell in ours)
                           for peer in peers)
                 + "reads GB/s | peak GOPS |"]
        lines.append("| --- " * (lines[0].count("|") - 1) + "|")
        for (model, threads, test), cells in self.samples.items():
            limits = self.limit(model, threads, self.kinds[test])
            roof = best_speed(works[model], test, limits, before_batch)
            share = lambda number: f"{100 * number / roof:.0f}" if roof else ""
            row = [os.path.basename(model), str(threads), test]
            for cell in ours:
                numbers = cells.get(cell)
                row += ["-", "-"] if not numbers else [
                    f"{show(test, statistics.median(numbers))} ({show(test, min(numbers))}-{show(test, max(numbers))})",
                    share(statistics.median(numbers))]
            for peer in peers:
                found = {name: statistics.median(numbers) for (engine, name), numbers in cells.items()
                         if engine == peer}
                if not found:
                    row += ["-"] * (2 + len(ours))
                    continue
                name = (min if test in LESS_IS_BETTER else max)(found, key=found.get)
                row += [f"{show(test, found[name])} {name}", share(found[name])]
                for cell in ours:
                    mine = statistics.median(cells[cell]) if cell in cells else None
                    row.append("-" if mine is None else f"{ratio(test, mine, found[name]):.2f}")
            row += [f"{limits['read_gb_s']:.1f}", f"{peak(works[model], limits):.0f}"] if limits else ["", ""]
            lines.append("| " + " | ".join(row) + " |")
        lines += [""] + [f"not measured: {os.path.basename(model)}, {kind}, {engine} {name}: {why}"
                         for (model, kind, engine, name), why in self.failures.items()]
        return "\n".join(lines).rstrip() + "\n"


def label(cell):
    return cell[0] if cell[1] == "default" else " ".join(cell)


def show(test, number):
    if test in BYTES:
        return f"{number / 1e6:.0f} MB"
    return f"{number:.3f}" if test.endswith(" s") else f"{number:.1f}"


def ratio(test, mine, other):
    return other / mine if test in LESS_IS_BETTER else mine / other


def peak(work, limits):
    return max(limits["bf16_gops"], limits["f32_gops"]) if work.is_float else limits["int8_gops"]


def best_speed(work, test, limits, before_batch):
    """Tokens a second at the roofline; None for tests that are not about tokens."""
    if not limits:
        return None
    if test.startswith("pp"):
        return work.best_speed(1, int(test[2:]), 0, limits)
    if test == "tg":
        return work.best_speed(1, 1, 0, limits)
    if test.startswith("tg @"):
        return work.best_speed(1, 1, int(test[4:]), limits)
    if test.startswith("tg x"):
        return work.best_speed(int(test[4:]), 1, before_batch, limits)
    return None
