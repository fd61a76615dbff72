"""``poslab crypto``: every sub-command as JSON and as text, and one clear error for every wrong input."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from pos_lab import cli
from pos_lab.commands import crypto, crypto_chip
from protocol.crypto.cipher import SM4
from protocol.crypto.keys import LAYOUTS, check_value, wrap_key
from protocol.crypto.mac import MAC_ALGORITHMS
from protocol.crypto.pinblock import PIN_FORMATS
from tests.vectors import shared_vector

PAN = "6200000100000004"
TMK, PIK, MAK, TDK = "11" * 16, "22" * 16, "33" * 8, "44" * 16
FIELD62 = (
    "950973182317F80B950973182317F80B00962B60F679786E2411E3DE0000000000000000ADC67D84"
    "A0C45C59F1E549BBA0C45C59F1E549BBE2F24340"
)
ITEMS = (
    "00DD600F71D757FBACDD600F71D757FBAC0CD7DC4903A8B88B016E66ACAF9D9AFB7C6E66ACAF9D9AFB7CADC67D8473BF2F06"
    "02AB7EE2B8674D4AB8AB7EE2B8674D4AB800962B60AA556E65"
)
TRACK = f"{PAN}D30122010000012300000"
CHIP = (
    "95050000008000"
    "9F101307010103A0A802010A010000000000328E7BDA9F37045FEA9AF8"
    "9F360201969A031607269C01009F02060000000000015F2A02015682027C009F1A0201569F0306000000000000"
)
ISSUER = "0123456789ABCDEFFEDCBA9876543210"
SUBCOMMANDS = ["mac", "kcv", "unwrap", "pinblock", "track", "feature-code", "tlv", "arqc", "capk", "tmk"]


def poslab(line: str, given: str | bytes = "") -> tuple[int, str, str]:
    result = CliRunner().invoke(cli.app, ["crypto", *shlex.split(line)], input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def document(line: str, status: int = 0, given: str | bytes = "") -> Any:
    got, out, err = poslab(f"{line} --json", given)
    assert (got, err) == (status, "")
    return json.loads(out)


def key_of(key: str, check: str, *, ok: bool = True) -> dict[str, object]:
    return {"key": key, "kcv": check, "ok": ok}


ANSWERS = [
    (f"mac --key {MAK} --data 0000", {"mac": "38D02D9C", "field64": "3338443032443943"}),
    (f"mac --algorithm cup-ecb --key {MAK} --data '00 00'", {"mac": "38D02D9C", "field64": "3338443032443943"}),
    (f"kcv --key {PIK}", {"kcv": "00962B60", "key": PIK}),
    (f"kcv --key {PIK} --bytes 8", {"kcv": "00962B60AA556E65", "key": PIK}),
    (f"kcv --key {MAK} --cipher des", {"kcv": "ADC67D84", "key": MAK}),
    (f"kcv --key F679786E2411E3DE --under {TMK} --cipher des", {"kcv": "ADC67D84", "key": MAK}),
    (f"kcv --key 950973182317F80B950973182317F80B --under {TMK}", {"kcv": "00962B60", "key": PIK}),
    (
        f"unwrap --tmk {TMK} --field62 {FIELD62[:80]}",
        {"keys": {"pik": key_of(PIK, "00962B60"), "mak": key_of(MAK, "ADC67D84"), "tdk": None}},
    ),
    (
        f"unwrap --tmk {TMK} --field62 {FIELD62} --layout double-track --cipher 3des",
        {"keys": {"pik": key_of(PIK, "00962B60"), "mak": key_of(MAK, "ADC67D84"), "tdk": key_of(TDK, "E2F24340")}},
    ),
    (
        f"unwrap --tmk {TMK} --field62 {ITEMS}",
        {
            "keys": {
                "pik": key_of(PIK, "00962B60AA556E65"),
                "mak": key_of("33" * 16, "ADC67D8473BF2F06"),
                "tdk": None,
                "tmk": key_of("55" * 16, "0CD7DC4903A8B88B"),
            }
        },
    ),
    (f"pinblock --format x98 --pin 123456 --pan {PAN}", {"clear": "06123456EFFFFFFF", "block": None}),
    (f"pinblock --pin 123456 --pan {PAN} --key {PIK}", {"clear": "06123456EFFFFFFF", "block": "C25FFE1ABE3F95E4"}),
    ("pinblock --format x98-nopan --pin 123456", {"clear": "06123456FFFFFFFF", "block": None}),
    (
        "track --track2 1234567890123456789D0508201781999168302",
        {"window": "0820178199916830", "encrypted": None, "track": None},
    ),
    (
        f"track --track2 1234567890123456789=0508201781999168302 --tdk {TMK}",
        {
            "window": "0820178199916830",
            "encrypted": "A94A80C3ED22BBB1",
            "track": "1234567890123456789D05A94A80C3ED22BBB12",
        },
    ),
    (
        f"track --track3 1234567890123456789D05A94A80C3ED22BBB12 --tdk {TMK} --decrypt",
        {"window": "0820178199916830", "track": "1234567890123456789D0508201781999168302"},
    ),
    ("feature-code --date 0508 --rrn 123456789012", {"feature_code": "53708226"}),
    ("feature-code --rrn 000000000000", {"feature_code": "00000000"}),
    (
        "tlv 9F3602020682015A",
        {
            "nodes": [
                {"tag": "9F36", "name": "application transaction counter", "length": 2, "depth": 0, "value": "0206"},
                {"tag": "82", "name": "application interchange profile", "length": 1, "depth": 0, "value": "5A"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("line", "answer"), ANSWERS)
def test_answers(line: str, answer: Any) -> None:
    """An engineer would look for the fault in the terminal while the tool was wrong."""
    if line.startswith("pinblock --pin"):
        made = document(line)
        assert (made["clear"], len(made["block"])) == (answer["clear"], 16)
        assert document(f"pinblock --block {made['block']} --pan {PAN} --key {PIK}") == {"pin": "123456"}
        return
    assert document(line + (" --lang en" if line.startswith("tlv") else "")) == answer


@pytest.mark.parametrize(
    ("name", "vector"), [("cup-ecb", "mac-zhu-des"), ("cup-ecb", "mac-zfr-3des"), ("cup-sm4", "mac-sm4-blog")]
)
def test_shared_macs(name: str, vector: str) -> None:
    """The tool would contradict a real host."""
    found = shared_vector(vector)
    made = document(f"mac --algorithm {name} --key {found['inputs']['mak']} --data -", given=found["hex"])
    assert made["mac"] == found["computed"]["mac"]
    assert bytes.fromhex(made["field64"]).decode() == made["mac"]


@pytest.mark.parametrize("name", MAC_ALGORITHMS)
def test_every_algorithm(name: str) -> None:
    """An acquirer's way to make MACs would be known to the program and not to its user."""
    made = document(f"mac --algorithm {name} --key {MAK if name == 'x9.9' else PIK} --data 0102")
    assert len(made["field64"]) == 16
    assert len(made["mac"]) == (8 if name.startswith("cup") else 16)


