#include "Internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

struct cx509_trust {
    X509_STORE *store;
    int has_revocations;
};

cx509_trust *cx509_trust_new(void) {
    cx509_trust *trust = calloc(1, sizeof *trust);
    if (!trust)
        return NULL;
    trust->store = X509_STORE_new();
    if (trust->store)
        return trust;
    free(trust);
    return NULL;
}

void cx509_trust_free(cx509_trust *trust) {
    if (!trust)
        return;
    X509_STORE_free(trust->store);
    free(trust);
}

/// Whether a certificate says of itself that it may sign others.
static int is_authority(X509 *certificate) {
    uint32_t flags = X509_get_extension_flags(certificate);
    uint32_t usage = X509_get_key_usage(certificate);
    return (flags & EXFLAG_BCONS) && (flags & EXFLAG_CA) && !(flags & EXFLAG_INVALID) &&
           (usage == UINT32_MAX || (usage & KU_KEY_CERT_SIGN));
}

static int add_authority(cx509_trust *trust, X509 *certificate) {
    if (!is_authority(certificate))
        return CX509_NOT_AN_AUTHORITY;
    int status = cx509_key_status(certificate, 0);
    if (status != CX509_OK)
        return status;
    return X509_STORE_add_cert(trust->store, certificate) ? CX509_OK : CX509_OTHER;
}

/// Whether reading PEM ended because nothing more follows, and not amid something.
static int is_at_end(void) {
    unsigned long error = ERR_peek_last_error();
    return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

int cx509_trust_add_authorities(cx509_trust *trust, const uint8_t *pem, size_t count) {
    if (count > INT_MAX)
        return -CX509_TOO_LARGE;
    BIO *memory = BIO_new_mem_buf(pem, (int)count);
    int added = 0, status = memory ? CX509_OK : CX509_OTHER;
    ERR_clear_error();
    while (status == CX509_OK) {
        X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
        if (!certificate) {
            status = is_at_end() ? CX509_OK : CX509_MALFORMED;
            break;
        }
        status = add_authority(trust, certificate);
        X509_free(certificate);
        added++;
    }
    BIO_free(memory);
    ERR_clear_error();
    if (status == CX509_OK && added == 0)
        status = CX509_EMPTY;
    return status == CX509_OK ? added : -status;
}

static int add_revocation(cx509_trust *trust, X509_CRL *list, int64_t *next_update) {
    const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list);
    if (next) {
        ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
        int days = 0, rest = 0;
        if (epoch && ASN1_TIME_diff(&days, &rest, epoch, next)) {
            int64_t time = (int64_t)days * 86400 + rest;
            if (time < *next_update)
                *next_update = time;
        }
        ASN1_TIME_free(epoch);
    }
    return X509_STORE_add_crl(trust->store, list) ? CX509_OK : CX509_OTHER;
}

int cx509_trust_add_revocations(cx509_trust *trust, const uint8_t *bytes, size_t count,
                                int64_t *next_update) {
    *next_update = INT64_MAX;
    if (count > INT_MAX)
        return -CX509_TOO_LARGE;
    int added = 0, status = CX509_OK;
    const uint8_t *position = bytes;
    ERR_clear_error();
    X509_CRL *list = count > 0 && bytes[0] == 0x30 ? d2i_X509_CRL(NULL, &position, (long)count) : NULL;
    if (list) {
        status = position == bytes + count ? add_revocation(trust, list, next_update)
                                           : CX509_MALFORMED;
        X509_CRL_free(list);
        added = 1;
    } else {
        BIO *memory = BIO_new_mem_buf(bytes, (int)count);
        status = memory ? CX509_OK : CX509_OTHER;
        ERR_clear_error();
        while (status == CX509_OK) {
            list = PEM_read_bio_X509_CRL(memory, NULL, NULL, NULL);
            if (!list) {
                status = is_at_end() ? CX509_OK : CX509_MALFORMED;
                break;
            }
            status = add_revocation(trust, list, next_update);
            X509_CRL_free(list);
            added++;
        }
        BIO_free(memory);
    }
    ERR_clear_error();
    if (status == CX509_OK && added == 0)
        status = CX509_EMPTY;
    if (status != CX509_OK)
        return -status;
    trust->has_revocations = 1;
    return added;
}

// MARK: Checking

