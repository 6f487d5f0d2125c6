"""The one tree of errors: every error of Playhead is a `PlayheadError`, and its message says what to do."""


class PlayheadError(Exception):
    """Root of the tree. The message is one line for a person: what happened, then what to do."""


class SetupError(PlayheadError):
    """Playhead cannot start here: a taken port, a locked data folder, a missing tool, a bad setting."""


class StoreError(PlayheadError):
    """A store at rest (Postgres, Redis, object store) did not do what was asked."""


class StoreUnavailable(StoreError):
    """The store did not answer in time or cut the connection: the outcome is unknown, ask again."""


class Fenced(StoreError):
    """A newer epoch owns the slot: this incarnation may write nothing more and has to exit."""
