"""shots.py REPORT FOLDER [NAME=HASH ...]: pictures of a report's views, light and dark, wide and narrow."""
import os, sys
from chromium import Browser

report, folder = sys.argv[1:3]
views = dict(item.split("=", 1) for item in sys.argv[3:]) or {
    name: "#/" + name for name in ("pipeline", "ir", "graph", "kernels", "roofline", "memory", "tensors", "model")}
os.makedirs(folder, exist_ok=True)
with Browser() as browser:
    for kind, width, height, dark in (("wide", 1360, 900, False), ("dark", 1360, 900, True), ("narrow", 390, 800, False)):
        browser.size(width, height, dark)
        print(kind, f"{browser.open(report):.0f} ms")
        for name, hash in views.items():
            browser.go(hash)
            browser.picture(f"{folder}/{name}-{kind}.png")
    for problem in browser.problems:
        print(problem)
