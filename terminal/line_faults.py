"""What the cashier is told where the line itself says why there is no answer.

Rules owned here: TABLE LINE_FAULTS, the codes of ``LineDown`` in words. The reason of the outcome stays that of any
silence, for money does not care why; the code stands in its ``detail`` as "line".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from terminal.outcome import Outcome


class LineFault(NamedTuple):
    """A row of LINE_FAULTS."""

    chinese: str
    english: str
    remedy_chinese: str
    remedy_english: str


_NEW_HOST_CERTIFICATE: Final = ("请收单机构换发主机证书", "the host needs a new certificate")
_CHECK_HOST: Final = ("切勿输入卡密，请联系收单机构", "enter no PIN, call the acquirer")
_NEW_OWN: Final = ("请更换终端证书", "the terminal needs a new certificate")
_CHECK_ADDRESS: Final = ("请检查主机地址和端口", "check the host's address and port")

LINE_FAULTS: Final[Mapping[str, LineFault]] = MappingProxyType(
    {
        "no_signal": LineFault("无信号", "there is no signal", "请检查天线或移至信号好处", "check antenna and place"),
        "no_carrier": LineFault("无载波", "there is no carrier", "请检查电话线或网线", "check the cable"),
        "busy": LineFault("线路忙", "the line is busy", "请稍后再拨", "dial again later"),
        "no_link": LineFault("机型不支持此连接方式", "the model has no such link", "请更换连接方式", "use another"),
        "peer_expired": LineFault("主机证书已过期", "the host's certificate has expired", *_NEW_HOST_CERTIFICATE),
        "peer_not_yet_valid": LineFault(
            "主机证书尚未生效", "the host's certificate is not valid yet", "请检查时钟", "check the clocks"
        ),
        "peer_wrong_name": LineFault("主机证书名称不符", "the host's certificate names another", *_CHECK_HOST),
        "peer_other_ca": LineFault("主机证书非信任机构签发", "no CA we know made the host's certificate", *_CHECK_HOST),
        "peer_self_signed": LineFault("主机证书为自签名", "the host's certificate is self-signed", *_CHECK_HOST),
        "peer_revoked": LineFault("主机证书已吊销", "the host's certificate was revoked", *_CHECK_HOST),
        "peer_unfit": LineFault("主机证书用途不符", "the host's certificate is not for hosts", *_CHECK_HOST),
        "no_crl": LineFault("吊销列表无效", "the revocation list is no use", "请更新吊销列表", "get the newest"),
        "ours_missing": LineFault("主机要求终端证书", "the host wants a certificate", "请安装终端证书", "install one"),
        "ours_unknown_ca": LineFault("主机不信任终端证书", "the host does not trust our CA", *_NEW_OWN),
        "ours_expired": LineFault("终端证书已过期", "our certificate has expired", *_NEW_OWN),
        "ours_revoked": LineFault("终端证书已吊销", "our certificate was revoked", *_NEW_OWN),
        "ours_refused": LineFault("主机拒绝终端证书", "the host refuses our certificate", *_NEW_OWN),
        "too_old": LineFault("TLS版本过低", "one side's TLS is too old", "请升级固件或主机", "update firmware or host"),
        "not_tls": LineFault("主机端口未加密", "the host does not speak TLS there", *_CHECK_ADDRESS),
        "ended": LineFault("主机中断了加密握手", "the host ended the TLS handshake", *_CHECK_ADDRESS),
        "silent": LineFault("加密握手超时", "the TLS handshake took too long", *_CHECK_ADDRESS),
        "cut_off": LineFault("连接被异常切断", "the connection was cut", "请稍后再试", "try again later"),
        "tls": LineFault("加密连接失败", "TLS failed", "请联系收单机构", "call the acquirer"),
    }
)  # fmt: skip


def with_fault(outcome: Outcome, code: str) -> Outcome:
    """``outcome`` with what the line says, where it says more than that nobody answers."""
    row = LINE_FAULTS.get(code)
    if row is None:
        return outcome
    return replace(
        outcome,
        text_zh=f"{outcome.text_zh}：{row.chinese}",
        text_en=f"{outcome.text_en}: {row.english}",
        remedy_zh=row.remedy_chinese,
        remedy_en=row.remedy_english,
        detail={**outcome.detail, "line": code},
    )
