#include "Internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

enum { GCM_NONCE = 12, GCM_TAG = 16, BLOCK = 16, MAX_KEY = 32 };

static const EVP_MD *digest(int number) {
    switch (number) {
    case CXMLSEC_SHA1: return EVP_sha1();
    case CXMLSEC_SHA256: return EVP_sha256();
    case CXMLSEC_SHA384: return EVP_sha384();
    case CXMLSEC_SHA512: return EVP_sha512();
    default: return NULL;
    }
}

static const EVP_CIPHER *cipher_of(const cxmlsec_cipher *cipher) {
    switch (cipher->key_bits) {
    case 128: return cipher->is_gcm ? EVP_aes_128_gcm() : EVP_aes_128_cbc();
    case 192: return cipher->is_gcm ? EVP_aes_192_gcm() : EVP_aes_192_cbc();
    case 256: return cipher->is_gcm ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
    default: return NULL;
    }
}

static int set_padding(EVP_PKEY_CTX *context, const cxmlsec_cipher *cipher) {
    const EVP_MD *own = digest(cipher->digest), *mask = digest(cipher->mask_digest);
    return own && mask && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, own) > 0 && EVP_PKEY_CTX_set_rsa_mgf1_md(context, mask) > 0;
}

// MARK: Opening

static int unwrap(EVP_PKEY *own, const cxmlsec_cipher *cipher, const uint8_t *wrapped, size_t count,
                  uint8_t key[MAX_KEY]) {
    uint8_t buffer[8192 / 8];
    size_t size = sizeof buffer;
    EVP_PKEY_CTX *context = EVP_PKEY_is_a(own, "RSA") ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    int ok = context && EVP_PKEY_decrypt_init(context) > 0 && set_padding(context, cipher) &&
             EVP_PKEY_decrypt(context, buffer, &size, wrapped, count) > 0 &&
             size == (size_t)cipher->key_bits / 8;
    if (ok)
        memcpy(key, buffer, size);
    OPENSSL_cleanse(buffer, sizeof buffer);
    EVP_PKEY_CTX_free(context);
    return ok;
}

static int open_gcm(EVP_CIPHER_CTX *context, const EVP_CIPHER *kind, const uint8_t *key, const uint8_t *sealed,
                    size_t count, cxmlsec_bytes *plain) {
    if (count < GCM_NONCE + GCM_TAG)
        return 0;
    int inner = (int)(count - GCM_NONCE - GCM_TAG), written = 0, rest = 0;
    plain->count = (size_t)inner;
    uint8_t tag[GCM_TAG];
    memcpy(tag, sealed + count - GCM_TAG, GCM_TAG);
    return EVP_DecryptInit_ex(context, kind, NULL, key, sealed) == 1 &&
           EVP_DecryptUpdate(context, plain->bytes, &written, sealed + GCM_NONCE, inner) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(context, plain->bytes + written, &rest) == 1;
}

static int open_cbc(EVP_CIPHER_CTX *context, const EVP_CIPHER *kind, const uint8_t *key, const uint8_t *sealed,
                    size_t count, cxmlsec_bytes *plain) {
    if (count < 2 * BLOCK || count % BLOCK != 0)
        return 0;
    int inner = (int)(count - BLOCK), written = 0, rest = 0;
    plain->count = (size_t)inner;
    if (EVP_DecryptInit_ex(context, kind, NULL, key, sealed) != 1 || EVP_CIPHER_CTX_set_padding(context, 0) != 1 ||
        EVP_DecryptUpdate(context, plain->bytes, &written, sealed + BLOCK, inner) != 1 ||
        EVP_DecryptFinal_ex(context, plain->bytes + written, &rest) != 1)
        return 0;
    // XML Encryption §5.2: the last byte counts the padding, whose other bytes are arbitrary.
    uint8_t padding = plain->bytes[inner - 1];
    if (padding == 0 || padding > BLOCK)
        return 0;
    plain->count = (size_t)inner - padding;
    return 1;
}

int cxmlsec_open(const cxmlsec_identity *identity, const cxmlsec_cipher *cipher, const uint8_t *wrapped,
                 size_t wrapped_count, const uint8_t *sealed, size_t sealed_count, cxmlsec_bytes *plain) {
    if (wrapped_count > 8192 / 8 || sealed_count > CXMLSEC_MAX_BYTES)
        return CXMLSEC_TOO_LARGE;
    const EVP_CIPHER *kind = cipher_of(cipher);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t key[MAX_KEY] = {0};
    ERR_clear_error();
    plain->bytes = malloc(sealed_count + BLOCK);
    int ok = kind && context && plain->bytes && unwrap(identity->key, cipher, wrapped, wrapped_count, key) &&
             (cipher->is_gcm ? open_gcm : open_cbc)(context, kind, key, sealed, sealed_count, plain);
    OPENSSL_cleanse(key, sizeof key);
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    if (ok)
        return CXMLSEC_OK;
    if (plain->bytes)
        OPENSSL_cleanse(plain->bytes, sealed_count + BLOCK);
    free(plain->bytes);
    plain->bytes = NULL;
    plain->count = 0;
    return CXMLSEC_NOT_DECRYPTED;
}

// MARK: Sealing

static int wrap(EVP_PKEY *to, const cxmlsec_cipher *cipher, const uint8_t *key, cxmlsec_bytes *wrapped) {
    EVP_PKEY_CTX *context = EVP_PKEY_is_a(to, "RSA") ? EVP_PKEY_CTX_new(to, NULL) : NULL;
    size_t size = (size_t)EVP_PKEY_get_size(to);
    wrapped->bytes = malloc(size);
    int ok = context && wrapped->bytes && EVP_PKEY_encrypt_init(context) > 0 && set_padding(context, cipher) &&
             EVP_PKEY_encrypt(context, wrapped->bytes, &size, key, (size_t)cipher->key_bits / 8) > 0;
    wrapped->count = ok ? size : 0;
    EVP_PKEY_CTX_free(context);
    return ok;
}

int cxmlsec_seal(const cxmlsec_key *key, const cxmlsec_cipher *cipher, const uint8_t *plain, size_t count,
                 cxmlsec_bytes *wrapped, cxmlsec_bytes *sealed) {
    if (count > CXMLSEC_MAX_BYTES - 2 * BLOCK)
        return CXMLSEC_TOO_LARGE;
    const EVP_CIPHER *kind = cipher_of(cipher);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t content_key[MAX_KEY];
    size_t head = cipher->is_gcm ? GCM_NONCE : BLOCK;
    int written = 0, rest = 0;
    ERR_clear_error();
    // libcrypto's own padding is one that XML Encryption allows.
    sealed->bytes = malloc(count + head + 2 * BLOCK);
    int ok = kind && context && sealed->bytes && RAND_bytes(content_key, sizeof content_key) == 1 &&
             RAND_bytes(sealed->bytes, (int)head) == 1 && wrap(key->key, cipher, content_key, wrapped) &&
             EVP_EncryptInit_ex(context, kind, NULL, content_key, sealed->bytes) == 1 &&
             EVP_EncryptUpdate(context, sealed->bytes + head, &written, plain, (int)count) == 1 &&
             EVP_EncryptFinal_ex(context, sealed->bytes + head + written, &rest) == 1;
    sealed->count = head + (size_t)written + (size_t)rest;
    if (ok && cipher->is_gcm) {
        ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, sealed->bytes + sealed->count) == 1;
        sealed->count += GCM_TAG;
    }
    OPENSSL_cleanse(content_key, sizeof content_key);
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return ok ? CXMLSEC_OK : CXMLSEC_INTERNAL;
}
