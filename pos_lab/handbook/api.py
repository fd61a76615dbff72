"""What the pages say of the API: routes, roles, lists, problems, and when a line is barred."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

from host.admin.acts import ACTS
from host.admin.lists import LISTS
from host.admin.rights import LIST_ROLES, RIGHTS
from host.admin.second_person import ACTS_OF_TWO, EXPIRES_S
from host.admin.tokens import Role
from host.admin.wording import ARGUMENTS, PROBLEMS
from host.guard import BARS, CLONE_TURNS, FORGIVEN_AFTER_S
from pos_lab.handbook.markdown import Markdown, code, codes, prose, sections, table

_IN_PATH = re.compile(r"\{([a-z_]+)\}")


def api() -> str:
    """Every route with its roles, what its arguments mean, and how it says no."""
    reached = [row for row in RIGHTS.values() if row.path]
    routes = table(
        ("", "path under `/v1`", "arguments", "for", "what it does"),
        (
            (row.method, code(row.path), codes(_others(row.act, row.path)), _roles(row.roles), _first(row.act))
            for row in sorted(reached, key=lambda row: row.path)
        ),
    )
    lists = table(
        ("path under `/v1`", "for", "searched in", "sorted by", "what it lists"),
        (
            (code(f"/{row.name}"), _roles(LIST_ROLES[row.name]), codes(row.searched), codes(row.sorts), row.about)
            for row in LISTS.values()
        ),
    )
    used = {name for row in reached for name in _names(row.act)}
    arguments = table(
        ("argument", "meaning", "example"),
        ((code(name), row.about, code(row.example)) for name, row in ARGUMENTS.items() if name in used),
    )
    problems = table(
        ("code", "status", "English", "中文"),
        ((code(row.code), row.status, row.english, row.chinese) for row in PROBLEMS.values()),
    )
    return sections(
        "[docs/api.md](../api.md) says how to begin. `GET /openapi.json` describes the same for programs.",
        "## Acts",
        routes,
        f"Acts that need two people are proposed, and confirmed by somebody else within {EXPIRES_S // 3600} hours: "
        f"{codes(ACTS_OF_TWO)}.",
        "## Lists",
        "`search`, `sort`, `descending`, `limit`, `offset`; `form=csv` gives CSV.",
        lists,
        "## Arguments",
        arguments,
        "## Problems",
        "Every error is `application/problem+json` with `code`, `detail`, `field`, `hint`, `title` and `title_zh`.",
        problems,
    )


def guard() -> str:
    """When wrong MACs bar whom, and when two lines are a clone."""
    bars = table(
        ("what is barred", "wrong MACs", "within", "at first for", "at most for"),
        (
            (
                name,
                row.wrong_macs,
                f"{row.within_s} s" if row.within_s else "in a row",
                f"{row.first_s} s",
                f"{row.most_s} s",
            )
            for name, row in BARS.items()
        ),
    )
    return sections(
        "A session whose MACs are wrong ends, its address and terminal are barred, longer each time; a line that has "
        f"proven its keys is not. After {FORGIVEN_AFTER_S} s of quiet it is forgiven.",
        bars,
        "The newest line that proves a terminal's keys speaks for it; frames of an older one get "
        f"`terminal.superseded`. Two lines that take over from each other {CLONE_TURNS} times in turn are a clone.",
    )


def _names(act: str) -> list[str]:
    return list(inspect.signature(ACTS[act]).parameters)[1:]


def _others(act: str, path: str) -> list[str]:
    return [name for name in _names(act) if name not in _IN_PATH.findall(path)]


def _first(act: str) -> Markdown:
    return prose((ACTS[act].__doc__ or "").split("\n", maxsplit=1)[0])


def _roles(roles: Iterable[Role]) -> str:
    chosen = [role for role in Role if role in set(roles)]
    return "all" if len(chosen) == len(Role) else ", ".join(chosen)
