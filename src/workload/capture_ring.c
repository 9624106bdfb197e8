#include "workload/capture_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The writer wakes the spiller; if it was woken too early, it looks again by itself. */
#define SPILL_LOOK_US INT64_C(100000)
#define TAG_BYTES 16
#define KEY_BYTES 32

struct slot {
    uint32_t length;
    unsigned char tag[TAG_BYTES];
};

/* A slot holds what one take gives, so that records stay whole. */
struct spill {
    int fd; /* -1: there is none */
    size_t slots, first, count;
    struct slot *slot;
    unsigned char key[KEY_BYTES];
    uint64_t written; /* slots so far: no nonce comes twice */
    char *clear, *sealed;
    int failure; /* an errno, once writing has failed */
};

struct capture_ring {
    char *bytes; /* mapped twice, one behind the other: every record is in one piece */
    size_t size;
    /* Counters of all bytes ever: the writer's and the reader's. Each on its own line. */
    _Atomic uint64_t head __attribute__((aligned(64)));
    uint64_t seen_tail; /* the writer's last look at it */
    uint64_t reserved;
    uint64_t woken_at;
    _Atomic uint64_t tail __attribute__((aligned(64)));
    _Atomic uint64_t most, spill_used, spill_most;
    atomic_bool is_closed, stops;
    sem_t wanted, filling; /* wake-up calls: the reader's, the spiller's */
    pthread_mutex_t lock;  /* of all that is behind the ring: its tail and the spill file */
    pthread_t spiller;
    bool has_spiller;
    struct spill spill;
};

static void wait_for(sem_t *call, int64_t us)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)(us % 1000000) * 1000;
    at.tv_sec += us / 1000000 + at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    while (sem_clockwait(call, CLOCK_MONOTONIC, &at) != 0 && errno == EINTR)
        ;
}

/* --- made and gone ---------------------------------------------------------------------------- */

static enum err_code map_twice(struct capture_ring *ring, struct err *err)
{
    int fd = memfd_create("rehearse-ring", MFD_CLOEXEC);
    char *place = MAP_FAILED;
    bool done = fd >= 0 && ftruncate(fd, (off_t)ring->size) == 0;

    if (done)
        place = mmap(NULL, 2 * ring->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    done = done && place != MAP_FAILED;
    for (size_t i = 0; done && i < 2; i++)
        done = mmap(place + i * ring->size, ring->size, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED;

    int reason = errno;

    if (fd >= 0)
        close(fd);
    if (place != MAP_FAILED)
        ring->bytes = place;
    if (!done)
        return rh_err_set_errno(err, reason, "cannot make a ring of %zu bytes", ring->size);
    return RH_OK;
}

static enum err_code open_spill(struct capture_ring *ring,
                                const struct capture_ring_options *options, struct err *err)
{
    struct spill *spill = &ring->spill;
    int reason;

    if (!options->spill_directory || options->spill_bytes < (int64_t)CAPTURE_TAKE_BYTES)
        return RH_OK;
    spill->slots = (size_t)options->spill_bytes / CAPTURE_TAKE_BYTES;
    spill->fd = open(options->spill_directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (spill->fd < 0)
        return rh_err_set_errno(err, errno, "cannot make a spill file in \"%s\"",
                                options->spill_directory);
    if ((reason = posix_fallocate(spill->fd, 0, (off_t)(spill->slots * CAPTURE_TAKE_BYTES))) != 0) {
        rh_err_set_errno(err, reason, "cannot allocate the spill file in \"%s\"",
                         options->spill_directory);
        rh_err_hint(err, "Make room there, or ask for less with --spill (0 for none).");
        return err->code;
    }
    if (RAND_bytes(spill->key, KEY_BYTES) != 1)
        return rh_err_set(err, RH_ERR_ENVIRONMENT, "cannot get random bytes for a key");
    spill->slot = calloc(spill->slots, sizeof(*spill->slot));
    spill->clear = malloc(CAPTURE_TAKE_BYTES);
    spill->sealed = malloc(CAPTURE_TAKE_BYTES);
    if (!spill->slot || !spill->clear || !spill->sealed)
        RH_PANIC("out of memory for a spill file");
    return RH_OK;
}

static void *run_spiller(void *context);

enum err_code rh_capture_ring_new(const struct capture_ring_options *options,
                                  struct capture_ring **ret_ring, struct err *err)
{
    struct capture_ring *ring = aligned_alloc(64, (sizeof(*ring) + 63) & ~(size_t)63);

    RH_ASSERT((options->bytes & (options->bytes - 1)) == 0 &&
              options->bytes >= 2 * CAPTURE_RECORD_MAX);
    if (!ring)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*ring));
    memset(ring, 0, sizeof(*ring));
    ring->size = options->bytes;
    ring->spill.fd = -1;
    sem_init(&ring->wanted, 0, 0);
    sem_init(&ring->filling, 0, 0);
    pthread_mutex_init(&ring->lock, NULL);

    enum err_code code = map_twice(ring, err);

    if (!code)
        code = open_spill(ring, options, err);
    if (!code && ring->spill.fd >= 0) {
        int reason = pthread_create(&ring->spiller, NULL, run_spiller, ring);

        ring->has_spiller = reason == 0;
        if (reason)
            code = rh_err_set_errno(err, reason, "cannot start a thread");
    }
    if (code)
        rh_capture_ring_free(ring);
    else
        *ret_ring = ring;
    return code;
}

void rh_capture_ring_free(struct capture_ring *ring)
{
    if (!ring)
        return;
    atomic_store(&ring->stops, true);
    sem_post(&ring->filling);
    if (ring->has_spiller)
        pthread_join(ring->spiller, NULL);
    if (ring->bytes)
        munmap(ring->bytes, 2 * ring->size);
    if (ring->spill.fd >= 0)
        close(ring->spill.fd);
    OPENSSL_cleanse(ring->spill.key, KEY_BYTES);
    free(ring->spill.slot);
    free(ring->spill.clear);
    free(ring->spill.sealed);
    pthread_mutex_destroy(&ring->lock);
    sem_destroy(&ring->wanted);
    sem_destroy(&ring->filling);
    free(ring);
}

/* --- writing ---------------------------------------------------------------------------------- */

struct capture_record *rh_capture_ring_reserve(struct capture_ring *ring, size_t body_length)
{
    size_t size = rh_capture_record_size(body_length);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);

