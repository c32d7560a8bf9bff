"""A provider of OpenID Connect in TLS: oidc-provider-mock, which is built on Authlib, with one person whose
subject is 7.

usage: oidc_provider.py PORT CERTIFICATE KEY
"""
import sys

import oidc_provider_mock
from werkzeug.serving import run_simple

port, certificate, key = sys.argv[1:]
person = oidc_provider_mock.User(sub="7", claims={
    "preferred_username": "cleo", "name": "Cleo", "email": "cleo@example.org", "email_verified": True})
app = oidc_provider_mock.app(require_nonce=True, user_claims=[person])
run_simple("0.0.0.0", int(port), app, ssl_context=(certificate, key), threaded=True)
