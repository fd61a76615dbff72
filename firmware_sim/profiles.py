"""How firmware behaves: versions differ by data, and this table says in what.

Rules owned here: TABLE PROFILES. The manifest of the running image names its profile; the application asks the profile
where versions differ, and nothing else decides how old a device behaves. A profile never widens what the model can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

TAG_LENGTH_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Profile:
    """A row of PROFILES; the defaults are what firmware of today does.

    ``extensions``: it knows the messages that are ours: why, commands, updates. ``tag_length_digits``: how it writes
    the length of a tag inside field 59 A2 and in field 62. ``reversal_tries``: after how many fruitless reversals it
    forgets one, 0 for never. ``header_version`` and ``network``: what it says in the header and asks for at sign-on
    (60.3), "" for what the model and the settings say.
    """

    chinese: str
    english: str
    extensions: bool = True
    sm4: bool = True
    tag_length_digits: int = TAG_LENGTH_DIGITS
    reversal_tries: int = 0
    header_version: str = ""
    network: str = ""


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "current": Profile("现行固件", "firmware of today"),
        "no_commands": Profile(
            "不识别远程指令和扩展报文", "knows neither commands nor other extensions", extensions=False
        ),
        "no_sm4": Profile("不支持国密SM4", "does not know SM4", sm4=False),
        "two_digit_tags": Profile(
            "子标签长度误写为两位", "writes lengths of two digits for tags that have three", tag_length_digits=2
        ),
        "gives_up_reversals": Profile(
            "冲正三次不成即删除", "forgets a reversal after three tries in vain", reversal_tries=3
        ),
        "old_protocol": Profile(
            "旧版规范，只要单倍长密钥",
            "speaks an old edition of the specification, with single-length keys",
            extensions=False,
            sm4=False,
            header_version="10",
            network="001",
        ),
    }
)
