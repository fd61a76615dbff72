"""Field 63 of a reply: the card organisation and what people are told (CUP 2.7)."""

from __future__ import annotations

from dataclasses import dataclass

from protocol.private.tags import TEXT_CHARSET


@dataclass(frozen=True, slots=True)
class RefusalText:
    """Field 63 of a reply (CUP 2.7): the organisation, then 20 issuer, 20 UnionPay, 20 acquirer, 60 merchant.

    A refusal of ours puts its reason into the places of UnionPay and the acquirer (40 characters) and its Chinese text
    into the merchant's place (60 bytes). The rest is told by the why query (product decision 12).
    """

    reason: str = ""
    chinese: str = ""
    organisation: str = "CUP"

    def __str__(self) -> str:
        text = self.chinese
        while len(text.encode(TEXT_CHARSET)) > 60:
            text = text[:-1]
        return f"{self.organisation:3.3}{'':20}{self.reason:40.40}{text}".rstrip() if self.reason else self.organisation

    @classmethod
    def parse(cls, text: str) -> RefusalText:
        """The parts, empty where a foreign host left them out."""
        raw = text.encode(TEXT_CHARSET)
        reason = raw[23:63].decode(TEXT_CHARSET, "replace").strip()
        return cls(reason, raw[63:].decode(TEXT_CHARSET, "replace").strip(), raw[:3].decode(TEXT_CHARSET, "replace"))
