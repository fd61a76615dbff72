"""Asks for the terminal master key over the line: the host's RSA key, then the key (CUP 3.7, 5.1).

Rules owned here: the secure module makes what is sent and checks what came, and nothing of it is seen here; a broken
download leaves the keys that there were and begins anew.
"""

from __future__ import annotations

from typing import Final

from protocol.errors import DecodeError, KeyLoadError, SignatureError
from protocol.fields import F
from terminal.explain import unapproved
from terminal.outcome import Outcome, done, local
from terminal.session import Reply, Session

FLOW: Final = "download_master_key"


async def download_master_key(session: Session) -> Outcome:
    """Load the master key of the host; what is signed on must sign on again."""
    loader = session.board.secure_module.loader
    if not session.board.secure_module.host_public_key:
        return local(FLOW, "terminal.no_host_key")
    session.show("下载主密钥", "downloading the master key")
    offered = await _ask(session, "rsa_key", b"")
    if isinstance(offered, Outcome):
        return offered
    try:
        asked = loader.begin_download(offered)
    except (SignatureError, KeyLoadError, DecodeError) as error:
        return local(FLOW, "terminal.bad_host_key", fault=error.message)
    answered = await _ask(session, "master_key", asked)
    if isinstance(answered, Outcome):
        return answered
    try:
        check_value = loader.finish_download(answered)
    except (KeyLoadError, DecodeError) as error:
        return local(FLOW, "terminal.bad_keys", fault=error.message)
    return done(FLOW, "主密钥已下载，请签到", "the master key is loaded, sign on", check_value=check_value)


async def _ask(session: Session, kind: str, payload: bytes) -> bytes | Outcome:
    """Field 62 of the answer; an outcome where none came."""
    answer = await session.ask(kind, {F.PAYLOAD: payload} if payload else {})
    if not isinstance(answer, Reply) or not answer.response.approved:
        return await unapproved(session, FLOW, answer)
    return answer.message.octets(F.PAYLOAD)
