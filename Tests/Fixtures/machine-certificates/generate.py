#!/usr/bin/env python3
"""Makes the certificates, keys and revocation lists beside it, good and bad, with python3-cryptography.

All are valid from 2026-01-01 to 2125-01-01 unless their name says otherwise. The keys are for tests only.
Run it in its folder; a test that needs another case adds it here and is committed with the files.
"""
import datetime
import subprocess

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

START = datetime.datetime(2026, 1, 1)
END = datetime.datetime(2125, 1, 1)
CLIENT = [ExtendedKeyUsageOID.CLIENT_AUTH]


def name(common, *more):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common), *more])


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def usage(**bits):
    every = dict.fromkeys(
        ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
         "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**{**every, **bits})


def issue(subject, public, issuer, issuer_key, *, authority=False, start=START, end=END, eku=CLIENT,
          key_usage=None, extensions=(), digest=hashes.SHA256(), path_length=None):
    subject = name(subject) if isinstance(subject, str) else subject
    issuer = name(issuer) if isinstance(issuer, str) else issuer
    builder = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True))
    if key_usage is None:
        key_usage = (usage(key_cert_sign=True, crl_sign=True) if authority
                     else usage(digital_signature=True))
    builder = builder.add_extension(key_usage, critical=True)
    if eku and not authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage(eku), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signs = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else digest
    return builder.sign(issuer_key, signs)


