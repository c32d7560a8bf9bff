#include "CCrypto.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

// The library is loaded at run time, so that a program built with it runs without it too.
#if defined(__x86_64__) && __has_include(<intel-ipsec-mb.h>)
#define HAS_IPSEC_MB 1
#include <dlfcn.h>
#include <intel-ipsec-mb.h>
#include <link.h>
#include <sys/mman.h>
#else
#define HAS_IPSEC_MB 0
typedef struct IMB_MGR IMB_MGR;
#endif

enum { tag_count = 16 };

static const uint8_t no_key[32];
static EVP_CIPHER *cipher;

// MARK: Cipher state

// What a thread computes with. It is the same for all keys: a key in use costs its 32 bytes alone.
static _Thread_local struct state {
    EVP_CIPHER_CTX *sealing, *opening;
    IMB_MGR *manager;
} state;
static pthread_key_t thread_end;

static void free_manager(IMB_MGR *manager);

static void free_state(void *ending) {
    struct state *own = ending;
    // Freeing a context wipes it.
    EVP_CIPHER_CTX_free(own->sealing);
    EVP_CIPHER_CTX_free(own->opening);
    free_manager(own->manager);
    memset(own, 0, sizeof *own);
}

int ccrypto_aead_initialize(void) {
    cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    return cipher && pthread_key_create(&thread_end, free_state) == 0;
}

// MARK: libcrypto

static int prepare_libcrypto(void) {
    if (state.opening)
        return 1;
    pthread_setspecific(thread_end, &state);
    if (!state.sealing)
        state.sealing = EVP_CIPHER_CTX_new();
    EVP_CIPHER_CTX *opening = EVP_CIPHER_CTX_new();
    if (state.sealing && opening &&
        EVP_EncryptInit_ex2(state.sealing, cipher, no_key, NULL, NULL) &&
        EVP_DecryptInit_ex2(opening, cipher, no_key, NULL, NULL)) {
        state.opening = opening;
        return 1;
    }
    EVP_CIPHER_CTX_free(opening);
    return 0;
}

static int seal_by_libcrypto(const uint8_t key[32], uint8_t *text, size_t count,
                             const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
    int written = 0;
    return prepare_libcrypto() && EVP_EncryptInit_ex2(state.sealing, NULL, key, nonce, NULL) &&
           (data_count == 0 ||
            EVP_EncryptUpdate(state.sealing, NULL, &written, data, (int)data_count)) &&
           (count == 0 || EVP_EncryptUpdate(state.sealing, text, &written, text, (int)count)) &&
           EVP_EncryptFinal_ex(state.sealing, text + count, &written) &&
           EVP_CIPHER_CTX_ctrl(state.sealing, EVP_CTRL_AEAD_GET_TAG, tag_count, text + count);
}

static int open_by_libcrypto(const uint8_t key[32], uint8_t *text, size_t count,
                             const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
    int written = 0;
    return prepare_libcrypto() && EVP_DecryptInit_ex2(state.opening, NULL, key, nonce, NULL) &&
           EVP_CIPHER_CTX_ctrl(state.opening, EVP_CTRL_AEAD_SET_TAG, tag_count, text + count) &&
           (data_count == 0 ||
            EVP_DecryptUpdate(state.opening, NULL, &written, data, (int)data_count)) &&
           (count == 0 || EVP_DecryptUpdate(state.opening, text, &written, text, (int)count)) &&
           EVP_DecryptFinal_ex(state.opening, text + count, &written) > 0;
}

void ccrypto_aead_forget(void) {
    // The managers of the other library hold pointers to keys, and no key.
    if (state.opening) {
        EVP_EncryptInit_ex2(state.sealing, NULL, no_key, NULL, NULL);
        EVP_DecryptInit_ex2(state.opening, NULL, no_key, NULL, NULL);
    }
}

// MARK: Intel Multi-Buffer Crypto

#if HAS_IPSEC_MB

static struct {
    IMB_MGR *(*allocate)(uint64_t flags);
    void (*free)(IMB_MGR *);
    void (*initialize)(IMB_MGR *, IMB_ARCH *);
    size_t (*byte_count)(void);
} ipsec_mb;

