"""What differs between the databases that a host can stand on; the rest of the store is the same for all.

One truth a terminal, whatever the number of hosts: a unit names the KEYS of what it may touch, and the backend keeps
every other host off them until the commit. A unit that names none has the whole database to itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import Dialect

Keys = frozenset[str]


class Backend(ABC):
    """One database. ``name`` is what people call it; ``errors`` are what its driver raises, SQLAlchemy's among them.

    ``is_shared`` tells whether several hosts may stand on it at once.
    """

    dialect: ClassVar[Dialect]
    units_per_commit: ClassVar[int]
    is_shared: ClassVar[bool]
    errors: tuple[type[Exception], ...]
    name: str
    key_file: Path

    @abstractmethod
    def look(self, *, create: bool) -> None:
        """Refuse what cannot be or become our database before anything is made. Raises StoreError and OSError."""

    @abstractmethod
    def is_new(self, connection: Connection) -> bool:
        """Is there nothing of anybody's in it yet?"""

    @abstractmethod
    def engine(self) -> Engine:
        """Connections to it."""

    @abstractmethod
    def reading(self) -> Engine:
        """Connections that cannot write; a transaction on one sees one state from its first reading on."""

    @abstractmethod
    def preparing(self, connection: Connection) -> None:
        """Have the database for this transaction alone, while it is made or looked over."""

    @abstractmethod
    def lock(self, driver: Any, keys: Iterable[Keys | None]) -> None:
        """Keep every other host off the keys of these units, and off everything where one of them names none."""

    @abstractmethod
    def generation(self, driver: Any) -> int:
        """A number that is another one once another process has written what a host may have kept."""

    @abstractmethod
    def bump(self, driver: Any) -> int | None:
        """Tell the other processes that such a row was written; the generation that this makes, None where they see
        it by themselves. Done before the commit, for who waits for our keys, and after it, for all others.
        """

    @abstractmethod
    def take_numbers(self, driver: Any) -> range:
        """Numbers that no other process gets."""

    @abstractmethod
    def numbers_taken(self, driver: Any) -> int:
        """A figure that grows with every ``take_numbers`` and is the database's own."""

    @abstractmethod
    def in_transaction(self, driver: Any) -> bool:
        """Is there still a transaction?"""

    @abstractmethod
    def passes(self, error: BaseException) -> bool:
        """Was it nobody's fault, so that the same units may well succeed if they are run again?"""

    @abstractmethod
    def is_lost(self, error: BaseException) -> bool:
        """Has the connection to be made anew after this error?"""

    @abstractmethod
    def is_undone(self, error: BaseException) -> bool:
        """Is it certain, after this error at a commit, that nothing was committed?"""

    @abstractmethod
    def assure(self) -> None:
        """See, before a transaction and after its commit, that it goes where the next start will look.

        Raises StoreError where it does not.
        """

    @abstractmethod
    def only_host(self) -> AbstractContextManager[None]:
        """Be the host on it where there can be one only. Raises StoreError where there is another."""
