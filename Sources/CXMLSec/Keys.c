#include "Internal.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

// MARK: Public keys

static int key_status(const EVP_PKEY *key, int needs_rsa) {
    if (!key)
        return CXMLSEC_UNSUPPORTED_KEY;
    if (EVP_PKEY_is_a(key, "RSA")) {
        int bits = EVP_PKEY_get_bits(key);
        if (bits < 2048)
            return CXMLSEC_WEAK_KEY;
        return bits <= 8192 ? CXMLSEC_OK : CXMLSEC_UNSUPPORTED_KEY;
    }
    char group[32] = "";
    if (!EVP_PKEY_is_a(key, "EC") || needs_rsa || !EVP_PKEY_get_group_name(key, group, sizeof group, NULL))
        return CXMLSEC_UNSUPPORTED_KEY;
    int is_known = strcmp(group, "prime256v1") == 0 || strcmp(group, "secp384r1") == 0 ||
                   strcmp(group, "secp521r1") == 0;
    return is_known ? CXMLSEC_OK : CXMLSEC_UNSUPPORTED_KEY;
}

static int64_t unix_time(const ASN1_TIME *time) {
    int days = 0, rest = 0;
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    if (!epoch || !ASN1_TIME_diff(&days, &rest, epoch, time))
        days = rest = 0;
    ASN1_TIME_free(epoch);
    return (int64_t)days * 86400 + rest;
}

cxmlsec_key *cxmlsec_key_from_certificate(const uint8_t *der, size_t count, int64_t *not_after, int *status) {
    const uint8_t *position = der;
    ERR_clear_error();
    X509 *certificate = count <= CXMLSEC_MAX_BYTES ? d2i_X509(NULL, &position, (long)count) : NULL;
    cxmlsec_key *key = calloc(1, sizeof *key);
    *status = CXMLSEC_MALFORMED;
    if (certificate && key && position == der + count) {
        key->key = X509_get_pubkey(certificate);
        *status = key_status(key->key, 0);
        *not_after = unix_time(X509_get0_notAfter(certificate));
    }
    X509_free(certificate);
    ERR_clear_error();
    if (*status == CXMLSEC_OK)
        return key;
    cxmlsec_key_free(key);
    return NULL;
}

void cxmlsec_key_free(cxmlsec_key *key) {
    if (!key)
        return;
    EVP_PKEY_free(key->key);
    free(key);
}

int cxmlsec_key_verify(const cxmlsec_key *key, const uint8_t *message, size_t count, const uint8_t *signature,
                       size_t signature_count) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_PKEY_is_a(key->key, "RSA") &&
             EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->key) == 1 &&
             EVP_DigestVerify(context, signature, signature_count, message, count) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

// MARK: Private keys

static int refuse_passphrase(char *buffer, int size, int writes, void *context) {
    (void)buffer, (void)size, (void)writes, (void)context;
    return -1;
}

cxmlsec_identity *cxmlsec_identity_load(const uint8_t *certificate, size_t certificate_count, const uint8_t *key,
                                        size_t key_count, int needs_rsa, int *status) {
    cxmlsec_identity *identity = calloc(1, sizeof *identity);
    *status = CXMLSEC_INTERNAL;
    if (!identity || certificate_count > CXMLSEC_MAX_BYTES || key_count > CXMLSEC_MAX_BYTES) {
        free(identity);
        return NULL;
    }
    ERR_clear_error();
    BIO *certificate_memory = BIO_new_mem_buf(certificate, (int)certificate_count);
    BIO *key_memory = BIO_new_mem_buf(key, (int)key_count);
    if (certificate_memory && key_memory) {
        identity->certificate = PEM_read_bio_X509(certificate_memory, NULL, refuse_passphrase, NULL);
        identity->key = PEM_read_bio_PrivateKey(key_memory, NULL, refuse_passphrase, NULL);
        *status = !identity->certificate ? CXMLSEC_MALFORMED
                  : !identity->key       ? CXMLSEC_NO_KEY
                                         : key_status(identity->key, needs_rsa);
    }
    BIO_free(certificate_memory);
    BIO_free(key_memory);
    if (*status == CXMLSEC_OK && EVP_PKEY_eq(X509_get0_pubkey(identity->certificate), identity->key) != 1)
        *status = CXMLSEC_KEY_MISMATCH;
    ERR_clear_error();
    if (*status == CXMLSEC_OK)
        return identity;
    cxmlsec_identity_free(identity);
    return NULL;
}

