"""All pages of the site, with their handlers and rules."""

from __future__ import annotations

from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import ADMINISTRATORS, MEMBERS, OPEN, PEOPLE, Who
from keybearer.server.http.body import FORM, NO_BODY, SMALL_FORM, BodyLimits
from keybearer.server.http.routing import Handler, Route
from keybearer.server.web import (
    accounts,
    api_keys,
    audit,
    avatars,
    bots,
    botserverrc,
    devices,
    display,
    email_changes,
    handovers,
    help_pages,
    invitations,
    mails,
    named_keys,
    organization,
    organization_keys,
    passwords,
    people,
    sessions,
    setup,
    users,
)
from keybearer.server.web.messaging import bot_messages, messages


def _page(path: str, handler: Handler, who: Who = PEOPLE) -> Route:
    """A page that shows something."""
    return Route("GET", path, handler, who.may(Scope.READ), NO_BODY)


def _form(path: str, handler: Handler, who: Who = PEOPLE) -> Route:
    """A form that changes something other than a key."""
    return Route("POST", path, handler, who.may(Scope.MANAGE), SMALL_FORM)


def _message_form(path: str, handler: Handler, body: BodyLimits = FORM) -> Route:
    """A form that sends a message, or changes one."""
    return Route("POST", path, handler, PEOPLE.may(Scope.SEND), body)


def _key_form(path: str, handler: Handler, who: Who = PEOPLE) -> Route:
    """A form that shows or changes a key or another credential.

    It asks for the password itself (`web/confirmation.py`), or Zulip's documentation shows it without.
    """
    return Route("POST", path, handler, who.may(Scope.KEYS, confirmed=False), SMALL_FORM)


def _open_page(path: str, handler: Handler) -> Route:
    """A page for everybody."""
    return Route("GET", path, handler, OPEN, NO_BODY)


def _open_form(path: str, handler: Handler) -> Route:
    """A form for everybody."""
    return Route("POST", path, handler, OPEN, SMALL_FORM)


def _of_keys(path: str) -> tuple[Route, ...]:
    """The forms for the named keys of an account. They ask for the password if it was given too long ago."""
    one = f"{path}{{key_id}}/"
    return (
        _page(f"{path}add/", named_keys.show_form),
        _key_form(f"{path}add/", named_keys.add),
        _page(f"{one}change/", named_keys.show_change),
        _key_form(f"{one}change/", named_keys.change),
        _page(f"{one}regenerate/", named_keys.confirm_regeneration),
        _key_form(f"{one}regenerate/", named_keys.regenerate),
        _page(f"{one}revoke/", named_keys.confirm_revocation),
        _key_form(f"{one}revoke/", named_keys.revoke),
    )


