"""Who may call from afar: bearer tokens with a person and a role, stored as digests (product K, invariant P4)."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from host.admin.desk import Desk, Result
from host.decision import Update
from host.errors import AdminError
from host.store.books import Books, columns_of

SECRET_BYTES: Final = 20
PREFIX: Final = "poslab_"
DAYS_MAX: Final = 3_650
PERSON_MAX: Final = 64
_DAY_S: Final = 86_400


class Role(StrEnum):
    """What a person is there for: TABLE RIGHTS says which acts that means."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token is good."""

    person: str
    role: Role
    token: str


def create_token(desk: Desk, person: str, role: str, days: int = 90) -> Result:
    """Make a token for a person. Its secret is shown this once; the host keeps a digest of it."""
    desk.line(person=person)
    if not 0 < len(person) <= PERSON_MAX:
        raise AdminError(f"a person's name has 1 to {PERSON_MAX} characters", code="person")
    if role not in set(Role):
        raise AdminError(f"no role {role!r}", hint=f"one of {', '.join(Role)}", code="role")
    if not 0 < days <= DAYS_MAX:
        raise AdminError(f"a token is good for 1 to {DAYS_MAX} days", code="days")
    secret = PREFIX + b32encode(desk.keys.fresh(SECRET_BYTES)).decode().lower()
    name, expires_at = f"T{desk.books.next_number()}", desk.at + days * _DAY_S
    row = {"person": person, "role": role, "digest": _digest(secret), "created_at": desk.at, "expires_at": expires_at}
    desk.insert("tokens", name=name, **row)
    desk.note("", "create token", f"{name} for {person} as {role}, {days} days")
    return {"name": name, "person": person, "role": role, "expires_at": expires_at, "token": secret}


def revoke_token(desk: Desk, name: str) -> Result:
    """End a token at once."""
    rows = desk.books.rows("tokens", name=name)
    if not rows:
        raise AdminError(f"no token {name}", hint="poslab admin token list shows what there is", code="unknown_token")
    if rows[0]["revoked_at"] is None:
        desk.books.write(Update("tokens", {"name": name}, {"revoked_at": desk.at}))
        desk.note("", "revoke token", f"{name} of {rows[0]['person']}")
    return {"name": name, "person": rows[0]["person"], "revoked": True}


def tokens(desk: Desk) -> Result:
    """Every token with person, role and dates; secrets are not kept."""
    return {"tokens": columns_of(desk.books.rows("tokens"), "digest")}


def caller_of(books: Books, secret: str, at: int) -> Caller:
    """Who has this token. Raises AdminError "unauthenticated", the same for every reason."""
    rows = books.rows("tokens", digest=_digest(secret)) if secret.startswith(PREFIX) else []
    if not rows or rows[0]["revoked_at"] is not None or rows[0]["expires_at"] <= at:
        raise AdminError("no good token", hint="poslab admin token create makes one", code="unauthenticated")
    return Caller(rows[0]["person"], Role(rows[0]["role"]), rows[0]["name"])


def _digest(secret: str) -> bytes:
    """A plain hash is enough for a secret of SECRET_BYTES random bytes."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