void cxmlsec_identity_free(cxmlsec_identity *identity) {
    if (!identity)
        return;
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    free(identity);
}

int cxmlsec_identity_certificate(const cxmlsec_identity *identity, cxmlsec_bytes *der, int64_t *not_after) {
    uint8_t *bytes = NULL;
    int count = i2d_X509(identity->certificate, &bytes);
    int ok = count > 0 && cxmlsec_copy(der, bytes, (size_t)count);
    OPENSSL_free(bytes);
    *not_after = unix_time(X509_get0_notAfter(identity->certificate));
    return ok ? CXMLSEC_OK : CXMLSEC_INTERNAL;
}

int cxmlsec_identity_sign(const cxmlsec_identity *identity, const uint8_t *message, size_t count,
                          cxmlsec_bytes *signature) {
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = (size_t)EVP_PKEY_get_size(identity->key);
    signature->bytes = malloc(size);
    int ok = context && signature->bytes && EVP_PKEY_is_a(identity->key, "RSA") &&
             EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, identity->key) == 1 &&
             EVP_DigestSign(context, signature->bytes, &size, message, count) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    signature->count = ok ? size : 0;
    return ok ? CXMLSEC_OK : CXMLSEC_INTERNAL;
}

// MARK: New keys

static int certify(X509 *certificate, EVP_PKEY *key, const char *name, int64_t not_before, int64_t not_after) {
    uint8_t serial[16];
    if (RAND_bytes(serial, sizeof serial) != 1)
        return 0;
    serial[0] &= 0x7F;
    BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
    X509_NAME *subject = X509_get_subject_name(certificate);
    int ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) &&
             X509_set_version(certificate, X509_VERSION_3) &&
             X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const uint8_t *)name, -1, -1, 0) &&
             X509_set_issuer_name(certificate, subject) &&
             ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before) &&
             ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after) &&
             X509_set_pubkey(certificate, key) && X509_sign(certificate, key, EVP_sha256()) > 0;
    BN_free(number);
    return ok;
}

static int take(BIO *memory, cxmlsec_bytes *to) {
    char *text = NULL;
    long count = BIO_get_mem_data(memory, &text);
    return count > 0 && cxmlsec_copy(to, text, (size_t)count);
}

int cxmlsec_identity_make(int bits, const char *name, int64_t not_before, int64_t not_after, cxmlsec_bytes *certificate,
                          cxmlsec_bytes *key) {
    ERR_clear_error();
    EVP_PKEY *made = bits == 256 ? EVP_EC_gen("P-256") : EVP_RSA_gen((unsigned)bits);
    X509 *own = X509_new();
    BIO *certificate_memory = BIO_new(BIO_s_mem()), *key_memory = BIO_new(BIO_s_secmem());
    int ok = made && own && certificate_memory && key_memory && certify(own, made, name, not_before, not_after) &&
             PEM_write_bio_X509(certificate_memory, own) == 1 &&
             PEM_write_bio_PKCS8PrivateKey(key_memory, made, NULL, NULL, 0, NULL, NULL) == 1 &&
             take(certificate_memory, certificate) && take(key_memory, key);
    BIO_free(certificate_memory);
    BIO_free(key_memory);
    X509_free(own);
    EVP_PKEY_free(made);
    ERR_clear_error();
    return ok ? CXMLSEC_OK : CXMLSEC_INTERNAL;
}
