#include "Internal.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

static int rsa_status(EVP_PKEY *key) {
    int bits = EVP_PKEY_get_bits(key);
    if (bits < 2048)
        return CX509_WEAK_KEY;
    if (bits > 8192)
        return CX509_UNSUPPORTED_KEY;
    // An exponent of 1 signs nothing, and one of thousands of bits costs as much as a private key.
    BIGNUM *exponent = NULL;
    int ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) &&
             BN_num_bits(exponent) >= 2 && BN_num_bits(exponent) <= 33 && BN_is_odd(exponent);
    BN_free(exponent);
    return ok ? CX509_OK : CX509_WEAK_KEY;
}

static int curve_status(EVP_PKEY *key, int is_leaf) {
    char group[32];
    size_t count = 0;
    int is_explicit = 0;
    if (!EVP_PKEY_get_group_name(key, group, sizeof group, &count) ||
        (EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
                                &is_explicit) &&
         is_explicit))
        return CX509_UNSUPPORTED_KEY;
    if (strcmp(group, "prime256v1") == 0)
        return CX509_OK;
    int is_larger = strcmp(group, "secp384r1") == 0 || strcmp(group, "secp521r1") == 0;
    return is_larger && !is_leaf ? CX509_OK : CX509_UNSUPPORTED_KEY;
}

int cx509_key_status(X509 *certificate, int is_leaf) {
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    if (!key)
        return CX509_UNSUPPORTED_KEY;
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return rsa_status(key);
    case EVP_PKEY_EC: return curve_status(key, is_leaf);
    case EVP_PKEY_ED25519: return is_leaf ? CX509_UNSUPPORTED_KEY : CX509_OK;
    default: return CX509_UNSUPPORTED_KEY;
    }
}

int cx509_key_hash(EVP_PKEY *key, uint8_t hash[32]) {
    // A copy: the key may be shared by threads, and a point may be written in several ways.
    EVP_PKEY *copy = EVP_PKEY_dup(key);
    uint8_t *der = NULL;
    int ok = copy != NULL;
    if (ok && EVP_PKEY_get_base_id(copy) == EVP_PKEY_EC)
        ok = EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                            "uncompressed");
    int count = ok ? i2d_PUBKEY(copy, &der) : -1;
    ok = count > 0 && EVP_Digest(der, (size_t)count, hash, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    EVP_PKEY_free(copy);
    ERR_clear_error();
    return ok;
}

static int parse(cx509_chain *chain, const uint8_t *der, size_t count) {
    const uint8_t *position = der;
    const uint8_t *end = der + count;
    while (position < end) {
        if (chain->count == CX509_MAX_CERTIFICATES)
            return CX509_TOO_MANY;
        X509 *certificate = d2i_X509(NULL, &position, end - position);
        if (!certificate)
            return CX509_MALFORMED;
        chain->certificates[chain->count++] = certificate;
        int status = cx509_key_status(certificate, chain->count == 1);
        if (status != CX509_OK)
            return status;
    }
    return chain->count > 0 ? CX509_OK : CX509_EMPTY;
}

cx509_chain *cx509_chain_parse(const uint8_t *der, size_t count, int *status) {
    *status = CX509_TOO_LARGE;
    if (count > CX509_MAX_CHAIN_BYTES)
        return NULL;
    cx509_chain *chain = calloc(1, sizeof *chain);
    *status = chain ? parse(chain, der, count) : CX509_OTHER;
    ERR_clear_error();
    if (*status == CX509_OK)
        return chain;
    cx509_chain_free(chain);
    return NULL;
}

void cx509_chain_free(cx509_chain *chain) {
    if (!chain)
        return;
    for (int index = 0; index < chain->count; index++)
        X509_free(chain->certificates[index]);
    free(chain);
}

int cx509_set_padding(EVP_PKEY *key, EVP_PKEY_CTX *context) {
    if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        return 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) > 0 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) > 0;
}

int cx509_chain_verify(const cx509_chain *chain, const uint8_t *message, size_t count,
                       const uint8_t *signature, size_t signature_count) {
    EVP_PKEY *key = X509_get0_pubkey(chain->certificates[0]);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters = NULL;
    int ok = context && EVP_DigestVerifyInit(context, &parameters, EVP_sha256(), NULL, key) > 0 &&
             cx509_set_padding(key, parameters) &&
             EVP_DigestVerify(context, signature, signature_count, message, count) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return ok;
}

static int seconds(const ASN1_TIME *time, int64_t *result) {
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, rest = 0;
    int ok = epoch && time && ASN1_TIME_diff(&days, &rest, epoch, time);
    *result = (int64_t)days * 86400 + rest;
    ASN1_TIME_free(epoch);
    return ok;
}

