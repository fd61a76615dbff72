"""The tree of errors."""

from __future__ import annotations

from firmware_sim import errors


def test_the_tree_is_drawn_as_it_is() -> None:
    """Whoever catches an error by the drawing would miss one."""
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DeviceError)
    ]
    assert errors.__doc__ is not None
    for kind in classes:
        assert kind.__name__ in errors.__doc__
    assert len({kind.code for kind in classes}) == len(classes)


def test_an_unknown_name_says_what_was_meant() -> None:
    """The user would have to look the name up."""
    assert str(errors.UnknownName("card", "debti", ["debit", "credit"])) == (
        "unknown card 'debti' (did you mean 'debit'?)"
    )
    assert "one of credit, debit" in str(errors.UnknownName("card", "x", ["debit", "credit"]))
