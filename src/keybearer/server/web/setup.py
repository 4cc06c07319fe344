"""Set-up: the page behind the one-time link, where the organization and its owner are created."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.errors import ResolutionError
from keybearer.server.domain.errors import Refused
from keybearer.server.services import setup
from keybearer.server.web.notices import Notice
from keybearer.server.web.visit import Visit


async def show(visit: Visit) -> Response:
    """The form. If the link is used up, why there is none."""
    if not await setup.is_setup_link(visit.context, visit.token()):
        return visit.render("setup/over.html", status=404)
    return visit.render_form("setup/form.html", values={"site": f"{visit.request.scheme}://{visit.request.host}"})


async def create(visit: Visit) -> Response:
    """Create the organization and sign its owner in."""
    if not await setup.is_setup_link(visit.context, visit.token()):
        return visit.render("setup/over.html", status=404)
    try:
        signed_in = await setup.create_organization(
            visit.context,
            token=visit.token(),
            name=visit.text("organization"),
            site=visit.text("site"),
            email=visit.text("email"),
            full_name=visit.text("full_name"),
            password=visit.password("password"),
            origin=visit.origin,
        )
    except (Refused, ResolutionError) as refusal:
        return visit.render_form("setup/form.html", refusal, values=visit.form)
    response = visit.redirect("/settings/account/", notice=Notice.WELCOME)
    return visit.sign_in(response, signed_in.token)