static int load_ipsec_mb(void) {
    char name[] = "libIPSec_MB.so.0";
    name[sizeof name - 2] = '0' + (IMB_VERSION_NUM >> 16);
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return 0;
    unsigned (*version)(void) = dlsym(library, "imb_get_version");
    ipsec_mb.allocate = dlsym(library, "alloc_mb_mgr");
    ipsec_mb.free = dlsym(library, "free_mb_mgr");
    ipsec_mb.initialize = dlsym(library, "init_mb_mgr_auto");
    ipsec_mb.byte_count = dlsym(library, "imb_get_mb_mgr_size");
    // Later minor versions add to the end of the structures.
    return version && version() >= IMB_VERSION_NUM && ipsec_mb.allocate && ipsec_mb.free &&
           ipsec_mb.initialize && ipsec_mb.byte_count;
}

// Gives back the pages of the library's code and constants; those that are used come again. A new manager
// tests every algorithm of the library, which leaves three megabytes resident that nobody needs.
static int give_back_pages(struct dl_phdr_info *library, size_t size, void *unused) {
    (void)size;
    (void)unused;
    if (!library->dlpi_name || !strstr(library->dlpi_name, "libIPSec_MB"))
        return 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        uintptr_t start = library->dlpi_addr + part->p_vaddr, page = 4096;
        // What was never written to is in the file.
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
            madvise((void *)(start / page * page), part->p_memsz + start % page, MADV_DONTNEED);
    }
    return 1;
}

static void free_manager(IMB_MGR *manager) {
    if (!manager)
        return;
    sodium_memzero(manager, ipsec_mb.byte_count());
    ipsec_mb.free(manager);
}

static int prepare_ipsec_mb(void) {
    if (state.manager)
        return 1;
    pthread_setspecific(thread_end, &state);
    IMB_MGR *manager = ipsec_mb.allocate(0);
    if (!manager)
        return 0;
    IMB_ARCH architecture;
    ipsec_mb.initialize(manager, &architecture);
    dl_iterate_phdr(give_back_pages, NULL);
    // Without SAFE_DATA it would leave keys on the stack and in registers.
    uint64_t needed = IMB_FEATURE_SAFE_DATA | IMB_FEATURE_SELF_TEST_PASS;
    if ((manager->features & needed) != needed) {
        free_manager(manager);
        return 0;
    }
    state.manager = manager;
    return 1;
}

// This algorithm is computed at once, one job at a time: a job comes back from the call that submits it.
static int run_job(IMB_CIPHER_DIRECTION direction, const uint8_t key[32], uint8_t *text,
                   size_t count, const uint8_t nonce[12], const uint8_t *data, size_t data_count,
                   uint8_t tag[tag_count]) {
    if (!prepare_ipsec_mb())
        return 0;
    IMB_JOB *job = IMB_GET_NEXT_JOB(state.manager);
    // All that the algorithm reads; the rest stays zero.
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order =
        direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = job->dec_keys = key;
    job->key_len_in_bytes = 32;
    job->iv = nonce;
    job->iv_len_in_bytes = 12;
    job->src = job->dst = text;
    job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = count;
    job->u.CHACHA20_POLY1305.aad = data;
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = data_count;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = tag_count;
    IMB_JOB *done = IMB_SUBMIT_JOB_NOCHECK(state.manager);
    return done == job && done->status == IMB_STATUS_COMPLETED;
}

static int seal_by_ipsec_mb(const uint8_t key[32], uint8_t *text, size_t count,
                            const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
    return run_job(IMB_DIR_ENCRYPT, key, text, count, nonce, data, data_count, text + count);
}

// In constant time: no branch before all has been compared. Byte by byte, as libsodium does it, it took 3 %
// of what receiving costs.
static int is_same_tag(const uint8_t *left, const uint8_t *right) {
    uint64_t l[2], r[2];
    memcpy(l, left, sizeof l);
    memcpy(r, right, sizeof r);
    return ((l[0] ^ r[0]) | (l[1] ^ r[1])) == 0;
}

static int open_by_ipsec_mb(const uint8_t key[32], uint8_t *text, size_t count,
                            const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
    uint8_t tag[tag_count];
    return run_job(IMB_DIR_DECRYPT, key, text, count, nonce, data, data_count, tag) &&
           is_same_tag(tag, text + count);
}

#else

static void free_manager(IMB_MGR *manager) { (void)manager; }

#endif

// MARK: Choice

