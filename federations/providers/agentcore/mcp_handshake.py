"""The handshake with an MCP server: finding its era and a revision that both sides know.

MCP has two eras: the revisions up to 2025-11-25 begin with `initialize` and may have sessions; 2026-07-28 is stateless
and describes the server by `server/discover`. The hub asks with `server/discover` first, unless the stored revision
belongs to the older era. A result means the stateless era and a refusal the older one. After a fault that says nothing
about the era, the hub tries the older era too, but does not remember the outcome.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from federations.providers.agentcore.bounds import EnrichmentError
from federations.providers.agentcore.mcp_revisions import (
    MODERN,
    OLDER,
    named_revisions,
    newest_common,
    no_common_revision,
    second_offer,
)
from federations.providers.agentcore.mcp_session import McpSession
from federations.providers.agentcore.mcp_wire import RpcError
from federations.providers.agentcore.refusals import OutOfTimeError, RefusedError, RequestFault
from federations.sync.resources import Json, JsonObject

_UNSUPPORTED_REVISION = -32022
# The key of MCP 2026-07-28 in a result's `_meta`.
_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
# These say nothing about the era: the hub is refused as a caller, or the runtime is starting, or AWS throttles.
_NOT_ABOUT_THE_ERA = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.FAILED_DEPENDENCY, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a server says about itself. `capabilities` are None if the server sends something else than an object.

    `remembered` is the agreed revision if the next sync may begin with it, otherwise empty.
    """

    capabilities: JsonObject | None
    server_info: JsonObject
    remembered: str


class _ModernServerError(EnrichmentError):
    """Raised where a server answers `initialize` by naming the stateless era. `answer` is its result, or None."""

    def __init__(self, text: str, answer: JsonObject | None = None) -> None:
        super().__init__(text)
        self.answer = answer


async def shake_hands(session: McpSession, known_revision: str) -> Handshake:
    """Agree with the server on a revision. `known_revision` is the stored one, or empty.

    Raises EnrichmentError if the server refuses both eras, and for a fault that says nothing about the era.
    """
    refused: EnrichmentError | None = None
    if known_revision in OLDER:
        try:
            return await _shake_older(session, remember=True)
        except EnrichmentError as exc:
            if not _is_about_the_era(exc):
                raise
            refused = exc
    found: JsonObject = {}
    remember = True
    try:
        found = await session.discover(is_probe=known_revision not in MODERN)
    except EnrichmentError as exc:
        remember = _is_about_the_era(exc)
        if not remember and (known_revision in MODERN or not _is_passing(exc)):
            raise
        _raise_without_common_revision(exc)
    if _is_modern(found):
        return _agree_on_modern(session, found)
    if isinstance(refused, _ModernServerError) and refused.answer is not None:
        return _agree_on_modern(session, refused.answer)
    if refused is not None:
        raise refused
    return await _shake_older_or_modern(session, remember)


async def _shake_older_or_modern(session: McpSession, remember: bool) -> Handshake:
    try:
        return await _shake_older(session, remember)
    except EnrichmentError as exc:
        if isinstance(exc, _ModernServerError) and exc.answer is not None:
            return _agree_on_modern(session, exc.answer)
        if not isinstance(exc, _ModernServerError) and (remember or not _is_about_the_era(exc)):
            raise
        # The probe failed although the server speaks the stateless era, for example because it was starting.
        return _agree_on_modern(session, await session.discover())


def _agree_on_modern(session: McpSession, found: JsonObject) -> Handshake:
    session.agree_on_modern()
    meta = found.get("_meta")
    info = meta.get(_SERVER_INFO) if isinstance(meta, dict) else None
    return Handshake(
        capabilities=_object_or_none(found.get("capabilities")),
        server_info=_object_or_none(info) or _object_or_none(found.get("serverInfo")) or {},
        remembered=session.revision,
    )


