#include "Internal.h"

#include <libxml/parser.h>
#include <libxml/valid.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>
#include <xmlsec/buffer.h>
#include <xmlsec/crypto.h>
#include <xmlsec/errors.h>
#include <xmlsec/io.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlsec.h>
#include <xmlsec/xmltree.h>

// MARK: Start

static xmlParserInputPtr fetch_nothing(const char *address, const char *id, xmlParserCtxtPtr context) {
    (void)address, (void)id, (void)context;
    return NULL;
}

static void say_nothing(const char *file, int line, const char *function, const char *object, const char *subject,
                        int reason, const char *message) {
    (void)file, (void)line, (void)function, (void)object, (void)subject, (void)reason, (void)message;
}

/// Whether the library counts sizes as its headers, read here, say.
static int has_known_layout(void) {
    xmlSecBufferPtr buffer = xmlSecBufferCreate(1000);
    int is_known = buffer && buffer->size == 0 && buffer->maxSize >= 1000 &&
                   buffer->maxSize == xmlSecBufferGetMaxSize(buffer);
    xmlSecBufferDestroy(buffer);
    return is_known;
}

static int is_started;

static void start(void) {
    xmlInitParser();
    xmlSetExternalEntityLoader(fetch_nothing);
    xmlSecErrorsSetCallback(say_nothing);
    if (xmlSecInit() < 0 || xmlSecCheckVersion() != 1)
        return;
    // Without these a reference can lead into a file or the network.
    xmlSecIOCleanupCallbacks();
    if (xmlSecOpenSSLAppInit(NULL) < 0 || xmlSecOpenSSLInit() < 0)
        return;
    // The steps before set one of their own.
    xmlSecErrorsSetCallback(say_nothing);
    is_started = has_known_layout();
}

int cxmlsec_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    return pthread_once(&once, start) == 0 && is_started;
}

// MARK: Checking

static int allow_transforms(xmlSecDSigCtxPtr context) {
    xmlSecTransformId both[] = {
        xmlSecTransformInclC14NId,
        xmlSecTransformInclC14NWithCommentsId,
        xmlSecTransformExclC14NId,
        xmlSecTransformExclC14NWithCommentsId,
    };
    xmlSecTransformId of_reference[] = {
        xmlSecTransformEnvelopedId,
        xmlSecOpenSSLTransformSha256Id,
        xmlSecOpenSSLTransformSha384Id,
        xmlSecOpenSSLTransformSha512Id,
    };
    xmlSecTransformId of_signature[] = {
        xmlSecOpenSSLTransformRsaSha256Id,   xmlSecOpenSSLTransformRsaSha384Id,
        xmlSecOpenSSLTransformRsaSha512Id,   xmlSecOpenSSLTransformEcdsaSha256Id,
        xmlSecOpenSSLTransformEcdsaSha384Id, xmlSecOpenSSLTransformEcdsaSha512Id,
    };
    for (size_t index = 0; index < sizeof both / sizeof *both; index++) {
        if (xmlSecDSigCtxEnableReferenceTransform(context, both[index]) < 0 ||
            xmlSecDSigCtxEnableSignatureTransform(context, both[index]) < 0)
            return 0;
    }
    for (size_t index = 0; index < sizeof of_reference / sizeof *of_reference; index++) {
        if (xmlSecDSigCtxEnableReferenceTransform(context, of_reference[index]) < 0)
            return 0;
    }
    for (size_t index = 0; index < sizeof of_signature / sizeof *of_signature; index++) {
        if (xmlSecDSigCtxEnableSignatureTransform(context, of_signature[index]) < 0)
            return 0;
    }
    return 1;
}

/// Makes the context own a key. With it set, KeyInfo is not looked at.
static int set_key(xmlSecDSigCtxPtr context, EVP_PKEY *key) {
    if (!EVP_PKEY_up_ref(key))
        return 0;
    xmlSecKeyDataPtr data = xmlSecOpenSSLEvpKeyAdopt(key);
    if (!data) {
        EVP_PKEY_free(key);
        return 0;
    }
    context->signKey = xmlSecKeyCreate();
    if (context->signKey && xmlSecKeySetValue(context->signKey, data) == 0)
        return 1;
    xmlSecKeyDataDestroy(data);
    return 0;
}

