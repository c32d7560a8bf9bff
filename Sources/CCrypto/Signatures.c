#include "CCrypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>
#include <string.h>

static EVP_PKEY *from_parameters(const char *algorithm, OSSL_PARAM *parameters) {
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, algorithm, NULL);
    int ok = context && EVP_PKEY_fromdata_init(context) > 0 &&
             EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) > 0;
    EVP_PKEY_CTX_free(context);
    return ok ? key : NULL;
}

static EVP_PKEY *p256_key(const uint8_t *x, size_t x_count, const uint8_t *y, size_t y_count) {
    if (x_count != 32 || y_count != 32)
        return NULL;
    char group[] = "P-256";
    uint8_t point[65] = {4};
    memcpy(point + 1, x, 32);
    memcpy(point + 33, y, 32);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group - 1),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end()};
    return from_parameters("EC", parameters);
}

static EVP_PKEY *rsa_key(const uint8_t *modulus, size_t modulus_count, const uint8_t *exponent,
                         size_t exponent_count) {
    if (modulus_count < 256 || modulus_count > 512 || exponent_count < 1 || exponent_count > 5)
        return NULL;
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_count, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_count, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    if (n && e && builder && BN_num_bits(n) >= 2048 && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e) &&
        BN_num_bits(e) <= 33 && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e))
        parameters = OSSL_PARAM_BLD_to_param(builder);
    if (parameters)
        key = from_parameters("RSA", parameters);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(e);
    BN_free(n);
    return key;
}

static EVP_PKEY *public_key(int kind, const uint8_t *first, size_t first_count,
                            const uint8_t *second, size_t second_count) {
    switch (kind) {
    case CCRYPTO_ES256:
        return p256_key(first, first_count, second, second_count);
    case CCRYPTO_RS256:
        return rsa_key(first, first_count, second, second_count);
    case CCRYPTO_ED25519:
        return first_count == 32
                   ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, first, first_count)
                   : NULL;
    default:
        return NULL;
    }
}

int ccrypto_signature_key_check(int kind, const uint8_t *first, size_t first_count,
                                const uint8_t *second, size_t second_count) {
    EVP_PKEY *key = public_key(kind, first, first_count, second, second_count);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return key != NULL;
}

int ccrypto_signature_check(int kind, const uint8_t *first, size_t first_count,
                            const uint8_t *second, size_t second_count, const uint8_t *message,
                            size_t count, const uint8_t *signature, size_t signature_count) {
    EVP_PKEY *key = public_key(kind, first, first_count, second, second_count);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const EVP_MD *digest = kind == CCRYPTO_ED25519 ? NULL : EVP_sha256();
    // PKCS #1 v1.5 is what RSA keys do unless told otherwise.
    int ok = key && context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) > 0 &&
             EVP_DigestVerify(context, signature, signature_count, message, count) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return ok;
}
