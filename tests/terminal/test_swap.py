"""The device's side of a swap: drain, backup, restore, wipe, and every reason to say no (product X; W1, F4, G5, K4)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import pytest

from firmware_sim.errors import NvramFull, NvramWorn
from firmware_sim.profiles import PROFILES
from firmware_sim.secure_module import KeyState
from protocol.crypto.derived import Purpose, is_proof, open_backup, seal_backup
from protocol.fields import F
from protocol.kinds import Kind
from protocol.private import pack_tags, unpack_tags
from protocol.swap import (
    BACKUP_BYTES_MAX,
    BACKUP_PARTS,
    CHUNK_BYTES,
    SwapState,
    backup_context,
    pack_backup,
    unpack_backup,
)
from protocol.wipe import WipeOrder, open_certificate, sign_order
from terminal.book import Signature
from terminal.flows import FLOWS
from terminal.flows.hand_over import HAND_OVER
from terminal.operators import made
from terminal.outcome import LOCAL
from terminal.records import OperatorKept, SignatureTaken, SwapKept
from terminal.transaction import Key
from tests.terminal.bench import SERIAL_NUMBER, Bench, bench_at, once, swallow, without_mac
from tests.terminal.fake_host import SIGNING_KEY, TMK, Answer, FakeHost

PEER = "NXE2100000002"
SIGNATURE = Signature(batch="000001", stan="000002", amount_fen=6000, rrn="000000000001", image="AA==")
FLAGS = ("pause_told", "paused", "training")
EMPTY: dict[str, object] = {key: [] for key in BACKUP_PARTS} | dict.fromkeys(FLAGS, False)


@dataclass
class SwapHost(FakeHost):
    """A host with a swap of its only terminal, as far along as ``swap_state`` says."""

    swap_state: str = "ordered"
    role: str = "old"
    swap: int = 7
    peer: str = PEER
    come: bytes = b""
    sha256: str = ""
    order: bytes = b""
    gives: bytes = b""
    claims: list[bytes] = field(default_factory=list)
    certificates: list[bytes] = field(default_factory=list)
    reports: list[tuple[str, str]] = field(default_factory=list)

    def _wants_mac(self, kind: Kind, came: bool) -> bool:
        """A wiped device has no key to make one."""
        return kind.name != "swap_query" and super()._wants_mac(kind, came)

    def _swap_query(self, reply: Answer, key: Key) -> None:
        payload = reply.request.octets(F.PAYLOAD)
        tags = unpack_tags(payload, field=F.PAYLOAD) if payload else {}
        if "CL" in tags:
            self.claims.append(tags["CL"])
            self.swap_state = "bound"
        if "CE" in tags:
            self.certificates.append(tags["CE"])
            self.swap_state = "wiped"
        self._stand(reply)

    def _swap_report(self, reply: Answer, key: Key) -> None:
        tags = unpack_tags(reply.request.octets(F.PAYLOAD), field=F.PAYLOAD)
        said = tags["OP"].decode()
        self.reports.append((said, tags.get("OF", b"").decode()))
        getattr(self, f"_on_{said}")(reply, tags)

    def _on_drain(self, reply: Answer, tags: dict[str, bytes]) -> None:
        self.swap_state = "draining"
        self._stand(reply)

    def _on_settled(self, reply: Answer, tags: dict[str, bytes]) -> None:
        self.swap_state = "settled"
        self._stand(reply)

    def _on_backup(self, reply: Answer, tags: dict[str, bytes]) -> None:
        if tags["SH"].decode() != self.sha256:
            self.come, self.sha256 = b"", tags["SH"].decode()
        assert int(tags["OF"]) == len(self.come)
        self.come += tags["DA"]
        if len(self.come) == int(tags["SZ"]):
            self.swap_state = "backed up"
        self._stand(reply)

    def _on_fetch(self, reply: Answer, tags: dict[str, bytes]) -> None:
        at = int(tags["OF"])
        told = {
            "OF": tags["OF"],
            "SZ": str(len(self.gives)).encode(),
            "SH": hashlib.sha256(self.gives).hexdigest().encode(),
            "DA": self.gives[at : at + CHUNK_BYTES],
        }
        reply.fields[F.PAYLOAD] = pack_tags(told.items())

    def _on_restored(self, reply: Answer, tags: dict[str, bytes]) -> None:
        self.swap_state = "restored"
        self._stand(reply)

    def _stand(self, reply: Answer) -> None:
        told = {
            "SW": str(self.swap).encode(), "ST": self.swap_state.encode(), "RO": self.role.encode(),
            "PE": self.peer.encode(), "RC": str(len(self.come)).encode(), "SH": self.sha256.encode(), "WO": self.order,
        }  # fmt: skip
        reply.fields[F.PAYLOAD] = pack_tags(told.items())

    def orders(self, **changes: object) -> None:
        """The host signs the order to wipe."""
        order = WipeOrder(SERIAL_NUMBER, self.peer, self.swap, self.sha256, 1_700_000_000)
        self.swap_state, self.order = "restored", sign_order(replace(order, **changes), SIGNING_KEY)  # type: ignore[arg-type]


def host_of(bench: Bench) -> SwapHost:
    assert isinstance(bench.host, SwapHost)
    return bench.host


@pytest.fixture
async def old() -> AsyncIterator[Bench]:
    """The old device, with a sale in its batch and an operator."""
    async with bench_at(SwapHost(), merchant_name="街角便利店", manual_entry=True) as bench:
        await bench.do("sign_in")
        assert (await bench.sell()).is_good
        yield bench


@pytest.fixture
async def new() -> AsyncIterator[Bench]:
    """A new device for which a backup waits."""
    async with bench_at(SwapHost(swap_state="backed up", role="new")) as bench:
        parts = EMPTY | {"operators": ["00", "01"], "training": False, "events": [
            {"at": at, "what": "w", "detail": hashlib.sha256(bytes([at])).hexdigest(), "operator": ""}
            for at in range(40)]}  # fmt: skip
        host_of(bench).gives = seal_backup(TMK, pack_backup(parts), backup_context(SERIAL_NUMBER, 7))
        assert len(host_of(bench).gives) > CHUNK_BYTES
        yield bench


async def handed_over(bench: Bench) -> None:
    assert (await bench.do("hand_over")).is_good
    assert host_of(bench).swap_state == "backed up"


# the old device


async def test_the_old_device_drains_settles_and_backs_up(old: Bench) -> None:
    """The shop's last sales would be nobody's, or its things be gone."""
    host = host_of(old)
    await handed_over(old)
    assert [name for name, _ in host.reports][:2] == ["drain", "settled"]
    assert host.closed == {"000001": True}
    assert old.terminal.book.rows == {}
    parts = unpack_backup(open_backup(TMK, host.come, backup_context(SERIAL_NUMBER, 7)))
    assert [row["debit_fen"] for row in parts["closed"]] == [6000]
    assert parts["downloads"][0]["items"] == {"22": "街角便利店"}
    swap = old.terminal.book.swap
    assert swap is not None
    assert (swap.number, swap.peer, swap.sha256) == (7, PEER, host.sha256)


@pytest.mark.parametrize(
    "flow", ["sale", "qr_sale", "preauth", "refund", "offline_sale", "balance", "void", "moto_sale"]
)
async def test_no_new_business_on_its_way_out(old: Bench, flow: str) -> None:
    """A sale after the backup would stay behind (invariant W1)."""
    words = {
        "sale": ("1.00", "debit"), "qr_sale": ("1.00", "6200123456789012345"), "preauth": ("1.00", "credit"),
        "refund": ("1.00", "debit", "000000000001", "0301"), "offline_sale": ("1.00", "credit"),
        "balance": ("credit", "123456"), "void": ("000002",), "moto_sale": ("1.00", "6200000100000004", "3012"),
    }  # fmt: skip
    old.host.before.append(once("swap_report", lambda answer: answer.refuse("12", "swap.other_step")))
    await old.do("hand_over")  # the first step has begun, and no more
    assert old.terminal.book.rows
    outcome = await old.do(flow, *words[flow])
    assert (outcome.result, outcome.reason) == ("refused", "swap.under_way")
    old.restart()
    assert (await old.do(flow, *words[flow])).reason == "swap.under_way"


async def test_a_swap_that_is_off_lets_it_sell_again(old: Bench) -> None:
    """The shop would be without a till for nothing."""
    await handed_over(old)
    host_of(old).swap_state = "cancelled"
    old.host.after.append(lambda answer: without_mac(answer) if answer.kind == "swap_query" else None)
    assert (await old.do("hand_over")).reason == "terminal.bad_reply"
    assert old.terminal.book.is_handing_over, "a forger could set it free"
    old.host.after.clear()
    assert (await old.do("hand_over")).reason == "swap.cancelled"
    assert (await old.sell()).is_good
    assert (await old.do("hand_over")).reason == "swap.cancelled"


async def test_a_host_with_newer_keys_is_heard_after_a_sign_on(old: Bench) -> None:
    """A swap would stand still for ever once the reply to a sign-on was lost: nothing else renews the keys."""
    await handed_over(old)
    host_of(old).swap_state = "cancelled"
    signed_on = host_of(old).serial
    old.host.after.append(once("swap_query", without_mac))
    assert (await old.do("hand_over")).reason == "swap.cancelled"
    assert host_of(old).serial == signed_on + 1


async def test_unresolved_money_comes_first(old: Bench) -> None:
    """A reversal would never be sent, and the customer pay for nothing (invariant F4)."""

    def deaf(answer: Answer) -> None:
        if "sale" in answer.kind:
            swallow(answer)

    old.host.after.append(deaf)
    await old.sell()
    outcome = await old.do("hand_over")
    assert outcome.reason == "terminal.reversal_pending"
    assert host_of(old).swap_state == "draining"
    old.host.after.clear()
    await handed_over(old)


async def test_signatures_come_first(old: Bench) -> None:
    """What a cardholder signed would be thrown away with the device (invariant G5)."""
    old.terminal.session.journal.append(SignatureTaken(signature=SIGNATURE))
    old.host.before.append(once("signature_upload", lambda answer: answer.refuse("96", "host.failure")))
    await handed_over(old)
    assert Key("000001", "000002") in old.host.signatures
    assert old.terminal.book.signatures == ()


async def test_signatures_that_cannot_be_sent_hold_it_back(old: Bench) -> None:
    """The same, where the line breaks just then."""
    old.terminal.session.journal.append(SignatureTaken(signature=SIGNATURE))

    def hang_up(answer: Answer) -> None:
        answer.hang_up = True
        old.hardware.faults.arm("line.no_signal", times=None)

    old.host.after.append(once("swap_report", hang_up))
    outcome = await old.do("hand_over")
    assert outcome.reason == "swap.signatures_waiting"
    assert old.terminal.book.rows, "nothing was settled"
    old.hardware.faults.disarm("line.no_signal")
    await handed_over(old)


async def test_a_settlement_that_fails_holds_it_back(old: Bench) -> None:
    """The batch would stay open behind it (product decision 6)."""
    old.host.before.append(once("settlement", lambda answer: answer.refuse("96", "host.failure")))
    outcome = await old.do("hand_over")
    assert (outcome.flow, outcome.result, outcome.code) == ("hand_over", "refused", "96")
    await handed_over(old)


async def test_an_upload_goes_on_where_it_was_cut_off(old: Bench) -> None:
    """A bad line would never carry a backup of more than one message."""
    for number in range(40):
        old.terminal.session.note("w", hashlib.sha256(bytes([number])).hexdigest())
    host = host_of(old)
    lost = [0]

    def lose_second(answer: Answer) -> None:
        lost[0] += host.reports[-1:] == [("backup", str(CHUNK_BYTES))]
        if lost[0] == 1 and answer.kind == "swap_report":
            swallow(answer)

    old.host.after.append(lose_second)
    assert (await old.do("hand_over")).reason == "terminal.no_answer"
    old.host.after.clear()
    old.restart()
    await handed_over(old)
    sent = [offset for name, offset in host.reports if name == "backup"]
    assert len(sent) == len(set(sent)) >= 3


async def test_a_host_that_forgets_the_sign_on_is_answered(old: Bench) -> None:
    """A host that was restarted would end the swap."""
    old.host.before.append(once("swap_report", lambda answer: answer.refuse("77", "terminal.not_signed_on")))
    await handed_over(old)


@pytest.mark.parametrize(
    ("tag", "value"),
    [("ST", b"dancing"), ("RO", b"middle"), ("SW", b"0"), ("SW", b"x"), ("RC", b"-1"), ("SH", b"ab"), ("PE", b"\xff")],
)
async def test_a_host_that_talks_nonsense_is_not_believed(old: Bench, tag: str, value: bytes) -> None:
    """A fault at the host would send the device anywhere."""

    def spoil(answer: Answer) -> None:
        if answer.kind == "swap_query":
            tags = unpack_tags(answer.fields[F.PAYLOAD], field=F.PAYLOAD)  # type: ignore[arg-type]
            answer.fields[F.PAYLOAD] = pack_tags({**tags, tag: value}.items())

    old.host.after.append(spoil)
    assert (await old.do("hand_over")).reason == "terminal.bad_reply"
    assert old.terminal.book.swap is None


async def test_an_upload_that_does_not_get_on_ends(old: Bench) -> None:
    """The device would send its first chunk for ever."""

    def stuck(answer: Answer) -> None:
        if answer.kind == "swap_report" and host_of(old).reports[-1][0] == "backup":
            tags = unpack_tags(answer.fields[F.PAYLOAD], field=F.PAYLOAD)  # type: ignore[arg-type]
            answer.fields[F.PAYLOAD] = pack_tags({**tags, "RC": b"0", "ST": b"settled"}.items())

    old.host.after.append(stuck)
    assert (await old.do("hand_over")).reason == "terminal.bad_reply"


@pytest.mark.parametrize("kind", ["sign_in", "swap_report"])
async def test_a_refusal_on_the_way_is_told(kind: str) -> None:
    """The cashier would not know what to do next."""
    async with bench_at(SwapHost()) as bench:
        bench.host.before.append(once(kind, lambda answer: answer.refuse("96", "host.failure")))
        outcome = await bench.do("hand_over")
        assert (outcome.flow, outcome.result, outcome.code) == ("hand_over", "refused", "96")

        def refuse_settled(answer: Answer) -> None:
            if answer.kind == "swap_report" and host_of(bench).swap_state == "draining":
                answer.refuse("95", "swap.batch_open")

        bench.host.before.append(refuse_settled)
        assert (await bench.do("hand_over")).reason == "swap.batch_open"
        bench.host.before.clear()
        await handed_over(bench)
        assert (await bench.do("hand_over")).detail["peer"] == PEER


async def test_what_does_not_fit_is_told(old: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop would wait for an upload that never ends."""
    monkeypatch.setattr("protocol.swap.CONTENT_BYTES_MAX", 10)
    assert (await old.do("hand_over")).reason == "swap.too_large"


