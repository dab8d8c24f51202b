"""The command rotate_key: replace one of the hub's keys, with a time in which the old and the new one are valid."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.actors import Actor
from core.errors import HubError
from core.oidc.rotation import announce_oidc_key, switch_oidc_key
from core.oidc.signing_key import SigningKeyError
from fedhub.secret_rotation import reencrypt_everything
from peers.services.trust.rotation import announce_key, fingerprint_of, switch_key

SHELL = Actor("", "command line")


class Command(BaseCommand):
    """The command that rotates a key: `identity` and `oidc` in two steps, `secrets` in one."""

    help = (
        "Replace a key. identity: what the hub signs for peers; oidc: what signs its tokens for runtimes; both are "
        "announced first and used with --switch. secrets: encrypt the stored secrets with the first key of "
        "FEDHUB_SECRETS_KEY. SECRET_KEY is replaced in the environment, with the old one in SECRET_KEY_FALLBACKS."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the kind of key, and the second step."""
        parser.add_argument("kind", choices=["identity", "oidc", "secrets"], help="which key")
        parser.add_argument("--switch", action="store_true", help="use the announced key from now on")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do the step; raise CommandError for a step out of order, and where a secret cannot be read."""
        kind, is_switch = options["kind"], options["switch"]
        if kind == "secrets" and is_switch:
            raise CommandError("The stored secrets have one step: run rotate_key secrets without --switch.")
        try:
            {"identity": self._identity, "oidc": self._oidc, "secrets": self._secrets}[kind](is_switch)
        except HubError as exc:
            raise CommandError(exc.message) from exc
        except (SigningKeyError, OSError) as exc:
            raise CommandError(str(exc)) from exc

    def _identity(self, is_switch: bool) -> None:
        if is_switch:
            self.stdout.write(f"This hub signs for peers with {fingerprint_of(switch_key(by=SHELL))}.")
            self.stdout.write("The previous key stays valid for 30 days.")
        else:
            self.stdout.write(f"Announced: {fingerprint_of(announce_key(by=SHELL))}.")
            self.stdout.write("Tell the fingerprint to your peers' staff. When they have approved it, add --switch.")

    def _oidc(self, is_switch: bool) -> None:
        path = settings.FEDHUB_OIDC_KEY_PATH
        if is_switch:
            self.stdout.write(f"Tokens for runtimes are signed with {switch_oidc_key(path).kid}.")
            self.stdout.write("The previous key stays published for a day.")
        else:
            self.stdout.write(f"Published: {announce_oidc_key(path).kid}.")
            self.stdout.write("Wait until verifiers have read the key set again, a day at most; then add --switch.")

    def _secrets(self, is_switch: bool) -> None:
        done = reencrypt_everything(by=SHELL)
        self.stdout.write(f"{done.rewritten} encrypted again, {done.unchanged} had the first key already.")
        if done.unreadable:
            raise CommandError(
                f"No key of FEDHUB_SECRETS_KEY reads {', '.join(done.unreadable)}: set an outbound key anew with `peer "
                "outbound-key`, make the secret of a webhook anew, set the token of a federation anew, and let a "
                "person add the app again."
            )
        self.stdout.write("Every stored secret has the first key of FEDHUB_SECRETS_KEY; the other keys can be dropped.")
