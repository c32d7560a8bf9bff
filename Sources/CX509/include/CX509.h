// Certificates (X.509) by libcrypto, for the target Certificates, which gives these functions spans and types.
// Nothing here reads a clock or a file; every input is bounded before it is worked on.
#ifndef CX509_H
#define CX509_H

#include <stddef.h>
#include <stdint.h>

enum {
    /// Bytes of all certificates of a chain together.
    CX509_MAX_CHAIN_BYTES = 64 * 1024,
    /// Certificates of a chain as it is sent.
    CX509_MAX_CERTIFICATES = 8,
    /// Certificates of a chain as it is built: what was sent and the authority.
    CX509_MAX_BUILT = 8,
    CX509_TEXT_BYTES = 512,
    CX509_MAX_SIGNATURE_BYTES = 1024,
};

/// Why something was refused.
enum {
    CX509_OK = 0,
    CX509_EMPTY,
    CX509_TOO_LARGE,
    CX509_TOO_MANY,
    CX509_MALFORMED,
    CX509_UNSUPPORTED_KEY,
    CX509_WEAK_KEY,
    CX509_AUTHORITY_AS_LEAF,
    CX509_NO_DIGITAL_SIGNATURE,
    CX509_NO_CLIENT_AUTHENTICATION,
    CX509_EXPIRED,
    CX509_NOT_YET_VALID,
    CX509_REVOKED,
    CX509_NO_REVOCATION_LIST,
    CX509_STALE_REVOCATION_LIST,
    CX509_UNTRUSTED,
    CX509_BAD_SIGNATURE,
    CX509_NOT_AN_AUTHORITY,
    CX509_NAME_CONSTRAINT,
    CX509_WEAK_DIGEST,
    CX509_OTHER,
    CX509_ENCRYPTED_KEY,
    CX509_KEY_MISMATCH,
    CX509_NO_KEY,
    CX509_NO_PROVIDER,
};

// MARK: Chains as they are sent

/// A chain as it was sent: DER, one behind the other, the leaf first.
typedef struct cx509_chain cx509_chain;

/// Null, and the reason in `status`, unless all of the bytes are certificates with keys of a kind that is
/// accepted: RSA of 2048 to 8192 bits or P-256; beyond the leaf P-384, P-521 and Ed25519 too.
cx509_chain *cx509_chain_parse(const uint8_t *der, size_t count, int *status);
void cx509_chain_free(cx509_chain *chain);
/// Checks a signature by the leaf's key with SHA-256: RSA-PSS with a salt of 32 bytes, or ECDSA. 1 or 0.
int cx509_chain_verify(const cx509_chain *chain, const uint8_t *message, size_t count,
                       const uint8_t *signature, size_t signature_count);

typedef struct {
    /// Seconds since 1970.
    int64_t not_before, not_after;
    /// SHA-256 of the canonical SubjectPublicKeyInfo: the same for each certificate of a key.
    uint8_t key_hash[32];
    /// Of the issuer's name and the serial number: what a revocation list speaks of.
    uint8_t serial_hash[32];
    /// RFC 2253 in UTF-8, control characters escaped, cut where it is too long.
    char subject[CX509_TEXT_BYTES];
} cx509_leaf;

/// 0 when something cannot be read.
int cx509_chain_leaf(const cx509_chain *chain, cx509_leaf *leaf);

enum {
    CX509_COMMON_NAME,
    CX509_ORGANIZATIONAL_UNIT,
    CX509_USER_ID,
    CX509_SERIAL_NUMBER,
    CX509_EMAIL_ADDRESS,
    CX509_SAN_EMAIL,
    CX509_SAN_DNS,
    CX509_SAN_URI,
};
/// The number of values the leaf has of a field; when it is one, its text (UTF-8, ended by a zero) is in `text`.
/// -1 when a value cannot be text or is too long.
int cx509_chain_field(const cx509_chain *chain, int field, char text[CX509_TEXT_BYTES]);

// MARK: Trust

/// Authorities and revocation lists. Filled by one thread, then only read, by any number at once.
typedef struct cx509_trust cx509_trust;

cx509_trust *cx509_trust_new(void);
void cx509_trust_free(cx509_trust *trust);
/// Adds all certificates of a PEM text. The number, or minus the reason.
int cx509_trust_add_authorities(cx509_trust *trust, const uint8_t *pem, size_t count);
/// Adds the revocation lists of a PEM text, or the one of a DER file. The number, or minus the reason.
/// `next_update` is the earliest of them in seconds since 1970, or INT64_MAX.
int cx509_trust_add_revocations(cx509_trust *trust, const uint8_t *bytes, size_t count,
                                int64_t *next_update);

typedef struct {
    int status;
    /// Which certificate is at fault: 0 is the leaf.
    int depth;
    /// libcrypto's words for CX509_OTHER; static.
    const char *detail;
    /// Keys of the chain as it was built, the leaf's first.
    int built;
    uint8_t key_hashes[CX509_MAX_BUILT][32];
} cx509_verdict;

/// Builds a path from the leaf to an authority and checks it as of `now` (seconds since 1970): signatures,
/// validity, constraints, usage, strength (112 bits) and, when there are lists, revocation. The leaf's issuer
/// must then have a current list; authorities above it are looked up where they have one.
void cx509_chain_check(const cx509_chain *chain, const cx509_trust *trust, int64_t now,
                       cx509_verdict *verdict);

// MARK: Signing

/// A private key and the certificates that belong to it.
typedef struct cx509_identity cx509_identity;

/// Takes PEM texts: certificates, the leaf first, and the leaf's private key without passphrase. Null, and the
/// reason in `status`.
cx509_identity *cx509_identity_load(const uint8_t *certificates, size_t certificate_count,
                                    const uint8_t *key, size_t key_count, int *status);
/// The same with a key that stays in a token, named by a PKCS#11 URI (RFC 7512), through libcrypto's provider
/// `pkcs11`.
cx509_identity *cx509_identity_load_uri(const uint8_t *certificates, size_t certificate_count,
                                        const char *uri, int *status);
void cx509_identity_free(cx509_identity *identity);
/// The certificates in DER, one behind the other. The bytes belong to the identity.
const uint8_t *cx509_identity_chain(const cx509_identity *identity, size_t *count);
/// Signs as `cx509_chain_verify` checks. The number of bytes, or 0.
size_t cx509_identity_sign(const cx509_identity *identity, const uint8_t *message, size_t count,
                           uint8_t signature[CX509_MAX_SIGNATURE_BYTES]);

// MARK: Making

/// A self-signed certificate in DER with a new Ed25519 key that is forgotten at once; times in seconds since 1970.
/// The number of bytes, or 0.
size_t cx509_self_signed(const char *common_name, int64_t serial, int64_t not_before, int64_t not_after,
                         uint8_t *der, size_t capacity);

#endif