static int status_of(int error) {
    switch (error) {
    case X509_V_OK: return CX509_OK;
    case X509_V_ERR_CERT_HAS_EXPIRED: return CX509_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID: return CX509_NOT_YET_VALID;
    case X509_V_ERR_CERT_REVOKED: return CX509_REVOKED;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE: return CX509_NO_REVOCATION_LIST;
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_CRL_NOT_YET_VALID: return CX509_STALE_REVOCATION_LIST;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return CX509_UNTRUSTED;
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: return CX509_BAD_SIGNATURE;
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN: return CX509_NOT_AN_AUTHORITY;
    case X509_V_ERR_INVALID_PURPOSE: return CX509_NO_CLIENT_AUTHENTICATION;
    case X509_V_ERR_PERMITTED_VIOLATION:
    case X509_V_ERR_EXCLUDED_VIOLATION:
    case X509_V_ERR_SUBTREE_MINMAX:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_TYPE:
    case X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX:
    case X509_V_ERR_UNSUPPORTED_NAME_SYNTAX: return CX509_NAME_CONSTRAINT;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL: return CX509_WEAK_KEY;
    case X509_V_ERR_CA_MD_TOO_WEAK: return CX509_WEAK_DIGEST;
    default: return CX509_OTHER;
    }
}

static int leaf_status(X509 *leaf) {
    if (X509_check_ca(leaf) != 0)
        return CX509_AUTHORITY_AS_LEAF;
    uint32_t usage = X509_get_key_usage(leaf);
    if (usage != UINT32_MAX && !(usage & KU_DIGITAL_SIGNATURE))
        return CX509_NO_DIGITAL_SIGNATURE;
    uint32_t extended = X509_get_extended_key_usage(leaf);
    if (extended == UINT32_MAX || !(extended & XKU_SSL_CLIENT))
        return CX509_NO_CLIENT_AUTHENTICATION;
    return CX509_OK;
}

/// Authorities above the leaf's issuer need no list; where there is one it counts.
static int tolerate(int ok, X509_STORE_CTX *context) {
    if (!ok && X509_STORE_CTX_get_error(context) == X509_V_ERR_UNABLE_TO_GET_CRL &&
        X509_STORE_CTX_get_error_depth(context) > 0) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    return ok;
}

static void judge_built(STACK_OF(X509) * built, cx509_verdict *verdict) {
    verdict->status = CX509_OTHER;
    if (sk_X509_num(built) > CX509_MAX_BUILT)
        return;
    for (int index = 0; index < sk_X509_num(built); index++) {
        X509 *certificate = sk_X509_value(built, index);
        verdict->depth = index;
        if (index > 0 && !is_authority(certificate)) {
            verdict->status = CX509_NOT_AN_AUTHORITY;
            return;
        }
        if (!cx509_key_hash(X509_get0_pubkey(certificate), verdict->key_hashes[index]))
            return;
        verdict->built = index + 1;
    }
    verdict->depth = 0;
    verdict->status = CX509_OK;
}

static void build(const cx509_chain *chain, const cx509_trust *trust, int64_t now,
                  STACK_OF(X509) * others, X509_STORE_CTX *context, cx509_verdict *verdict) {
    for (int index = 1; index < chain->count; index++) {
        if (!sk_X509_push(others, chain->certificates[index]))
            return;
    }
    if (!X509_STORE_CTX_init(context, trust->store, chain->certificates[0], others) ||
        !X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_CLIENT))
        return;
    X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(context);
    unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
    if (trust->has_revocations)
        flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
    X509_VERIFY_PARAM_set_flags(parameters, flags);
    X509_VERIFY_PARAM_set_time(parameters, (time_t)now);
    // Authorities between the leaf and the one that is trusted.
    X509_VERIFY_PARAM_set_depth(parameters, CX509_MAX_BUILT - 2);
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    X509_STORE_CTX_set_verify_cb(context, tolerate);
    if (X509_verify_cert(context) == 1) {
        judge_built(X509_STORE_CTX_get0_chain(context), verdict);
        return;
    }
    int error = X509_STORE_CTX_get_error(context);
    verdict->status = error == X509_V_OK ? CX509_OTHER : status_of(error);
    verdict->depth = X509_STORE_CTX_get_error_depth(context);
    verdict->detail = X509_verify_cert_error_string(error);
}

void cx509_chain_check(const cx509_chain *chain, const cx509_trust *trust, int64_t now,
                       cx509_verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    verdict->detail = "internal error";
    verdict->status = leaf_status(chain->certificates[0]);
    if (verdict->status != CX509_OK)
        return;
    verdict->status = CX509_OTHER;
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    if (context && others)
        build(chain, trust, now, others, context, verdict);
    X509_STORE_CTX_free(context);
    sk_X509_free(others);
    ERR_clear_error();
}
