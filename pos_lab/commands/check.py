"""``poslab check``: are these scenarios, policies and campaigns right? Nothing is played.

Rules owned here: a campaign is right where ``poslab rehearse`` would begin its first day.
"""

from __future__ import annotations

from typing import Annotated

import typer

from pos_lab.commands.output import JsonOption, Lang, LangOption, Status, new_app, print_json

app = new_app()


@app.command()
def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE|FOLDER...", help="Scenarios, policies, campaigns, folders; - reads a scenario."),
    ],
    *,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Validate scenarios, policies and campaigns without running them; mistakes are told with file, line, column, hint.

    \b
    Examples:
      poslab check scenarios/
      poslab check rules.yaml campaign.yaml
    """
    from pos_lab.scenario.errors import ScenarioErrors
    from pos_lab.scenario.files import scenario_files

    wrong = False
    for file in scenario_files(files):
        try:
            document, told = _examine(file, lang)
        except ScenarioErrors as errors:
            wrong = True
            if as_json:
                print_json(errors.document())
            else:
                typer.echo(str(errors), err=True)
            continue
        if as_json:
            print_json({"ok": True, **document})
        else:
            typer.echo(told)
    if wrong:
        raise typer.Exit(Status.WRONG)


def _examine(file: str, lang: Lang) -> tuple[dict[str, object], str]:
    """What a right file is, for programs and for people. Raises ScenarioErrors."""
    from host.errors import AdminError
    from host.policy import Policy
    from pos_lab.policy_file import is_policy, load_policy
    from pos_lab.rehearsal.plan import is_rehearsal, lists_of, load_list, load_rehearsal, refused_at
    from pos_lab.rehearsal.result import validate
    from pos_lab.scenario.loader import load_scenario
    from pos_lab.scenario.steps import STEPS

    if file != "-" and is_rehearsal(file):
        rehearsal = load_rehearsal(file)
        try:
            listed = load_list(lists_of(file, rehearsal))
            validate(rehearsal, listed)
        except AdminError as error:
            raise refused_at(file, error) from None
        except OSError as error:
            told = AdminError(
                f"{error.filename}: {error.strerror}", hint="name it from the file's folder on", code="blocklist"
            )
            raise refused_at(file, told) from None
        models = len(listed.names)
        said = f"停用演练，正确（{models}个机型）" if lang.code == "zh" else f"a campaign, right ({models} models)"
        return {"file": file, "rehearsal": rehearsal.rehearsal, "models": models}, f"{file}: {said}"
    if file != "-" and is_policy(file):
        sections = sorted(load_policy(file).model_fields_set)
        names = ", ".join(sections)
        said = f"{file}: 规则正确（{names}）" if lang.code == "zh" else f"{file}: a policy, right ({names})"
        return {"file": file, "policy": sections}, said
    scenario = load_scenario(file, STEPS, Policy)
    steps = len(scenario.steps)
    said = f"{scenario.file}: {steps}步，正确" if lang.code == "zh" else f"{scenario.file}: {steps} steps, right"
    return {"file": scenario.file, "scenario": scenario.name, "steps": steps}, said
