"""``python -m bench.compare``: this archive beside other programs that download, hash and compress the same files.

Every command runs as a whole process, once a round, in rotating order, into an empty folder, which lies on a new file
system where root runs this (``--same-volume``: never). One that fails, or with
``--check`` leaves a wrong file, makes the exit status 1. How to read the tables: ``bench/README.md``.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.files import DEFAULT, SETS, Entry, list_entries
from bench.host import serving
from bench.machine import described
from bench.volume import can_mount
from bench.volume import fresh as new_volume

OURS = "recording-archive"
RIVALS = Path(__file__).parent / "rivals"
GO_RIVALS = {"loop": "JOBS=1", "gopar": "JOBS=16", "gosafe": "JOBS=16 SAFE=1"}
"""The loop of one recording after the other; sixteen at once; sixteen at once that sync and read back."""

# The kernel counts the memory of the program that forks to the one it starts, so a process as small as Python gets
# (about 10 MB) starts and measures each command. RUSAGE_CHILDREN: CPU of the whole tree, memory of its largest process.
_MEASURE = """
import os, resource, sys, time
start = time.perf_counter()
status = os.spawnv(os.P_WAIT, "/bin/sh", ["sh", "-c", "exec >&2\\n" + sys.argv[1]])
wall_s = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, wall_s, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One command in one round; ``problem`` is empty when it did what it should."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    stored_bytes: int
    problem: str


def main() -> int:
    """Compare as the arguments say; print a table for each set; return the exit status."""
    arguments = _arguments()
    fresh = can_mount() and not arguments.same_volume
    with ExitStack() as stack:
        folder = arguments.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        files = folder / "bench-files"
        for name in arguments.set:
            tell(f"making {name}, or finding it in {files}")
            SETS[name].make_below(files)
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=folder)))
        commands = chosen(programs(scratch, arguments.rival), arguments.against)
        where = "a new ext4 for each run" if fresh else f"one file system, that of {folder}"
        print(f"{described()}. {where[0].upper()}{where[1:]}.", flush=True)
        good = True
        for name in arguments.set:
            with serving(files, SETS[name].first_byte_s) as (base, server):
                entries = list_entries(files / name, f"{base}/{name}")
                runs = compare(entries, commands, arguments.rounds, scratch, check=arguments.check, fresh=fresh)
            count = "1 file" if len(entries) == 1 else f"{len(entries)} files"
            rounds = "1 round" if arguments.rounds == 1 else f"{arguments.rounds} rounds"
            print(f"\n### {name}: {count}, {_megabytes(entries):.0f} MB, {rounds}, served by {server}\n")
            print("\n".join(table(entries, runs)), flush=True)
            good = good and not any(run.problem for each in runs.values() for run in each)
    return 0 if good else 1


def compare(
    entries: Sequence[Entry], commands: Mapping[str, str], rounds: int, scratch: Path, *, check: bool, fresh: bool
) -> dict[str, list[Run]]:
    """Run each command once a round, another one first each time; check the files of the last round."""
    media_bytes = sum(entry["size"] for entry in entries)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    empty = scratch / "round"
    for number in range(rounds):
        first = number % len(commands)
        for name in [*commands][first:] + [*commands][:first]:
            with new_volume(empty, media_bytes) if fresh else nullcontext(empty) as place:
                run = measure(commands[name], entries, place, check=check and number == rounds - 1)
            tell(f"round {number + 1} of {rounds}: {name} {run.wall_s:.2f} s {run.problem}")
            runs[name].append(run)
            shutil.rmtree(empty)
    return runs


def measure(command: str, entries: Sequence[Entry], scratch: Path, *, check: bool) -> Run:
    """Run one command on an idle disk: what an earlier one left unwritten must not be paid for by this one."""
    manifest, out = scratch / "manifest.json", scratch / "out"
    out.mkdir(parents=True)
    manifest.write_text(json.dumps(entries))
    for name, value in (("{manifest}", manifest), ("{out}", out)):
        command = command.replace(name, shlex.quote(str(value.absolute())))
    os.sync()
    ended = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURE, command],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        check=True,
    )
    status, wall_s, cpu_s, peak_mb = map(float, ended.stdout.split())
    problem = f"exit status {status:.0f}: {ended.stderr.decode(errors='replace')[-500:].strip()}" if status else ""
    stored = {path: path.stat().st_size for path in out.glob("*.gz")}
    return Run(wall_s, cpu_s, peak_mb, sum(stored.values()), problem or find_wrong(stored, entries, contents=check))


