"""What can be wrong on the terminal's side, one tree.

    TerminalError                       code, message, hint
    ├── TransitionRefused               an event that has no place in a transaction's life
    ├── JournalUnreadable               whole records that this firmware does not understand
    └── WordsWrong                      a flow that was given too few or too many words

A refusal by the host or by a rule of the terminal is not an error: it is an ``Outcome``.
"""

from __future__ import annotations

from protocol.errors import ToldError


class TerminalError(ToldError):
    """Base of the tree."""

    code = "terminal"


class TransitionRefused(TerminalError):
    """An event that TRANSITIONS does not know in this state."""

    code = "transition"


class JournalUnreadable(TerminalError):
    """A record that is whole and means nothing to this firmware: money is not dropped silently."""

    code = "journal"


class WordsWrong(TerminalError):
    """A flow was started with words that it does not take."""

    code = "words"
