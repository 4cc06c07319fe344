"""Every page of the site, with its handler and whom it lets in."""

from __future__ import annotations

from keybearer.server.domain.permissions import OPEN, PEOPLE
from keybearer.server.web import accounts, api_keys, avatars, bots, sessions, setup
from keybearer.server.web.pages import Page

PAGES = (
    Page("GET /", accounts.go_to_settings, PEOPLE),
    Page("GET /settings/", accounts.go_to_settings, PEOPLE),
    Page("GET /setup/{token}/", setup.show, OPEN),
    Page("POST /setup/{token}/", setup.create, OPEN),
    Page("GET /login/", sessions.show_login, OPEN),
    Page("POST /login/", sessions.sign_in, OPEN),
    Page("GET /accounts/login/", sessions.show_login, OPEN),
    Page("POST /accounts/login/", sessions.sign_in, OPEN),
    Page("POST /logout/", sessions.sign_out, OPEN),
    Page("POST /accounts/logout/", sessions.sign_out, OPEN),
    Page("GET /avatar/{account_id:int}", avatars.show, OPEN),
    Page("GET /settings/account/", accounts.show, PEOPLE),
    Page("GET /settings/account/api-key/", api_keys.ask_password, PEOPLE),
    Page("POST /settings/account/api-key/", api_keys.show_own, PEOPLE),
    Page("GET /settings/account/api-key/regenerate/", api_keys.confirm_own, PEOPLE),
    Page("POST /settings/account/api-key/regenerate/", api_keys.regenerate_own, PEOPLE),
    Page("POST /settings/account/api-key/zuliprc/", api_keys.download_own, PEOPLE),
    Page("GET /settings/bots/", bots.show_own, PEOPLE),
    Page("GET /settings/bots/add/", bots.show_form, PEOPLE),
    Page("POST /settings/bots/add/", bots.add, PEOPLE),
    Page("GET /settings/bots/{bot_id:int}/", bots.manage, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/", bots.save, PEOPLE),
    Page("GET /settings/bots/{bot_id:int}/deactivate/", bots.confirm_deactivation, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/deactivate/", bots.deactivate, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/reactivate/", bots.reactivate, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/api-key/", api_keys.show_bot, PEOPLE),
    Page("GET /settings/bots/{bot_id:int}/api-key/regenerate/", api_keys.confirm_bot, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/api-key/regenerate/", api_keys.regenerate_bot, PEOPLE),
    Page("POST /settings/bots/{bot_id:int}/zuliprc/", api_keys.download_bot, PEOPLE),
)
