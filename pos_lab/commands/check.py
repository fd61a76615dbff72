"""``poslab check``: are these scenarios right? Nothing is played."""

from __future__ import annotations

from typing import Annotated

import typer

from pos_lab.commands.output import JsonOption, LangOption, Status, new_app, print_json

app = new_app()


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Scenarios, or folders of them; - reads one.")],
    *,
    as_json: JsonOption = False,
    lang: LangOption,
) -> None:
    """Validate scenarios without running them; every mistake is told with file, line, column and a hint.

    \b
    Example:
      poslab check scenarios/
    """
    from pos_lab.scenario.errors import ScenarioErrors
    from pos_lab.scenario.files import scenario_files
    from pos_lab.scenario.loader import load_scenario
    from pos_lab.scenario.policy import WrittenPolicy
    from pos_lab.scenario.steps import STEPS

    wrong = False
    for file in scenario_files(files):
        try:
            scenario = load_scenario(file, STEPS, WrittenPolicy)
        except ScenarioErrors as errors:
            wrong = True
            if as_json:
                print_json(errors.document())
            else:
                typer.echo(str(errors), err=True)
            continue
        if as_json:
            print_json({"ok": True, "file": scenario.file, "scenario": scenario.name, "steps": len(scenario.steps)})
        else:
            told = f"{len(scenario.steps)}步，正确" if lang.code == "zh" else f"{len(scenario.steps)} steps, right"
            typer.echo(f"{scenario.file}: {told}")
    if wrong:
        raise typer.Exit(Status.WRONG)
