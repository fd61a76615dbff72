"""Endpoints as URLs: ``tcp://127.0.0.1:8583``, ``tls://…``, ``serial:///dev/ttyUSB0``, ``memory:NAME``, ``pty:``.

Rules owned here: what the URL of each scheme looks like (TABLE FORMS), the options and their values (TABLE OPTIONS);
text in an option may be percent-encoded, as a file's name must be where it holds ``&`` or ``%``. A secret is never
part of a URL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple
from urllib.parse import unquote

from protocol.errors import EndpointWrong
from protocol.framing import FRAMINGS, Framer, Timers

Setting = str | int | float | bool


class Form(NamedTuple):
    """How a scheme is written (``address`` matches what stands between scheme and options) and framed by default."""

    address: re.Pattern[str]
    framing: str
    example: str


_HOST_AND_PORT = re.compile(r"//(?P<address>(?P<host>[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5}))/?", re.ASCII)

FORMS: Mapping[str, Form] = {
    "memory": Form(re.compile(r"(?P<address>[\w.-]+)", re.ASCII), "len2", "memory:NAME"),
    "pty": Form(re.compile(r"(?P<address>)"), "stx", "pty:"),
    "serial": Form(re.compile(r"//(?P<address>[^\s]+)"), "stx", "serial:///dev/ttyUSB0?baud=115200"),
    "serial+": Form(re.compile(r"//(?P<address>[^\s]*)"), "stx", "serial+socket://127.0.0.1:4001"),
    "tcp": Form(_HOST_AND_PORT, "len2", "tcp://127.0.0.1:8583"),
    "tls": Form(_HOST_AND_PORT, "len2", "tls://localhost:8583?ca=lab-ca.pem"),
}
"""``serial+`` stands for ``serial+`` before any URL that pyserial understands."""

EVERYWHERE = frozenset(FORMS)
SERIAL = frozenset({"serial", "serial+"})
TLS = frozenset({"tls"})
LOSSLESS = frozenset({"memory", "tcp", "tls"})
"""What carries every byte or ends: it may stall, but half a frame on it is no damage."""

YES_NO: Mapping[str, Setting] = {"yes": True, "no": False}


class Text(NamedTuple):
    """Any text that is not empty; ``what`` says to people what it is."""

    what: str


class HostName(Text):
    """Text that a host can be called."""


class Option(NamedTuple):
    """Spelled value to setting, a range of whole numbers, or text; the schemes that take it."""

    values: Mapping[str, Setting] | range | Text
    default: Setting
    schemes: frozenset[str]


OPTIONS: Mapping[str, Option] = {
    "ack": Option(YES_NO, True, EVERYWHERE),
    "baud": Option(range(50, 4_000_001), 9600, SERIAL),
    "bytesize": Option(range(5, 9), 8, SERIAL),
    "ca": Option(Text("file: the certificates that the peer's must come from"), "", TLS),
    "cert": Option(Text("file: our certificate, and those between it and its CA"), "", TLS),
    "client_certificate": Option(YES_NO, False, TLS),
    "crl": Option(Text("file: the revocation list of the CA"), "", TLS),
    "framing": Option({name: name for name in FRAMINGS}, "", EVERYWHERE),
    "key": Option(Text("file: the private key of `cert`, where it is not in the same file"), "", TLS),
    "name": Option(HostName("name: the host's in its certificate, where the URL has another"), "", TLS),
    "parity": Option({"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"}, "N", SERIAL),
    "password_file": Option(Text("file: its first line is the password of the key"), "", TLS),
    "reuse": Option(YES_NO, False, frozenset({"tcp"})),
    "rtscts": Option(YES_NO, False, SERIAL),
    "stopbits": Option({"1": 1, "1.5": 1.5, "2": 2}, 1, SERIAL),
    "xonxoff": Option(YES_NO, False, SERIAL),
}
"""A line is 9600,8,n,1 unless it says otherwise (CUP 9); ``framing`` is the scheme's unless it says otherwise.