ROUTES = (
    _page("/", accounts.go_to_settings),
    _page("/settings/", accounts.go_to_settings),
    _open_page("/setup/{token}/", setup.show),
    _open_form("/setup/{token}/", setup.create),
    _open_page("/login/", sessions.show_login),
    _open_form("/login/", sessions.sign_in),
    _open_page("/accounts/login/", sessions.show_login),
    _open_form("/accounts/login/", sessions.sign_in),
    _open_form("/logout/", sessions.sign_out),
    _open_form("/accounts/logout/", sessions.sign_out),
    _open_page("/accounts/password/reset/", passwords.show_request),
    _open_form("/accounts/password/reset/", passwords.request),
    _open_page("/accounts/password/reset/done/", passwords.show_requested),
    _open_page("/accounts/password/reset/{token}/", passwords.show_reset),
    _open_form("/accounts/password/reset/{token}/", passwords.reset),
    _open_page("/accounts/password/done/", passwords.show_done),
    _open_page("/join/{token}/", invitations.show_join),
    _open_form("/join/{token}/", invitations.join),
    _open_page("/hand-over/{token}/", handovers.show),
    _open_form("/hand-over/{token}/", handovers.accept),
    _open_form("/zuliprc/", named_keys.download),
    _open_page("/help/", help_pages.show_index),
    _open_page("/help/{topic}/", help_pages.show_topic),
    _open_page("/avatar/{account_id}", avatars.show),
    _open_page("/accounts/email/undone/", email_changes.show_undone),
    _open_page("/accounts/email/undo/{token}/", email_changes.show_undo),
    _open_form("/accounts/email/undo/{token}/", email_changes.undo),
    _page("/messages/", messages.show),
    _message_form("/messages/", messages.send),
    _page("/messages/new/", messages.show_form),
    _message_form("/messages/new/", messages.send_new),
    _page("/messages/{message_id}/edit/", messages.show_edit),
    _message_form("/messages/{message_id}/edit/", messages.edit),
    _message_form("/messages/{message_id}/react/", messages.react, SMALL_FORM),
    _page("/settings/bots/{bot_id}/messages/", bot_messages.show_question, MEMBERS),
    Route("POST", "/settings/bots/{bot_id}/messages/", bot_messages.show, MEMBERS.may(Scope.READ), SMALL_FORM),
    _page("/people/", people.show_all),
    _page("/settings/account/", accounts.show),
    _page("/settings/account/email/", email_changes.show_form),
    _key_form("/settings/account/email/", email_changes.request),
    _page("/settings/account/email/confirm/{token}/", email_changes.show_confirmation),
    _key_form("/settings/account/email/confirm/{token}/", email_changes.confirm),
    _page("/settings/account/email/programs/", email_changes.show_programs),
    _page("/settings/account/display/", display.show),
    _form("/settings/account/display/", display.save),
    _page("/settings/account/name/", accounts.show_name),
    _form("/settings/account/name/", accounts.rename),
    _form("/settings/account/privacy/", accounts.save_privacy),
    _page("/settings/account/password/", passwords.show_change),
    _key_form("/settings/account/password/", passwords.change),
    _page("/settings/account/deactivate/", accounts.confirm_deactivation),
    _form("/settings/account/deactivate/", accounts.deactivate),
    _page("/settings/account/api-key/", api_keys.ask_password),
    _key_form("/settings/account/api-key/", api_keys.show_own),
    _page("/settings/account/api-key/regenerate/", api_keys.confirm_own),
    _key_form("/settings/account/api-key/regenerate/", api_keys.regenerate_own),
    _key_form("/settings/account/api-key/zuliprc/", api_keys.download_own),
    _page("/settings/bots/", bots.show_own, MEMBERS),
    _page("/settings/bots/add/", bots.show_form, MEMBERS),
    _key_form("/settings/bots/add/", bots.add, MEMBERS),
    _page("/settings/bots/botserverrc/", botserverrc.show_form, MEMBERS),
    _key_form("/settings/bots/botserverrc/", botserverrc.download, MEMBERS),
    _page("/settings/bots/{bot_id}/", bots.manage),
    _form("/settings/bots/{bot_id}/", bots.save),
    _page("/settings/bots/{bot_id}/deactivate/", bots.confirm_deactivation),
    _form("/settings/bots/{bot_id}/deactivate/", bots.deactivate),
    _key_form("/settings/bots/{bot_id}/reactivate/", bots.reactivate),
    _key_form("/settings/bots/{bot_id}/api-key/", api_keys.show_bot),
    _page("/settings/bots/{bot_id}/api-key/regenerate/", api_keys.confirm_bot),
    _key_form("/settings/bots/{bot_id}/api-key/regenerate/", api_keys.regenerate_bot),
    _key_form("/settings/bots/{bot_id}/zuliprc/", api_keys.download_bot),
    *_of_keys("/settings/account/api-keys/"),
    *_of_keys("/settings/bots/{bot_id}/api-keys/"),
    _page("/settings/bots/{bot_id}/hand-over/", handovers.confirm),
    _key_form("/settings/bots/{bot_id}/hand-over/", handovers.create),
    _page("/settings/sessions/", sessions.show_all),
    _form("/settings/sessions/sign-out-others/", sessions.end_others),
    _form("/settings/sessions/{session_id}/sign-out/", sessions.end),
    _form("/settings/devices/{device_id}/sign-out/", devices.remove),
    _page("/settings/security-log/", audit.show_own),
    _page("/organization/users/", users.show_all, ADMINISTRATORS),
    _page("/organization/users/{account_id}/", users.manage, ADMINISTRATORS),
    _form("/organization/users/{account_id}/", users.save, ADMINISTRATORS),
    _page("/organization/users/{account_id}/deactivate/", users.confirm_deactivation, ADMINISTRATORS),
    _form("/organization/users/{account_id}/deactivate/", users.deactivate, ADMINISTRATORS),
    _key_form("/organization/users/{account_id}/reactivate/", users.reactivate, ADMINISTRATORS),
    _page("/organization/users/{account_id}/reset-link/", users.confirm_reset_link, ADMINISTRATORS),
    _key_form("/organization/users/{account_id}/reset-link/", users.create_reset_link, ADMINISTRATORS),
    _page("/organization/mail/", mails.show_unsent, ADMINISTRATORS),
    _page("/organization/invitations/", invitations.show_open, MEMBERS),
    _page("/organization/invitations/add/", invitations.show_form, MEMBERS),
    _key_form("/organization/invitations/add/", invitations.invite, MEMBERS),
    _key_form("/organization/invitations/{invitation_id}/resend/", invitations.resend),
    _key_form("/organization/invitations/{invitation_id}/revoke/", invitations.revoke),
    _page("/organization/bots/", bots.show_all, ADMINISTRATORS),
    _page("/organization/api-keys/", organization_keys.show_all, ADMINISTRATORS),
    _page("/organization/api-keys/{key_id}/revoke/", organization_keys.confirm_revocation, ADMINISTRATORS),
    _key_form("/organization/api-keys/{key_id}/revoke/", organization_keys.revoke, ADMINISTRATORS),
    _page("/organization/profile/", organization.show_profile, ADMINISTRATORS),
    _form("/organization/profile/", organization.change_profile, ADMINISTRATORS),
    _page("/organization/policies/", organization.show_policies, ADMINISTRATORS),
    _form("/organization/policies/", organization.change_policies, ADMINISTRATORS),
    _page("/organization/audit/", audit.show_all, ADMINISTRATORS),
)
