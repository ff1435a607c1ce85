"""Who must have a second factor: stored, changed by administrators, never evaded."""

import pytest

from libs.kernel import new_id
from services.auth.domain import (
    CustomRole,
    Permission,
    SecondFactorPolicy,
    SecondFactors,
)
from services.auth.domain.errors import (
    GrantTooHighError,
    RolesInvalidError,
    SecondFactorFirstError,
    SecondFactorRequiredError,
    StepUpRequiredError,
)
from services.auth.service import SecondFactorRequired, SignedIn
from tests.unit.auth.conftest import AUTH, EMAIL

WHY = "the insurance asks for it"
SHORT = "p4ss w-x"


async def _enrol(house, user_id):
    factors = SecondFactors(user_id).with_candidate("A" * 32, house.clock.now())
    store = house.adapters.stores.second_factors
    await store.save(factors, None)
    await store.save(factors.with_totp(1, ["a", "b"]), None)


@pytest.fixture
async def admin(house):
    """An admin with a fresh session and no second factor."""
    return await house.person("admin")


@pytest.fixture
def rule(house):
    """The use case."""
    return house.state["second_factor_rule"]


async def test_the_setting_counts_until_somebody_changes_the_rule(
    house, admin, rule, settings
):
    """The setting is the initial value; what is stored outlives another setting."""
    initial = settings.model_copy(update={"second_factor_roles": ("guest",)})
    house.set_up_anew(initial)
    rule = house.state["second_factor_rule"]
    assert await rule.get(admin.user_id) == SecondFactorPolicy(frozenset({"guest"}))
    changed = await rule.put(admin, [], WHY)
    assert changed.changed_at == house.clock.now()
    house.set_up_anew(initial)
    assert (await house.state["second_factor_rule"].get(admin.user_id)) == changed


async def test_mf_3_a_rule_counts_from_the_next_sign_in(house, admin, rule):
    """MF-3: who has no factor enrols one, in the very next sign-in."""
    await house.join()
    assert isinstance(await house.login(), SignedIn)
    await rule.put(admin, ["member"], WHY)
    pending = await house.login()
    assert isinstance(pending, SecondFactorRequired)
    assert pending.is_enrolment


async def test_mf_3_a_rule_counts_from_the_next_refresh(house, admin, rule):
    """MF-3: it is told to sign in again; taken back in time, it goes on."""
    await house.join()
    session = await house.login()
    await rule.put(admin, ["member"], WHY)
    refresh = house.state["renewal"].refresh
    with pytest.raises(SecondFactorRequiredError):
        await refresh(session.refresh_token)
    await rule.put(admin, [], WHY)
    assert (await refresh(session.refresh_token)).session_id == session.session_id


async def test_who_binds_themselves_has_a_factor_already(house, admin, rule):
    """The last administrator locks nobody out, themselves least of all."""
    with pytest.raises(SecondFactorFirstError):
        await rule.put(admin, ["*"], WHY)
    await _enrol(house, admin.user_id)
    assert (await rule.put(admin, ["*"], WHY)).roles == frozenset({"*"})


@pytest.mark.parametrize("bound", ["admin", "*"])
async def test_az_7_nobody_frees_who_is_above_them(house, admin, rule, bound):
    """AZ-7: the permission alone takes no rule from administrators."""
    role = CustomRole(
        "clerk", "", frozenset({Permission.MANAGE_POLICY}), house.clock.now()
    )
    await house.adapters.stores.roles.put(role, None)
    clerk = await house.person("member", "clerk")
    await _enrol(house, admin.user_id)
    await rule.put(admin, [bound, "member"], WHY)
    await _enrol(house, clerk.user_id)
    with pytest.raises(GrantTooHighError):
        await rule.put(clerk, ["member"], WHY)
    assert (await rule.put(clerk, [bound], WHY)).roles == {bound}


async def test_mf_6_a_rule_needs_a_fresh_proof(house, admin, rule):
    """MF-6: a stolen session of an administrator relaxes nothing."""
    house.clock.advance(house.stale)
    with pytest.raises(StepUpRequiredError):
        await rule.put(admin, [], WHY)


async def test_a_rule_names_roles_that_there_are(house, admin, rule):
    """Base roles, custom ones, or everyone; a slip of the pen binds nobody."""
    with pytest.raises(RolesInvalidError):
        await rule.put(admin, ["membre"], WHY)
    role = CustomRole(
        "auditor", "", frozenset({Permission.READ_AUDIT}), house.clock.now()
    )
    await house.adapters.stores.roles.put(role, None)
    assert "auditor" in (await rule.put(admin, ["auditor", "guest"], WHY)).roles


async def test_au_2_a_change_of_the_rule_is_recorded(house, admin, rule):
    """AU-2: who changed it, to what, and why."""
    await rule.put(admin, ["guest", "member"], WHY)
    record = house.adapters.stores.audit.entries[-1]
    assert record.action == "second_factor_policy.changed"
    assert (record.actor_id, record.reason) == (admin.user_id, WHY)
    assert record.details == {"roles": "guest member"}


async def test_pw_2_a_short_password_never_signs_in_alone(house, admin, rule):
    """PW-2: eight characters do only with a second factor, whatever the rule is now."""
    await rule.put(admin, ["member"], WHY)
    await house.join(password=SHORT)
    await rule.put(admin, [], WHY)
    assert (await house.login(password=SHORT)).is_enrolment


async def test_pw_2_the_minimum_follows_the_stored_rule(house, admin, rule, api):
    """PW-2: eight characters are accepted from when the rule is there."""
    body = {"password": SHORT, "email": EMAIL, "display_name": "Ann"}
    path = f"{AUTH}/password-strength"
    assert (await api("POST", path, body)).json()["rule"] == "too_short"
    await rule.put(admin, ["member"], WHY)
    assert (await api("POST", path, body)).json()["rule"] != "too_short"


async def test_the_routes_say_and_change_it(house, api, admin):
    """GET and PUT under /admin, for administrators."""
    who = house.principal(admin, "admin")
    path = "/api/v1/admin/second-factor-policy"
    assert (await api("GET", path, who=who)).json() == {
        "roles": [],
        "changed_at": None,
    }
    body = {"roles": ["guest"], "reason": WHY}
    assert (await api("PUT", path, body, who=who)).status == 200
    assert (await api("GET", path, who=who)).json()["roles"] == ["guest"]
    member = house.principal(await house.person(name=new_id()[:8]), "member")
    assert (await api("GET", path, who=member)).status == 403
