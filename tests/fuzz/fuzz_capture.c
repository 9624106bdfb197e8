/*
 * Fuzz target of a capture: whatever client and server send, in pieces of any length, becomes
 * events that a workload can hold, or gaps; the recorder does not fail. Built for libFuzzer with
 * clang, and with fuzz_capture_replay.c by any compiler.
 *
 * Input: [0] whether sessions are shed, then pieces: a byte whose lowest bit is the direction
 * (1: the server's) and whose others are the length less 1, then as many bytes.
 */
#include "store/event_codec.h"
#include "tap/tap_int.h"
#include "workload/capture_path.h"
#include "workload/capture_recorder.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RING_BYTES ((size_t)16 * 1024 * 1024)
#define FINISH_US INT64_C(60000000)
#define BATCH_BYTES ((size_t)1024 * 1024)

static const char startup[] = "\0\0\0\x10\0\3\0\0user\0x\0\0";
static const char welcome[] = "R\0\0\0\x8\0\0\0\0"
                              "S\0\0\0\x9"
                              "a\0b\0\0"
                              "K\0\0\0\x0c\0\0\0\7abcd"
                              "Z\0\0\0\5I";

static enum err_code on_pattern(void *context, const struct workload_pattern *pattern,
                                struct err *err)
{
    (void)context;
    (void)pattern;
    (void)err;
    return RH_OK;
}

static enum err_code on_event(void *context, const struct workload_event *event, struct err *err)
{
    struct event_encoder *encoder = context;
    (void)err;
    RH_ASSERT(rh_event_encoder_add(encoder, event));
    if (rh_event_encoder_bytes(encoder) > BATCH_BYTES) {
        RH_CLEANUP_BUF struct buf batch;
        rh_buf_init(&batch, EVENT_BATCH_BYTES_MAX);
        rh_event_encoder_take(encoder, &batch);
    }
    return RH_OK;
}

static enum err_code on_finish(void *context, const struct err *failure, struct err *err)
{
    (void)context;
    (void)err;
    RH_ASSERT(failure == NULL);
    return RH_OK;
}

static void converse(struct capture_path *path, const uint8_t *data, size_t size)
{
    const struct tap_handler handler = rh_capture_path_handler(path);
    struct tap_session session = {.data = NULL};
    handler.session_opened(handler.context, &session);
    handler.frontend_bytes(handler.context, &session, (struct text){startup, sizeof(startup) - 1});
    handler.backend_bytes(handler.context, &session, (struct text){welcome, sizeof(welcome) - 1});
    while (size > 1) {
        size_t length = (size_t)(data[0] >> 1) + 1;
        bool is_servers = data[0] & 1;
        data++;
        size--;
        length = length < size ? length : size;
        /* A piece of its own: a byte behind it belongs to nobody. */
        char *piece = memcpy(malloc(length), data, length);
        (is_servers ? handler.backend_bytes : handler.frontend_bytes)(handler.context, &session,
                                                                      (struct text){piece, length});
        free(piece);
        data += length;
        size -= length;
    }
    handler.cancel_requested(handler.context, (struct text){"\4\xd2\x16\x2e\0\0\0\7abcd", 12});
    handler.session_closed(handler.context, &session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = RH_ERR_INIT;
    struct capture_ring *ring;
    struct capture_recorder *recorder;
    if (size < 1)
        return 0;
    static struct event_encoder *encoder; /* of 5 MB, for all runs */
    RH_CLEANUP_BUF struct buf batch;
    if (encoder == NULL)
        encoder = rh_event_encoder_new();
    RH_ASSERT(rh_capture_ring_new(&(struct capture_ring_options){.bytes = RING_BYTES}, &ring,
                                  &err) == RH_OK);
    RH_ASSERT(
        rh_capture_recorder_start(&(struct capture_recorder_options){.ring = ring,
                                                                     .sink = {.pattern = on_pattern,
                                                                              .event = on_event,
                                                                              .finish = on_finish,
                                                                              .context = encoder}},
                                  &recorder, &err) == RH_OK);
    struct capture_path *path = rh_capture_path_new(
        &(struct capture_path_options){.ring = ring,
                                       .began = rh_clock_mono(),
                                       .has_digests = true,
                                       .copy_max_bytes = 40,
                                       .sheds = data[0] & 1});
    rh_capture_path_start(path);
    converse(path, data + 1, size - 1);
    rh_capture_ring_close(ring);
    RH_ASSERT(rh_capture_recorder_finish(recorder, rh_clock_after(rh_clock_mono(), FINISH_US),
                                         &err) == RH_OK);
    rh_capture_recorder_free(recorder);
    rh_capture_path_free(path);
    rh_capture_ring_free(ring);
    rh_buf_init(&batch, EVENT_BATCH_BYTES_MAX);
    rh_event_encoder_take(encoder, &batch);
    return 0;
}