    RH_ASSERT(size <= CAPTURE_RECORD_MAX);
    if (head + size - ring->seen_tail > ring->size) {
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head + size - ring->seen_tail > ring->size)
            return NULL;
    }
    ring->reserved = size;
    return (void *)(ring->bytes + (head & (ring->size - 1)));
}

void rh_capture_ring_commit(struct capture_ring *ring, const struct capture_record *record)
{
    size_t size = rh_capture_record_size(record->body_length);
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed) + size;

    RH_ASSERT(size <= ring->reserved);
    atomic_store_explicit(&ring->head, head, memory_order_release);
    /* The reader looks every few milliseconds; it is woken only before the ring fills up. */
    if (head - ring->woken_at > ring->size / 8) {
        ring->woken_at = head;
        ring->seen_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->seen_tail > atomic_load_explicit(&ring->most, memory_order_relaxed))
            atomic_store_explicit(&ring->most, head - ring->seen_tail, memory_order_relaxed);
        sem_post(&ring->wanted);
        if (ring->has_spiller)
            sem_post(&ring->filling);
    }
}

void rh_capture_ring_close(struct capture_ring *ring)
{
    atomic_store_explicit(&ring->is_closed, true, memory_order_release);
    sem_post(&ring->wanted);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Under the lock: whole records from the ring's tail. */
static size_t take_from_ring(struct capture_ring *ring, char *out)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t available = atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
    const char *from = ring->bytes + (tail & (ring->size - 1));
    size_t length = 0;

    if (available <= CAPTURE_TAKE_BYTES) {
        length = (size_t)available;
    } else {
        for (;;) {
            const struct capture_record *record = (const void *)(from + length);
            size_t size = rh_capture_record_size(record->body_length);

            if (length + size > CAPTURE_TAKE_BYTES)
                break;
            length += size;
        }
    }
    memcpy(out, from, length);
    atomic_store_explicit(&ring->tail, tail + length, memory_order_release);
    return length;
}

/* AES-256-GCM of a slot; its number is the nonce. */
static bool seal(struct spill *spill, uint64_t number, const char *in, char *out, size_t length,
                 unsigned char tag[static TAG_BYTES], bool opens)
{
    unsigned char nonce[12] = {0};
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done = 0, rest = 0;

    memcpy(nonce, &number, sizeof(number));

    bool is_good = cipher &&
                   EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, spill->key, nonce, !opens) &&
                   EVP_CipherUpdate(cipher, (unsigned char *)out, &done, (const unsigned char *)in,
                                    (int)length);

    if (is_good && opens)
        is_good = EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag);
    is_good = is_good && EVP_CipherFinal_ex(cipher, (unsigned char *)out + done, &rest);
    if (is_good && !opens)
        is_good = EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, tag);
    EVP_CIPHER_CTX_free(cipher);
    return is_good && (size_t)done == length;
}

static bool transfer(int fd, char *bytes, size_t length, off_t offset, bool writes)
{
    size_t done = 0;

    while (done < length) {
        ssize_t now = writes ? pwrite(fd, bytes + done, length - done, offset + (off_t)done)
                             : pread(fd, bytes + done, length - done, offset + (off_t)done);

        if (now > 0)
            done += (size_t)now;
        else if (now == 0 || errno != EINTR)
            return false;
    }
    return true;
}

