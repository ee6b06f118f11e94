"""Names for runs that nobody named: easy to say, easy to tell apart."""

from random import SystemRandom
from typing import Final

_ADJECTIVES: Final = (
    "amber", "bold", "brisk", "calm", "clear", "crisp", "eager", "early", "fair", "fleet", "gentle", "glad", "keen",
    "kind", "late", "light", "lively", "merry", "mild", "neat", "noble", "plain", "proud", "quick", "quiet",
    "rapid", "ready", "sharp", "silent", "steady", "still", "sunny", "swift", "tidy", "warm", "wise",
)  # fmt: skip
_NOUNS: Final = (
    "badger", "beaver", "bison", "crane", "curlew", "dolphin", "falcon", "finch", "fox", "gecko", "gull", "hare",
    "heron", "ibex", "jay", "kestrel", "lark", "lynx", "marten", "mole", "newt", "otter", "owl", "panda", "plover",
    "puffin", "raven", "robin", "seal", "shrew", "stork", "swan", "tern", "trout", "wren", "yak",
)  # fmt: skip


def invent_name() -> str:
    """A name such as ``quiet-otter-417``; independent of every seed, so that a rerun gets a name of its own.

    Example:
        >>> len(invent_name().split("-"))
        3
    """
    draw = SystemRandom()
    return f"{draw.choice(_ADJECTIVES)}-{draw.choice(_NOUNS)}-{draw.randrange(100, 1000)}"
