"""Reads a scenario file against a table of steps and finds all its mistakes in one pass.

Rules owned here: what a step is (one verb, perhaps ``say`` and ``expect``) and how the parts of a file refer to each
other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from host.written import mistake, shown
from pos_lab.scenario.errors import ScenarioError, ScenarioErrors, did_you_mean
from pos_lab.scenario.faults import Fault, WrittenFault
from pos_lab.scenario.model import Document, Scenario, ScenarioModel, Step, StepSpec, Text
from pos_lab.scenario.source import STANDARD_INPUT, Entries, Items, Node, Place, Scalar, compose, read_text
from pos_lab.scenario.wording import in_plain_english

Model = TypeVar("Model", bound=BaseModel)

ERRORS_MAX = 100
"""Mistakes after which the rest of the steps is not looked at."""

_BESIDE_THE_VERB = ("say", "expect", "faults")


def load_scenario(path: str, steps: Mapping[str, StepSpec], policy: type[BaseModel]) -> Scenario:
    """The scenario in a file (``-``: standard input), its steps read with the table ``steps``.

    Raises ScenarioErrors with all mistakes, sorted by position. A file without a policy gets ``policy``'s own defaults.
    """
    file = "<stdin>" if path == STANDARD_INPUT else path
    root, errors = compose(read_text(path), file)
    if not isinstance(root, Entries):
        raise ScenarioErrors([*errors, _error(file, root.place, "a scenario is a mapping", "start with 'scenario: …'")])
    loading = _Loading(file, steps, policy, _names_of_cast(root))
    if "policy" not in root:
        root["policy"] = Entries(Place(root.place.line, root.place.column, "policy"))
    document = loading.read(Document, root)
    loading.same_serial_number_twice(root.get("terminals"))
    if document is not None:
        loading.names_before_use(document.steps, set())
    if document is None or errors or loading.errors:
        # What YAML already refused is not judged again as a value.
        refused = {(error.line, error.column) for error in errors}
        raise ScenarioErrors([*errors, *(e for e in loading.errors if (e.line, e.column) not in refused)])
    told = document.title, document.policy, document.terminals, document.steps, file, document.features
    return Scenario(document.scenario, *told, document.faults)


@dataclass
class _Loading:
    """One file that is being read: pydantic's validation context, and the mistakes found so far."""

    file: str
    specs: Mapping[str, StepSpec]
    policy_model: type[BaseModel]
    terminals: Collection[str]
    errors: list[ScenarioError] = field(default_factory=list)

    def note(self, place: Place, message: str, hint: str = "") -> None:
        self.errors.append(_error(self.file, place, message, hint))

    def read(self, model: type[Model], node: Node) -> Model | None:
        """The node as ``model``; None, with the mistakes noted, where it is not one."""
        try:
            return model.model_validate(node, context=self)
        except ValidationError as error:
            self.errors += in_plain_english(error, model, node, self.file)
            return None

    def policy(self, value: object) -> BaseModel:
        assert isinstance(value, Scalar | Items | Entries), "only trees are read with a context"
        return self.read(self.policy_model, value) or ScenarioModel()

    def faults(self, value: object) -> tuple[Fault, ...]:
        if not isinstance(value, Items):
            raise mistake("must be a list of faults", "such as [{kind: net.lost, at: 1}]")
        found = [(node.place.line, self.read(WrittenFault, node)) for node in value]
        return tuple(Fault(**read.model_dump(), line=line) for line, read in found if read is not None)

    def steps(self, value: object) -> tuple[Step, ...]:
        if not isinstance(value, Items):
            raise mistake("must be a list of steps", "start each step with '- '")
        if not value:
            raise mistake("has no steps")
        found: list[Step] = []
        for node in value:
            if len(self.errors) >= ERRORS_MAX:
                self.note(node.place, f"{ERRORS_MAX} mistakes or more; the steps from here on were not looked at")
                break
            step = self._step(node)
            if step is not None:
                found.append(step)
        return tuple(found)

    def _step(self, node: Node) -> Step | None:
        if not isinstance(node, Entries):
            self.note(node.place, "a step is a mapping with one verb", "such as '- sale: {terminal: old}'")
            return None
        verbs = [key for key in node if key in self.specs]
        strangers = [key for key in node if key not in self.specs and key not in _BESIDE_THE_VERB]
        for key in strangers:
            what = "key" if verbs else "verb"
            known = _BESIDE_THE_VERB if verbs else [*self.specs, *_BESIDE_THE_VERB]
            self.note(node.key_places[key], f"unknown {what} {shown(key)}", did_you_mean(key, known))
        if not verbs and not strangers:
            self.note(node.place, "the step has no verb", did_you_mean("", self.specs))
        for key in verbs[1:]:
            self.note(node.key_places[key], f"a second verb, {shown(key)}, in one step", "write two steps")
        say = self.read(Text, node["say"]) if "say" in node else None
        if not verbs:
            return None
        spec = self.specs[verbs[0]]
        arguments = self.read(spec.arguments, _nothing_as_mapping(node[spec.name]))
        expect = self._expectation(spec, node)
        faults = self._faults(node)
        if arguments is None:
            return None
        place = node.place
        where = {"line": place.line, "column": place.column}
        return Step(verb=spec.name, arguments=arguments, expect=expect, say=say, faults=faults, **where)

    def _faults(self, node: Entries) -> tuple[Fault, ...]:
        if "faults" not in node:
            return ()
        try:
            return self.faults(node["faults"])
        except PydanticCustomError as error:
            context = error.context or {}
            self.note(node["faults"].place, f"faults: {error.message()}", str(context.get("hint", "")))
            return ()

    def _expectation(self, spec: StepSpec, node: Entries) -> BaseModel | None:
        if "expect" not in node:
            return None
        if spec.expectation is None:
            self.note(node.key_places["expect"], f"nothing can be expected of {shown(spec.name)}", "remove 'expect'")
            return None
        return self.read(spec.expectation, node["expect"])

    def same_serial_number_twice(self, cast: Node | None) -> None:
        """Notes a device that appears under two names: each serial number is one machine."""
        owners: dict[str, str] = {}
        for name, member in cast.items() if isinstance(cast, Entries) else ():
            number = member.get("serial_number") if isinstance(member, Entries) else None
            if isinstance(number, Scalar) and owners.setdefault(str(number), name) != name:
                self.note(number.place, f"serial_number: {shown(number)} already belongs to '{owners[str(number)]}'")

    def names_before_use(self, steps: Iterable[Step], named: set[str]) -> None:
        """Notes a step that refers to a sale that no step before it named with ``as``."""
        for step in steps:
            wanted = getattr(step.arguments, "of", None)
            if wanted is not None and wanted not in named:
                place = Place(step.line, step.column, "of")
                self.note(place, f"of: no sale before this has the name {shown(wanted)}", did_you_mean(wanted, named))
            if name := getattr(step.arguments, "name", None):
                named.add(str(name))
            inside = getattr(step.arguments, "before_reply", ())
            for inner in inside:
                if inner.faults:
                    place = Place(inner.line, inner.column, "faults")
                    self.note(place, "a step inside a step has no faults", "write them beside the outer step")
            self.names_before_use(inside, named)


def _error(file: str, place: Place, message: str, hint: str) -> ScenarioError:
    return ScenarioError(file, place.line, place.column, place.path, message, hint)


def _names_of_cast(root: Entries) -> Collection[str]:
    """The names under ``terminals``, also of members with mistakes, so that one mistake is reported once."""
    cast = root.get("terminals")
    return tuple(cast) if isinstance(cast, Entries) else ()


def _nothing_as_mapping(node: Node) -> Node:
    """``- settle:`` with nothing after it means the verb without arguments."""
    return Entries(node.place) if isinstance(node, Scalar) and node.empty else node


def load_mapping(path: str, model: type[Model]) -> Model:
    """A YAML file that is one mapping, such as a host's policy. Raises ScenarioErrors with all mistakes."""
    root, errors = compose(read_text(path), path)
    loading = _Loading(path, {}, ScenarioModel, ())
    read = loading.read(model, root)
    if read is None or errors:
        raise ScenarioErrors([*errors, *loading.errors])
    return read
