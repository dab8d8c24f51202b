"""The hub as the OIDC issuer of the tokens that it sends to runtimes."""
