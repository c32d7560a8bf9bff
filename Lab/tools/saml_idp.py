#!/usr/bin/env python3
"""A SAML identity provider (pysaml2) with a login form, for one person.

saml_idp.py make FOLDER URL                  makes key, certificate and metadata.xml
saml_idp.py serve FOLDER URL METADATA…       serves at URL; METADATA are files of service providers

The file FOLDER/mode says how it answers, in words: response, assertion (what is signed), gcm, cbc (how the
assertion is encrypted), stranger (signs with a key that is in no metadata).
"""
import base64, functools, html, os, shutil, subprocess, sys, traceback, urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer

import saml2.entity, saml2.sigver
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_PERSISTENT
from saml2.server import Server
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

PEOPLE = {"anna": "correct horse battery"}
CIPHERS = {
    "gcm": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "cbc": "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
}


def make_key(folder, name):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}",
         "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.crt"],
        check=True, capture_output=True)


def config(folder, url, metadata=None, key="idp"):
    words = {
        "entityid": f"{url}/metadata",
        "xmlsec_binary": shutil.which("xmlsec1"),
        "key_file": f"{folder}/{key}.key",
        "cert_file": f"{folder}/{key}.crt",
        "service": {"idp": {
            "endpoints": {"single_sign_on_service": [
                (f"{url}/redirect", BINDING_HTTP_REDIRECT), (f"{url}/post", BINDING_HTTP_POST)]},
            "name_id_format": [NAMEID_FORMAT_PERSISTENT],
            "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
        }},
    }
    if metadata:
        words["metadata"] = {"local": metadata}
    loaded = IdPConfig()
    loaded.load(words)
    return loaded


class Provider:
    def __init__(self, folder, url, metadata):
        self.folder = folder
        self.servers = {key: Server(config=config(folder, url, metadata, key)) for key in ("idp", "stranger")}
        for server in self.servers.values():
            # It counts as the same provider, with the same people.
            server.ident = self.servers["idp"].ident

    def mode(self):
        with open(f"{self.folder}/mode") as file:
            return file.read().split()

    def request(self, fields, binding):
        """Reads a request, whose signature has to be good; gives its ID and who sent it."""
        server = self.servers["idp"]
        message = server.parse_authn_request(fields["SAMLRequest"], binding).message
        if binding == BINDING_HTTP_REDIRECT:
            certificates = server.metadata.certs(message.issuer.text, "spsso", "signing")
            crypto = saml2.sigver.RSACrypto(None)
            if not any(saml2.sigver.verify_redirect_signature(fields, crypto, cert) for cert in certificates):
                raise ValueError("the request is signed wrongly or not at all")
        if binding == BINDING_HTTP_POST and not message.signature:
            raise ValueError("the request is not signed")
        return message.id, message.issuer.text

    def response(self, name, request_id, sender, policy):
        mode = self.mode()
        server = self.servers["stranger" if "stranger" in mode else "idp"]
        cipher = next((CIPHERS[word] for word in mode if word in CIPHERS), None)
        # Left alone, pysaml2 encrypts by Triple DES.
        saml2.entity.pre_encryption_part = functools.partial(saml2.sigver.pre_encryption_part, msg_enc=cipher)
        server.sec.encrypt_assertion = functools.partial(
            type(server.sec).encrypt_assertion, server.sec, key_type="aes-256")
        binding, destination = server.pick_binding(
            "assertion_consumer_service", [BINDING_HTTP_POST], "spsso", entity_id=sender)
        return destination, str(server.create_authn_response(
            {"uid": [name], "displayName": ["Anna of the lab"], "isMemberOf": ["staff", "ops"]},
            in_response_to=request_id, destination=destination, sp_entity_id=sender, userid=name,
            name_id_policy=policy, authn={"class_ref": PASSWORDPROTECTEDTRANSPORT, "authn_auth": "lab"},
            sign_response="response" in mode, sign_assertion="assertion" in mode,
            encrypt_assertion=cipher is not None, encrypted_advice_attributes=False,
            sign_alg=SIG_RSA_SHA256, digest_alg=DIGEST_SHA256))


def form(action, fields, shown=""):
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">' for name, value in fields.items())
    return f'<form method="post" action="{html.escape(action)}">{inputs}{shown}<button>Go on</button></form>'


class Handler(BaseHTTPRequestHandler):
    def answer(self, text, status=200):
        body = f"<!doctype html><title>Lab provider</title>{text}".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, pattern, *words):
        print(pattern % words, file=sys.stderr, flush=True)

    def ask(self, fields, binding):
        try:
            request_id, sender = PROVIDER.request(fields, binding)
        except Exception as error:
            traceback.print_exc()
            self.answer(f"<p>refused: {html.escape(repr(error))}</p>", 400)
            return
        self.answer(form("/login", {"request": request_id, "sender": sender},
                         '<input name="name"><input name="password" type="password">'))

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path != "/redirect":
            return self.answer("nothing here", 404)
        self.ask(dict(urllib.parse.parse_qsl(url.query)), BINDING_HTTP_REDIRECT)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = dict(urllib.parse.parse_qsl(body))
        if self.path == "/post":
            return self.ask(fields, BINDING_HTTP_POST)
        if PEOPLE.get(fields.get("name")) != fields.get("password"):
            return self.answer("<p>wrong password</p>", 403)
        policy = saml2.samlp.NameIDPolicy(format=NAMEID_FORMAT_PERSISTENT, allow_create="true")
        destination, response = PROVIDER.response(
            fields["name"], fields["request"], fields["sender"], policy)
        self.answer(form(destination, {"SAMLResponse": base64.b64encode(response.encode()).decode()}))


if __name__ == "__main__":
    command, folder, url = sys.argv[1:4]
    if command == "make":
        make_key(folder, "idp")
        make_key(folder, "stranger")
        with open(f"{folder}/metadata.xml", "w") as file:
            file.write(str(entity_descriptor(config(folder, url))))
    else:
        os.chdir(folder)
        PROVIDER = Provider(folder, url, sys.argv[4:])
        where = urllib.parse.urlsplit(url)
        HTTPServer((where.hostname, where.port), Handler).serve_forever()
