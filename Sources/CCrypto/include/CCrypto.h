// One-line entries into libcrypto and libsodium for CryptoPrimitives, which gives them spans.
// Functions that can fail return 1 on success and 0 on failure.
#ifndef CCRYPTO_H
#define CCRYPTO_H

#include <stddef.h>
#include <stdint.h>

/// Call once before anything else; safe to call again.
int ccrypto_initialize(void);

void ccrypto_wipe(void *bytes, size_t count);
int ccrypto_equal(const void *left, const void *right, size_t count);
void ccrypto_random(void *bytes, size_t count);

/// RFC 7748. Fails when the result is all zero (a point of small order).
int ccrypto_x25519(uint8_t result[32], const uint8_t scalar[32], const uint8_t point[32]);
int ccrypto_x25519_base(uint8_t result[32], const uint8_t scalar[32]);

/// RFC 7693; 1 to 32 bytes of hash over up to three inputs, optionally keyed (0 to 32 bytes).
int ccrypto_blake2s(uint8_t *hash, size_t hash_count, const uint8_t *key, size_t key_count,
                    const uint8_t *first, size_t first_count, const uint8_t *second,
                    size_t second_count);
/// RFC 2104 with BLAKE2s-256 over two inputs.
int ccrypto_hmac_blake2s(uint8_t mac[32], const uint8_t *key, size_t key_count,
                         const uint8_t *first, size_t first_count, const uint8_t *second,
                         size_t second_count);
int ccrypto_sha256(uint8_t hash[32], const uint8_t *bytes, size_t count);
/// RFC 2104 with SHA-1.
int ccrypto_hmac_sha1(uint8_t mac[20], const uint8_t *key, size_t key_count, const uint8_t *bytes,
                      size_t count);

/// The kinds of public keys whose signatures can be checked. What `first` and `second` of
/// ccrypto_signature_check are: the point's x and y, 32 bytes each (ECDSA over P-256 with SHA-256, the
/// signature in DER); modulus and exponent, big-endian (RSA PKCS #1 v1.5 with SHA-256); the key of 32
/// bytes and nothing (Ed25519).
enum { CCRYPTO_ES256 = 0, CCRYPTO_RS256 = 1, CCRYPTO_ED25519 = 2 };
/// Whether the bytes are a key of the kind: a point of the curve, a modulus of 2,048 to 4,096 bits with
/// an odd exponent of at most 33 bits.
int ccrypto_signature_key_check(int kind, const uint8_t *first, size_t first_count,
                                const uint8_t *second, size_t second_count);
/// Whether the signature of the message is that of the key.
int ccrypto_signature_check(int kind, const uint8_t *first, size_t first_count,
                            const uint8_t *second, size_t second_count, const uint8_t *message,
                            size_t count, const uint8_t *signature, size_t signature_count);

/// Argon2id (RFC 9106) with a random salt; `text` gets parameters, salt and hash, at most
/// CCRYPTO_PASSWORD_TEXT bytes with the zero at the end. Fails when there is no memory.
enum { CCRYPTO_PASSWORD_TEXT = 128 };
int ccrypto_password_hash(char text[CCRYPTO_PASSWORD_TEXT], const uint8_t *password, size_t count,
                          unsigned long long passes, size_t memory);
/// Whether the password has this hash. `text` ends in a zero.
int ccrypto_password_verify(const char *text, const uint8_t *password, size_t count);
/// Whether the hash was made with other parameters, or is no Argon2id hash.
int ccrypto_password_is_outdated(const char *text, unsigned long long passes, size_t memory);

/// Who computes ChaCha20-Poly1305 (RFC 8439): libcrypto, or Intel's Multi-Buffer Crypto, loaded when it
/// is first asked for, on x86-64 and where its library is installed.
enum { CCRYPTO_LIBCRYPTO = 0, CCRYPTO_IPSEC_MB = 1, CCRYPTO_BACKENDS = 2 };

/// Part of ccrypto_initialize.
int ccrypto_aead_initialize(void);
/// Whether it is there and agrees with libcrypto on known packets.
int ccrypto_aead_is_available(int backend);
/// Which one sealed full packets faster on this machine, measured when first asked.
int ccrypto_aead_fastest(void);
/// Nanoseconds it took to seal 1,420 bytes in that measurement; 0 when it is not available.
unsigned ccrypto_aead_nanoseconds(int backend);
/// Encrypts in place and writes the 16-byte tag right behind.
int ccrypto_aead_seal(int backend, const uint8_t key[32], uint8_t *text, size_t count,
                      const uint8_t nonce[12], const uint8_t *data, size_t data_count);
/// Decrypts in place `count` bytes that are followed by their 16-byte tag.
int ccrypto_aead_open(int backend, const uint8_t key[32], uint8_t *text, size_t count,
                      const uint8_t nonce[12], const uint8_t *data, size_t data_count);
/// Overwrites the last keys this thread used, as far as its cipher state holds copies of them.
void ccrypto_aead_forget(void);

/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), the tag behind the text.
int ccrypto_xaead_seal(uint8_t *sealed, const uint8_t *text, size_t count, const uint8_t nonce[24],
                       const uint8_t *data, size_t data_count, const uint8_t key[32]);
int ccrypto_xaead_open(uint8_t *text, const uint8_t *sealed, size_t sealed_count,
                       const uint8_t nonce[24], const uint8_t *data, size_t data_count,
                       const uint8_t key[32]);

/// NaCl crypto_box with the shared key computed beforehand; the tag stands in front of the text.
int ccrypto_box_shared_key(uint8_t shared[32], const uint8_t public_key[32],
                           const uint8_t secret_key[32]);
int ccrypto_box_seal(uint8_t *sealed, const uint8_t *text, size_t count, const uint8_t nonce[24],
                     const uint8_t shared[32]);
int ccrypto_box_open(uint8_t *text, const uint8_t *sealed, size_t sealed_count,
                     const uint8_t nonce[24], const uint8_t shared[32]);

#endif
