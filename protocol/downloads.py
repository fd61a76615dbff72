"""TABLE DOWNLOADS: what a terminal fetches from its host, and by which messages (CUP 1.9, 3.2, 3.7).

Rules owned here: every download is asked for, received and then ended; the host knows by the end that the terminal has
it. BIN tables come page by page, chip tables object by object after a query for what there is, all others at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from protocol.emv import verify_capk
from protocol.errors import DecodeError
from protocol.tlv import Node, decode, encode, value_of


class Form(Enum):
    """How a download comes."""

    WHOLE = "in one reply"
    PAGED = "page by page"
    LISTED = "a query for what there is, then one by one"


@dataclass(frozen=True, slots=True)
class Download:
    """A row of DOWNLOADS: the nibble that asks for it, and the kinds that query, fetch and end it.

    ``identity`` are the tags that name one object of a LISTED download; its query tells ``listed`` of each.
    """

    name: str
    chinese: str
    english: str
    requirement: str
    form: Form
    fetch: str
    end: str
    query: str = ""
    identity: tuple[int, ...] = ()
    listed: tuple[int, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its requests."""
        return tuple(filter(None, (self.query, self.fetch, self.end)))

    def name_of(self, nodes: Iterable[Node]) -> tuple[Node, ...]:
        """The objects that name one of a LISTED download. Raises DecodeError where one is missing."""
        objects = tuple(nodes)
        return tuple(Node(tag, value_of(objects, tag)) for tag in self.identity)

    def key_of(self, nodes: Iterable[Node]) -> str:
        """The same as text, in hex. Raises DecodeError."""
        return "".join(node.octets.hex().upper() for node in self.name_of(nodes))

    def names_in(self, raw: bytes) -> Iterator[tuple[Node, ...]]:
        """What a query's reply names, one after the other. Raises DecodeError."""
        nodes = decode(raw)
        starts = [place for place, node in enumerate(nodes) if node.tag == self.identity[0]]
        if nodes and starts[:1] != [0]:
            raise DecodeError("a list that does not begin with what it lists", code="download")
        for start, stop in zip(starts, [*starts[1:], len(nodes)], strict=False):  # none where nothing is listed
            yield self.name_of(nodes[start:stop])

    def is_sound(self, nodes: Iterable[Node]) -> bool:
        """Whether the check value of an object is right, where objects have one. Raises DecodeError."""
        return self.name != CA_KEYS or verify_capk(nodes)


CA_KEYS: Final = "ca_keys"
_RID, _INDEX, _EXPIRY = 0x9F06, 0x9F22, 0xDF05


def _simple(name: str, chinese: str, english: str, nibble: str, form: Form, fetch: str) -> Download:
    return Download(name, chinese, english, nibble, form, fetch, f"{fetch}_end")


DOWNLOADS: Final[Mapping[str, Download]] = MappingProxyType(
    {
        row.name: row
        for row in (
            _simple("parameters", "终端参数", "terminal parameters", "1", Form.WHOLE, "parameters"),
            Download(
                CA_KEYS, "公钥", "CA public keys", "4", Form.LISTED, "ca_key", "ca_key_end", "ca_key_query",
                (_RID, _INDEX), (_RID, _INDEX, _EXPIRY),
            ),
            Download(
                "applications", "IC卡参数", "chip applications", "5", Form.LISTED, "aid", "aid_end", "aid_query",
                (_RID,), (_RID,),
            ),
            _simple("tms_parameters", "TMS参数", "TMS parameters", "6", Form.WHOLE, "tms_parameters"),
            _simple("bin_blacklist", "卡BIN黑名单", "BIN blacklist", "7", Form.PAGED, "bin_blacklist"),
            _simple("rates", "汇率", "rates", "8", Form.WHOLE, "rates"),
            _simple("contactless", "非接参数", "contactless parameters", "9", Form.WHOLE, "contactless_parameters"),
            _simple("no_pin_bins", "免密BIN表A", "no-PIN BIN table A", "B", Form.PAGED, "no_pin_bins"),
            _simple("no_pin_blacklist", "免密BIN黑名单", "no-PIN BIN blacklist", "C", Form.PAGED, "no_pin_blacklist"),
        )
    }
)  # fmt: skip

DOWNLOAD_OF: Final[Mapping[str, Download]] = MappingProxyType(
    {kind: row for row in DOWNLOADS.values() for kind in row.kinds}
)
"""Kind to the download that it is a part of."""

NOTHING: Final = "0"
ALL: Final = "1"
MORE: Final = "2"
"""The flag before what a reply carries, of ``protocol.codes.PACKETS``."""
LISTED_MAX: Final = 99
"""How many objects a query's two digits can count."""
PAGES_END: Final = 999
"""The highest number that a page of BINs can have."""


def spell_objects(nodes: Iterable[Node]) -> str:
    """Objects as text, in hex."""
    return encode(nodes).hex().upper()
