"""The kinds that are ours (product decisions 10 and 12); a peer that does not know them never meets them."""

from __future__ import annotations

from typing import Final

from protocol.fields import F, Mask
from protocol.kinds.kind import Kind, Presence, with_our_mac
from protocol.kinds.presence import IDS, STAMP


def _extension(
    name: str, chinese: str, english: str, network: str, *, has_mac: bool = True, has_stan: bool = False
) -> Kind:
    """``has_stan``: what is told again, late or by somebody else, is known by its STAN and changes nothing."""
    stan = (F.STAN,) if has_stan else ()
    row = Kind(
        name, chinese, english, "0800", "00", (network,),
        Presence((*stan, *IDS, F.MAC) if has_mac else IDS, (F.DEVICE, F.PAYLOAD)),
        Presence(IDS, (F.STAN, *STAMP, F.ACQUIRER, F.RRN, F.PAYLOAD, F.TEXT, F.MAC)),
        has_mac=has_mac, advances_stan=has_stan, extension=True, masks=((F.PAYLOAD, Mask.OPEN),), clause="extension",
    )  # fmt: skip
    return row if has_mac else with_our_mac(row)


EXTENSION_ROWS: Final = (
    _extension("registration", "终端注册", "registration", "901", has_mac=False),
    _extension("why", "查询拒绝原因", "why query", "902", has_mac=False),
    _extension("pause", "商户暂停", "the merchant's pause", "903", has_stan=True),
    _extension("command_fetch", "取远程指令", "fetch commands", "910"),
    _extension("command_ack", "指令回执", "acknowledge a command", "911"),
    _extension("swap_query", "换机查询", "swap query", "920", has_mac=False),
    _extension("swap_report", "换机结果上报", "swap report", "921"),
    _extension("firmware_query", "固件查询", "firmware query", "930"),
    _extension("firmware_chunk", "固件下载", "firmware chunk", "931"),
    _extension("firmware_report", "固件结果上报", "firmware report", "932", has_stan=True),
)