static off_t slot_offset(const struct spill *spill, size_t index)
{
    return (off_t)(index % spill->slots * CAPTURE_TAKE_BYTES);
}

static void count_spill(struct capture_ring *ring)
{
    uint64_t used = ring->spill.count * CAPTURE_TAKE_BYTES;

    atomic_store(&ring->spill_used, used);
    if (used > atomic_load(&ring->spill_most))
        atomic_store(&ring->spill_most, used);
}

static enum err_code take_from_spill(struct capture_ring *ring, char *out, size_t *ret_length,
                                     struct err *err)
{
    struct spill *spill = &ring->spill;
    struct slot *slot = &spill->slot[spill->first % spill->slots];
    uint64_t number = spill->written - spill->count;

    if (!transfer(spill->fd, spill->sealed, slot->length, slot_offset(spill, spill->first), false))
        return rh_err_set_errno(err, errno ? errno : EIO, "cannot read the spill file");
    if (!seal(spill, number, spill->sealed, out, slot->length, slot->tag, true))
        return rh_err_set(err, RH_ERR_FORMAT, "the spill file was changed behind our back");
    *ret_length = slot->length;
    spill->first++;
    spill->count--;
    count_spill(ring);
    return RH_OK;
}

static enum err_code take_now(struct capture_ring *ring, char *out, size_t *ret_length,
                              bool *ret_is_over, struct err *err)
{
    enum err_code code = RH_OK;
    bool is_closed = atomic_load_explicit(&ring->is_closed, memory_order_acquire);

    pthread_mutex_lock(&ring->lock);
    if (ring->spill.failure)
        code = rh_err_set_errno(err, ring->spill.failure, "cannot write the spill file");
    else if (ring->spill.count > 0)
        code = take_from_spill(ring, out, ret_length, err);
    else
        *ret_length = take_from_ring(ring, out);
    pthread_mutex_unlock(&ring->lock);
    *ret_is_over = !code && *ret_length == 0 && is_closed;
    return code;
}

enum err_code rh_capture_ring_take(struct capture_ring *ring, int64_t wait_us, char *out,
                                   size_t *ret_length, bool *ret_is_over, struct err *err)
{
    size_t length = 0;
    bool is_over = false;
    enum err_code code = take_now(ring, out, &length, &is_over, err);

    if (!code && length == 0 && !is_over && wait_us > 0) {
        wait_for(&ring->wanted, wait_us);
        code = take_now(ring, out, &length, &is_over, err);
    }
    if (!code) {
        *ret_length = length;
        *ret_is_over = is_over;
    }
    return code;
}

/* --- the spiller ------------------------------------------------------------------------------ */

/* Empties what one slot takes. False: there is nothing to do. */
static bool spill_some(struct capture_ring *ring)
{
    struct spill *spill = &ring->spill;
    bool did = false;

    pthread_mutex_lock(&ring->lock);

    uint64_t used = atomic_load(&ring->head) - atomic_load(&ring->tail);

    if (used > ring->size / 2 && spill->count < spill->slots && !spill->failure) {
        size_t index = spill->first + spill->count;
        struct slot *slot = &spill->slot[index % spill->slots];

        slot->length = (uint32_t)take_from_ring(ring, spill->clear);
        errno = 0;
        if (!seal(spill, spill->written, spill->clear, spill->sealed, slot->length, slot->tag,
                  false) ||
            !transfer(spill->fd, spill->sealed, slot->length, slot_offset(spill, index), true))
            spill->failure = errno ? errno : EIO;
        spill->written++;
        spill->count++;
        count_spill(ring);
        did = true;
    }
    pthread_mutex_unlock(&ring->lock);
    return did;
}

static void *run_spiller(void *context)
{
    struct capture_ring *ring = context;

    while (!atomic_load(&ring->stops)) {
        if (!spill_some(ring))
            wait_for(&ring->filling, SPILL_LOOK_US);
    }
    return NULL;
}

/* --- figures ---------------------------------------------------------------------------------- */

struct capture_ring_use rh_capture_ring_use(struct capture_ring *ring)
{
    uint64_t tail = atomic_load(&ring->tail), head = atomic_load(&ring->head);
    uint64_t used = head > tail ? head - tail : 0, most = atomic_load(&ring->most);

    return (struct capture_ring_use){
        .ring_bytes = ring->size,
        .ring_used = used,
        .ring_most = most > used ? most : used,
        .spill_bytes = ring->spill.slots * CAPTURE_TAKE_BYTES,
        .spill_used = atomic_load(&ring->spill_used),
        .spill_most = atomic_load(&ring->spill_most),
    };
}
