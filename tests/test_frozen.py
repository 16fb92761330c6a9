"""Our frozen dataclasses behave as the standard library's."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, replace

import pytest

from orchestrator import frozen


@frozen.dataclass(frozen=True, slots=True)
class Ours:
    """With everything a field can have."""

    name: str
    secret: str = field(repr=False)
    unequal: int = field(default=0, compare=False)
    words: tuple[str, ...] = ()
    known: dict[str, int] = field(default_factory=dict)
    fixed: int = field(default=7, init=False)
    made: list[int] = field(default_factory=list, init=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same."""

    name: str
    secret: str = field(repr=False)
    unequal: int = field(default=0, compare=False)
    words: tuple[str, ...] = ()
    known: dict[str, int] = field(default_factory=dict)
    fixed: int = field(default=7, init=False)
    made: list[int] = field(default_factory=list, init=False)


@frozen.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """Fields that are named."""

    a: int
    b: int = 2


@frozen.dataclass(frozen=True, slots=True)
class Further(Ours):
    """With one more field."""

    more: str = "x"

    def __repr__(self) -> str:
        return "its own"


@frozen.dataclass(frozen=True)
class Slotless:
    """Without slots."""

    a: int


@frozen.dataclass(frozen=True, slots=True)
class Nothing:
    """Without fields."""


def test_it_says_the_same_of_itself() -> None:
    ours, theirs = Ours("a", "b", words=("c",)), Theirs("a", "b", words=("c",))
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert asdict(ours) == asdict(theirs)
    assert [each.name for each in fields(Ours)] == [each.name for each in fields(Theirs)]
    assert Ours.__match_args__ == Theirs.__match_args__


def test_it_is_equal_by_its_fields_and_its_class() -> None:
    assert Ours("a", "b", 1) == Ours("a", "b", 2) != Ours("a", "c", 1)
    assert Ours("a", "b") != Theirs("a", "b")  # type: ignore[comparison-overlap]
    assert Ours("a", "b") != Further("a", "b")
    assert len({Named(a=1), Named(a=1, b=2), Named(a=1, b=3)}) == 2
    assert Nothing() == Nothing()


def test_each_has_its_own_of_what_is_made_anew() -> None:
    first, second = Ours("a", "b"), Ours("a", "b")
    assert first.known is not second.known
    assert first.made is not second.made
    assert Ours("a", "b", known={"c": 1}).known == {"c": 1}


def test_it_cannot_be_changed() -> None:
    one = Ours("a", "b")
    with pytest.raises(FrozenInstanceError):
        one.name = "b"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del one.name


def test_it_can_be_replaced_copied_and_matched() -> None:
    one = Named(a=1)
    assert replace(one, b=3) == Named(a=1, b=3)
    assert copy.deepcopy(one) == pickle.loads(pickle.dumps(one)) == one
    assert copy.copy(Slotless(1)) == Slotless(1)
    match Ours("a", "b"):
        case Ours(name, "b"):
            assert name == "a"


@pytest.mark.parametrize(
    ("args", "named"), [((), {}), (("a",), {}), (("a", "b"), {"fixed": 1}), (("a", "b"), {"no": 1})]
)
def test_what_it_does_not_take_is_refused(args: tuple[str, ...], named: dict[str, int]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError, match="__init__"):
            kind(*args, **named)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="positional"):
        Named(1)  # type: ignore[call-arg]


def test_a_subclass_has_the_fields_of_both_and_keeps_its_own_methods() -> None:
    one = Further("a", "b", more="y")
    assert (one.name, one.more, repr(one)) == ("a", "y", "its own")
    assert one != Further("a", "b")