@pytest.mark.parametrize("name", PIN_FORMATS)
def test_every_pin_format_there_and_back(name: str) -> None:
    """A PIN could not be followed from the terminal to the issuer."""
    made = document(f"pinblock --format {name} --pin 9876 --pan {PAN} --key {PIK}")
    assert document(f"pinblock --format {name} --block {made['block']} --pan {PAN} --key {PIK}") == {"pin": "9876"}
    assert len(made["clear"]) == len(made["block"])


def test_sm4() -> None:
    """An engineer could not check the keys of a terminal with SM4."""
    found = shared_vector("key-sm4-wk")
    made = document(f"kcv --cipher sm4 --key {found['hex']} --under {found['inputs']['tmk']}")
    assert made["key"] == found["expected"]
    assert document(f"unwrap --cipher sm4 --tmk {TMK} --field62 {FIELD62}", 1)["keys"]["pik"]["ok"] is False
    sealed = document(f"track --track2 {TRACK} --tdk {TDK} --cipher sm4")
    assert (len(sealed["window"]), len(sealed["encrypted"])) == (32, 32)
    assert document(f"track --track2 {sealed['track']} --tdk {TDK} --cipher sm4 --decrypt")["track"] == TRACK


def test_a_wrong_check_value_is_a_verdict() -> None:
    """A build script would go on with keys that are not the terminal's."""
    keys = document(f"unwrap --tmk {TDK} --field62 {FIELD62}", 1)["keys"]
    assert [keys[name]["ok"] for name in ("pik", "mak", "tdk")] == [False] * 3
    status, out, _ = poslab(f"unwrap --tmk {TDK} --field62 {FIELD62}")
    assert (status, "WRONG" in out) == (1, True)


