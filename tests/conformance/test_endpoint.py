"""Endpoint URLs: every part is checked before anything is opened."""

from __future__ import annotations

import pytest

from protocol.errors import TransportError
from protocol.framing import Ascii4Framer, Bcd2Framer, Len2Framer, StxFramer, Timer, Wait
from protocol.transport import SCHEMES, Endpoint
from protocol.transport.endpoint import FORMS, Setting


@pytest.mark.parametrize(
    ("url", "scheme", "address", "host", "port"),
    [
        ("tcp://127.0.0.1:8583", "tcp", "127.0.0.1:8583", "127.0.0.1", 8583),
        ("tcp://127.0.0.1:0/", "tcp", "127.0.0.1:0", "127.0.0.1", 0),
        ("tcp://[::1]:65535", "tcp", "[::1]:65535", "::1", 65535),
        ("memory:bench-1", "memory", "bench-1", "", 0),
        ("pty:", "pty", "", "", 0),
        ("serial:///dev/ttyUSB0", "serial", "/dev/ttyUSB0", "", 0),
        ("serial://COM3?baud=115200", "serial", "COM3", "", 0),
        ("serial+loop://", "serial", "loop://", "", 0),
        ("serial+socket://127.0.0.1:4001?framing=len2", "serial", "socket://127.0.0.1:4001", "", 0),
        ("serial+rfc2217://nac:2217?ign_set_control&baud=1200", "serial", "rfc2217://nac:2217?ign_set_control", "", 0),
    ],
)
def test_parts_of_a_url(url: str, scheme: str, address: str, host: str, port: int) -> None:
    """The terminal would call the wrong host."""
    endpoint = Endpoint.parse(url)
    assert (endpoint.url, endpoint.scheme, endpoint.address) == (url, scheme, address)
    assert (endpoint.host, endpoint.port) == (host, port)


@pytest.mark.parametrize(
    ("url", "name", "value"),
    [
        ("serial:///dev/ttyUSB0", "baud", 9600),
        ("serial:///dev/ttyUSB0?baud=115200", "baud", 115200),
        ("serial:///dev/ttyUSB0", "bytesize", 8),
        ("serial:///dev/ttyUSB0?bytesize=7&parity=even", "bytesize", 7),
        ("serial:///dev/ttyUSB0?bytesize=7&parity=even", "parity", "E"),
        ("serial:///dev/ttyUSB0?stopbits=1.5", "stopbits", 1.5),
        ("serial:///dev/ttyUSB0?rtscts=yes", "rtscts", True),
        ("serial:///dev/ttyUSB0?xonxoff=no", "xonxoff", False),
        ("tcp://127.0.0.1:1", "framing", "len2"),
        ("memory:x", "framing", "len2"),
        ("pty:", "framing", "stx"),
        ("serial+loop://", "framing", "stx"),
        ("tcp://127.0.0.1:1?framing=stx&ack=no", "ack", False),
        ("tcp://127.0.0.1:1?framing=ascii4", "framing", "ascii4"),
        ("pty:?framing=bcd2", "framing", "bcd2"),
    ],
)
def test_options_and_their_defaults(url: str, name: str, value: Setting) -> None:
    """A line would be opened with settings that the terminal at its end does not have."""
    assert Endpoint.parse(url).options[name] == value


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "no scheme"),
        ("127.0.0.1", "no scheme"),
        ("tpc://127.0.0.1:1", "did you mean 'tcp'"),
        ("gopher://x", "one of: memory"),
        ("serial+://x", "unknown scheme"),
        ("tcp+socket://x", "unknown scheme"),
        ("tcp://127.0.0.1", "tcp://127.0.0.1:8583"),
        ("tcp://127.0.0.1:65536", "bad port 65536"),
        ("tcp://127.0.0.1:-1", "write it as"),
        ("tcp://127.0.0.1:٣", "write it as"),
        ("tcp://:8583", "write it as"),
        ("tcp://user@127.0.0.1:1", "write it as"),
        ("tcp://127.0.0.1:1/path", "write it as"),
        ("tcp://127.0.0.1:1#x", "write it as"),
        ("tcp://pos..example:1", "bad host name 'pos..example'"),
        ("tls://.example:1", "bad host name '.example'"),
        (f"tcp://{'a' * 64}:1", "bad host name"),
        ("tls://127.0.0.1:1?name=pos..example", "bad name 'pos..example'"),
        ("tls://127.0.0.1:1?name=%00", "bad name"),
        (f"tls://127.0.0.1:1?name={'a' * 64}", "bad name"),
        ("memory:", "memory:NAME"),
        ("pty:x", "write it as pty:"),
        ("serial://", "write it as"),
        ("serial:/dev/ttyUSB0", "write it as"),
        ("tcp://127.0.0.1:1?framing=len3", "did you mean 'len2'"),
        ("tcp://127.0.0.1:1?framin=len2", "did you mean 'framing'"),
        ("tcp://127.0.0.1:1?baud=9600", "unknown option 'baud'"),
        ("tcp://127.0.0.1:1?ack=no", "without framing=stx"),
        ("tcp://127.0.0.1:1?framing=stx&framing=len2", "given twice"),
        ("serial:///dev/ttyUSB0?baud=fast", "bad baud 'fast'"),
        ("serial:///dev/ttyUSB0?baud=49", "50 to 4000000"),
        ("serial:///dev/ttyUSB0?baud=4000001", "50 to 4000000"),
        ("serial:///dev/ttyUSB0?baud=٩٦٠٠", "bad baud"),
        ("serial:///dev/ttyUSB0?bytesize=9", "5 to 8"),
        ("serial:///dev/ttyUSB0?parity=evne", "did you mean 'even'"),
        ("serial:///dev/ttyUSB0?stopbits=3", "one of: 1, 1.5, 2"),
        ("serial:///dev/ttyUSB0?rtscts", "one of: yes, no"),
        ("serial+socket://127.0.0.1:1?buad=1200", "did you mean 'baud'"),
    ],
)
def test_a_wrong_url_is_refused_with_a_hint(url: str, says: str) -> None:
    """A typing error in the settings of a shop would be found out by a sale that hangs."""
    with pytest.raises(TransportError) as caught:
        Endpoint.parse(url)
    assert says in str(caught.value)
    assert caught.value.url == url


