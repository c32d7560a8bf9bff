#ifndef CX509_INTERNAL_H
#define CX509_INTERNAL_H

#include "CX509.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

struct cx509_chain {
    X509 *certificates[CX509_MAX_CERTIFICATES];
    int count;
};

/// CX509_OK when a certificate's key is of a kind and size that is accepted.
int cx509_key_status(X509 *certificate, int is_leaf);
/// SHA-256 of the key's SubjectPublicKeyInfo, written in one way whatever the certificate had.
int cx509_key_hash(EVP_PKEY *key, uint8_t hash[32]);
/// Sets the padding of an RSA signature; nothing for others.
int cx509_set_padding(EVP_PKEY *key, EVP_PKEY_CTX *context);

#endif