static void copy_text(BIO *memory, char text[CX509_TEXT_BYTES]) {
    char *bytes = NULL;
    long count = BIO_get_mem_data(memory, &bytes);
    size_t kept = count < 0 ? 0 : (size_t)count;
    if (kept > CX509_TEXT_BYTES - 1)
        kept = CX509_TEXT_BYTES - 1;
    if (kept > 0)
        memcpy(text, bytes, kept);
    text[kept] = 0;
}

static int serial_hash(X509 *certificate, uint8_t hash[32]) {
    uint8_t *issuer = NULL, *serial = NULL;
    int issuer_count = i2d_X509_NAME(X509_get_issuer_name(certificate), &issuer);
    int serial_count = i2d_ASN1_INTEGER(X509_get0_serialNumber(certificate), &serial);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int ok = context && issuer_count > 0 && serial_count > 0 &&
             EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
             EVP_DigestUpdate(context, issuer, (size_t)issuer_count) &&
             EVP_DigestUpdate(context, serial, (size_t)serial_count) &&
             EVP_DigestFinal_ex(context, hash, NULL);
    EVP_MD_CTX_free(context);
    OPENSSL_free(issuer);
    OPENSSL_free(serial);
    return ok;
}

int cx509_chain_leaf(const cx509_chain *chain, cx509_leaf *leaf) {
    X509 *certificate = chain->certificates[0];
    BIO *memory = BIO_new(BIO_s_mem());
    unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    int ok = memory &&
             X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, form) >= 0 &&
             seconds(X509_get0_notBefore(certificate), &leaf->not_before) &&
             seconds(X509_get0_notAfter(certificate), &leaf->not_after) &&
             cx509_key_hash(X509_get0_pubkey(certificate), leaf->key_hash) &&
             serial_hash(certificate, leaf->serial_hash);
    if (ok)
        copy_text(memory, leaf->subject);
    BIO_free(memory);
    ERR_clear_error();
    return ok;
}

// MARK: Fields

/// Keeps a value; 0 when it is no text for a name.
static int keep(const ASN1_STRING *value, char text[CX509_TEXT_BYTES]) {
    uint8_t *bytes = NULL;
    int count = ASN1_STRING_to_UTF8(&bytes, value);
    int ok = count > 0 && count < CX509_TEXT_BYTES;
    for (int index = 0; ok && index < count; index++)
        ok = bytes[index] >= 0x20 && bytes[index] != 0x7F;
    if (ok) {
        memcpy(text, bytes, (size_t)count);
        text[count] = 0;
    }
    if (count >= 0)
        OPENSSL_free(bytes);
    return ok;
}

static int subject_field(X509 *certificate, int nid, char text[CX509_TEXT_BYTES]) {
    X509_NAME *name = X509_get_subject_name(certificate);
    int found = 0;
    for (int index = -1; (index = X509_NAME_get_index_by_NID(name, nid, index)) >= 0; found++) {
        if (!keep(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)), text))
            return -1;
    }
    return found;
}

static int alternative_name(X509 *certificate, int type, char text[CX509_TEXT_BYTES]) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    int found = 0;
    for (int index = 0; index < sk_GENERAL_NAME_num(names); index++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, index);
        if (name->type != type)
            continue;
        if (!keep(name->d.ia5, text)) {
            found = -1;
            break;
        }
        found++;
    }
    GENERAL_NAMES_free(names);
    return found;
}

int cx509_chain_field(const cx509_chain *chain, int field, char text[CX509_TEXT_BYTES]) {
    X509 *leaf = chain->certificates[0];
    int found = -1;
    text[0] = 0;
    switch (field) {
    case CX509_COMMON_NAME: found = subject_field(leaf, NID_commonName, text); break;
    case CX509_ORGANIZATIONAL_UNIT:
        found = subject_field(leaf, NID_organizationalUnitName, text);
        break;
    case CX509_USER_ID: found = subject_field(leaf, NID_userId, text); break;
    case CX509_SERIAL_NUMBER: found = subject_field(leaf, NID_serialNumber, text); break;
    case CX509_EMAIL_ADDRESS: found = subject_field(leaf, NID_pkcs9_emailAddress, text); break;
    case CX509_SAN_EMAIL: found = alternative_name(leaf, GEN_EMAIL, text); break;
    case CX509_SAN_DNS: found = alternative_name(leaf, GEN_DNS, text); break;
    case CX509_SAN_URI: found = alternative_name(leaf, GEN_URI, text); break;
    default: break;
    }
    ERR_clear_error();
    return found;
}
