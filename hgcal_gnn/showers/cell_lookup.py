"""From cell ids to rows of the geometry table: a page table for dense ids, a hash table for any others."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hgcal_gnn.geometry.cells import as_cell_ids

UNKNOWN = -1  # row of an id that the geometry does not hold
PAGE_BITS = 8  # 256 ids a page: a wafer's cell v, u (5 bits each) fill two or three pages
MAX_DIRECTORY = 1 << 24  # pages between the smallest and the largest id (64 MiB of directory)
MAX_PAGE_SLOTS = 32  # slots of the pages per cell, above which the ids are too thinly spread for pages
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 3, section 6.4)

Ids: TypeAlias = NDArray[np.integer]
Rows: TypeAlias = NDArray[np.int32]


class CellLookup:
    """Rows of cell ids, by a two-level page table where the ids are dense, else by a hash table.

    The page table costs two memory accesses an id whatever the size of the geometry. It suits DetIds, which
    count cells through in their low bits; 64-bit ids with coordinates in their high bits take the hash table.

    Parameters
    ----------
    cell_ids : uint64 [n_cells]
        Ids in row order, each once (`CellTable.cell_id`).

    Attributes
    ----------
    n_cells
        Number of known ids.
    method
        "pages" or "hash".
    """

    def __init__(self, cell_ids: Ids) -> None:
        ids = np.ascontiguousarray(as_cell_ids(cell_ids))
        self.n_cells = len(ids)
        self._base = np.uint64((int(ids.min()) if len(ids) else 0) >> PAGE_BITS << PAGE_BITS)
        self._directory = _page_directory(ids, self._base)
        if self._directory is None:
            self.method = "hash"
            self._hash_ids = np.zeros(1 << _table_bits(len(ids)), np.uint64)
            self._hash_rows = np.full(len(self._hash_ids), UNKNOWN, np.int32)
            _fill_hash(ids, self._hash_ids, self._hash_rows)
        else:
            self.method = "pages"
            n_pages = int(self._directory.max()) + 1 if len(self._directory) else 1
            # allocated by NumPy, not in the kernel: it asks for huge memory pages, which saves address look-ups
            self._pages = np.full((n_pages, 1 << PAGE_BITS), UNKNOWN, np.int32)
            _fill_pages(ids, self._base, self._directory, self._pages)

    def rows(self, ids: Ids) -> Rows:
        """Return the row of each id, int32 [n], -1 for ids the geometry does not hold.

        Parameters
        ----------
        ids : integers [n]
            Signed 32-bit ids are taken as the unsigned ones with the same bits (see `as_cell_ids`).

        Raises
        ------
        InputError
            If the ids are not integers.
        """
        words = _words(ids)
        if self._directory is None:
            return _rows_by_hash(words, self._hash_ids, self._hash_rows)
        return _rows_by_page(words, self._base, self._directory, self._pages)

    def __getstate__(self) -> NDArray[np.uint64]:
        """Travel to other processes as the ids alone; the tables are ten times larger and quick to build."""
        ids = np.empty(self.n_cells, np.uint64)
        if self._directory is None:
            filled = self._hash_rows >= 0
            ids[self._hash_rows[filled]] = self._hash_ids[filled]
            return ids
        page, slot = np.nonzero(self._pages >= 0)
        start = np.empty(len(self._pages), np.uint64)
        used = np.flatnonzero(self._directory > 0)
        start[self._directory[used]] = used.astype(np.uint64) << np.uint64(PAGE_BITS)
        ids[self._pages[page, slot]] = self._base + start[page] + slot.astype(np.uint64)
        return ids

    def __setstate__(self, ids: NDArray[np.uint64]) -> None:
        CellLookup.__init__(self, ids)


def rows_by_search(cell_ids: NDArray[np.uint64], ids: NDArray[np.uint64]) -> Rows:
    """Return what `CellLookup.rows` returns by binary search: slow, in plain NumPy, to check it against."""
    if not len(cell_ids):
        return np.full(len(ids), UNKNOWN, np.int32)
    order = np.argsort(cell_ids)
    place = np.minimum(np.searchsorted(cell_ids, ids, sorter=order), len(cell_ids) - 1)
    found = order[place]
    return np.where(cell_ids[found] == ids, found, UNKNOWN).astype(np.int32)


def _words(ids: Ids) -> NDArray[np.unsignedinteger]:
    """Return ids as native uint32 or uint64, without a copy where their bits can be used as they are."""
    values = np.asarray(ids)
    if values.dtype.kind in "iu" and values.dtype.itemsize == 4:
        return np.ascontiguousarray(values, values.dtype.newbyteorder("=")).view(np.uint32)
    return np.ascontiguousarray(as_cell_ids(values, "hits"))


def _page_directory(ids: NDArray[np.uint64], base: np.uint64) -> Rows | None:
    """Return the page number of every stretch of 256 ids, 0 for stretches without cells; None if ids are too thin."""
    if not len(ids):
        return np.zeros(1, np.int32)
    span = int(ids.max()) - int(base) >> PAGE_BITS
    if span >= MAX_DIRECTORY:
        return None
    directory = np.zeros(span + 1, np.int32)
    directory[(ids - base) >> np.uint64(PAGE_BITS)] = 1
    n_pages = int(np.count_nonzero(directory))
    if n_pages << PAGE_BITS > MAX_PAGE_SLOTS * len(ids) + (1 << 16):
        return None
    directory[directory > 0] = np.arange(1, n_pages + 1)
    return directory


@njit(cache=True, nogil=True)
def _fill_pages(ids: NDArray[np.uint64], base: np.uint64, directory: Rows, pages: NDArray[np.int32]) -> None:
    for row in range(len(ids)):
        offset = ids[row] - base
        pages[directory[offset >> np.uint64(PAGE_BITS)], offset & np.uint64((1 << PAGE_BITS) - 1)] = row


@njit(cache=True, nogil=True)
def _rows_by_page(ids: NDArray[np.uint64], base: np.uint64, directory: Rows, pages: NDArray[np.int32]) -> Rows:
    rows = np.empty(len(ids), np.int32)
    flat = pages.ravel()
    n_stretches = np.uint64(len(directory))
    for hit in range(len(ids)):
        offset = np.uint64(ids[hit]) - base  # an id below the base wraps round to a huge number
        stretch = offset >> np.uint64(PAGE_BITS)
        # page 0 is empty: ids in stretches without cells read -1 from it
        page = directory[stretch] if stretch < n_stretches else np.int32(0)
        slot = (np.int64(page) << PAGE_BITS) | np.int64(offset & np.uint64((1 << PAGE_BITS) - 1))
        rows[hit] = flat[slot]
    return rows


def _table_bits(n_cells: int) -> int:
    """Return the exponent of a table at most half full."""
    return max(3, int(2 * n_cells - 1).bit_length())


@njit(cache=True, nogil=True)
def _hash_shift(n_slots: int) -> np.uint64:
    """Return the shift that leaves as many high bits as number the slots (a power of two)."""
    bits = 0
    while (1 << bits) < n_slots:
        bits += 1
    return np.uint64(64 - bits)


@njit(cache=True, nogil=True)
def _fill_hash(ids: NDArray[np.uint64], table_ids: NDArray[np.uint64], table_rows: Rows) -> None:
    """Open addressing with linear probing; free slots hold row -1."""
    mask = np.uint64(len(table_ids) - 1)
    shift = _hash_shift(len(table_ids))
    for row in range(len(ids)):
        slot = (ids[row] * np.uint64(GOLDEN)) >> shift
        while table_rows[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        table_ids[slot] = ids[row]
        table_rows[slot] = row


@njit(cache=True, nogil=True)
def _rows_by_hash(ids: NDArray[np.uint64], table_ids: NDArray[np.uint64], table_rows: Rows) -> Rows:
    rows = np.empty(len(ids), np.int32)
    mask = np.uint64(len(table_ids) - 1)
    shift = _hash_shift(len(table_ids))
    for hit in range(len(ids)):
        word = np.uint64(ids[hit])
        slot = (word * np.uint64(GOLDEN)) >> shift
        while table_rows[slot] >= 0 and table_ids[slot] != word:
            slot = (slot + np.uint64(1)) & mask
        rows[hit] = table_rows[slot]
    return rows
