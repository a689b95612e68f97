"""Damage thousands of files per reader and say what became of them.

    python -m tests.fuzz.long_run --cases 3000 [--seed 1] [reader ...]

Every reader runs in a process of its own with bounded memory, so that a crash is a finding like others. Damage that
is read as if nothing had happened is counted as "read": most formats have bytes that mean nothing.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.case import LONGEST, read_damaged
from tests.fuzz.damage import BYTES, Damage
from tests.fuzz.targets import TARGETS

MEMORY = 3 * 2**30  # bytes beyond what the process has at the start
SHOWN = 6  # different findings printed per reader


def drawn(rng: random.Random, changes: list[str]) -> list[Damage]:
    """Draw damage as `damage.damages` does."""
    names = [changes if changes and rng.random() < 0.5 else list(BYTES) for _ in range(rng.choice((1, 1, 2, 3)))]
    return [(rng.choice(some), rng.random(), rng.randrange(2**16)) for some in names]


def fuzz(name: str, cases: int, seed: int) -> int:
    """Run the cases of one reader; return how many were neither read nor refused."""
    faulthandler.enable()
    target, rng = TARGETS[name], random.Random(f"{name} {seed}")  # noqa: S311
    counts: Counter[str] = Counter()
    found: dict[str, str] = {}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = target.make(Path(folder))
        whole = path.read_bytes()
        target.read(path)
        _bound_memory()
        for number in range(cases):
            damage = drawn(rng, sorted(target.changes))
            print(f"# {name} case {number}: {damage}", file=sys.stderr, flush=True)
            faulthandler.dump_traceback_later(2 * LONGEST, exit=True)  # for what cannot be interrupted
            try:
                counts[read_damaged(target, path, whole, damage)] += 1
            except Exception as error:  # noqa: BLE001 (what is looked for)
                counts["failed"] += 1
                last = traceback.extract_tb(error.__traceback__)
                ours = [f"{Path(one.filename).name}:{one.lineno}" for one in last if "hgcal_gnn/" in one.filename]
                place = " ".join(ours[-3:]) or str(last[-1])
                found.setdefault(place, f"{type(error).__name__}: {str(error)[:150]!r} at {place}\n    {damage}")
    faulthandler.cancel_dump_traceback_later()
    seconds = time.perf_counter() - started
    told = ", ".join(f"{counts[what]} {what}" for what in ("refused", "read", "failed"))
    print(f"{name}: {cases} cases, {told}, {seconds:.0f} s")
    for text in list(found.values())[:SHOWN]:
        print(f"  {text}")
    return counts["failed"]


def _bound_memory() -> None:
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))


def main() -> int:
    """Run all readers, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", default=list(TARGETS))
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="in this process")
    asked = parser.parse_args()
    if asked.here:
        return min(sum(fuzz(name, asked.cases, asked.seed) for name in asked.readers), 1)
    worst = 0
    for name in asked.readers:  # new processes, not forks: threads of numba and PyTorch do not survive a fork
        command = [sys.executable, "-m", "tests.fuzz.long_run", "--here", name]
        command += ["--cases", str(asked.cases), "--seed", str(asked.seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if done.returncode not in (0, 1):
            print(f"{name}: CRASHED ({done.returncode})\n" + "\n".join(done.stderr.splitlines()[-25:]), flush=True)
        worst = max(worst, abs(done.returncode))
    return worst


if __name__ == "__main__":
    sys.exit(main())
