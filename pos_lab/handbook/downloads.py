"""What the pages say of downloads."""

from __future__ import annotations

from host.downloads import CONTENTS
from pos_lab.handbook.markdown import code, codes, sections, table
from protocol.downloads import DOWNLOADS
from protocol.private import CONTACTLESS, PARAMETERS
from terminal.downloads import EFFECTS


def downloads() -> str:
    """Every download: the nibble that asks for it, its messages, what the host begins with; and what values set."""
    fetched = table(
        ("name", "what", "中文", "asked for by", "comes", "kinds", "embedded"),
        (
            (
                code(row.name),
                row.english,
                row.chinese,
                code(row.requirement),
                row.form.value,
                codes(row.kinds),
                len(CONTENTS[row.name]),
            )
            for row in DOWNLOADS.values()
        ),
    )
    effects = table(
        ("download", "code", "中文", "sets"),
        (
            (code(name), code(each), _chinese(each), code(effect.setting))
            for name, rows in EFFECTS.items()
            for each, effect in rows.items()
        ),
    )
    return sections(fetched, "## What values set", "Other values are kept and set nothing.", effects)


def _chinese(each: str) -> str:
    return PARAMETERS[each].chinese if each in PARAMETERS else CONTACTLESS[each].chinese