def test_a_wrong_cipher_is_told() -> None:
    """An engineer would look for another master key where only the cipher is another."""
    wrapped = "".join(
        wrap_key(bytes.fromhex(TMK), key, SM4).hex() + check_value(key, SM4).hex() for key in (b"P" * 16, b"M" * 16)
    )
    line = f"unwrap --tmk {TMK} --field62 {wrapped}"
    assert document(f"{line} --cipher sm4")["keys"]["pik"]["ok"] is True
    assert document(line, 1)["hint"] == "all check values are right with --cipher sm4"
    assert document(f"{line} --cipher sm4 --layout pik16,mak16")["keys"]["mak"]["ok"] is True
    for other in (f"unwrap --tmk {TMK} --field62 {FIELD62[:48]}", f"unwrap --tmk {TDK} --field62 {wrapped}"):
        assert "another master key" in document(other, 1)["hint"]
    assert "--cipher 3des" in document(f"unwrap --tmk {TMK} --cipher sm4 --field62 {FIELD62}", 1)["hint"]


def test_a_layout_of_104_bytes_is_spelt() -> None:
    """The sign-on reply of an acquirer with its own layout could not be opened at all."""
    new, pik, mak, tdk = bytes(range(16)), b"P" * 24, b"M" * 24, b"T" * 24
    wrapped = (wrap_key(bytes.fromhex(TMK), new) + check_value(new)).hex()
    wrapped += "".join((wrap_key(new, key) + check_value(key)).hex() for key in (pik, mak, tdk))
    assert len(wrapped) == 208
    keys = document(f"unwrap --tmk {TMK} --layout tmk16,pik24,mak24,tdk24 --field62 {wrapped}")["keys"]
    assert {name: bytes.fromhex(each["key"]) for name, each in keys.items()} == {
        "tmk": new,
        "pik": pik,
        "mak": mak,
        "tdk": tdk,
    }


def test_a_block_of_another_length_is_told() -> None:
    """A clerk would look for another PIN key where a byte too much was copied."""
    for form, size in (("x98", 8), ("sm4", 16), ("iso4", 16)):
        line = f"pinblock --format {form} --block {'00' * 11} --pan {PAN} --key {PIK}"
        assert f"a PIN block of 11 bytes, this form has {size}" in document(line, 2)["error"]["message"]


