#ifndef CXMLSEC_INTERNAL_H
#define CXMLSEC_INTERNAL_H

#include "CXMLSec.h"

// How Debian's libxmlsec1 is built; `cxmlsec_start` checks it.
#define XMLSEC_NO_SIZE_T 1
#define XMLSEC_NO_CRYPTO_DYNAMIC_LOADING 1
#define XMLSEC_CRYPTO_OPENSSL 1

#include <libxml/tree.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

struct cxmlsec_document {
    xmlDocPtr document;
    /// In the order of the document.
    xmlNodePtr *elements;
    size_t count;
};

struct cxmlsec_key {
    EVP_PKEY *key;
};

struct cxmlsec_identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/// Starts the libraries, once. 0 when they are not what this was built for.
int cxmlsec_start(void);
/// Copies bytes; 0 when there is no memory.
int cxmlsec_copy(cxmlsec_bytes *to, const void *bytes, size_t count);

#endif