def revocations(path, issuer, key, certificates, *, next_update=END):
    builder = x509.CertificateRevocationListBuilder().issuer_name(name(issuer)).last_update(START)
    builder = builder.next_update(next_update)
    for certificate in certificates:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            .revocation_date(START).build())
    write(path, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


# The authorities: a root, an issuing one below it, and one that nobody trusts.
root_key = ec.generate_private_key(ec.SECP384R1())
root = issue("Test Root", root_key.public_key(), "Test Root", root_key, authority=True)
issuing_key = rsa.generate_private_key(65537, 2048)
issuing = issue("Test Issuing", issuing_key.public_key(), "Test Root", root_key, authority=True)
other_key = p256()
other = issue("Test Root", other_key.public_key(), "Test Root", other_key, authority=True)
write("root.pem", pem(root))
write("issuing.pem", pem(issuing))
write("other-root.pem", pem(other))

# Machines. The keys of the two good kinds are reused where a case does not need its own.
rsa_key = rsa.generate_private_key(65537, 2048)
ec_key = p256()
stranger_key = p256()
write("rsa.key", key_pem(rsa_key))
write("p256.key", key_pem(ec_key))
write("stranger.key", key_pem(stranger_key))


def machine(path, public, *, subject="laptop-7", issuer="Test Issuing", key=issuing_key,
            chain=(issuing,), **options):
    certificate = issue(subject, public, issuer, key, **options)
    write(path, b"".join(map(pem, [certificate, *chain])))
    return certificate


names = x509.SubjectAlternativeName([
    x509.RFC822Name("alice@example.org"), x509.DNSName("laptop-7.example.org")])
full = name("laptop-7", x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "alice"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bücher, Inc"))
machine("rsa.pem", rsa_key.public_key(), subject=full, extensions=[(names, False)])
good = machine("p256.pem", ec_key.public_key(), subject=full, extensions=[(names, False)])
reissued = machine("p256-reissued.pem", ec_key.public_key(), subject="laptop-8")
machine("stranger.pem", stranger_key.public_key(), subject="stranger")
machine("direct.pem", ec_key.public_key(), issuer="Test Root", key=root_key, chain=())
machine("wrong-authority.pem", ec_key.public_key(), issuer="Test Root", key=other_key,
        chain=(other,))
machine("expired.pem", ec_key.public_key(), end=datetime.datetime(2026, 6, 1))
machine("not-yet-valid.pem", ec_key.public_key(), start=datetime.datetime(2100, 1, 1))
machine("authority-as-leaf.pem", ec_key.public_key(), authority=True)
machine("no-client.pem", ec_key.public_key(), eku=[ExtendedKeyUsageOID.SERVER_AUTH])
machine("no-eku.pem", ec_key.public_key(), eku=None)
machine("any-eku.pem", ec_key.public_key(), eku=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
machine("no-signing.pem", ec_key.public_key(), key_usage=usage(key_agreement=True))
machine("two-names.pem", ec_key.public_key(), subject=name(
    "laptop-7", x509.NameAttribute(NameOID.COMMON_NAME, "root")))
machine("odd-name.pem", ec_key.public_key(), subject="alice\x1b[2J\u202eroot")
machine("critical.pem", ec_key.public_key(), extensions=[
    (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00"), True)])
weak_key = rsa.generate_private_key(65537, 1024)
machine("rsa1024.pem", weak_key.public_key())
small_key = rsa.generate_private_key(3, 2048)
machine("rsa-e3.pem", small_key.public_key())
p384_key = ec.generate_private_key(ec.SECP384R1())
write("p384.key", key_pem(p384_key))
machine("p384.pem", p384_key.public_key())
machine("ed25519.pem", ed25519.Ed25519PrivateKey.generate().public_key())

# A leaf that signs another leaf.
machine("leaf-by-leaf.pem", stranger_key.public_key(), subject="forged", issuer=full, key=ec_key,
        chain=(good, issuing))
# An authority that may not have authorities below it, and one that is not for certificates.
flat_key = p256()
flat = issue("Flat", flat_key.public_key(), "Test Root", root_key, authority=True, path_length=0)
below = issue("Below", stranger_key.public_key(), "Flat", flat_key, authority=True)
machine("path-length.pem", ec_key.public_key(), issuer="Below", key=stranger_key,
        chain=(below, flat))
mute = issue("Mute", stranger_key.public_key(), "Test Root", root_key, authority=True,
             key_usage=usage(crl_sign=True))
machine("no-cert-sign.pem", ec_key.public_key(), issuer="Mute", key=stranger_key, chain=(mute,))
expired = issue("Expired", stranger_key.public_key(), "Test Root", root_key, authority=True,
                end=datetime.datetime(2026, 6, 1))
machine("expired-authority.pem", ec_key.public_key(), issuer="Expired", key=stranger_key,
        chain=(expired,))
# Names that the authority may certify.
bound = issue("Bound", stranger_key.public_key(), "Test Root", root_key, authority=True, extensions=[
    (x509.NameConstraints([x509.DNSName("example.org")], None), True)])
inside = x509.SubjectAlternativeName([x509.DNSName("a.example.org")])
outside = x509.SubjectAlternativeName([x509.DNSName("a.example.com")])
machine("constrained.pem", ec_key.public_key(), issuer="Bound", key=stranger_key, chain=(bound,),
        extensions=[(inside, False)])
machine("constraint-broken.pem", ec_key.public_key(), issuer="Bound", key=stranger_key,
        chain=(bound,), extensions=[(outside, False)])
# A chain longer than is followed.
chain, above, above_key = [], "Test Root", root_key
for step in range(9):
    key = p256()
    chain.insert(0, issue(f"Step {step}", key.public_key(), above, above_key, authority=True))
    above, above_key = f"Step {step}", key
machine("long-chain.pem", ec_key.public_key(), issuer=above, key=above_key, chain=chain[:6])
write("long-chain-roots.pem", pem(root) + b"".join(map(pem, chain[6:])))

revocations("issuing.crl", "Test Issuing", issuing_key, [reissued])
revocations("stale.crl", "Test Issuing", issuing_key, [], next_update=datetime.datetime(2026, 6, 1))
revocations("forged.crl", "Test Issuing", other_key, [])
revocations("root-revokes-issuing.crl", "Test Root", root_key, [issuing])

# What the library above does not write: a point in compressed form, SHA-1, a passphrase.
def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)

write("issuing.key", key_pem(issuing_key))
openssl("ec", "-in", "p256.key", "-conv_form", "compressed", "-out", "compressed.key")
write("extensions", b"basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n"
      b"extendedKeyUsage=clientAuth\n")
openssl("req", "-new", "-key", "compressed.key", "-subj", "/CN=laptop-9", "-out", "request")
for path, digest in [("compressed.pem", "-sha256"), ("sha1.pem", "-sha1")]:
    openssl("x509", "-req", "-in", "request", "-CA", "issuing.pem", "-CAkey", "issuing.key",
            "-set_serial", "28673", "-days", "36000", "-extfile", "extensions", digest, "-out", path)
    with open(path, "ab") as file:
        file.write(pem(issuing))
openssl("pkcs8", "-topk8", "-in", "p256.key", "-passout", "pass:test", "-out", "encrypted.key")
subprocess.run(["rm", "request", "extensions", "compressed.key"], check=True)
