#include "CCrypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static EVP_MAC *blake2s_mac;
static EVP_MAC *hmac;
static EVP_MD *blake2s;
static int ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void initialize(void) {
    blake2s_mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    blake2s = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
    ready = sodium_init() >= 0 && blake2s_mac && hmac && blake2s && ccrypto_aead_initialize();
}

int ccrypto_initialize(void) {
    pthread_once(&once, initialize);
    return ready;
}

void ccrypto_wipe(void *bytes, size_t count) { sodium_memzero(bytes, count); }

int ccrypto_equal(const void *left, const void *right, size_t count) {
    return sodium_memcmp(left, right, count) == 0;
}

void ccrypto_random(void *bytes, size_t count) { randombytes_buf(bytes, count); }

int ccrypto_x25519(uint8_t result[32], const uint8_t scalar[32], const uint8_t point[32]) {
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, 32);
    EVP_PKEY_CTX *context = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t count = 32;
    // libcrypto itself refuses an all-zero result.
    int ok = own && other && context && EVP_PKEY_derive_init(context) > 0 &&
             EVP_PKEY_derive_set_peer(context, other) > 0 &&
             EVP_PKEY_derive(context, result, &count) > 0 && count == 32;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    return ok && !sodium_is_zero(result, 32);
}

int ccrypto_x25519_base(uint8_t result[32], const uint8_t scalar[32]) {
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
    size_t count = 32;
    int ok = own && EVP_PKEY_get_raw_public_key(own, result, &count) > 0 && count == 32;
    EVP_PKEY_free(own);
    return ok;
}

static int mac(EVP_MAC *kind, const OSSL_PARAM *parameters, uint8_t *result, size_t result_count,
               const uint8_t *key, size_t key_count, const uint8_t *first, size_t first_count,
               const uint8_t *second, size_t second_count) {
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(kind);
    size_t written = 0;
    int ok = context && EVP_MAC_init(context, key, key_count, parameters) &&
             (first_count == 0 || EVP_MAC_update(context, first, first_count)) &&
             (second_count == 0 || EVP_MAC_update(context, second, second_count)) &&
             EVP_MAC_final(context, result, &written, result_count) && written == result_count;
    EVP_MAC_CTX_free(context);
    return ok;
}

int ccrypto_blake2s(uint8_t *hash, size_t hash_count, const uint8_t *key, size_t key_count,
                    const uint8_t *first, size_t first_count, const uint8_t *second,
                    size_t second_count) {
    if (key_count > 0) {
        OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &hash_count),
                                   OSSL_PARAM_construct_end()};
        return mac(blake2s_mac, parameters, hash, hash_count, key, key_count, first, first_count,
                   second, second_count);
    }
    if (hash_count != 32)
        return 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && EVP_DigestInit_ex2(context, blake2s, NULL) &&
             (first_count == 0 || EVP_DigestUpdate(context, first, first_count)) &&
             (second_count == 0 || EVP_DigestUpdate(context, second, second_count)) &&
             EVP_DigestFinal_ex(context, hash, NULL);
    EVP_MD_CTX_free(context);
    return ok;
}

int ccrypto_hmac_blake2s(uint8_t result[32], const uint8_t *key, size_t key_count,
                         const uint8_t *first, size_t first_count, const uint8_t *second,
                         size_t second_count) {
    char digest[] = "BLAKE2S-256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
        OSSL_PARAM_construct_end()};
    return mac(hmac, parameters, result, 32, key, key_count, first, first_count, second,
               second_count);
}

int ccrypto_sha256(uint8_t hash[32], const uint8_t *bytes, size_t count) {
    return EVP_Digest(bytes, count, hash, NULL, EVP_sha256(), NULL);
}

int ccrypto_hmac_sha1(uint8_t result[20], const uint8_t *key, size_t key_count, const uint8_t *bytes,
                      size_t count) {
    char digest[] = "SHA1";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof digest - 1),
        OSSL_PARAM_construct_end()};
    return mac(hmac, parameters, result, 20, key, key_count, bytes, count, NULL, 0);
}

int ccrypto_password_hash(char text[CCRYPTO_PASSWORD_TEXT], const uint8_t *password, size_t count,
                          unsigned long long passes, size_t memory) {
    _Static_assert(CCRYPTO_PASSWORD_TEXT >= crypto_pwhash_STRBYTES, "room for the hash");
    return crypto_pwhash_str_alg(text, (const char *)password, count, passes, memory,
                                 crypto_pwhash_ALG_ARGON2ID13) == 0;
}

int ccrypto_password_verify(const char *text, const uint8_t *password, size_t count) {
    return crypto_pwhash_str_verify(text, (const char *)password, count) == 0;
}

int ccrypto_password_is_outdated(const char *text, unsigned long long passes, size_t memory) {
    return crypto_pwhash_str_needs_rehash(text, passes, memory) != 0;
}

int ccrypto_xaead_seal(uint8_t *sealed, const uint8_t *text, size_t count, const uint8_t nonce[24],
                       const uint8_t *data, size_t data_count, const uint8_t key[32]) {
    return crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, text, count, data, data_count,
                                                      NULL, nonce, key) == 0;
}

int ccrypto_xaead_open(uint8_t *text, const uint8_t *sealed, size_t sealed_count,
                       const uint8_t nonce[24], const uint8_t *data, size_t data_count,
                       const uint8_t key[32]) {
    return crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, sealed, sealed_count, data,
                                                      data_count, nonce, key) == 0;
}

int ccrypto_box_shared_key(uint8_t shared[32], const uint8_t public_key[32],
                           const uint8_t secret_key[32]) {
    return crypto_box_beforenm(shared, public_key, secret_key) == 0;
}

int ccrypto_box_seal(uint8_t *sealed, const uint8_t *text, size_t count, const uint8_t nonce[24],
                     const uint8_t shared[32]) {
    return crypto_box_easy_afternm(sealed, text, count, nonce, shared) == 0;
}

int ccrypto_box_open(uint8_t *text, const uint8_t *sealed, size_t sealed_count,
                     const uint8_t nonce[24], const uint8_t shared[32]) {
    return crypto_box_open_easy_afternm(text, sealed, sealed_count, nonce, shared) == 0;
}