``client_certificate`` is for who listens: a terminal must show a certificate of ``ca``.
"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A parsed URL. ``address`` is what the scheme opens: host:port, name, device, or a URL of pyserial."""

    url: str
    scheme: str
    address: str
    host: str
    port: int
    options: Mapping[str, Setting] = field(default_factory=dict)
    query: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read ``url``; EndpointWrong, with a hint, for an unknown scheme or option, or a value it cannot have."""
        name, colon, rest = url.partition(":")
        scheme, plus, inner = name.partition("+")
        form = FORMS.get(scheme + plus)
        if not colon or form is None or bool(plus) != bool(inner):
            raise _bad(url, f"unknown scheme {name!r}" if colon else "no scheme", _meant(name, sorted(FORMS)))
        rest, _, query = rest.partition("?")
        match = form.address.fullmatch(rest)
        if match is None:
            raise _bad(url, "the address does not fit its scheme", f"write it as {form.example}")
        groups = match.groupdict()
        port = int(groups.get("port", "0"))
        if port > 65535:
            raise _bad(url, f"bad port {port}", "0 to 65535")
        host = groups.get("host", "").strip("[]")
        if not _can_be_called(host):
            raise _bad(url, f"bad host name {host!r}", _HOST_NAME)
        ours, others = _read_options(url, scheme + plus, query)
        options = {name: option.default for name, option in OPTIONS.items()} | {"framing": form.framing} | ours
        if "ack" in ours and options["framing"] != "stx":
            raise _bad(url, "option 'ack' without framing=stx", "only stx frames are acknowledged")
        address = f"{inner}:{rest}{'?' * bool(others)}{others}" if inner else groups["address"]
        return cls(url, scheme, address, host, port, options, query)

    def framer(self, frame_s: float = 30.0) -> Framer:
        """A new framer for one connection; a line that loses no bytes has ``frame_s`` seconds for a whole frame."""
        options = self.options
        if self.scheme in LOSSLESS:
            timers = Timers(between_bytes_s=None, frame_s=frame_s)
        else:
            bits = 1 + float(options["bytesize"]) + (options["parity"] != "N") + float(options["stopbits"])
            timers = Timers(byte_s=bits / float(options["baud"]))
        framing = str(options["framing"])
        return FRAMINGS[framing](timers=timers, **({"ack": options["ack"]} if framing == "stx" else {}))

    def at(self, place: str) -> str:
        """The URL ``place`` (scheme and address) with the options of this one, but for files and names of this side."""
        pairs = filter(None, self.query.split("&"))
        query = "&".join(pair for pair in pairs if (name := pair.partition("=")[0]) not in OPTIONS or _is_shared(name))
        return f"{place}?{query}" if query else place


def _is_shared(name: str) -> bool:
    return OPTIONS[name].schemes != TLS


def _read_options(url: str, scheme: str, query: str) -> tuple[dict[str, Setting], str]:
    """Our options by name, and the rest of the query, which only a URL of pyserial may have."""
    ours: dict[str, Setting] = {}
    others: list[str] = []
    known = sorted(name for name, option in OPTIONS.items() if scheme in option.schemes)
    for pair in filter(None, query.split("&")):
        name, _, text = pair.partition("=")
        if name not in known:
            if scheme == "serial+" and not get_close_matches(name, known):
                others.append(pair)
                continue
            raise _bad(url, f"unknown option {name!r}", _meant(name, known))
        if name in ours:
            raise _bad(url, f"option {name!r} is given twice")
        values = OPTIONS[name].values
        if isinstance(values, range):
            if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) not in values:
                raise _bad(url, f"bad {name} {text!r}", f"{values[0]} to {values[-1]}")
            ours[name] = int(text)
        elif isinstance(values, Text):
            said = unquote(text)
            if not said:
                raise _bad(url, f"{name} is empty", values.what)
            if isinstance(values, HostName) and not _can_be_called(said):
                raise _bad(url, f"bad {name} {said!r}", _HOST_NAME)
            ours[name] = said
        elif text in values:
            ours[name] = values[text]
        else:
            raise _bad(url, f"bad {name} {text!r}", _meant(text, list(values)))
    return ours, "&".join(others)


_HOST_NAME = "its parts, between dots, are 1 to 63 characters"


def _can_be_called(name: str) -> bool:
    """Is it a name that can be looked up and stand in a certificate?"""
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return "\0" not in name


def _meant(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"one of: {', '.join(known)}"


def _bad(url: str, what: str, hint: str = "") -> EndpointWrong:
    return EndpointWrong(f"{url!r}: {what}", url=url, hint=hint)
