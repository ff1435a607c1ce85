"""Routes of rules of the installation that administrators change."""

from fastapi import APIRouter

from services.auth.api.actor import CurrentActor
from services.auth.api.restriction import ADMINISTRATION
from services.auth.api.state import SecondFactorRuleUse
from services.auth.schemas import SecondFactorPolicyRequest, SecondFactorPolicyResponse

router = APIRouter(
    prefix="/api/v1/admin/second-factor-policy",
    tags=["administration"],
    dependencies=[ADMINISTRATION],
)


@router.get("")
async def get_second_factor_policy(
    actor: CurrentActor, rule: SecondFactorRuleUse
) -> SecondFactorPolicyResponse:
    """Tell who must have a second factor."""
    return SecondFactorPolicyResponse.of(await rule.get(actor.user_id))


@router.put("")
async def put_second_factor_policy(
    body: SecondFactorPolicyRequest, actor: CurrentActor, rule: SecondFactorRuleUse
) -> SecondFactorPolicyResponse:
    """Say who must have a second factor; asked at their next sign-in or refresh."""
    policy = await rule.put(actor, body.roles, body.reason)
    return SecondFactorPolicyResponse.of(policy)