int ccrypto_aead_seal(int backend, const uint8_t key[32], uint8_t *text, size_t count,
                      const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
#if HAS_IPSEC_MB
    if (backend == CCRYPTO_IPSEC_MB)
        return seal_by_ipsec_mb(key, text, count, nonce, data, data_count);
#endif
    return backend == CCRYPTO_LIBCRYPTO &&
           seal_by_libcrypto(key, text, count, nonce, data, data_count);
}

int ccrypto_aead_open(int backend, const uint8_t key[32], uint8_t *text, size_t count,
                      const uint8_t nonce[12], const uint8_t *data, size_t data_count) {
#if HAS_IPSEC_MB
    if (backend == CCRYPTO_IPSEC_MB)
        return open_by_ipsec_mb(key, text, count, nonce, data, data_count);
#endif
    return backend == CCRYPTO_LIBCRYPTO &&
           open_by_libcrypto(key, text, count, nonce, data, data_count);
}

enum { full_packet = 1420 };

static unsigned nanoseconds[CCRYPTO_BACKENDS];
static pthread_once_t measured = PTHREAD_ONCE_INIT;

static uint64_t nanoseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// The best of some short runs, some ten microseconds in all; 0 when a packet could not be sealed.
static unsigned measure(int backend) {
    enum { runs = 6, packets = 8 };
    uint8_t text[full_packet + tag_count] = {0}, nonce[12] = {0};
    uint64_t best = UINT64_MAX;
    for (int run = 0; run < runs; run++) {
        uint64_t start = nanoseconds_now();
        for (int packet = 0; packet < packets; packet++)
            if (!ccrypto_aead_seal(backend, no_key, text, full_packet, nonce, NULL, 0))
                return 0;
        uint64_t took = (nanoseconds_now() - start) / packets;
        best = took < best ? took : best;
    }
    return best == 0 ? 1 : (unsigned)best;
}

// Whether a backend and libcrypto seal alike and open what the other sealed.
static int agrees_with_libcrypto(int backend) {
    static const size_t counts[] = {0, 1, 16, 63, 64, 65, 255, 256, 1023, 1024, 1025, full_packet};
    uint8_t key[32], nonce[12] = {1, 2, 3}, data[32] = {4, 5, 6};
    uint8_t text[full_packet + tag_count], mine[sizeof text], theirs[sizeof text];
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)(7 * i + 1);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(5 * i + 3);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t count = counts[i], data_count = i % 2 ? sizeof data : 0;
        memcpy(mine, text, sizeof text);
        memcpy(theirs, text, sizeof text);
        if (!ccrypto_aead_seal(CCRYPTO_LIBCRYPTO, key, mine, count, nonce, data, data_count) ||
            !ccrypto_aead_seal(backend, key, theirs, count, nonce, data, data_count) ||
            memcmp(mine, theirs, count + tag_count) != 0 ||
            !ccrypto_aead_open(backend, key, mine, count, nonce, data, data_count) ||
            memcmp(mine, text, count) != 0)
            return 0;
        theirs[count] ^= 1;
        if (ccrypto_aead_open(backend, key, theirs, count, nonce, data, data_count))
            return 0;
    }
    return 1;
}

static void measure_all(void) {
    nanoseconds[CCRYPTO_LIBCRYPTO] = measure(CCRYPTO_LIBCRYPTO);
#if HAS_IPSEC_MB
    if (load_ipsec_mb() && agrees_with_libcrypto(CCRYPTO_IPSEC_MB))
        nanoseconds[CCRYPTO_IPSEC_MB] = measure(CCRYPTO_IPSEC_MB);
#else
    (void)agrees_with_libcrypto;
#endif
}

unsigned ccrypto_aead_nanoseconds(int backend) {
    pthread_once(&measured, measure_all);
    return backend >= 0 && backend < CCRYPTO_BACKENDS ? nanoseconds[backend] : 0;
}

int ccrypto_aead_is_available(int backend) { return ccrypto_aead_nanoseconds(backend) != 0; }

int ccrypto_aead_fastest(void) {
    unsigned rival = ccrypto_aead_nanoseconds(CCRYPTO_IPSEC_MB);
    return rival && rival < nanoseconds[CCRYPTO_LIBCRYPTO] ? CCRYPTO_IPSEC_MB : CCRYPTO_LIBCRYPTO;
}
