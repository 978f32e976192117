"""The routes by which kiosks and clerks are bound to windows, and certificates renewed."""

from typing import Any

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from hub.counter.bindings import Bindings, WindowStatus
from hub.counter.pairing import Candidate
from hub.kiosks.renewal import Renewals
from hub.rules.access import Caller, Scope
from hub.store.bindings import Binding
from hub.store.certificates import Request as RenewalRequest
from hub.web import body
from hub.web.values import Confirmation, DeviceKey, Move, NewCertificate, PairingCode, WindowKey
from protocol import strict
from protocol.messages import Staff

Http = Request[Any, Any, Any]
TheBindings = NamedDependency[SkipValidation[Bindings]]
TheRenewals = NamedDependency[SkipValidation[Renewals]]


@get("/windows", scope=Scope.WINDOWS)
async def get_windows(bindings: TheBindings) -> tuple[WindowStatus, ...]:
    """Tell how all windows stand."""
    return await bindings.windows()


@get("/windows/{window:str}", scope=Scope.WINDOWS)
async def get_window(request: Http, bindings: TheBindings) -> WindowStatus:
    """Tell how a window stands."""
    return await bindings.status(_window(request))


@get("/windows/{window:str}/bindings", scope=Scope.BINDINGS)
async def get_bindings(request: Http, bindings: TheBindings) -> list[Binding]:
    """Tell which kiosks and clerks were at a window, newest first."""
    return await bindings.history(_window(request))


@post("/windows/{window:str}/pairing", scope=Scope.PAIR, status_code=202)
async def claim(request: Http, bindings: TheBindings) -> Candidate:
    """Type the code of a kiosk: it shows the window's name until that is confirmed."""
    window, asked = await _taken(request, PairingCode)
    return await bindings.claim(window, asked.code, _caller(request))


@post("/windows/{window:str}/pairing/confirmation", scope=Scope.PAIR, status_code=200)
async def confirm(request: Http, bindings: TheBindings) -> WindowStatus:
    """Confirm that the right kiosk shows the window's name."""
    window, asked = await _taken(request, Confirmation)
    return await bindings.confirm(window, asked.device, _caller(request))


@post("/windows/{window:str}/pairing/cancellation", scope=Scope.PAIR, status_code=204)
async def cancel(request: Http, bindings: TheBindings) -> None:
    """Tell that it was another kiosk that shows the window's name."""
    window, asked = await _taken(request, Confirmation)
    bindings.cancel(window, asked.device, _caller(request))


@delete("/windows/{window:str}/pairing", scope=Scope.REBIND, status_code=200)
async def unpair(request: Http, bindings: TheBindings) -> WindowStatus:
    """Take the kiosk off a window."""
    return await bindings.unpair(_window(request), _caller(request))


@post("/windows/{window:str}/pairing/move", scope=Scope.REBIND, status_code=200)
async def move(request: Http, bindings: TheBindings) -> WindowStatus:
    """Have the kiosk of a window serve another window; answers how that one stands."""
    window, asked = await _taken(request, Move)
    return await bindings.move(window, asked.to, _caller(request))


@put("/windows/{window:str}/staff", scope=Scope.SIGN_ON_ANYONE)
async def sign_on(request: Http, bindings: TheBindings) -> WindowStatus:
    """Put a clerk at a window; who was there is signed off."""
    window, staff = await _taken(request, Staff)
    return await bindings.sign_on(window, staff, _caller(request))


@delete("/windows/{window:str}/staff", scope=Scope.SIGN_ON_ANYONE, status_code=200)
async def sign_off(request: Http, bindings: TheBindings) -> WindowStatus:
    """Let the clerk of a window go; nothing happens if nobody is signed on."""
    return await bindings.sign_off(_window(request), _caller(request))


@get("/renewals", scope=Scope.RENEWALS)
async def get_renewals(renewals: TheRenewals) -> list[RenewalRequest]:
    """Tell the IT desk which kiosks ask for their next certificate."""
    return await renewals.waiting()


@put("/renewals/{device:str}", scope=Scope.RENEWALS, status_code=204)
async def answer_renewal(request: Http, renewals: TheRenewals) -> None:
    """Take from the IT desk the certificate that it signed."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    key, asked = reading.take(address, DeviceKey), reading.take(data, NewCertificate)
    if key is None or asked is None:
        raise reading.end()
    await renewals.answer(key.device, asked.chain, _caller(request))


def _caller(request: Http) -> Caller:
    caller: Caller = request.state.caller
    return caller


def _window(request: Http) -> str:
    return strict.convert(body.address(request), WindowKey).window


async def _taken(request: Http, kind: type[body.T]) -> tuple[str, body.T]:
    """Return the window of the address and the body; all faults of both at once."""
    address, data = body.address(request), await body.read(request)
    reading = body.Reading()
    key, asked = reading.take(address, WindowKey), reading.take(data, kind)
    if key is None or asked is None:
        raise reading.end()
    return key.window, asked


API = [
    get_windows,
    get_window,
    get_bindings,
    claim,
    confirm,
    cancel,
    unpair,
    move,
    sign_on,
    sign_off,
    get_renewals,
    answer_renewal,
]