/// The bytes of the one reference.
static int take_canonical(xmlSecDSigCtxPtr context, cxmlsec_bytes *canonical) {
    if (xmlSecPtrListGetSize(&context->signedInfoReferences) != 1)
        return CXMLSEC_BAD_SIGNATURE;
    xmlSecDSigReferenceCtxPtr reference = xmlSecPtrListGetItem(&context->signedInfoReferences, 0);
    if (!reference || reference->status != xmlSecDSigStatusSucceeded)
        return CXMLSEC_BAD_SIGNATURE;
    xmlSecBufferPtr buffer = xmlSecDSigReferenceCtxGetPreDigestBuffer(reference);
    if (!buffer || xmlSecBufferGetSize(buffer) == 0)
        return CXMLSEC_BAD_SIGNATURE;
    return cxmlsec_copy(canonical, xmlSecBufferGetData(buffer), xmlSecBufferGetSize(buffer)) ? CXMLSEC_OK
                                                                                           : CXMLSEC_INTERNAL;
}

static int verify_with(xmlNodePtr signature, const cxmlsec_key *key, cxmlsec_bytes *canonical) {
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    if (!context)
        return CXMLSEC_INTERNAL;
    context->flags = XMLSEC_DSIG_FLAGS_IGNORE_MANIFESTS | XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES;
    context->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    int status = CXMLSEC_INTERNAL;
    if (allow_transforms(context) && set_key(context, key->key)) {
        int is_done = xmlSecDSigCtxVerify(context, signature) == 0;
        status = is_done && context->status == xmlSecDSigStatusSucceeded ? take_canonical(context, canonical)
                                                                         : CXMLSEC_BAD_SIGNATURE;
    }
    xmlSecDSigCtxDestroy(context);
    ERR_clear_error();
    return status;
}

/// The library makes IDs of the attributes `Id` within a signature, and they stay.
static void forget_ids(cxmlsec_document *document) {
    for (size_t index = 0; index < document->count; index++) {
        for (xmlAttrPtr attribute = document->elements[index]->properties; attribute; attribute = attribute->next) {
            if (attribute->atype == XML_ATTRIBUTE_ID)
                xmlRemoveID(document->document, attribute);
        }
    }
}

/// Makes the target's attribute `ID` the document's only ID. 0 when the elements are not what they should be.
static int set_id(cxmlsec_document *document, size_t signature, size_t target) {
    if (signature >= document->count || target >= document->count)
        return 0;
    forget_ids(document);
    xmlNodePtr node = document->elements[signature];
    if (node->parent != document->elements[target] || !xmlSecCheckNodeName(node, xmlSecNodeSignature, xmlSecDSigNs))
        return 0;
    xmlAttrPtr attribute = xmlHasNsProp(document->elements[target], BAD_CAST "ID", NULL);
    if (!attribute || attribute->type != XML_ATTRIBUTE_NODE || !attribute->children || attribute->children->next)
        return 0;
    return xmlAddID(NULL, document->document, attribute->children->content, attribute) != NULL;
}

int cxmlsec_verify(cxmlsec_document *document, size_t signature, size_t target, const cxmlsec_key *const *keys,
                   size_t key_count, cxmlsec_bytes *canonical) {
    if (!set_id(document, signature, target))
        return CXMLSEC_MISPLACED_SIGNATURE;
    int status = CXMLSEC_BAD_SIGNATURE;
    for (size_t index = 0; index < key_count && status == CXMLSEC_BAD_SIGNATURE; index++)
        status = verify_with(document->elements[signature], keys[index], canonical);
    forget_ids(document);
    return status;
}

// MARK: Signing

int cxmlsec_sign(cxmlsec_document *document, size_t signature, size_t target, const cxmlsec_identity *identity,
                 cxmlsec_bytes *signed_document) {
    if (!set_id(document, signature, target))
        return CXMLSEC_MISPLACED_SIGNATURE;
    xmlSecDSigCtxPtr context = xmlSecDSigCtxCreate(NULL);
    xmlBufferPtr text = xmlBufferCreate();
    int ok = context && text && set_key(context, identity->key) &&
             xmlSecDSigCtxSign(context, document->elements[signature]) == 0 &&
             xmlNodeDump(text, document->document, xmlDocGetRootElement(document->document), 0, 0) > 0 &&
             cxmlsec_copy(signed_document, xmlBufferContent(text), (size_t)xmlBufferLength(text));
    xmlBufferFree(text);
    if (context)
        xmlSecDSigCtxDestroy(context);
    forget_ids(document);
    ERR_clear_error();
    return ok ? CXMLSEC_OK : CXMLSEC_INTERNAL;
}