def test_cryptograms() -> None:
    """An engineer could not tell a forged chip sale from a wrong issuer key."""
    made = document(f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0196 --data 0102 --response 3030")
    assert list(made) == ["card_key", "session_key", "arqc", "arpc"]
    other = document(f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0196 --data 0102 --padding 80 --status 00000000")
    assert other["arqc"] != made["arqc"]
    assert (len(made["arpc"]), len(other["arpc"])) == (16, 8)
    call = f"arqc --issuer-key {ISSUER} --pan {PAN} --sequence 01 --field55"
    wrong = document(f"{call} {CHIP}9F26080000000000000000", 1)
    assert wrong["ok"] is False
    assert document(f"{call} {CHIP}9F2608{wrong['arqc']}")["ok"] is True


def test_ca_public_keys() -> None:
    """A damaged CA public key would be looked for in the terminal."""
    found = shared_vector("key-capk-sha1")
    rid, index, modulus = found["inputs"]["rid"], found["inputs"]["index"], found["hex"]
    value = document(f"capk --rid {rid} --index {index} --modulus {modulus}")["check_value"]
    assert value == found["expected"]
    download = f"31 9F0605{rid} 9F2201{index} DF028190{modulus} DF040103 DF0314{value}"
    assert document(f"capk --field62 '{download}'") == {"ok": True}
    assert document(f"capk --field62 '{download[:-2]}00'", 1) == {"ok": False}


def test_master_key_download(tmp_path: Path) -> None:
    """An engineer could not play the other side of a download that fails."""
    pem = tmp_path / "key.pem"
    private = rsa.generate_private_key(65537, 1024)
    pem.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = document(f"tmk --private {pem}")["field62"]
    sent = document(f"tmk --field62 {public} --key {PIK}")["field62"]
    assert document(f"tmk --private {pem} --field62 {sent}") == {"key": PIK, "kcv": "00962B60"}
    for line in (f"tmk --private {pem} --field62 {public}", f"tmk --private {tmp_path}", f"tmk --private {pem}.gone"):
        assert poslab(line)[0] == 2
    pem.write_text("no key")
    assert document(f"tmk --private {pem}", 2)["error"]["code"] == "rsa_key"


def test_chip_data_is_masked() -> None:
    """A screenshot in a ticket would give a card away."""
    for options in ("", "--json", "--lang zh"):
        status, out, _ = poslab(f"tlv 700A5A08{PAN}570A{PAN}D301 {options}")
        assert status == 0
        assert "620000******0004" in out
        assert PAN not in out
    assert PAN in poslab(f"tlv 5A08{PAN} --unmask")[1]
    assert "交易日期" in poslab("tlv 9A03260101 --lang zh")[1]
    assert document("tlv FF000453484F50 --flat --unmask --lang en")["nodes"][0]["value"] == "53484F50"
    assert document("tlv 9A032601010000 --padding trailing --lang en")["nodes"][0]["value"] == "260101"


WRONG = [
    ("mac --key 33 --data 00", "key_length"),
    (f"mac --key {MAK} --data 0", "call"),
    (f"mac --key {MAK} --data 0x00", "call"),
    (f"mac --key {MAK} --data ''", "call"),
    ("mac --key '' --data 00", "call"),
    ("mac --key １２ --data 00", "call"),
    (f"mac --algorithm md5 --key {MAK} --data 00", "call"),
    (f"mac --algorithm x9.19 --key {MAK} --data 00", "key_length"),
    (f"kcv --key {PIK} --cipher des", "key_length"),
    (f"kcv --key {PIK} --cipher aes", "call"),
    (f"kcv --key {MAK} --cipher sm4", "key_length"),
    (f"kcv --key {MAK}00 --under {TMK}", "encode"),
    (f"kcv --key {PIK} --under 11", "key_length"),
    (f"kcv --key {PIK} --under zz", "call"),
    (f"unwrap --tmk {TMK} --field62 00", "key_length"),
    (f"unwrap --tmk 11 --field62 {FIELD62}", "key_length"),
    (f"unwrap --tmk {MAK} --cipher sm4 --field62 {FIELD62}", "key_length"),
    (f"unwrap --tmk {TMK} --field62 {FIELD62} --layout single", "key_length"),
    (f"unwrap --tmk {TMK} --field62 {FIELD62} --layout x", "key_layout"),
    (f"unwrap --tmk {TMK} --field62 {FIELD62} --layout pik16,mak16", "key_length"),
    (f"unwrap --tmk {TMK} --field62 {FIELD62} --layout pik16,pik16,tdk16", "key_layout"),
    (f"unwrap --tmk {TMK} --field62 {'00' * 104}", "key_length"),
    (f"unwrap --tmk {TMK} --field62 {FIELD62} --cipher des", "call"),
    (f"unwrap --tmk {TMK} --field62 09{ITEMS[2:]}", "key_layout"),
    ("pinblock --pin 1234", "call"),
    (f"pinblock --pan {PAN}", "call"),
    (f"pinblock --pin 1234 --block {MAK} --pan {PAN} --key {PIK}", "call"),
    (f"pinblock --block {MAK} --pan {PAN}", "call"),
    (f"pinblock --pin 123 --pan {PAN}", "encode"),
    (f"pinblock --pin １２３４ --pan {PAN}", "encode"),
    ("pinblock --pin 1234 --pan 62000001", "encode"),
    (f"pinblock --pin 1234 --pan {PAN} --key 00", "key_length"),
    (f"pinblock --format iso4 --pin 1234 --pan {PAN} --key {MAK}", "key_length"),
    (f"pinblock --format iso9 --pin 1234 --pan {PAN}", "call"),
    (f"pinblock --block {MAK} --pan {PAN} --key {PIK}", "pin_block"),
    (f"pinblock --block 00 --pan {PAN} --key {PIK}", "pin_block"),
    ("track --tdk 00", "call"),
    (f"track --track2 {TRACK} --track3 {TRACK}", "call"),
    (f"track --track2 {TRACK} --decrypt", "call"),
    (f"track --track2 {TRACK} --tdk 00", "key_length"),
    (f"track --track2 {TRACK} --tdk {TDK} --cipher aes", "call"),
    (f"track --track2 {TRACK} --tdk {TDK} --decrypt", "track"),
    ("track --track2 ABC", "call"),
    ("track --track2 D", "call"),
    ("track --track3 =", "call"),
    ("track --track2 62000001000000043012", "call"),
    ("track --track2 6200000100000004D3012=2010000012300000", "call"),
    (f"track --track2 6200000100000004D3012D2010000012300000 --tdk {TDK}", "call"),
    (f"track --track2 {'1' * 41}", "call"),
    (f"track --track3 {'1' * 108}", "call"),
    ("feature-code --rrn 12345", "encode"),
    ("feature-code --date 5 --rrn 123456789012", "encode"),
    ("feature-code --date 9999 --rrn 123456789012", "encode"),
    ("tlv 9F", "tlv_end"),
    ("tlv 9580", "tlv_length"),
    ("tlv 9500 --padding some", "call"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN}", "call"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0001", "call"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --field55 {CHIP} --atc 0001", "call"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --field55 {CHIP}", "tlv_missing"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 01 --data 00", "encode"),
    (f"arqc --issuer-key 00 --pan {PAN} --atc 0001 --data 00", "key_length"),
    (f"arqc --issuer-key {ISSUER} --pan 1 --atc 0001 --data 00", "encode"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0001 --data 00 --response 3030 --status 00000000", "call"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0001 --data 00 --response 30", "encode"),
    (f"arqc --issuer-key {ISSUER} --pan {PAN} --atc 0001 --data 00 --padding 00", "call"),
    ("capk", "call"),
    ("capk --rid A000000333 --index 01", "call"),
    ("capk --field62 9F0600 --index 01", "call"),
    ("capk --field62 9F0600", "tlv_missing"),
    ("capk --rid A0 --index 01 --modulus 00", "encode"),
    ("capk --rid A000000333 --index 0100 --modulus 00", "encode"),
    ("tmk", "call"),
    (f"tmk --key {TMK}", "call"),
    (f"tmk --key {TMK} --field62 9F0600", "tlv_missing"),
]


@pytest.mark.parametrize(("line", "code"), WRONG)
def test_one_clear_error(line: str, code: str) -> None:
    """A typing mistake would show a traceback, or a key in a log."""
    error = document(line, 2)["error"]
    assert error["code"] == code
    assert error["message"]
    status, out, err = poslab(line)
    assert (status, out) == (2, "")
    assert err.startswith("poslab: ")
    assert not any(secret in err for secret in (PAN, TMK, PIK, MAK, TDK, TRACK, ISSUER))


def test_what_is_read_may_be_no_text() -> None:
    """A binary file given by mistake would show a traceback."""
    assert document(f"mac --key {MAK} --data -", 2, given=b"\xff\xfe")["error"]["code"] == "call"


@pytest.mark.parametrize("line", ["mac", "mac --key 00", "kcv --key 00 --bytes 9", "nothing", "tlv", "mac --what"])
def test_a_wrong_call_is_status_2(line: str) -> None:
    """A build script would take a typing mistake for an answer."""
    status, out, err = poslab(line)
    assert (status, out) == (2, "")
    assert "Usage" in err


@pytest.mark.parametrize("name", SUBCOMMANDS)
def test_help_shows_a_true_example(name: str) -> None:
    """The first thing that a newcomer copies would not work."""
    status, out, _ = poslab(f"{name} --help")
    assert status == 0
    assert "Example" in out
    commands = {command.callback.__name__: command.callback for command in crypto.app.registered_commands}
    doc = commands.get(name.replace("-", "_")) or commands["_feature_code"]
    if name == "tmk":
        return
    example = re.search(r"poslab crypto (.*)", (doc.__doc__ or "").replace("\\\n", " ")).group(1)  # type: ignore[union-attr]
    assert poslab(example)[0] == 0
    assert poslab(example + " --json")[0] == 0


def test_the_list_of_sub_commands() -> None:
    """A newcomer would not find out what there is."""
    status, out, _ = poslab("--help")
    assert status == 0
    assert all(name in out for name in SUBCOMMANDS)
    help_of = poslab("unwrap --help")[1]
    assert all(name in help_of for name in LAYOUTS)
    assert crypto_chip.tlv in [command.callback for command in crypto.app.registered_commands]
