"""The hub as provider of OAuth 2 and OpenID Connect: other programs let people in by their account here."""
