"""What each role may, and what each method needs."""

import pytest

from longwire.core.access import Identity, Right, Role, right_of, weakest_role

READ, WRITE, DELETE, SEND, OWN = Right.READ, Right.WRITE, Right.DELETE, Right.SEND_DOWNLINKS, Right.OWN


@pytest.mark.parametrize(
    ("role", "rights"),
    [
        (Role.READER, {READ}),
        (Role.WRITER, {READ, WRITE}),
        (Role.CONTROLLER, {READ, WRITE, SEND}),
        (Role.OWNER, {READ, WRITE, SEND, DELETE, OWN}),
    ],
)
def test_the_rights_of_a_role(role: Role, rights: set[Right]) -> None:
    assert {right for right in Right if Identity("id", "name", role).may(right)} == rights


@pytest.mark.parametrize(
    ("method", "right"),
    [
        ("GET", READ),
        ("HEAD", READ),
        ("POST", WRITE),
        ("PUT", WRITE),
        ("PATCH", WRITE),
        ("DELETE", DELETE),
        ("PURGE", DELETE),
    ],
)
def test_the_right_a_method_needs(method: str, right: Right) -> None:
    assert right_of(method) is right


def test_whoever_is_above_the_weakest_role_has_its_right_too() -> None:
    roles = list(Role)
    for right in Right:
        first = roles.index(weakest_role(right))
        assert [Identity("", "", role).may(right) for role in roles] == [
            i >= first for i in range(len(roles))
        ]
