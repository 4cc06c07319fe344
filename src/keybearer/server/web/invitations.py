"""Invitations: send them, send them again, withdraw them. Also the page on which somebody joins by one."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.domain.links import Link, LinkPurpose
from keybearer.server.domain.permissions import may_invite_as
from keybearer.server.services import invitation_lists, invitations, joining, multiuse_invitations
from keybearer.server.services.invitations import InvitationFailed
from keybearer.server.web.confirmation import ask_password, confirmed_caller
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import links_of, read_position, read_text
from keybearer.server.web.visit import Visit

PAGE = "/organization/invitations/"


async def show_open(visit: Visit) -> Response:
    """The invitations that nobody has used yet."""
    text = read_text(visit)
    page = await invitation_lists.find_page(visit.context, visit.caller, text, read_position(visit))
    return visit.render(
        "invitations/table.html",
        invitations=page.entries,
        links=links_of(page, {"filter": text}),
        text=text,
        roles=_roles(visit),
    )


def _roles(visit: Visit) -> list[Role]:
    return [role for role in Role if may_invite_as(visit.caller.account, role, visit.realm)]


async def show_form(visit: Visit) -> Response:
    """The form for an invitation."""
    return _form(visit)


def _form(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "invitations/add.html",
        refusal,
        roles=_roles(visit),
        emails=visit.text("emails"),
        role=visit.text("role") or str(Role.MEMBER.value),
        is_confirmed=visit.is_confirmed,
    )


async def invite(visit: Visit) -> Response:
    """Invite each address: by mail, or by a link that is shown now and passed on."""
    refusal: Refused | None = None
    try:
        role = Role(visit.number("role") or Role.MEMBER)
        emails = invitations.split_emails(visit.form.get("emails", ""))
        sent = await invitations.invite(visit.context, await confirmed_caller(visit), emails, role=role)
    except InvitationFailed as failure:
        refusal, sent = Refused(_failure_text(failure)), failure.sent
    except ValueError:
        return _form(visit, Refused("Choose a role."))
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refused:
        return _form(visit, refused)
    if sent and not visit.sends_mail:
        return _links(visit, sent, refusal)
    return visit.redirect(PAGE, notice=Notice.INVITED) if refusal is None else _form(visit, refusal)


def _links(visit: Visit, sent: Sequence[tuple[Link, Secret]], refusal: Refused | None = None) -> Response:
    """The links to pass on. They are in this answer and in no other."""
    shown = [(link, f"{visit.realm.site}/join/{token.reveal()}/") for link, token in sent]
    error = None if refusal is None else refusal.message
    return visit.render("invitations/links.html", shown=shown, error=error)


def _failure_text(failure: InvitationFailed) -> str:
    errors = failure.extra["errors"]
    assert isinstance(errors, list)
    reasons = "; ".join(f"{email}: {why.rstrip('.').lower()}" for email, why, _ in errors)
    if failure.extra["sent_invitations"]:
        return f"The others were invited, but not these. {reasons}."
    return f"Nobody was invited. {reasons}."


async def revoke(visit: Visit) -> Response:
    """Withdraw an invitation."""
    await invitations.revoke(visit.context, visit.caller, visit.id("invitation_id"))
    return visit.redirect(PAGE, notice=Notice.INVITATION_REVOKED)


async def resend(visit: Visit) -> Response:
    """Create a new link instead of the earlier one. It is mailed, or shown now and passed on."""
    try:
        renewed = await invitations.resend(visit.context, await confirmed_caller(visit), visit.id("invitation_id"))
    except Refused as refusal:
        return ask_password(visit, refusal, button="Send the invitation again", back=PAGE)
    if not visit.sends_mail:
        return _links(visit, [renewed])
    return visit.redirect(PAGE, notice=Notice.INVITED_AGAIN)


async def show_join(visit: Visit) -> Response:
    """The form behind an invitation's link, or why there is none."""
    invitation = await joining.find(visit.context, visit.token())
    if invitation is None:
        return visit.render("invitations/over.html", status=404)
    if invitation.purpose is LinkPurpose.MULTIUSE_INVITATION:
        return visit.render_form("invitations/ask.html", email="")
    return visit.render_form("invitations/join.html", invitation=invitation, full_name="")


async def join(visit: Visit) -> Response:
    """Create the account and sign it in. By a link for several people, mail an invitation."""
    invitation = await joining.find(visit.context, visit.token())
    if invitation is None:
        return visit.render("invitations/over.html", status=404)
    if invitation.purpose is LinkPurpose.MULTIUSE_INVITATION:
        return await _request_invitation(visit)
    try:
        signed_in = await joining.accept(
            visit.context,
            visit.token(),
            full_name=visit.text("full_name"),
            password=visit.password("password"),
            origin=visit.origin,
        )
    except Refused as refusal:
        return visit.render_form(
            "invitations/join.html", refusal, invitation=invitation, full_name=visit.text("full_name")
        )
    return visit.sign_in(visit.redirect("/settings/account/", notice=Notice.JOINED), signed_in.token)


async def _request_invitation(visit: Visit) -> Response:
    email = visit.text("email")
    try:
        await multiuse_invitations.request_invitation(visit.context, visit.token(), email, visit.origin)
    except Refused as refusal:
        return visit.render_form("invitations/ask.html", refusal, email=email)
    return visit.render("invitations/asked.html")
