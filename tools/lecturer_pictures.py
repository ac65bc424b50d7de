"""Take the pictures of the page *For lecturers* from what `pgtgrade demo` has made.

    pgtgrade demo
    python tools/lecturer_pictures.py pgtgrade-demo

Chromium draws each page at the width of the book's column, and Pillow stores it as WebP.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

OUT = Path(__file__).resolve().parents[1] / "book" / "_figures" / "lecturers"
SET, WIDE = "ps1", 860
#: Bytes that all of them may have together.
MOST = 300_000


def pages(course):
    """Return what is drawn: by the name of the picture the page, where on it, and how high."""
    with open(course / "feedback" / SET / "index.csv", encoding="utf-8-sig", newline="") as file:
        feedback = {line["student"]: line["file"] for line in csv.DictReader(file)}
    # the one who asked for a second look
    asked = course / "feedback" / SET / feedback["Grigoryan, Anahit"]
    return {
        "statistics": (course / "statistics" / f"{SET}.html", "h1", 620),
        "similar": (course / "similar" / f"{SET}.html", "h1", 640),
        "derivations": (course / "derivations" / f"{SET}.html", "article", 640),
        "differences": (course / "derivations" / f"{SET}-differences.html", "h2", 600),
        "feedback": (asked, "h2:nth-of-type(4)", 560),
    }


def main():
    """Draw and store the pictures, and say how large they are."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="the folder that `pgtgrade demo` made")
    course = parser.parse_args().folder / "course"
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        path = (
            shutil.which("chromium-headless-shell") or shutil.which("chromium") or os.environ.get("CHROMIUM")
        )
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (page, place, height) in pages(course).items():
            tab = browser.new_page(viewport={"width": WIDE, "height": height}, color_scheme="light")
            tab.goto(page.resolve().as_uri())
            if tab.locator(".text").count() and "MathJax" in tab.content():
                tab.wait_for_selector("html[data-typeset=done]", state="attached")
            tab.evaluate("place => document.querySelector(place).scrollIntoView()", place)
            picture = Image.open(io.BytesIO(tab.screenshot()))
            picture.convert("RGB").save(OUT / f"{name}.webp", quality=60, method=6)
            tab.close()
        browser.close()
    sizes = {each.name: each.stat().st_size for each in sorted(OUT.glob("*.webp"))}
    for name, size in sizes.items():
        print(f"{size / 1000:5.0f} kB  {name}")
    print(f"{sum(sizes.values()) / 1000:5.0f} kB  all; at most {MOST / 1000:.0f}")
    if sum(sizes.values()) > MOST:
        raise SystemExit("They are too large.")


if __name__ == "__main__":
    main()
