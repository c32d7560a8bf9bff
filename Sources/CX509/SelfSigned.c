#include "Internal.h"

#include <string.h>

static int fill(X509 *certificate, EVP_PKEY *key, const char *common_name, int64_t serial, int64_t not_before,
                int64_t not_after) {
    X509_NAME *name = X509_get_subject_name(certificate);
    // Of its own type the text may be longer than the 64 characters of X.520.
    return X509_set_version(certificate, X509_VERSION_3) &&
           ASN1_INTEGER_set_int64(X509_get_serialNumber(certificate), serial) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)not_after) &&
           X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_PRINTABLESTRING,
                                      (const unsigned char *)common_name, (int)strlen(common_name), -1, 0) &&
           X509_set_issuer_name(certificate, name) && X509_set_pubkey(certificate, key) &&
           X509_sign(certificate, key, NULL) > 0;
}

size_t cx509_self_signed(const char *common_name, int64_t serial, int64_t not_before, int64_t not_after,
                         uint8_t *der, size_t capacity) {
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *certificate = X509_new();
    size_t written = 0;
    if (key && certificate && fill(certificate, key, common_name, serial, not_before, not_after)) {
        int count = i2d_X509(certificate, NULL);
        if (count > 0 && (size_t)count <= capacity) {
            i2d_X509(certificate, &der);
            written = (size_t)count;
        }
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return written;
}
