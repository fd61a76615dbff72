"""The management kinds: sign-on to settlement, uploads, downloads and the electronic signature (CUP 3.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from protocol.fields import F, Mask
from protocol.kinds.kind import Kind, Presence, with_our_mac
from protocol.kinds.money import MONEY_ROWS
from protocol.kinds.presence import BATCH_REPLY, IDS, NETWORK_REPLY, STAMP

_OPEN: Final = ((F.PAYLOAD, Mask.OPEN),)
_SIGNED_ON: Final = Presence((F.STAN, *STAMP, *IDS), (F.PAYLOAD, F.TEXT), (F.ACQUIRER, F.RRN))
_NUMBERED: Final = Presence((F.STAN, *IDS), (F.DEVICE,))
_QUERY: Final = Presence(IDS, (F.STAN, F.DEVICE, F.PAYLOAD))
_UPLOAD: Final = Presence((F.STAN, *IDS, F.TOTALS), (F.DEVICE,))
_CHIP_DETAIL: Final = Presence(
    (F.PAN, F.AMOUNT, F.STAN, F.ENTRY_MODE, *IDS, F.ICC, F.PAYLOAD),
    (F.EXPIRY, F.SETTLEMENT_DATE, F.PAN_SEQUENCE, F.RRN, F.AUTH_ID, F.CURRENCY, F.DEVICE),
)


def _uploaded(row: Kind) -> Kind:
    """The same transaction within a batch upload: MTI 0320, no MAC, the codes of the original."""
    request = Presence(
        tuple(number for number in row.request.must if number != F.MAC),
        (*row.request.may, F.MAC),
        row.request.due,
    )
    named = {*BATCH_REPLY.must, *BATCH_REPLY.due}
    others = (*row.reply.must, *row.reply.due, *row.reply.may)
    reply = replace(BATCH_REPLY, may=tuple(number for number in others if number not in named))
    return replace(
        row, name=f"{row.name}_upload", chinese=f"{row.chinese}批上送", english=f"{row.english} upload", mti="0320",
        request=request, reply=reply, has_mac=False, clause="CUP 3.2",
    )  # fmt: skip


_SESSION: Final = (
    Kind(
        "sign_in", "签到", "sign-on", "0800", "00", ("001", "003", "004", "005", "006"),
        Presence((F.STAN, *IDS), (*STAMP, F.DEVICE, F.PAYLOAD), (F.TEXT,)), _SIGNED_ON,
    ),
    with_our_mac(Kind("sign_off", "签退", "sign-off", "0820", "00", ("002",), _NUMBERED, _SIGNED_ON)),
    Kind("echo", "回响测试", "echo", "0820", "00", ("301",), _QUERY, NETWORK_REPLY, advances_stan=False),
    with_our_mac(
        Kind(
            "cashier_sign_in", "收银员积分签到", "cashier sign-on", "0820", "00", ("401",),
            Presence((*IDS, F.TEXT), (F.STAN, F.DEVICE, F.PAYLOAD)), NETWORK_REPLY, advances_stan=False,
        )
    ),
    with_our_mac(
        Kind(
            "status_upload", "状态上送", "status upload", "0820", "00", ("362",),
            Presence((*IDS, F.PAYLOAD), (F.STAN, F.DEVICE)), NETWORK_REPLY, other_mtis=("0800",), masks=_OPEN,
        )
    ),
)  # fmt: skip

_BATCH: Final = (
    with_our_mac(
        Kind(
            "settlement", "批结算", "batch settlement", "0500", "00", ("201",),
            Presence((F.STAN, *IDS, F.TOTALS, F.CURRENCY), (F.DEVICE, F.PAYLOAD), (F.TEXT,)),
            Presence(
                (F.STAN, *STAMP, *IDS, F.TOTALS),
                (F.SETTLEMENT_DATE, F.PAYLOAD),
                (F.ACQUIRER, F.RRN, F.CURRENCY, F.TEXT),
            ),
            masks=_OPEN,
        )
    ),
    with_our_mac(Kind("batch_upload", "批上送", "batch upload", "0320", "00", ("201",), _UPLOAD, BATCH_REPLY)),
    with_our_mac(
        Kind("batch_end", "批上送结束", "end of batch upload", "0320", "00", ("202", "207"), _UPLOAD, BATCH_REPLY)
    ),
    Kind(
        "chip_upload", "IC卡联机交易明细上送", "online chip transaction upload", "0320", "00", ("203", "205"),
        _CHIP_DETAIL, BATCH_REPLY, masks=_OPEN,
    ),
    Kind(
        "chip_notice", "IC卡通知交易上送", "failed chip transaction upload", "0320", "00", ("204", "206"),
        _CHIP_DETAIL, BATCH_REPLY, masks=_OPEN,
    ),
    Kind(
        "purse_upload", "电子钱包圈存确认上送", "e-purse load upload", "0320", "00", ("208", "209"),
        Presence(
            (F.STAN, *IDS, F.PAYLOAD), (F.PAN, F.AMOUNT, F.ENTRY_MODE, F.PAN_SEQUENCE, F.ICC, F.PRIVATE58, F.DEVICE)
        ),
        BATCH_REPLY,
    ),
    *(_uploaded(row) for row in MONEY_ROWS if row.mti == "0220"),
)  # fmt: skip


def _download(name: str, chinese: str, english: str, mti: str, networks: tuple[str, ...]) -> Kind:
    return Kind(
        name, chinese, english, mti, "00", networks, _QUERY, NETWORK_REPLY, advances_stan=False, masks=_OPEN,
        other_mtis=("0800",) if mti == "0820" else (),
    )  # fmt: skip


_TABLES: Final = tuple(
    with_our_mac(_download(name, chinese, english, mti, networks))
    for name, chinese, english, mti, networks in (
        ("parameters", "磁条卡参数下载", "download of terminal parameters", "0800", ("360",)),
        ("parameters_end", "磁条卡参数下载结束", "end of terminal parameters", "0800", ("361",)),
        ("tms_parameters", "TMS参数下载", "download of TMS parameters", "0800", ("364",)),
        ("tms_parameters_end", "TMS参数下载结束", "end of TMS parameters", "0800", ("365",)),
        ("ca_key_query", "公钥查询", "query of CA public keys", "0820", ("372", "373")),
        ("ca_key", "公钥下载", "download of a CA public key", "0800", ("370",)),
        ("ca_key_end", "公钥下载结束", "end of CA public keys", "0800", ("371",)),
        ("aid_query", "IC卡参数查询", "query of chip parameters", "0820", ("382",)),
        ("aid", "IC卡参数下载", "download of chip parameters", "0800", ("380",)),
        ("aid_end", "IC卡参数下载结束", "end of chip parameters", "0800", ("381",)),
        ("rates", "汇率下载", "download of rates", "0800", ("384",)),
        ("rates_end", "汇率下载结束", "end of rates", "0800", ("385",)),
        ("bin_blacklist", "卡BIN黑名单下载", "download of the BIN blacklist", "0800", ("390",)),
        ("bin_blacklist_end", "卡BIN黑名单下载结束", "end of the BIN blacklist", "0800", ("391",)),
        ("contactless_parameters", "非接参数下载", "download of contactless parameters", "0800", ("394",)),
        ("contactless_parameters_end", "非接参数下载结束", "end of contactless parameters", "0800", ("395",)),
        ("no_pin_bins", "免密BIN表下载", "download of the no-PIN BIN table", "0800", ("396",)),
        ("no_pin_bins_end", "免密BIN表下载结束", "end of the no-PIN BIN table", "0800", ("397",)),
        ("no_pin_blacklist", "免密BIN黑名单下载", "download of the no-PIN BIN blacklist", "0800", ("398",)),
        ("no_pin_blacklist_end", "免密BIN黑名单下载结束", "end of the no-PIN BIN blacklist", "0800", ("399",)),
    )
)  # fmt: skip

_DOWNLOADS: Final = (
    *_TABLES,
    _download("rsa_key", "RSA公钥下载", "download of the RSA public key", "0800", ("352",)),
)

_SECRET_OR_SIGNED: Final = (
    with_our_mac(
        Kind(
            "master_key", "主密钥下载", "download of the master key", "0800", "00", ("350",), _QUERY, NETWORK_REPLY,
            advances_stan=False,
        )
    ),
    Kind(
        "signature_upload", "电子签名上送", "electronic signature upload", "0820", "07",
        tuple(str(network) for network in range(800, 810)),
        Presence(
            (F.AMOUNT, F.STAN, *IDS, F.PAYLOAD, F.MAC), (F.PAN, F.RRN, F.ICC, F.DEVICE, F.TEXT), (F.SETTLEMENT_DATE,)
        ),
        Presence((F.STAN, *IDS), (F.AMOUNT, *STAMP, F.SETTLEMENT_DATE, F.ACQUIRER, F.RRN, F.PAYLOAD, F.TEXT, F.MAC)),
        has_mac=True, advances_stan=False, clause="CUP 6",
    ),
)  # fmt: skip

MANAGEMENT_ROWS: Final = (*_SESSION, *_BATCH, *_DOWNLOADS, *_SECRET_OR_SIGNED)
