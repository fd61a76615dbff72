"""What stands before the MTI: the TPDU (CUP 1.2) and the six-byte header (CUP 1.4, 1.8).

Owns TABLE REQUIREMENTS: the processing requirement is one nibble of the reply's header by which the host asks the
terminal for something after the current transaction (CUP 1.9). ``E`` is an extension of ours (product decision 10).

A network access controller of dial-up lines may put 33 bytes of monitoring data between TPDU and header, beginning with
``LRI``: on which port and network the terminal called. The host strips them with ``without_lri`` and its reply carries
none (CUP 1.6). The codec does not: what it reads, it writes again byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from protocol.errors import DecodeError, EncodeError

TPDU_BYTES: Final = 5
HEADER_BYTES: Final = 6
ENVELOPE_BYTES: Final = TPDU_BYTES + HEADER_BYTES
LRI: Final = b"LRI"
LRI_BYTES: Final = 33
ENVELOPES_MAX: Final = 4096
"""How many TPDUs and headers are remembered: a terminal sends the same ones all day."""

_DIGITS10 = re.compile(r"60[0-9A-F]{8}")
_HEX12 = re.compile(r"6[0-3][0-9A-F]{10}")


@dataclass(frozen=True, slots=True)
class Tpdu:
    """Transport protocol data unit: ids are BCD digits as they stand on the wire."""

    id: str = "60"
    destination: str = "0003"
    source: str = "0000"

    def reply(self) -> Tpdu:
        """Destination and source change places (CUP 1.2)."""
        return Tpdu(self.id, self.source, self.destination)

    def __bytes__(self) -> bytes:
        return _tpdu_bytes(self.id + self.destination + self.source)

    @classmethod
    def parse(cls, raw: bytes) -> Tpdu:
        """Five bytes, the first 0x60. Raises DecodeError."""
        digits = raw.hex().upper()
        if not _DIGITS10.fullmatch(digits):
            raise DecodeError(
                "no TPDU of five bytes that begins with 60",
                offset=-ENVELOPE_BYTES,
                raw=raw,
                code="tpdu",
                hint="is the TPDU missing, or two length bytes too many?",
            )
        return cls(digits[:2], digits[2:6], digits[6:])


@dataclass(frozen=True, slots=True)
class Header:
    """Twelve hex digits: application class 2, version 2, terminal status 1, processing requirement 1, sub-version 6."""

    application_class: str = "60"
    version: str = "32"
    terminal_status: str = "0"
    processing_requirement: str = "0"
    sub_version: str = "000000"

    def reply(self, requirement: str = "0") -> Header:
        """The request's header with the host's requirement (CUP 1.5)."""
        return Header(self.application_class, self.version, self.terminal_status, requirement, self.sub_version)

    def __bytes__(self) -> bytes:
        status = self.terminal_status + self.processing_requirement
        return _header_bytes(f"{self.application_class}{self.version}{status}{self.sub_version}")

    @classmethod
    def parse(cls, raw: bytes) -> Header:
        """Six bytes, the first 0x60 to 0x63. Raises DecodeError."""
        digits = raw.hex().upper()
        if not _HEX12.fullmatch(digits):
            raise DecodeError(
                "no header of six bytes that begins with an application class 60 to 63",
                offset=-HEADER_BYTES,
                raw=raw,
                code="header",
                hint="is the header missing after the TPDU?",
            )
        return cls(digits[:2], digits[2:4], digits[4], digits[5], digits[6:])


def without_lri(payload: bytes) -> bytes:
    """The payload without the monitoring block after its TPDU (CUP 1.6); as it is where there is none, or not all."""
    header = TPDU_BYTES + LRI_BYTES
    if payload.startswith(LRI, TPDU_BYTES) and len(payload) >= header + HEADER_BYTES:
        return payload[:TPDU_BYTES] + payload[header:]
    return payload


@lru_cache(ENVELOPES_MAX)
def _tpdu_bytes(digits: str) -> bytes:
    if not _DIGITS10.fullmatch(digits):
        raise EncodeError(f"the TPDU {digits!r} is not 60 and eight digits")
    return bytes.fromhex(digits)


@lru_cache(ENVELOPES_MAX)
def _header_bytes(digits: str) -> bytes:
    if not _HEX12.fullmatch(digits):
        raise EncodeError(f"the header {digits!r} is not 60 to 63 and ten hex digits")
    return bytes.fromhex(digits)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A row of REQUIREMENTS: what the nibble asks for, and the 60.3 codes by which the terminal does it."""

    nibble: str
    chinese: str
    english: str
    networks: tuple[str, ...] = ()
    extension: bool = False


NO_REQUIREMENT: Final = "0"
UPLOAD_STATUS: Final = "2"
SIGN_ON_AGAIN: Final = "3"
UPLOAD_CONFIGURATION: Final = "D"
FETCH_COMMANDS: Final = "E"

REQUIREMENTS: Final[Mapping[str, Requirement]] = MappingProxyType(
    {
        row.nibble: row
        for row in (
            Requirement(NO_REQUIREMENT, "无处理要求", "nothing"),
            Requirement("1", "下传磁条卡参数", "download terminal parameters", ("360", "361")),
            Requirement(UPLOAD_STATUS, "上传终端状态", "upload terminal status", ("362",)),
            Requirement(SIGN_ON_AGAIN, "重新签到", "sign on again", ("001", "003", "004", "006")),
            Requirement("4", "更新公钥", "update CA public keys", ("372", "373", "370", "371")),
            Requirement("5", "更新IC卡参数", "update chip parameters", ("382", "380", "381")),
            Requirement("6", "TMS参数下载", "update TMS parameters", ("364", "365")),
            Requirement("7", "卡BIN黑名单下载", "update card BIN blacklist", ("390", "391")),
            Requirement("8", "汇率下载", "update rates", ("384", "385")),
            Requirement("9", "更新非接参数", "update contactless parameters", ("394", "395")),
            Requirement("B", "小额免密BIN表下载", "update no-PIN BIN table", ("396", "397")),
            Requirement("C", "免密BIN黑名单下载", "update no-PIN BIN blacklist", ("398", "399")),
            Requirement(UPLOAD_CONFIGURATION, "上传终端配置", "upload terminal configuration", ("362",)),
            Requirement(FETCH_COMMANDS, "取远程指令", "fetch signed commands", ("910", "911"), extension=True),
        )
    }
)