async def test_who_is_silent_and_who_says_no(old: Bench) -> None:
    """The cashier would not know what to do."""
    old.host.after.append(once("swap_query", swallow))
    assert (await old.do("hand_over")).reason == "terminal.no_answer"
    old.host.before.append(once("swap_query", lambda answer: answer.refuse("12", "swap.not_ordered", "未受理")))
    outcome = await old.do("hand_over")
    assert (outcome.result, outcome.code, outcome.reason) == ("refused", "12", "swap.not_ordered")
    assert old.terminal.book.swap is None
    assert (await old.do("take_over")).reason == "swap.not_new"
    host_of(old).role = "new"
    assert (await old.do("hand_over")).reason == "swap.not_old"


async def test_only_a_supervisor_hands_over(old: Bench) -> None:
    """A cashier could give the till away."""
    session = old.terminal.session
    for number in ("00", "01"):
        kept = made(number, "480915", bytes(16), must_change=False)
        session.journal.append(OperatorKept(operator=kept))
    await old.do("log_on", "01", "480915")
    assert (await old.do("hand_over")).reason == "terminal.supervisor_needed"
    assert (await old.do("hand_over", "480915")).is_good


@pytest.mark.parametrize("kind", ["swap_query", "swap_report"])
async def test_who_needs_other_keys_is_told_so(old: Bench, kind: str) -> None:
    """A device whose master key was renewed would hear of a bad reply for ever, and nobody bring the key card (D3)."""
    if kind == "swap_query":
        old.host.after.append(lambda answer: without_mac(answer) if answer.kind == kind else None)
    else:
        old.host.before.append(lambda answer: answer.refuse("A0") if answer.kind == kind else None)
    old.host.after.append(
        lambda answer: answer.fields.update({F.PAYLOAD: bytes(60)}) if answer.kind == "sign_in" else None
    )
    outcome = await old.do("hand_over")
    assert (outcome.flow, outcome.result, outcome.reason) == ("hand_over", "refused", "terminal.bad_keys")


