"""Mobile devices: push registrations of both kinds, and devices that prepare encrypted pushes."""

from __future__ import annotations

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, integer, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.devices import DeviceKind
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import PEOPLE
from keybearer.server.http.body import FORM
from keybearer.server.services import devices


async def register_apns(call: Call) -> Answer:
    """`POST users/me/apns_device_token`."""
    token, app_id = call.parameters.text("token"), call.parameters.text("appid")
    await devices.register(call.context, call.caller, DeviceKind.APNS, token, app_id)
    return success()


async def remove_apns(call: Call) -> Answer:
    """`DELETE users/me/apns_device_token`."""
    await devices.remove(call.context, call.caller, DeviceKind.APNS, call.parameters.text("token"))
    return success()


async def register_fcm(call: Call) -> Answer:
    """`POST users/me/android_gcm_reg_id`."""
    await devices.register(call.context, call.caller, DeviceKind.FCM, call.parameters.text("token"))
    return success()


async def remove_fcm(call: Call) -> Answer:
    """`DELETE users/me/android_gcm_reg_id`."""
    await devices.remove(call.context, call.caller, DeviceKind.FCM, call.parameters.text("token"))
    return success()


async def register_client(call: Call) -> Answer:
    """`POST register_client_device`, since feature level 468: a device that will request encrypted pushes."""
    return success(device_id=await devices.register_client(call.context, call.caller))


async def remove_client(call: Call) -> Answer:
    """`POST remove_client_device`, since feature level 470."""
    await devices.remove_client(call.context, call.caller, call.parameters.integer("device_id"))
    return success()


_APNS_TOKEN = text("token", "The token that the device was given, in hexadecimal.", required=True)
_FCM_TOKEN = text("token", "The token that the device was given.", required=True)

ENDPOINTS = (
    Endpoint.post(
        "users/me/apns_device_token",
        register_apns,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Register an iOS device for push notifications.",
        takes=(_APNS_TOKEN, text("appid", "The app's bundle id.", required=True)),
    ),
    Endpoint.delete(
        "users/me/apns_device_token",
        remove_apns,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Remove an iOS device.",
        takes=(_APNS_TOKEN,),
    ),
    Endpoint.post(
        "users/me/android_gcm_reg_id",
        register_fcm,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Register an Android device for push notifications.",
        takes=(_FCM_TOKEN,),
    ),
    Endpoint.delete(
        "users/me/android_gcm_reg_id",
        remove_fcm,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Remove an Android device.",
        takes=(_FCM_TOKEN,),
    ),
    Endpoint.post(
        "register_client_device",
        register_client,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Register a device that will request encrypted push notifications.",
        gives={"device_id": INTEGER},
    ),
    Endpoint.post(
        "remove_client_device",
        remove_client,
        PEOPLE.may(Scope.MANAGE),
        FORM,
        "Remove a device that was registered for encrypted push notifications.",
        takes=(integer("device_id", "The id that the registration returned.", required=True),),
    ),
)
