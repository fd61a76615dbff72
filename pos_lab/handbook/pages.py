"""TABLE PAGES: the reference, page by page; every one is made from tables and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pos_lab.handbook import acquirer, api, device, downloads, features, firmware, keys, lab, simulation, soak, wire
from pos_lab.handbook.markdown import Markdown, sections, table
from pos_lab.handbook.page import Page, Source

PAGES: Final[Mapping[str, Page]] = MappingProxyType(
    {
        "fields": Page(
            "Fields",
            "Every field of the wire with its length, coding and mask",
            (Source("protocol/fields.py", ("FIELDS",)),),
            wire.fields,
        ),
        "kinds": Page(
            "Kinds of message",
            "Every kind of message with its codes and the fields that it must and may carry",
            (Source("protocol/kinds/__init__.py", ("KINDS",)),),
            wire.kinds,
        ),
        "dialects": Page(
            "Dialects",
            "How other dialects differ from that of UnionPay",
            (Source("protocol/dialects/__init__.py", ("DIALECTS",)),),
            wire.dialects,
        ),
        "responses": Page(
            "Response codes",
            "Every code of field 39, what it says and what the terminal does on it",
            (Source("protocol/responses.py", ("RESPONSES",)),),
            wire.responses,
        ),
        "requirements": Page(
            "Processing requirements",
            "What the header of a reply may ask the terminal to do next",
            (Source("protocol/header.py", ("REQUIREMENTS",)),),
            wire.requirements,
        ),
        "downloads": Page(
            "Downloads",
            "What a terminal fetches from its host, by which messages, and what its values do",
            (
                Source("protocol/downloads.py", ("DOWNLOADS",)),
                Source("terminal/downloads.py", ("EFFECTS",)),
                Source("host/downloads.py", ("CONTENTS",)),
            ),
            downloads.downloads,
        ),
        "endpoints": Page(
            "Endpoints",
            "How the two ends of a line are written as URLs, with every option and framing, and what a line may suffer",
            (
                Source("protocol/transport/endpoint.py", ("FORMS", "OPTIONS")),
                Source("protocol/framing/__init__.py", ("FRAMINGS",)),
                Source("protocol/transport/tls_fault.py", ("FAULTS",)),
                Source("terminal/line_faults.py", ("LINE_FAULTS",)),
                Source("firmware_sim/network.py", ("NETWORKS",)),
            ),
            wire.endpoints,
        ),
        "gates": Page(
            "Gates",
            "Who is refused by the host, in order of precedence: the first hit wins",
            (Source("host/gates.py", ("GATES",)),),
            acquirer.gates,
        ),
        "refusals": Page(
            "Refusals",
            "Every reason for which the host or the terminal says no, with texts and remedy",
            (Source("host/refusals.py", ("REFUSALS",)), Source("terminal/outcome.py", ("LOCAL",))),
            acquirer.refusals,
        ),
        "lifecycle": Page(
            "Lifecycle",
            "The administrative life of a terminal, what each state may send, and why it may be held",
            (Source("host/lifecycle.py", ("TRANSITIONS", "PERMITS")), Source("host/holds.py", ("HOLDS",))),
            acquirer.lifecycle,
        ),
        "retirement": Page(
            "Retirement and notices",
            "How campaigns take terminals out of service, and what merchants are told",
            (
                Source("host/campaign.py", ("CAMPAIGN_TRANSITIONS", "ITEM_TRANSITIONS", "STEP_DAYS")),
                Source("host/notices.py", ("CHANNELS", "TEMPLATES", "REASONS", "FINDINGS")),
                Source("host/violations.py", ("RULES_OF_USE",)),
            ),
            acquirer.retirement,
        ),
        "transactions": Page(
            "Transactions",
            "The life of a transaction in the terminal's book and in the host's",
            (
                Source("terminal/transaction.py", ("TRANSITIONS", "JUDGEMENTS", "SILENCE", "UNRESOLVED")),
                Source("host/transactions.py", ("TRANSITIONS", "SIGNS")),
            ),
            acquirer.transactions,
        ),
        "money": Page(
            "Postings and fees",
            "How money moves between the acquirer's accounts, and what a merchant pays for it",
            (Source("host/postings.py", ("POSTINGS",)), Source("host/fees.py", ("FEES",))),
            acquirer.money,
        ),
        "policy": Page(
            "Policy",
            "Every rule and figure of the host that a tester may choose",
            (
                Source("host/policy.py", ("Policy",)),
                Source("host/activation.py", ("READINGS",)),
                Source("host/rollout.py", ("STAGES",)),
            ),
            acquirer.policy,
        ),
        "acts": Page(
            "Administrative acts",
            "Everything that an administrator can do, and what a registration form must look like",
            (
                Source("host/admin/acts.py", ("ACTS",)),
                Source("host/registration.py", ("FIELD_RULES", "PAPERS", "MERCHANT_TYPES")),
            ),
            acquirer.acts,
        ),
        "api": Page(
            "API",
            "Every route of the REST API with its roles and arguments, the lists, and how it says no",
            (
                Source("host/admin/rights.py", ("RIGHTS", "LIST_ROLES")),
                Source("host/admin/lists.py", ("LISTS",)),
                Source("host/admin/wording.py", ("ARGUMENTS", "PROBLEMS")),
                Source("host/admin/second_person.py", ("ACTS_OF_TWO",)),
            ),
            api.api,
        ),
        "guard": Page(
            "Guard",
            "When wrong MACs bar a line, and which line speaks for a terminal",
            (Source("host/guard.py", ("BARS",)),),
            api.guard,
        ),
        "flows": Page(
            "Flows",
            "Everything that a terminal can be asked to do, by hand or with `poslab terminal --do`",
            (Source("terminal/flows/__init__.py", ("FLOWS",)),),
            device.flows,
        ),
        "console": Page(
            "Console of a terminal",
            "What a program may ask of `poslab terminal --console`, what it is told, what people may type",
            (
                Source("pos_lab/console/requests.py", ("CONSOLE_COMMANDS",)),
                Source("pos_lab/console/desk.py", ("EVENTS",)),
                Source("pos_lab/console/shell.py", ("HELP",)),
            ),
            lab.console,
        ),
        "settings": Page(
            "Settings of a terminal",
            "What a terminal is set up with",
            (Source("terminal/settings.py", ("Settings",)),),
            device.settings,
        ),
        "models": Page(
            "Device models",
            "The catalogue of devices",
            (Source("firmware_sim/models.py", ("MODELS",)),),
            firmware.models,
        ),
        "firmware": Page(
            "Firmware",
            "How versions of firmware differ, which one boots, what an image must state and what a device tells",
            (
                Source("firmware_sim/profiles.py", ("PROFILES",)),
                Source("firmware_sim/boot.py", ("BOOT",)),
                Source("firmware_sim/admission.py", ("STAGE_RULES",)),
                Source("protocol/diagnosis.py", ("SECTIONS",)),
            ),
            firmware.firmware,
        ),
        "cards": Page(
            "Test cards",
            "Every card of the laboratory, and the simulated issuers and wallets behind the host",
            (
                Source("firmware_sim/cards.py", ("TEST_CARDS",)),
                Source("host/issuer.py", ("ISSUERS", "WALLETS", "MAGIC_AMOUNTS")),
            ),
            device.cards,
        ),
        "faults": Page(
            "Fault points",
            "What can be made to fail on a terminal's line and in its parts, one by one or by where it stands",
            (
                Source("firmware_sim/faults.py", ("FAULT_POINTS",)),
                Source("firmware_sim/environment.py", ("ENVIRONMENT",)),
                Source("pos_lab/scenario/steps/terminal_steps.py", ("FAULTS",)),
            ),
            device.faults,
        ),
        "self_tests": Page(
            "Self test",
            "What a device can find out about its own parts",
            (Source("firmware_sim/self_test.py", ("SELF_TESTS",)), Source("protocol/codes.py", ("PARTS",))),
            device.self_tests,
        ),
        "keys": Page(
            "Keys",
            "What each key may do, which sets a sign-on brings, what goes wrong with keys, what is left after tamper",
            (
                Source("firmware_sim/key_slots.py", ("KEY_SLOTS",)),
                Source("firmware_sim/key_memory.py", ("FAIL_COUNTERS",)),
                Source("protocol/crypto/keys.py", ("KEY_LAYOUTS", "KEY_CIPHERS")),
                Source("terminal/tamper.py", ("ALARMS", "AFTER_TAMPER", "MODULE_REFUSALS")),
            ),
            keys.keys,
        ),
        "words": Page(
            "Words of the scenario language",
            "Every word that a step of a scenario may be, with its arguments and what can be expected of it",
            (
                Source("pos_lab/scenario/steps/__init__.py", ("STEPS",)),
                Source("pos_lab/scenario/model.py", ("Document",)),
            ),
            lab.words,
        ),
        "simulation": Page(
            "Simulation",
            "What must hold in every world, what can happen there, and which seeds have it",
            (
                Source("pos_lab/sim/checker/invariants.py", ("INVARIANTS",)),
                Source("pos_lab/sim/faults.py", ("KINDS",)),
                Source("pos_lab/sim/profiles.py", ("PROFILES", "WEIGHTS")),
            ),
            simulation.simulation,
        ),
        "soak": Page(
            "Soak",
            "Which process is killed and when, what befalls stores and lines, what cannot be asked",
            (
                Source("pos_lab/soak/kills.py", ("KILLS",)),
                Source("pos_lab/soak/line.py", ("INSTANTS",)),
                Source("pos_lab/soak/troubles.py", ("TROUBLES",)),
                Source("pos_lab/soak/noise.py", ("NOISES",)),
                Source("pos_lab/soak/witness.py", ("UNASKED",)),
            ),
            soak.soak,
        ),
        "command_line": Page(
            "Command line",
            "The help of every command",
            (Source("pos_lab/cli.py", ("COMMANDS",)), Source("pos_lab/commands/admin.py", ("app",))),
            lab.command_line,
        ),
        "../features": Page(
            "Features",
            "What the product does, with the tests and scenarios that show it",
            (Source("pos_lab/features.py", ("FEATURES",)),),
            features.features,
            root="../",
        ),
    }
)
"""Name of the file in docs/reference, without .md, to its page."""


def reference() -> dict[str, str]:
    """Every file of the reference by name, its index first."""
    return {"README.md": _index(), **{f"{name}.md": page.render() for name, page in PAGES.items()}}


def _index() -> str:
    rows = (
        (
            Markdown(f"[{page.title}]({name}.md)"),
            Markdown(page.about),
            Markdown("; ".join(source.told("../../") for source in page.sources)),
        )
        for name, page in PAGES.items()
    )
    return sections(
        "# Reference",
        "Every table of the product on a page, from `PAGES` in "
        "[pos_lab/handbook/pages.py](../../pos_lab/handbook/pages.py); generated: do not edit.",
        "After a table has changed, write the pages again with `python -m pos_lab.handbook`.",
        table(("page", "what it shows", "from"), rows),
    )
