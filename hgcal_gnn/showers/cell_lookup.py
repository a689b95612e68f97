"""From cell ids to rows of the geometry table: pages of bits for DetIds, a hash table for any other ids."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hgcal_gnn.geometry.cells import as_cell_ids

UNKNOWN = -1  # row of an id that the geometry does not hold
PAGE_BITS = 10  # 1024 ids a page, as a wafer has: cell u and cell v take 5 bits each
WORD_BITS = 6  # a page is 16 words of 64 bits, one bit an id
WORDS = 1 << (PAGE_BITS - WORD_BITS)
MAX_DIRECTORY = 1 << 24  # pages between the smallest and the largest id (64 MiB of directory)
MIN_FILL = 3  # cells a page holds on average, below which a hash table is smaller
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: Fibonacci hashing (Knuth, TAOCP 3, section 6.4)

Ids: TypeAlias = NDArray[np.integer]
Rows: TypeAlias = NDArray[np.int32]


class CellLookup:
    """Rows of cell ids, by pages of bits where rows follow the ids, else by a hash table.

    In a sorted geometry table the ids of a wafer have consecutive rows, so a row is that of the first id in a word of
    64 plus the number of known ids before it. Such pages take 1-2 bytes a cell, so that those of
    millions of cells stay in the processor's cache, where a table of rows would not. Ids with coordinates in their
    high bits (64-bit ids of DD4hep) are too thinly spread for pages and take the hash table.

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
        ids = _words(cell_ids).astype(np.uint64, copy=False)
        self.n_cells = len(ids)
        self._base = np.uint64((int(ids.min()) if len(ids) else 0) >> PAGE_BITS << PAGE_BITS)
        self.method = "pages" if self._fill_pages(ids) else "hash"
        if self.method == "hash":
            # allocated by NumPy, not in the kernel: it asks for huge memory pages, which saves address look-ups
            self._hash_ids = np.zeros(1 << _table_bits(len(ids)), np.uint64)
            self._hash_rows = np.full(len(self._hash_ids), UNKNOWN, np.int32)
            _fill_hash(ids, self._hash_ids, self._hash_rows)

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
        if self.method == "hash":
            return _rows_by_hash(words, self._hash_ids, self._hash_rows)
        return _rows_by_page(words, self._base, self._directory, self._pages)

    def __getstate__(self) -> NDArray[np.uint64]:
        """Travel to other processes as the ids alone, which are quick to index again."""
        ids = np.empty(self.n_cells, np.uint64)
        if self.method == "hash":
            filled = self._hash_rows >= 0
            ids[self._hash_rows[filled]] = self._hash_ids[filled]
            return ids
        stretch = np.flatnonzero(self._directory)
        number = self._directory[stretch]
        word, bit = np.nonzero(
            np.unpackbits(np.ascontiguousarray(self._pages[number, :, 0]).view(np.uint8), axis=1, bitorder="little")
        )
        known = self._base + (stretch[word].astype(np.uint64) << np.uint64(PAGE_BITS)) + bit.astype(np.uint64)
        ids[self.rows(known)] = known
        return ids

    def __setstate__(self, ids: NDArray[np.uint64]) -> None:
        CellLookup.__init__(self, ids)

    def _fill_pages(self, ids: NDArray[np.uint64]) -> bool:
        """Build the pages; give up where they would be nearly empty or rows do not follow ids."""
        span = (int(ids.max()) - int(self._base) if len(ids) else 0) >> PAGE_BITS
        if span >= MAX_DIRECTORY:
            return False
        self._directory = np.zeros(span + 1, np.int32)
        _mark_stretches(ids, self._base, self._directory)
        n_pages = int(np.count_nonzero(self._directory))
        if n_pages * MIN_FILL > len(ids) + (1 << PAGE_BITS):
            return False
        # page 0 holds nothing: that of stretches without cells
        self._directory[self._directory > 0] = np.arange(1, n_pages + 1)
        self._pages = np.zeros((n_pages + 1, WORDS, 2), np.uint64)
        _fill_pages(ids, self._base, self._directory, self._pages)
        rows = _rows_by_page(ids, self._base, self._directory, self._pages)
        return not np.count_nonzero(rows - np.arange(len(ids), dtype=np.int32))


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
    native_64 = values.dtype == np.uint64
    return np.ascontiguousarray(values if native_64 else as_cell_ids(values, "hits"))


@njit(cache=True, nogil=True)
def _mark_stretches(ids: NDArray[np.uint64], base: np.uint64, directory: Rows) -> None:
    for row in range(len(ids)):
        directory[(ids[row] - base) >> np.uint64(PAGE_BITS)] = 1


@njit(cache=True, nogil=True)
def _fill_pages(ids: NDArray[np.uint64], base: np.uint64, directory: Rows, pages: NDArray[np.uint64]) -> None:
    """Mark the known ids and note the smallest row in each word of `pages` [n_pages, WORDS, (bits, row)]."""
    for row in range(len(ids)):
        offset = ids[row] - base
        page = directory[offset >> np.uint64(PAGE_BITS)]
        place = (offset >> np.uint64(WORD_BITS)) & np.uint64(WORDS - 1)
        if not pages[page, place, 0] or row < pages[page, place, 1]:
            pages[page, place, 1] = row
        pages[page, place, 0] |= np.uint64(1) << (offset & np.uint64(63))


@njit(cache=True, nogil=True)
def _count_bits(word: np.uint64) -> np.uint64:
    """Count the bits set (Knuth, TAOCP 4A, section 7.1.3); compilers turn this into one instruction."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@njit(cache=True, nogil=True)
def _rows_by_page(ids: NDArray[np.uint64], base: np.uint64, directory: Rows, pages: NDArray[np.uint64]) -> Rows:
    rows = np.empty(len(ids), np.int32)
    flat = pages.ravel()
    n_stretches = np.uint64(len(directory))
    one, two = np.uint64(1), np.uint64(2)
    for hit in range(len(ids)):
        offset = np.uint64(ids[hit]) - base  # an id below the base wraps round to a huge number
        stretch = offset >> np.uint64(PAGE_BITS)
        page = np.uint64(directory[stretch]) if stretch < n_stretches else np.uint64(0)
        word = page * np.uint64(WORDS) + ((offset >> np.uint64(WORD_BITS)) & np.uint64(WORDS - 1))
        known = flat[two * word]
        bit = one << (offset & np.uint64(63))
        row = np.int32(flat[two * word + one] + _count_bits(known & (bit - one)))
        rows[hit] = row if known & bit else np.int32(UNKNOWN)
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