@pytest.mark.parametrize("profile", [name for name, row in PROFILES.items() if not row.extensions])
async def test_old_firmware_knows_no_swap(profile: str) -> None:
    """A device that never heard of it would send what the host does not understand."""
    async with bench_at(SwapHost(demands_mac=False), profile=profile) as bench:
        assert (await bench.do("hand_over")).reason == "terminal.no_extension"
        assert (await bench.do("take_over")).reason == "terminal.no_extension"


@pytest.mark.parametrize("heard", ["at once", "with the order", "with the order, without keys"])
async def test_the_end_of_an_earlier_backup_may_come_late(
    old: Bench, heard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that has begun its backup anew would keep its keys for ever: the order is about the one that came."""
    await handed_over(old)
    host, swap = host_of(old), old.terminal.book.swap
    assert swap is not None
    old.terminal.session.journal.append(SwapKept(swap=swap.model_copy(update={"sha256": "f" * 64})))
    old.terminal.session.note("something else", "to be backed up")
    if heard == "at once":

        def come_late(reply: Answer, tags: dict[str, bytes]) -> None:
            host.swap_state = "backed up"
            host._stand(reply)

        host.swap_state = "settled"
        monkeypatch.setattr(host, "_on_backup", come_late)
        assert (await old.do("hand_over")).is_good
        kept = old.terminal.book.swap
        assert kept is not None
        assert kept.sha256 == host.sha256
    if heard == "with the order, without keys":
        old.host.after.append(lambda answer: without_mac(answer) if answer.kind == "swap_query" else None)
    host.orders()
    assert (await old.do("hand_over")).is_good
    assert len(host.certificates) == 1


# the wipe


async def test_a_wiped_device_has_its_certificate_and_nothing_else(old: Bench) -> None:
    """Keys and batches of a shop would lie in a container (invariant K4)."""
    await handed_over(old)
    host = host_of(old)
    keys = [bytes(key) for key in old.terminal.board.secure_module._memory.ring.keys.values()]
    host.orders()
    assert (await old.do("hand_over")).is_good
    [certificate] = host.certificates
    stated = open_certificate(certificate, lambda text, proof: is_proof(TMK, Purpose.CERTIFICATE, text, proof))
    assert (stated.serial_number, stated.successor, stated.swap, stated.sha256) == (SERIAL_NUMBER, PEER, 7, host.sha256)
    chips = old.hardware.chips
    image = chips.journal.image + chips.keys.image + chips.fuse.image + chips.slot_record.image
    assert not any(key in image or key.hex().encode() in image for key in keys)
    for reboots in (False, True):
        if reboots:
            old.restart()
        asked = len(old.host.requests)
        for flow in FLOWS.keys() - {"hand_over"}:
            outcome = await old.terminal.run(flow)
            assert (outcome.result, outcome.reason) == ("refused", "swap.wiped"), flow
        assert len(old.host.requests) == asked
        assert "this device is wiped" in old.screens[-1]
        assert LOCAL["swap.wiped"].chinese in old.hardware.shown[-1].zh
        assert not any("case was opened" in screen for screen in old.screens)
    assert (await old.do("hand_over")).is_good
    assert host.certificates == [certificate] * 2
    assert old.terminal.board.secure_module.key_state is KeyState.TAMPERED
    old.host.before.append(once("swap_query", lambda answer: answer.refuse("A7", "swap.certificate")))
    assert (await old.do("hand_over")).reason == "swap.certificate"


async def test_a_wiped_device_asks_for_nobodys_password() -> None:
    """Nobody could get the certificate out of it."""
    async with bench_at(SwapHost(), supervisor="always") as bench:
        kept = made("00", "480915", bytes(16), must_change=False)
        bench.terminal.session.journal.append(OperatorKept(operator=kept))
        assert (await bench.do("hand_over", "480915")).is_good
        host_of(bench).orders()
        assert (await bench.do("hand_over", "480915")).is_good
        bench.restart()
        assert (await bench.do("hand_over")).is_good


async def test_the_new_device_may_be_replaced_by_another(old: Bench) -> None:
    """A new device that broke would leave the old one with its keys, for the order to wipe names another successor."""
    await handed_over(old)
    host = host_of(old)
    host.swap_state, host.peer = "bound", "NX00000003"
    assert (await old.do("hand_over")).detail["peer"] == "NX00000003"
    host.orders()
    assert (await old.do("hand_over")).is_good
    [certificate] = host.certificates
    assert open_certificate(certificate, lambda text, proof: True).successor == "NX00000003"


BAD_ORDERS: dict[str, Callable[[SwapHost], None]] = {
    "none": lambda host: setattr(host, "order", b""),
    "forged": lambda host: setattr(host, "order", host.order[:-1] + bytes([host.order[-1] ^ 1])),
    "for another device": lambda host: host.orders(serial_number="OTHER-1"),
    "for another swap": lambda host: host.orders(swap=8),
    "for another successor": lambda host: host.orders(successor="OTHER-1"),
    "of another backup": lambda host: host.orders(sha256="0" * 64),
}


@pytest.mark.parametrize("name", BAD_ORDERS)
async def test_an_order_that_is_not_the_hosts_wipes_nothing(old: Bench, name: str) -> None:
    """Whoever stands between could wipe the terminals of a town."""
    await handed_over(old)
    host = host_of(old)
    host.orders()
    BAD_ORDERS[name](host)
    assert (await old.do("hand_over")).reason == "swap.wipe_order"
    assert old.terminal.board.secure_module.key_state is KeyState.WORKING
    assert any(event.what == "wipe refused" for event in old.terminal.book.events)
    host.orders()
    assert (await old.do("hand_over")).is_good


@pytest.mark.parametrize("peer", [PEER, "NX00000003"])
async def test_the_order_proves_itself(old: Bench, peer: str) -> None:
    """A device whose sign-off was heard and not answered would keep its keys for ever: it can sign on no more."""
    await handed_over(old)
    host_of(old).peer = peer
    host_of(old).orders()
    old.host.after.append(lambda answer: without_mac(answer) if answer.kind == "swap_query" else None)
    asked = len(old.host.requests)
    assert (await old.do("hand_over")).is_good
    assert [kind for kind, _ in old.host.requests[asked:]] == ["swap_query"] * 2
    assert len(host_of(old).certificates) == 1


MISUSED_ORDERS: dict[str, Callable[[SwapHost], None]] = BAD_ORDERS | {
    "nothing was restored": lambda host: setattr(host, "swap_state", "bound"),
    "the swap is off": lambda host: setattr(host, "swap_state", "cancelled"),
    "another swap": lambda host: setattr(host, "swap", 8),
    "another peer": lambda host: setattr(host, "peer", "OTHER-1"),
    "another role": lambda host: setattr(host, "role", "new"),
    "another digest": lambda host: setattr(host, "sha256", "f" * 64),
    "nonsense": lambda host: setattr(host, "swap_state", "dancing"),
}


@pytest.mark.parametrize("name", MISUSED_ORDERS)
async def test_what_no_order_says_is_not_believed_for_its_sake(old: Bench, name: str) -> None:
    """Whoever has recorded an order could stop a till, or set it free, in its next life."""
    await handed_over(old)
    before, host = old.terminal.book.swap, host_of(old)
    host.orders()
    MISUSED_ORDERS[name](host)
    old.host.after.append(lambda answer: without_mac(answer) if answer.kind == "swap_query" else None)
    assert (await old.do("hand_over")).reason == "terminal.bad_reply"
    assert old.terminal.book.swap == before
    assert old.terminal.board.secure_module.key_state is KeyState.WORKING


async def test_a_device_that_hands_nothing_over_is_not_wiped(old: Bench) -> None:
    """An order that comes out of turn would take the shop's open batch."""
    host_of(old).orders(sha256="0" * 64)
    assert (await old.do("hand_over")).reason == "swap.wipe_order"
    assert old.terminal.book.rows


async def test_money_is_never_wiped(old: Bench) -> None:
    """The same, with an order that is otherwise good."""
    host = host_of(old)
    await handed_over(old)
    kept = old.terminal.book.swap
    old.terminal.session.journal.append(SwapKept(swap=None))
    await old.sell()
    old.terminal.session.journal.append(SwapKept(swap=kept))
    host.orders()
    assert (await old.do("hand_over")).reason == "swap.not_empty"
    assert old.terminal.board.secure_module.key_state is KeyState.WORKING


@pytest.mark.parametrize("when", ["before", "within"])
async def test_memory_that_cannot_be_erased_is_told(old: Bench, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate would say that a worn memory is empty."""
    await handed_over(old)
    host_of(old).orders()
    if when == "before":
        old.terminal.board.nvram._is_worn = True
    else:

        def worn(*arguments: object) -> None:
            raise NvramWorn("worn")

        monkeypatch.setattr("firmware_sim.nvram.Nvram.rewrite", worn)
    assert (await old.do("hand_over")).reason == "terminal.memory_worn"
    assert host_of(old).certificates == []
    if when == "within":
        assert old.terminal.board.secure_module.key_state is KeyState.TAMPERED
        assert (await old.do("hand_over")).reason == "terminal.memory_worn"


# the new device


async def test_the_new_device_claims_the_till_and_has_its_things(new: Bench) -> None:
    """The shop would stand before an empty device."""
    host = host_of(new)
    assert (await new.do("take_over")).is_good
    assert (host.swap_state, len(host.claims)) == ("restored", 1)
    assert [name for name, _ in host.reports][-1] == "restored"
    book = new.terminal.book
    assert list(book.operators) == ["00", "01"]
    assert book.events[-1].what == "take over"
    assert (await new.do("take_over")).reason == "swap.restored_already"
    assert (await new.do("log_on", "01", "480915")).reason == "terminal.no_password"
    assert (await new.do("hand_over")).reason == "terminal.no_supervisor"


async def test_operators_get_new_passwords(new: Bench) -> None:
    """A password of the old device would do on the new one, or nobody could log on."""
    await new.do("take_over")
    terminal = new.terminal
    assert (await terminal.run("log_on", operator="00", own_password="480915", new="480915")).is_good
    assert (await new.do("log_on", "01", "")).reason == "terminal.no_password"
    assert (await new.do("log_on", "00", "480915")).is_good
    assert (await new.do("add_operator", "01", "715204")).is_good
    assert (await new.do("log_on", "01", "715204", "926403", "926403")).is_good
    assert (await new.do("log_on", "00", "000000")).reason == "terminal.wrong_password"


@pytest.mark.parametrize("state", ["ordered", "draining", "settled"])
async def test_the_old_device_goes_first(new: Bench, state: str) -> None:
    """Two devices would be at one till."""
    host_of(new).swap_state = state
    assert (await new.do("take_over")).reason == "swap.old_not_ready"
    assert host_of(new).claims == []


async def test_a_swap_that_is_off_gives_no_till(new: Bench) -> None:
    """The same, after the merchant thought again."""
    host_of(new).swap_state = "cancelled"
    assert (await new.do("take_over")).reason == "swap.cancelled"


def spoilt(data: bytes) -> bytes:
    return data[:30] + bytes([data[30] ^ 1]) + data[31:]


BAD_GIFTS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "another device's": (
        "swap.backup_foreign", lambda data: seal_backup(TMK, pack_backup(EMPTY), backup_context("OTHER-1", 7))
    ),
    "another swap's": (
        "swap.backup_foreign", lambda data: seal_backup(TMK, pack_backup(EMPTY), backup_context(SERIAL_NUMBER, 6))
    ),
    "under other keys": (
        "swap.backup_foreign", lambda data: seal_backup(bytes(16), pack_backup(EMPTY), backup_context(SERIAL_NUMBER, 7))
    ),
    "changed": ("swap.backup_foreign", spoilt),
    "cut off": ("swap.backup_foreign", lambda data: data[:-1]),
    "no backup": (
        "swap.backup_unreadable", lambda data: seal_backup(TMK, b"rubbish", backup_context(SERIAL_NUMBER, 7))
    ),
    "of another form": (
        "swap.backup_unreadable",
        lambda data: seal_backup(TMK, pack_backup(EMPTY | {"paused": []}), backup_context(SERIAL_NUMBER, 7)),
    ),
    "without end": ("terminal.bad_reply", lambda data: bytes(BACKUP_BYTES_MAX + 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_GIFTS)
async def test_a_backup_that_is_no_good_changes_nothing(new: Bench, name: str) -> None:
    """A forger would set up the operators and notices of a shop."""
    reason, spoil = BAD_GIFTS[name]
    host = host_of(new)
    good, host.gives = host.gives, spoil(host.gives)
    before = new.terminal.book
    assert (await new.do("take_over")).reason == reason
    after = new.terminal.book
    assert replace(after, stan=before.stan, signed_on=False, batch=before.batch) == before
    host.gives = good
    assert (await new.do("take_over")).is_good


BAD_CHUNKS: dict[str, tuple[str, dict[str, bytes]]] = {
    "out of order": ("terminal.bad_reply", {"OF": b"800"}),
    "empty": ("terminal.bad_reply", {"DA": b""}),
    "beyond the end": ("terminal.bad_reply", {"SZ": b"10"}),
    "of no number": ("terminal.bad_reply", {"SZ": b"ten"}),
    "of another digest": ("swap.digest", {"SH": b"0" * 64}),
}


@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_a_chunk_that_does_not_fit_ends_the_restore(new: Bench, name: str) -> None:
    """Bytes of two backups would be put together."""
    reason, changes = BAD_CHUNKS[name]

    def spoil(answer: Answer) -> None:
        if answer.kind == "swap_report" and host_of(new).reports[-1][0] == "fetch":
            tags = unpack_tags(answer.fields[F.PAYLOAD], field=F.PAYLOAD)  # type: ignore[arg-type]
            answer.fields[F.PAYLOAD] = pack_tags({**tags, **changes}.items())

    new.host.after.append(spoil)
    assert (await new.do("take_over")).reason == reason
    assert new.terminal.book.swap is None
    new.host.after.clear()
    assert (await new.do("take_over")).is_good


async def test_a_chunk_without_a_mac_is_not_believed(new: Bench) -> None:
    """Whoever stands between could give the shop other things."""
    new.host.after.append(lambda answer: without_mac(answer) if answer.kind == "swap_report" else None)
    assert (await new.do("take_over")).reason == "terminal.bad_reply"
    assert new.terminal.book.swap is None


async def test_a_report_that_was_lost_is_made_again(new: Bench) -> None:
    """The old device would never be wiped."""
    host = host_of(new)
    host.gives = seal_backup(TMK, pack_backup(EMPTY), backup_context(SERIAL_NUMBER, 7))
    new.host.after.append(lambda answer: swallow(answer) if host.swap_state == "restored" else None)
    assert (await new.do("take_over")).reason == "terminal.no_answer"
    new.host.after.clear()
    host.swap_state = "bound"
    assert (await new.sell()).is_good
    fetched = len([1 for name, _ in host.reports if name == "fetch"])
    assert (await new.do("take_over")).is_good
    assert len([1 for name, _ in host.reports if name == "fetch"]) == fetched


async def test_a_device_with_money_of_its_own_takes_nothing_over(new: Bench) -> None:
    """Its batch would become another's."""
    assert (await new.sell()).is_good
    assert (await new.do("take_over")).reason == "swap.not_empty"
    assert host_of(new).claims == []


async def test_a_table_that_does_not_fit_is_left_out(new: Bench) -> None:
    """One table that this model cannot take would cost the shop all its things."""
    table = {"name": "parameters", "at": 1, "version": "1", "items": {"12": "01", "22": "x"}}
    parts = pack_backup(EMPTY | {"downloads": [table], "operators": ["02"]})
    host_of(new).gives = seal_backup(TMK, parts, backup_context(SERIAL_NUMBER, 7))
    assert (await new.do("take_over")).is_good
    assert new.terminal.book.downloads == {}
    assert list(new.terminal.book.operators) == ["02"]
    assert any(event.what == "download refused" for event in new.terminal.book.events)


@pytest.mark.parametrize(
    ("error", "reason"), [(NvramFull("full"), "terminal.journal_full"), (NvramWorn("worn"), "terminal.memory_worn")]
)
async def test_a_memory_without_room_is_told(
    new: Bench, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new device would crash in front of the merchant."""
    append = new.terminal.session.journal.append

    def no_room(record: object) -> None:
        if type(record).__name__ == "Restored":
            raise error
        append(record)  # type: ignore[arg-type]

    monkeypatch.setattr(new.terminal.session.journal, "append", no_room)
    assert (await new.do("take_over")).reason == reason
    assert new.terminal.book.swap is None
    monkeypatch.undo()
    assert (await new.do("take_over")).is_good


async def test_refusals_on_the_way_are_told(new: Bench) -> None:
    """The merchant would not know whom to call."""

    def refuse_claim(answer: Answer) -> None:
        if answer.kind == "swap_query" and answer.request.has(F.PAYLOAD):
            answer.refuse("95", "swap.batch_open", "旧终端批次未结算")

    new.host.before.append(refuse_claim)
    assert (await new.do("take_over")).reason == "swap.batch_open"
    new.host.before.clear()
    new.host.before.append(once("sign_in", lambda answer: answer.refuse("97", "terminal.unknown")))
    assert (await new.do("take_over")).reason == "terminal.unknown"
    new.host.before.append(once("swap_report", lambda answer: answer.refuse("12", "swap.restored_already")))
    assert (await new.do("take_over")).reason == "swap.restored_already"


def test_every_state_of_a_swap_has_a_row() -> None:
    """A host that is further along would stop the device with a fault."""
    assert HAND_OVER.keys() == set(SwapState)
