"""The sub-fields of the private fields: 47, 48, 54, 57, 59, 60, 61, 62 and 63 (CUP 2.4 to 2.9 and 3.7).

Each shape reads itself from a field's value with ``parse`` and writes itself with ``str`` or ``bytes``; ``parse``
raises DecodeError with the field. Lists of tagged values (two ASCII characters, a length of three ASCII digits, the
value; the form of field 59) also carry our extensions in field 62.
"""

from __future__ import annotations

from protocol.private.amounts import Balance, parse_tip
from protocol.private.device import DEVICE_TAGS, GROUP_TAGS, DeviceInfo, Tag, order_number, read_group, read_tags
from protocol.private.parameters import (
    CONTACTLESS,
    PARAMETERS,
    BinPage,
    pack_contactless,
    pack_parameters,
    pack_rates,
    unpack_contactless,
    unpack_rates,
    unpack_status,
)
from protocol.private.reference import Control, Original
from protocol.private.registration import FORM_TAGS, Waiting
from protocol.private.sign_on import Batches, pack_sequence_number, unpack_sequence_number
from protocol.private.tags import (
    TEXT_CHARSET,
    number_tag,
    pack_tags,
    text_tag,
    unpack_tags,
)
from protocol.private.text import RefusalText
from protocol.private.totals import (
    UPLOAD_ITEMS_PER_MESSAGE,
    GroupTotals,
    Totals,
    UploadItem,
    keys_digest,
    pack_upload,
    unpack_upload,
)
from protocol.private.uploads import ChipDetail

__all__ = [
    "CONTACTLESS",
    "DEVICE_TAGS",
    "FORM_TAGS",
    "GROUP_TAGS",
    "PARAMETERS",
    "TEXT_CHARSET",
    "UPLOAD_ITEMS_PER_MESSAGE",
    "Balance",
    "Batches",
    "BinPage",
    "ChipDetail",
    "Control",
    "DeviceInfo",
    "GroupTotals",
    "Original",
    "RefusalText",
    "Tag",
    "Totals",
    "UploadItem",
    "Waiting",
    "keys_digest",
    "number_tag",
    "order_number",
    "pack_contactless",
    "pack_parameters",
    "pack_rates",
    "pack_sequence_number",
    "pack_tags",
    "pack_upload",
    "parse_tip",
    "read_group",
    "read_tags",
    "text_tag",
    "unpack_contactless",
    "unpack_rates",
    "unpack_sequence_number",
    "unpack_status",
    "unpack_tags",
    "unpack_upload",
]
