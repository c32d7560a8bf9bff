#include "Internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/store.h>
#include <stdlib.h>
#include <string.h>

struct cx509_identity {
    EVP_PKEY *key;
    uint8_t *chain;
    size_t count;
    /// For a key in a token: what libcrypto knows of it, apart from all else it does for this program.
    OSSL_LIB_CTX *library;
    OSSL_PROVIDER *standard, *token;
};

void cx509_identity_free(cx509_identity *identity) {
    if (!identity)
        return;
    EVP_PKEY_free(identity->key);
    if (identity->token)
        OSSL_PROVIDER_unload(identity->token);
    if (identity->standard)
        OSSL_PROVIDER_unload(identity->standard);
    OSSL_LIB_CTX_free(identity->library);
    free(identity->chain);
    free(identity);
}

const uint8_t *cx509_identity_chain(const cx509_identity *identity, size_t *count) {
    *count = identity->count;
    return identity->chain;
}

static int append(cx509_identity *identity, X509 *certificate) {
    int count = i2d_X509(certificate, NULL);
    if (count <= 0 || identity->count + (size_t)count > CX509_MAX_CHAIN_BYTES)
        return CX509_TOO_LARGE;
    uint8_t *grown = realloc(identity->chain, identity->count + (size_t)count);
    if (!grown)
        return CX509_OTHER;
    identity->chain = grown;
    uint8_t *position = grown + identity->count;
    identity->count += (size_t)i2d_X509(certificate, &position);
    return CX509_OK;
}

/// Takes the certificates in and gives the leaf.
static int read_chain(cx509_identity *identity, const uint8_t *pem, size_t count, X509 **leaf) {
    if (count > INT_MAX)
        return CX509_TOO_LARGE;
    BIO *memory = BIO_new_mem_buf(pem, (int)count);
    int found = 0, status = memory ? CX509_OK : CX509_OTHER;
    ERR_clear_error();
    while (status == CX509_OK) {
        X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
        if (!certificate) {
            unsigned long error = ERR_peek_last_error();
            if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
                status = CX509_MALFORMED;
            break;
        }
        status = found == CX509_MAX_CERTIFICATES ? CX509_TOO_MANY : append(identity, certificate);
        if (status == CX509_OK && found == 0)
            status = cx509_key_status(certificate, 1);
        if (found == 0)
            *leaf = certificate;
        else
            X509_free(certificate);
        found++;
    }
    BIO_free(memory);
    return status == CX509_OK && found == 0 ? CX509_EMPTY : status;
}

static int refuse_passphrase(char *buffer, int size, int writes, void *was_asked) {
    (void)buffer, (void)size, (void)writes;
    *(int *)was_asked = 1;
    return -1;
}

static int read_key(cx509_identity *identity, const uint8_t *pem, size_t count) {
    if (count > INT_MAX)
        return CX509_TOO_LARGE;
    BIO *memory = BIO_new_mem_buf(pem, (int)count);
    int is_encrypted = 0;
    identity->key =
        memory ? PEM_read_bio_PrivateKey(memory, NULL, refuse_passphrase, &is_encrypted) : NULL;
    BIO_free(memory);
    if (identity->key)
        return CX509_OK;
    return is_encrypted ? CX509_ENCRYPTED_KEY : CX509_NO_KEY;
}

/// Asks the token for a key, never a person for a PIN: that belongs into the URI (`pin-source`).
static int read_uri(cx509_identity *identity, const char *uri) {
    identity->library = OSSL_LIB_CTX_new();
    if (!identity->library)
        return CX509_OTHER;
    identity->token = OSSL_PROVIDER_load(identity->library, "pkcs11");
    identity->standard = OSSL_PROVIDER_load(identity->library, "default");
    if (!identity->token || !identity->standard)
        return CX509_NO_PROVIDER;
    OSSL_STORE_CTX *store =
        OSSL_STORE_open_ex(uri, identity->library, NULL, NULL, NULL, NULL, NULL, NULL);
    while (store && !identity->key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *found = OSSL_STORE_load(store);
        if (!found) {
            if (OSSL_STORE_error(store))
                break;
            continue;
        }
        if (OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY)
            identity->key = OSSL_STORE_INFO_get1_PKEY(found);
        OSSL_STORE_INFO_free(found);
    }
    OSSL_STORE_close(store);
    return identity->key ? CX509_OK : CX509_NO_KEY;
}

static cx509_identity *load(const uint8_t *certificates, size_t certificate_count,
                            const uint8_t *key, size_t key_count, const char *uri, int *status) {
    cx509_identity *identity = calloc(1, sizeof *identity);
    X509 *leaf = NULL;
    *status = identity ? read_chain(identity, certificates, certificate_count, &leaf) : CX509_OTHER;
    if (*status == CX509_OK)
        *status = uri ? read_uri(identity, uri) : read_key(identity, key, key_count);
    if (*status == CX509_OK && EVP_PKEY_eq(X509_get0_pubkey(leaf), identity->key) != 1)
        *status = CX509_KEY_MISMATCH;
    X509_free(leaf);
    ERR_clear_error();
    if (*status == CX509_OK)
        return identity;
    cx509_identity_free(identity);
    return NULL;
}

cx509_identity *cx509_identity_load(const uint8_t *certificates, size_t certificate_count,
                                    const uint8_t *key, size_t key_count, int *status) {
    return load(certificates, certificate_count, key, key_count, NULL, status);
}

cx509_identity *cx509_identity_load_uri(const uint8_t *certificates, size_t certificate_count,
                                        const char *uri, int *status) {
    return load(certificates, certificate_count, NULL, 0, uri, status);
}

size_t cx509_identity_sign(const cx509_identity *identity, const uint8_t *message, size_t count,
                           uint8_t signature[CX509_MAX_SIGNATURE_BYTES]) {
    size_t written = CX509_MAX_SIGNATURE_BYTES;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    int ok = context &&
             EVP_DigestSignInit_ex(context, &parameters, "SHA256", identity->library, NULL,
                                   identity->key, NULL) > 0 &&
             cx509_set_padding(identity->key, parameters) &&
             EVP_DigestSign(context, signature, &written, message, count) > 0;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok ? written : 0;
}