def test_framers_of_endpoints() -> None:
    """A serial terminal would be spoken to in the framing of TCP."""
    assert isinstance(Endpoint.parse("tcp://127.0.0.1:1").framer(), Len2Framer)
    assert isinstance(Endpoint.parse("serial:///dev/ttyUSB0?framing=len2").framer(), Len2Framer)
    assert isinstance(Endpoint.parse("tcp://127.0.0.1:1?framing=ascii4").framer(), Ascii4Framer)
    assert isinstance(Endpoint.parse("tcp://127.0.0.1:1?framing=bcd2").framer(), Bcd2Framer)
    framers = [Endpoint.parse(f"pty:?ack={ack}").framer() for ack in ("yes", "no")]
    for framer, answer in zip(framers, (b"\x06", b""), strict=True):
        assert isinstance(framer, StxFramer)
        framer.feed(StxFramer().wrap(bytes(21)))
        assert framer.outgoing() == answer


@pytest.mark.parametrize(
    ("url", "timer"),
    [
        ("tcp://127.0.0.1:1", Timer(Wait.FRAME, 7.0, 0)),
        ("tcp://127.0.0.1:1?framing=stx", Timer(Wait.FRAME, 7.0, 0)),
        ("memory:x?framing=bcd2", Timer(Wait.FRAME, 7.0, 0)),
        ("pty:", Timer(Wait.FRAME, 1.0, 1)),
        ("serial:///dev/ttyUSB0?framing=ascii4", Timer(Wait.FRAME, 1.0, 1)),
        ("serial+socket://127.0.0.1:1?ack=no", Timer(Wait.FRAME, 1.0, 1)),
    ],
)
def test_half_a_frame_is_waited_for_as_its_line_needs(url: str, timer: Timer) -> None:
    """A network that stalls for a second would cost a sale, or a lost byte on a cable the next one."""
    framer = Endpoint.parse(url).framer(frame_s=7.0)
    framer.feed(b"\x02")
    assert framer.timer == timer


@pytest.mark.parametrize(
    ("url", "byte_s"),
    [
        ("serial:///dev/ttyUSB0", 10 / 9600),
        ("serial:///dev/ttyUSB0?baud=1200&bytesize=7&parity=even&stopbits=2", 11 / 1200),
        ("serial:///dev/ttyUSB0?baud=115200&stopbits=1.5", 10.5 / 115200),
        ("tcp://127.0.0.1:1?framing=stx", 0.0),
    ],
)
def test_an_answer_is_waited_for_from_when_the_frame_has_left(url: str, byte_s: float) -> None:
    """A long frame on a slow line would be sent again before it has left for the first time."""
    framer = Endpoint.parse(url).framer()
    size = len(framer.wrap(bytes(1000)))
    assert framer.timer == Timer(Wait.ANSWER, pytest.approx(3.0 + size * byte_s), 1)


def test_every_form_has_a_scheme_that_opens_it() -> None:
    """A URL that parses could not be opened."""
    assert {form.rstrip("+") for form in FORMS} == set(SCHEMES)
    for form in FORMS.values():
        assert Endpoint.parse(form.example).framer()
