"""The decorator @Federation, and the decorators that mark the methods that the hub calls (OpenIntent RFC-0022)."""

from collections.abc import Callable
from functools import wraps
from typing import Protocol, TypeVar

from peers.protocol.compat import ServerIdentity, make_seed, read_key_file
from peers.protocol.enums import AgentVisibility, TrustPolicy

Class = TypeVar("Class", bound=type[object])
Handler = TypeVar("Handler", bound=Callable[..., object])
HANDLER_ATTRIBUTE = "_openintent_handler"


class ServerLike(Protocol):
    """The type of the argument `server` of the decorator @Federation: a server object with a config and an app.

    `config` has the attribute `server_url`, or the attributes `host` and `port`.
    """

    @property
    def config(self) -> object: ...

    @property
    def app(self) -> object: ...


def on_federation_received(func: Handler) -> Handler:
    """Mark the method that the hub calls with each received envelope."""
    return _mark(func, "federation_received")


def on_federation_callback(func: Handler) -> Handler:
    """Mark the method that the hub calls with each callback about dispatched work."""
    return _mark(func, "federation_callback")


def on_budget_warning(func: Handler) -> Handler:
    """Mark the method that the hub calls with each budget warning."""
    return _mark(func, "budget_warning")


def federation_handlers(instance: object) -> dict[str, Callable[..., object]]:
    """Return the marked methods, bound, by `federation_received`, `federation_callback` and `budget_warning`.

    A subclass that overrides a marked method must mark its method too; otherwise this method is not a handler.
    """
    handlers = {}
    for name in dir(type(instance)):
        mark = getattr(getattr(type(instance), name, None), HANDLER_ATTRIBUTE, None)
        if isinstance(mark, str):
            handlers[mark] = getattr(instance, name)
    return handlers


def Federation(
    server: ServerLike | None = None,
    identity: str | None = None,
    key_path: str | None = None,
    visibility_default: str = "public",
    trust_policy: str = "allowlist",
    peers: list[str] | None = None,
    server_url: str | None = None,
) -> Callable[[Class], Class]:
    """Configure a class for federation; each instance gets an identity when it is made.

    The config of `server` gives the URL and takes precedence over `server_url`. `identity` replaces the did:web. Each
    instance gets a new key pair unless `key_path` names a key file. Raises ValueError for an unknown policy or
    visibility when the class is defined.
    """
    policy, visibility = TrustPolicy(trust_policy), AgentVisibility(visibility_default)

    def decorate(cls: Class) -> Class:
        make = cls.__init__

        @wraps(make)
        def make_and_configure(self: object, *args: object, **kwargs: object) -> None:
            make(self, *args, **kwargs)
            url = _server_url(server.config) if server is not None else server_url or ""
            _set_all(
                self,
                _federation_identity=_load_identity(url, identity or "", key_path),
                _federation_trust_policy=policy,
                _federation_visibility_default=visibility,
                _federation_peers=list(peers or ()),
                _federation_server_url=url,
                _federation_server=server,
            )

        _set_all(
            cls,
            __init__=make_and_configure,
            _federation_configured=True,
            _federation_trust_policy_name=trust_policy,
            _federation_visibility_default_name=visibility_default,
            _federation_peer_list=list(peers or ()),
        )
        return cls

    return decorate


def _mark(func: Handler, mark: str) -> Handler:
    setattr(func, HANDLER_ATTRIBUTE, mark)
    return func


def _set_all(target: object, **attributes: object) -> None:
    for name, value in attributes.items():
        setattr(target, name, value)


def _load_identity(server_url: str, did: str, key_path: str | None) -> ServerIdentity:
    if key_path is None:
        return ServerIdentity(server_url, did, private_key_bytes=make_seed())
    return ServerIdentity(server_url, did, private_key_bytes=read_key_file(key_path))


def _server_url(config: object) -> str:
    """Return the config's `server_url`; without one, an http URL of the config's host and port, as OpenIntent does."""
    configured = getattr(config, "server_url", None)
    if isinstance(configured, str) and configured:
        return configured.rstrip("/")
    host, port = str(getattr(config, "host", "")), getattr(config, "port", None)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}" + (f":{port}" if port else "")
