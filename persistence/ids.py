"""What an id at rest may look like: safe in a URL, a file name, a log line and a Redis key."""

import re

from persistence.errors import PlayheadError

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,63}$"
_ID = re.compile(ID_PATTERN)


class BadId(PlayheadError):
    """An id that cannot be; nothing was stored or read."""


class Taken(PlayheadError):
    """An id is another's; choose another one."""


def is_id(text: str) -> bool:
    """Whether the text may be an id."""
    return _ID.fullmatch(text) is not None


def check_id(what: str, text: str) -> str:
    """The id itself. Raises `BadId`."""
    if not is_id(text):
        raise BadId(f"{what} is no id: 1 to 64 of A-Z a-z 0-9 . _ ~ : @ -, beginning with a letter or digit")
    return text