async def _shake_older(session: McpSession, remember: bool) -> Handshake:
    """Send `initialize`, and once more with another revision if the server does not accept the hub's newest one."""
    offered = OLDER[-1]
    try:
        answer = await session.initialize(offered)
    except EnrichmentError as exc:
        if not _is_about_the_era(exc):
            raise
        answer = await _initialize_again(session, offered, exc)
    answered = answer.get("protocolVersion")
    if answered in MODERN:
        raise _ModernServerError(f"the server answers initialize with MCP {answered}", answer)
    if isinstance(answered, str) and answered not in OLDER:
        answer = await _initialize_otherwise(session, offered, answered)
        answered = answer.get("protocolVersion")
    revision = answered if isinstance(answered, str) else offered
    await session.agree_on_older(revision)
    return Handshake(
        capabilities=_object_or_none(answer.get("capabilities")),
        server_info=_object_or_none(answer.get("serverInfo")) or {},
        remembered=revision if remember else "",
    )


async def _initialize_again(session: McpSession, offered: str, refusal: EnrichmentError) -> JsonObject:
    """Offer the newest common revision to a server that refused `offered`. Raise `refusal` if it names none."""
    named = _named_in(refusal, offered)
    revision = newest_common(named, OLDER)
    if revision is None:
        if newest_common(named, MODERN):
            raise _ModernServerError(str(refusal)) from refusal
        if named:
            raise EnrichmentError(no_common_revision(named)) from refusal
        raise refusal
    try:
        return await session.initialize(revision)
    except EnrichmentError as exc:
        if not _is_about_the_era(exc):
            raise
        raise EnrichmentError(f"the server refuses MCP {offered} and then {revision}: {exc}") from exc


async def _initialize_otherwise(session: McpSession, offered: str, answered: str) -> JsonObject:
    """Offer another revision to a server that answered an unknown one."""
    revision = second_offer(answered, offered)
    try:
        answer = await session.initialize(revision)
    except EnrichmentError as exc:
        if not _is_about_the_era(exc):
            raise
        raise EnrichmentError(f"{no_common_revision([answered])}; {revision} is refused: {exc}") from exc
    second = answer.get("protocolVersion")
    if isinstance(second, str) and second not in OLDER:
        raise EnrichmentError(no_common_revision(dict.fromkeys([answered, second])))
    return answer


def _is_modern(found: JsonObject) -> bool:
    """Tell whether the result of `server/discover` means the stateless era. Raise EnrichmentError for a later era."""
    supported = found.get("supportedVersions")
    if not isinstance(supported, list) or not supported:
        return isinstance(found.get("capabilities"), dict)
    named = [name for name in supported if isinstance(name, str)]
    if newest_common(named, MODERN):
        return True
    if named and newest_common(named, OLDER) is None:
        raise EnrichmentError(no_common_revision(named))
    return False


def _raise_without_common_revision(exc: EnrichmentError) -> None:
    """Raise EnrichmentError if a refusal of `server/discover` names only revisions that the hub does not know."""
    if _code(exc) == _UNSUPPORTED_REVISION:
        named = _named_in(exc, "")
        if named and newest_common(named, (*OLDER, *MODERN)) is None:
            raise EnrichmentError(no_common_revision(named)) from exc


def _is_about_the_era(exc: EnrichmentError) -> bool:
    """Tell whether the server itself refused the request or answered out of form, for good."""
    if isinstance(exc, RefusedError):
        return not exc.is_passing and exc.status not in _NOT_ABOUT_THE_ERA
    return not isinstance(exc, RequestFault)


def _is_passing(exc: EnrichmentError) -> bool:
    is_not_now = isinstance(exc, RefusedError) and exc.status in _NOT_ABOUT_THE_ERA
    return isinstance(exc, RequestFault) and exc.is_passing and not is_not_now and not isinstance(exc, OutOfTimeError)


def _code(exc: EnrichmentError) -> object:
    if isinstance(exc, RpcError):
        return exc.code
    return exc.error.get("code") if isinstance(exc, RefusedError) else None


def _named_in(exc: EnrichmentError, offered: str) -> tuple[str, ...]:
    if isinstance(exc, RpcError):
        return named_revisions(exc.message, exc.data, offered)
    if isinstance(exc, RefusedError):
        return named_revisions(exc.reason, exc.error.get("data"), offered)
    return ()


def _object_or_none(value: Json) -> JsonObject | None:
    return value if isinstance(value, dict) else None
