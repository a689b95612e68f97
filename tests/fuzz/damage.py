"""Damage to files: to any bytes, and to what is in formats that are read before, changed and written again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from hypothesis import strategies as st

Change = Callable[[bytes, float, int], bytes]  # content, where (0 to 1), which value
Damage = tuple[str, float, int]

NUMBERS = (
    b"\xff" * 4,
    b"\x7f" + b"\xff" * 3,
    bytes(4),
    b"\xff" * 8,
    b"\x7f" + b"\xff" * 7,
    bytes(8),
    b"9999",
    b'-,\n"',
)
JUNK = (
    None, True, -1, 0, 10**12, 2**63, 10**30, 0.5, float("inf"), float("nan"), "", "x" * 300, "\0", "../../x", "1e9999",
    [], {}, [[]], [1, 2, 3], {"a": {"b": 1}}, "é\u202e<script>", [None], {"": None},
)  # fmt: skip


def _flip(content: bytes, place: float, value: int) -> bytes:
    data = bytearray(content)
    if data:
        data[_at(data, place)] ^= 1 << (value % 8)
    return bytes(data)


def _overwrite(content: bytes, place: float, value: int) -> bytes:
    data = bytearray(content)
    number = NUMBERS[value % len(NUMBERS)]
    start = _at(data, place)
    data[start : start + len(number)] = number
    return bytes(data)


def _noise(content: bytes, place: float, value: int) -> bytes:
    data = bytearray(content)
    noise = (value * 0x9E3779B97F4A7C15 % 2**128).to_bytes(16, "little")
    start = _at(data, place)
    data[start : start + len(noise)] = noise
    return bytes(data)


def _remove(content: bytes, place: float, value: int) -> bytes:
    start = _at(content, place)
    return content[:start] + content[start + 1 + value % 64 :]


def _repeat(content: bytes, place: float, value: int) -> bytes:
    start = _at(content, place)
    return content[:start] + content[max(0, start - 1 - value % 64) : start] + content[start:]


def _cut(content: bytes, place: float, value: int) -> bytes:
    return content[: _at(content, place) if value % 4 else max(0, len(content) - 1 - value % 64)]


BYTES: Mapping[str, Change] = {
    "flip": _flip, "overwrite": _overwrite, "noise": _noise, "remove": _remove, "repeat": _repeat, "cut": _cut,
}  # fmt: skip


def _at(content: bytes | bytearray, place: float) -> int:
    """Return a position; half of them near the ends, where formats have their headers."""
    if place < 0.25:
        return int(place * 4 * min(256, len(content)))
    if place >= 0.75:
        return len(content) - 1 - int((place - 0.75) * 4 * min(256, len(content) - 1)) if content else 0
    return int((place - 0.25) * 2 * max(len(content) - 1, 0))


def damages(changes: Sequence[str]) -> st.SearchStrategy[list[Damage]]:
    """Draw one to three changes, half of them to the bytes where a format has changes of its own."""
    names = st.sampled_from(sorted(BYTES))
    if changes:
        names |= st.sampled_from(sorted(changes))
    where = st.floats(0, 1, exclude_max=True, allow_subnormal=False)
    return st.lists(st.tuples(names, where, st.integers(0, 2**16 - 1)), min_size=1, max_size=3)


def damaged(content: bytes, damage: Sequence[Damage], changes: Mapping[str, Change]) -> bytes:
    """Apply changes, those of the format first: afterwards it may not be readable any more."""
    for name, place, value in sorted(damage, key=lambda one: (one[0] in BYTES, one[0] == "bomb")):
        if name in BYTES:
            content = BYTES[name](content, place, value)
            continue
        with suppress(Exception):  # an earlier change may have left nothing to change
            content = changes[name](content, place, value)
    return content or b"x"
