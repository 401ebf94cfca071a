"""The digests of an output's files, packed as they are kept until somebody asks for those of a folder."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Hexadecimal digits of an md5.
_LENGTH = 32


class Digests:
    """Folder of a tree → the md5 of each of its files, in the order of the tree."""

    __slots__ = ("_packed", "_unpacked")

    def __init__(self, unpacked: dict[str, list[str]] | None = None, packed: dict[str, bytes] | None = None):
        self._unpacked = {} if unpacked is None else unpacked
        self._packed = {} if packed is None else packed
        """16 bytes a digest."""

    def __getitem__(self, folder: str) -> list[str]:
        here = self._unpacked.get(folder)
        if here is None:
            text = self._packed[folder].hex()
            here = self._unpacked[folder] = [text[at : at + _LENGTH] for at in range(0, len(text), _LENGTH)]
        return here

    def __setitem__(self, folder: str, md5s: list[str]) -> None:
        self._unpacked[folder] = md5s
        self._packed.pop(folder, None)

    def __iter__(self) -> Iterator[str]:
        yield from self._packed
        yield from (folder for folder in self._unpacked if folder not in self._packed)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Digests):
            return NotImplemented
        return set(self) == set(other) and all(self.packed(folder) == other.packed(folder) for folder in self)

    def values(self) -> Iterator[list[str]]:
        return (self[folder] for folder in self)

    def packed(self, folder: str) -> bytes:
        raw = self._packed.get(folder)
        return raw if raw is not None else bytes.fromhex("".join(self._unpacked[folder]))

    def take(self, folder: str, other: Digests) -> None:
        """Take over what another has of a folder, packed as it is."""
        if folder in other._packed:
            self._packed[folder] = other._packed[folder]
        else:
            self._unpacked[folder] = other._unpacked[folder]
