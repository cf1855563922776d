"""``python -m bench.growth SVG``: time and memory as the recordings become more, from 100 to 10,000 WAV of 100 kB.

Ours and the rivals of `bench.compare` archive the first so many of the same files, each on a file system of its own
where root runs this; the medians over the rounds go into a table and into the picture SVG. Exit status 1 if one failed.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from html import escape
from pathlib import Path
from statistics import median

from bench.compare import Run, compare, programs, tell
from bench.files import FileSet, list_entries
from bench.host import serving
from bench.machine import described
from bench.volume import can_mount

COUNTS = (100, 300, 1_000, 3_000, 10_000)
COLOURS = ("#1f6feb", "#d1590c", "#6e7781", "#8250df", "#116329")
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 360, 240, 60, 40, 80

Series = Mapping[str, Mapping[int, tuple[float, float]]]
"""For each command, by the number of recordings: seconds, and MB of its largest process."""


def main() -> int:
    """Measure as the arguments say; print the table, draw the picture; return the exit status."""
    parser = argparse.ArgumentParser("bench.growth", description=__doc__.partition("\n\n")[0])
    parser.add_argument("svg", type=Path, help="the picture to write")
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="how many recordings")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and keep the files for the next time")
    chosen = parser.parse_args()
    with ExitStack() as stack:
        folder = chosen.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        runs = measure_all(folder, sorted(chosen.counts), chosen.rounds)
    print(f"{described()}\n\n" + "\n".join(table(medians(runs))))
    chosen.svg.write_text("\n".join(draw(medians(runs))) + "\n")
    failed = [run.problem for each in runs.values() for done in each.values() for run in done if run.problem]
    for problem in failed:
        tell(problem)
    return 1 if failed else 0


def measure_all(folder: Path, counts: Sequence[int], rounds: int) -> dict[int, dict[str, list[Run]]]:
    """Run every command over the first so many files, by the number of files."""
    files = folder / "bench-files"
    tell(f"making {counts[-1]} files, or finding them in {files}")
    name = f"growth-{counts[-1]}"
    FileSet(name, counts[-1], 1e5, 1e5).make_below(files)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=folder) as scratch, serving(files, 0.0) as (base, _):
        entries, commands = list_entries(files / name, f"{base}/{name}"), programs(Path(scratch), [])
        return {
            count: compare(entries[:count], commands, rounds, Path(scratch), check=False, fresh=can_mount())
            for count in counts
        }


def medians(runs: Mapping[int, Mapping[str, Sequence[Run]]]) -> Series:
    """Turn what was measured into one line for each command; one that failed is left out."""
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for count, each in runs.items():
        for name, done in each.items():
            if not any(run.problem for run in done):
                figures = median(run.wall_s for run in done), median(run.peak_mb for run in done)
                found.setdefault(name, {})[count] = figures
    return found


def table(series: Series) -> Iterator[str]:
    """The Markdown table: seconds, and MB, by command and number of recordings."""
    counts = sorted({count for line in series.values() for count in line})
    yield "| recordings | " + " | ".join(f"{name}, s | MB" for name in series) + " |"
    yield "|---" * (1 + 2 * len(series)) + "|"
    for count in counts:
        cells = [
            f"{line[count][0]:.2f} | {line[count][1]:.0f}" if count in line else "– | –" for line in series.values()
        ]
        yield f"| {count:,} | " + " | ".join(cells) + " |"


def draw(series: Series) -> Iterator[str]:
    """The picture: seconds on the left, MB on the right; the number of recordings and the seconds are logarithmic."""
    width, height = 2 * (_LEFT + _WIDTH + _GAP), _TOP + _HEIGHT + 60 + 18 * len(series)
    box = f'viewBox="0 0 {width} {height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="12">'
    yield f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    times = [seconds for line in series.values() for seconds, _ in line.values()]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    seconds = [10.0**power for power in range(low, max(high, low + 1) + 1)]
    top = 40 * math.ceil(max(size for line in series.values() for _, size in line.values()) / 40)
    yield from _panel(series, 0, "seconds", seconds, lambda value: math.log10(value / seconds[0]))
    yield from _panel(series, 1, "MB, largest process", [0, top / 2, top], lambda value: value)
    for number, name in enumerate(series):
        y = _TOP + _HEIGHT + 60 + 18 * number
        yield f'<rect x="{_LEFT}" y="{y - 9}" width="18" height="4" fill="{COLOURS[number % len(COLOURS)]}"/>'
        yield f'<text x="{_LEFT + 26}" y="{y - 3}">{escape(name)}</text>'
    yield "</svg>"


def _panel(
    series: Series, figure: int, title: str, marks: Sequence[float], scale: Callable[[float], float]
) -> Iterator[str]:
    """One of the two drawings: a frame, its marks, and a line for each command."""
    counts = sorted({count for line in series.values() for count in line})
    left = figure * (_LEFT + _WIDTH + _GAP)
    first, span = math.log10(counts[0]), math.log10(counts[-1] / counts[0]) or 1

    def x(count: int) -> float:
        return left + _LEFT + _WIDTH * (math.log10(count) - first) / span

    def y(value: float) -> float:
        return _TOP + _HEIGHT * (1 - scale(value) / scale(marks[-1]))

    yield f'<text x="{left + _LEFT}" y="{_TOP - 16}" font-weight="bold">{escape(title)}</text>'
    for mark in marks:
        across = f"M{left + _LEFT} {y(mark):.1f} h{_WIDTH}"
        yield f'<path d="{across}" stroke="#d0d7de"/>'
        yield f'<text x="{left + _LEFT - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{mark:g}</text>'
    for count in counts:
        yield f'<text x="{x(count):.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{count:,}</text>'
    yield f'<text x="{left + _LEFT + _WIDTH / 2}" y="{_TOP + _HEIGHT + 36}" text-anchor="middle">recordings</text>'
    for number, line in enumerate(series.values()):
        points = " ".join(f"{x(count):.1f},{y(figures[figure]):.1f}" for count, figures in line.items())
        colour = COLOURS[number % len(COLOURS)]
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'


if __name__ == "__main__":
    sys.exit(main())
