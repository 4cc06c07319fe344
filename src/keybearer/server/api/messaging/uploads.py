"""`user_uploads`: upload files, and get temporary links to them."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import STRING
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.messaging.uploads import MAX_SIZE
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import FORM, BodyLimits
from keybearer.server.services.messaging import uploads
from keybearer.server.services.messaging.upload_contents import IncomingContent


async def upload(call: Call) -> Answer:
    """`POST user_uploads`."""
    files = call.parameters.uploaded_files()
    if not files:
        raise Refused("You must specify a file to upload")
    if len(files) > 1:
        raise Refused("You may only upload one file at a time")
    file = files[0]
    if not file.name or not isinstance(file.content, IncomingContent):
        raise Refused("You must specify a file to upload")
    kept = await uploads.save(
        call.context, call.caller, name=file.name, content_type=file.content_type, content=file.content
    )
    address = f"/user_uploads/{kept.path}"
    return success(uri=address, url=address, filename=kept.name)


async def link(call: Call) -> Answer:
    """`GET user_uploads/{realm_id}/…/{filename}`: a link that needs no key."""
    found = await uploads.find(call.context, call.caller, "/".join(call.ids.values()))
    return success(url=uploads.temporary_link(call.context, call.caller, found))


UPLOAD = BodyLimits(FORM.form, MAX_SIZE + 64 * 1024, 300.0, keeper=IncomingContent)
"""Enough for the largest file, the form around it, and a slow connection."""

ENDPOINTS = (
    Endpoint.post(
        "user_uploads",
        upload,
        EVERYBODY.may(Scope.SEND),
        UPLOAD,
        "Upload a file, to link to it in messages.",
        gives={"uri": STRING, "url": STRING, "filename": STRING},
    ),
    Endpoint.get(
        "user_uploads/{realm_id}/{folder}/{directory}/{filename}",
        link,
        EVERYBODY.may(Scope.READ),
        "A link to a file that is valid for a minute and needs no key.",
        gives={"url": STRING},
    ),
    Endpoint.get(
        "user_uploads/{realm_id}/{directory}/{filename}",
        link,
        EVERYBODY.may(Scope.READ),
        "The same for an older file without a folder: a link that is valid for a minute and needs no key.",
        gives={"url": STRING},
    ),
)