def find_wrong(stored: Iterable[Path], entries: Sequence[Entry], *, contents: bool) -> str:
    """Problems of the stored files: not one for each entry or, when ``contents`` are read, other bytes."""
    paths = {path.name.partition(".")[0]: path for path in stored}
    if len(list(stored)) != len(entries) or paths.keys() != {entry["id"] for entry in entries}:
        return f"{len(list(stored))} files for {len(entries)} recordings"
    wrong = [entry["id"] for entry in entries if contents and _media_sha256(paths[entry["id"]]) != entry["checksum"]]
    return f"wrong bytes: {', '.join(wrong)}" if wrong else ""


def table(entries: Sequence[Entry], runs: Mapping[str, Sequence[Run]]) -> Iterator[str]:
    """The Markdown table of one set, then what went wrong. A command that failed gets no figures: failing is fast."""
    yield "| command | wall s: median (min–max) | MB/s | CPU s | peak MB | archive/source | wall, times ours |"
    yield "|---|---|---|---|---|---|---|"
    for name, each in runs.items():
        failed = any(run.problem for run in each)
        yield f"| {name} | failed | | | | | |" if failed else _row(name, each, runs[OURS], _megabytes(entries))
    problems = dict.fromkeys((name, run.problem) for name, each in runs.items() for run in each if run.problem)
    yield from (f"\n**{name}**: {problem}" for name, problem in problems)


def _row(name: str, runs: Sequence[Run], ours: Sequence[Run], megabytes: float) -> str:
    walls = [run.wall_s for run in runs]
    cpu_s, peak_mb = median(run.cpu_s for run in runs), median(run.peak_mb for run in runs)
    share = median(run.stored_bytes for run in runs) / megabytes / 1e6
    # within a round, because both then shared the machine with the same others
    ratio = median(run.wall_s / base.wall_s for run, base in zip(runs, ours, strict=True))
    times = "–" if any(run.problem for run in ours) else f"{ratio:.2f}"
    return (
        f"| {name} | {median(walls):.2f} ({min(walls):.2f}–{max(walls):.2f}) | {megabytes / median(walls):.0f} "
        f"| {cpu_s:.2f} | {peak_mb:.0f} | {share:.3f} | {times} |"
    )


def tell(text: str) -> None:
    """Show progress where it does not mix with the tables."""
    print(text, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("bench.compare", description=__doc__.partition("\n\n")[0])
    default = [each.name for each in DEFAULT]
    parser.add_argument("--set", nargs="+", choices=SETS, default=default, help=f"default: {' '.join(default)}")
    parser.add_argument("--rounds", type=int, default=5, help="how often each command runs (default: 5)")
    parser.add_argument("--rival", action="append", default=[], type=_rival, metavar="NAME=COMMAND {manifest} {out}")
    parser.add_argument("--against", nargs="+", metavar="NAME", help="run only these rivals (default: all there are)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work there and keep the files for the next time")
    parser.add_argument("--same-volume", action="store_true", help="no new file system for each run")
    parser.add_argument("--check", action="store_true", help="gunzip and hash the files of the last round")
    return parser.parse_args()


def _rival(text: str) -> tuple[str, str]:
    name, _, command = text.partition("=")
    if not (name and command):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COMMAND")
    return name, command


def programs(scratch: Path, rivals: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Programs to compare, by name: ours, scripts where curl is, the one in Go where Go is, and what was asked for."""
    commands = {OURS: '"$PYTHON" -m bench.stages {manifest} {out}'}
    if shutil.which("curl"):
        for name in ("curl.sh", "tee.sh"):
            commands[name] = f"sh {shlex.quote(str(RIVALS / name))} {{manifest}} {{out}}"
    else:
        tell("curl is not installed: bench/rivals/curl.sh and tee.sh are left out")
    if go := os.environ.get("GO") or shutil.which("go"):
        program = (scratch / "loop").absolute()  # go runs in another folder
        subprocess.run([go, "build", "-o", program, "."], cwd=RIVALS / "loop", check=True)
        for name, setting in GO_RIVALS.items():
            commands[name] = f"{setting} {shlex.quote(str(program))} {{manifest}} {{out}}"
    else:
        tell("go is not installed ($GO names it): bench/rivals/loop is left out")
    return commands | dict(rivals)


def chosen(commands: Mapping[str, str], names: Collection[str] | None) -> dict[str, str]:
    """Ours and the rivals that were asked for; every rival when none was."""
    if unknown := set(names or ()) - commands.keys():
        sys.exit(f"no rival here is called {', '.join(sorted(unknown))}: there are {', '.join(commands)}")
    return {name: command for name, command in commands.items() if names is None or name in {OURS, *names}}


def _megabytes(entries: Sequence[Entry]) -> float:
    return float(sum(entry["size"] for entry in entries)) / 1e6


def _media_sha256(path: Path) -> str:
    try:
        with gzip.open(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, EOFError, zlib.error) as error:
        return str(error)


if __name__ == "__main__":
    sys.exit(main())
