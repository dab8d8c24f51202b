"""The errors for unreadable input; `peers.protocol.errors` re-exports them and adds the errors of the peer protocol.

Each error is a ValueError. `status_hint` is the HTTP status of the refusal; the message is for the log.
"""


class ProtocolError(ValueError):
    """The base of the errors for input that the hub cannot read or that the peer protocol refuses."""

    status_hint = 400


class MalformedMessage(ProtocolError):
    """The bytes or the object do not have the expected form."""

    status_hint = 422


class MessageTooLarge(MalformedMessage):
    """The message has more bytes than the reader accepts."""

    status_hint = 413


class InvalidIdentifier(MalformedMessage):
    """The URL or the DID does not name a server."""
