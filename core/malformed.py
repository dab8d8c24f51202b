"""Input from outside that cannot be read. `peers.protocol.errors` re-exports these names and adds the protocol's own.

Each error is a ValueError. `status_hint` is the HTTP status that suits the refusal; the message is for the log.
"""


class ProtocolError(ValueError):
    """Input that the protocol refuses."""

    status_hint = 400


class MalformedMessage(ProtocolError):
    """The bytes or the object cannot be read as what they should be."""

    status_hint = 422


class MessageTooLarge(MalformedMessage):
    """More bytes than the reader takes."""

    status_hint = 413


class InvalidIdentifier(MalformedMessage):
    """A URL or a DID that names no server."""
