// XML with signatures and encryption by libxml2, libxmlsec1 and libcrypto, for the target XMLSecurity, which gives
// these functions spans and types. Nothing here reads a clock, a file or the network; every input is bounded
// before it is worked on.
#ifndef CXMLSEC_H
#define CXMLSEC_H

#include <stddef.h>
#include <stdint.h>

enum {
    /// Bytes of a document.
    CXMLSEC_MAX_BYTES = 1024 * 1024,
    CXMLSEC_MAX_ELEMENTS = 20000,
    CXMLSEC_MAX_DEPTH = 40,
    /// Bytes of one name or namespace.
    CXMLSEC_MAX_NAME_BYTES = 512,
    /// Bytes of all that an outline tells.
    CXMLSEC_MAX_OUTLINE_BYTES = 8 * 1024 * 1024,
};

/// Why something was refused.
enum {
    CXMLSEC_OK = 0,
    CXMLSEC_INTERNAL,
    CXMLSEC_TOO_LARGE,
    CXMLSEC_TOO_DEEP,
    CXMLSEC_MALFORMED,
    CXMLSEC_DOCUMENT_TYPE,
    CXMLSEC_FORBIDDEN_MARKUP,
    CXMLSEC_MISPLACED_SIGNATURE,
    CXMLSEC_BAD_SIGNATURE,
    CXMLSEC_NOT_DECRYPTED,
    CXMLSEC_UNSUPPORTED_KEY,
    CXMLSEC_WEAK_KEY,
    CXMLSEC_KEY_MISMATCH,
    CXMLSEC_NO_KEY,
};

/// Bytes that a function made; `cxmlsec_bytes_free` wipes and frees them.
typedef struct {
    uint8_t *bytes;
    size_t count;
} cxmlsec_bytes;

void cxmlsec_bytes_free(cxmlsec_bytes *bytes);

// MARK: Documents

typedef struct cxmlsec_document cxmlsec_document;

/// Reads UTF-8, whatever encoding the text claims. Document types are refused before anything is parsed, so there
/// are no entities; unless `is_lenient`, so are comments, CDATA sections and processing instructions. Null, and the
/// reason in `status`, for all that is no well-formed document or goes past a bound.
cxmlsec_document *cxmlsec_parse(const uint8_t *bytes, size_t count, int is_lenient, int *status);
void cxmlsec_document_free(cxmlsec_document *document);

/// All elements in the order of the document. Numbers are four bytes, the lowest first; texts are their length and
/// their bytes. For each element: depth (the root's is 0), number of attributes, local name, namespace, for each
/// attribute local name, namespace and value; then the text that stands directly in it.
int cxmlsec_outline(const cxmlsec_document *document, cxmlsec_bytes *outline);

// MARK: Keys

/// A public key: RSA of 2048 to 8192 bits, P-256, P-384 or P-521.
typedef struct cxmlsec_key cxmlsec_key;

/// Takes the key out of a certificate (DER), whoever signed that. `not_after` is in seconds since 1970.
cxmlsec_key *cxmlsec_key_from_certificate(const uint8_t *der, size_t count, int64_t *not_after, int *status);
void cxmlsec_key_free(cxmlsec_key *key);

/// A private key and its certificate.
typedef struct cxmlsec_identity cxmlsec_identity;

/// Takes PEM texts; the key without a passphrase. `needs_rsa`: only RSA can be decrypted with.
cxmlsec_identity *cxmlsec_identity_load(const uint8_t *certificate, size_t certificate_count, const uint8_t *key,
                                        size_t key_count, int needs_rsa, int *status);
void cxmlsec_identity_free(cxmlsec_identity *identity);
/// The certificate in DER.
int cxmlsec_identity_certificate(const cxmlsec_identity *identity, cxmlsec_bytes *der, int64_t *not_after);
/// Makes an RSA key (or, with 256 bits, one for P-256) and a certificate that it signs itself: PEM, times in seconds
/// since 1970.
int cxmlsec_identity_make(int bits, const char *name, int64_t not_before, int64_t not_after, cxmlsec_bytes *certificate,
                          cxmlsec_bytes *key);
/// RSASSA-PKCS1-v1_5 with SHA-256 over bytes.
int cxmlsec_identity_sign(const cxmlsec_identity *identity, const uint8_t *message, size_t count,
                          cxmlsec_bytes *signature);
/// The counterpart. 1 or 0.
int cxmlsec_key_verify(const cxmlsec_key *key, const uint8_t *message, size_t count, const uint8_t *signature,
                       size_t signature_count);

// MARK: Signatures

/// Checks the signature element number `signature`, which must stand directly in element `target`, against keys, and
/// gives the canonical bytes that it was made over. What KeyInfo says is not read. The only IDs in the document
/// are the target's attribute `ID` and those within the signature: where no two are the same, which the caller has
/// made sure of, the reference cannot lead elsewhere. Accepted are canonical XML 1.0, plain and exclusive, the
/// enveloped-signature transform, SHA-256, 384 and 512, RSA and ECDSA with these; one reference.
int cxmlsec_verify(cxmlsec_document *document, size_t signature, size_t target, const cxmlsec_key *const *keys,
                   size_t key_count, cxmlsec_bytes *canonical);
/// Fills in the signature element (a template) and gives the whole document.
int cxmlsec_sign(cxmlsec_document *document, size_t signature, size_t target, const cxmlsec_identity *identity,
                 cxmlsec_bytes *signed_document);

// MARK: Encryption

enum {
    CXMLSEC_SHA1,
    CXMLSEC_SHA256,
    CXMLSEC_SHA384,
    CXMLSEC_SHA512,
};

typedef struct {
    /// Bits of an AES key.
    int key_bits;
    /// GCM, or CBC with the padding of XML Encryption.
    int is_gcm;
    /// RSA-OAEP: the digest, and that of its mask.
    int digest, mask_digest;
} cxmlsec_cipher;

/// Unwraps a key with the identity and opens what it sealed. One reason for all that can be wrong.
int cxmlsec_open(const cxmlsec_identity *identity, const cxmlsec_cipher *cipher, const uint8_t *wrapped,
                 size_t wrapped_count, const uint8_t *sealed, size_t sealed_count, cxmlsec_bytes *plain);
/// The counterpart.
int cxmlsec_seal(const cxmlsec_key *key, const cxmlsec_cipher *cipher, const uint8_t *plain, size_t count,
                 cxmlsec_bytes *wrapped, cxmlsec_bytes *sealed);

#endif
