#include "replay/samples.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Handed to the kernel in pieces of about a pipe's size (pipe(7)). */
#define PIECE_BYTES ((size_t)32 * 1024)

/* --- records ---------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        *at++ = (uint8_t)(value >> 8 * i);
    return at;
}

static uint64_t take(const uint8_t **at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t) * (*at)++ << 8 * i;
    return value;
}

static unsigned flags_of(const struct replay_execution *execution)
{
    const struct workload_result *recorded = execution->recorded;
    return (execution->was_cancelled ? SAMPLE_WAS_CANCELLED : 0) |
           (execution->result.has_digest ? SAMPLE_HAS_DIGEST : 0) |
           (execution->result.is_suspended ? SAMPLE_IS_SUSPENDED : 0) |
           (recorded ? SAMPLE_IS_RECORDED : 0) |
           (recorded && recorded->sqlstate[0] ? SAMPLE_FAILED_IN_RECORDING : 0);
}

void rh_sample_encode(const struct replay_execution *execution, uint8_t out[static SAMPLE_BYTES])
{
    const struct workload_result *result = &execution->result;
    uint8_t *at = put(out, SAMPLE_EXECUTION, 4);
    at = put(at, result->pattern, 4);
    at = put(at, execution->session, 8);
    at = put(at, execution->request, 8);
    at = put(at, (uint64_t)execution->intended_us, 8);
    at = put(at, (uint64_t)execution->sent_us, 8);
    at = put(at, (uint64_t)execution->first_us, 8);
    at = put(at, (uint64_t)execution->complete_us, 8);
    at = put(at, (uint64_t)result->rows, 8);
    at = put(at, (uint64_t)result->returned, 8);
    memcpy(at, result->sqlstate, 5);
    at = put(at + 5, flags_of(execution), 1);
    at = put(at, 0, 2);
    memcpy(at, result->unordered, WORKLOAD_DIGEST_BYTES);
    memcpy(at + WORKLOAD_DIGEST_BYTES, result->ordered, WORKLOAD_DIGEST_BYTES);
    RH_ASSERT(at + 2 * WORKLOAD_DIGEST_BYTES == out + SAMPLE_BYTES);
}

bool rh_sample_decode(const uint8_t in[static SAMPLE_BYTES], enum sample_kind *ret_kind,
                      struct replay_execution *ret_execution, unsigned *ret_flags)
{
    struct replay_execution execution = {0};
    struct workload_result *result = &execution.result;
    const uint8_t *at = in;
    uint64_t kind = take(&at, 4);
    if (kind != SAMPLE_EXECUTION && kind != SAMPLE_PREPARED)
        return false;
    result->pattern = (uint32_t)take(&at, 4);
    execution.session = take(&at, 8);
    execution.request = take(&at, 8);
    execution.intended_us = (int64_t)take(&at, 8);
    execution.sent_us = (int64_t)take(&at, 8);
    execution.first_us = (int64_t)take(&at, 8);
    execution.complete_us = (int64_t)take(&at, 8);
    result->rows = (int64_t)take(&at, 8);
    result->returned = (int64_t)take(&at, 8);
    memcpy(result->sqlstate, at, 5);
    at += 5;
    unsigned flags = (unsigned)take(&at, 1);
    at += 2;
    memcpy(result->unordered, at, WORKLOAD_DIGEST_BYTES);
    memcpy(result->ordered, at + WORKLOAD_DIGEST_BYTES, WORKLOAD_DIGEST_BYTES);
    execution.was_cancelled = flags & SAMPLE_WAS_CANCELLED;
    result->has_digest = flags & SAMPLE_HAS_DIGEST;
    result->is_suspended = flags & SAMPLE_IS_SUSPENDED;
    *ret_kind = (enum sample_kind)kind;
    *ret_execution = execution;
    *ret_flags = flags;
    return true;
}

/* --- the writer ------------------------------------------------------------------------------- */

enum err_code rh_sample_writer_init(struct sample_writer *writer, int fd, struct err *err)
{
    *writer = (struct sample_writer){.fd = fd};
    rh_buf_init(&writer->waiting, SAMPLES_WAITING_MAX);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return rh_err_set_errno(err, errno, "cannot write samples to file descriptor %d", fd);
    rh_buf_add(&writer->waiting, SAMPLES_HEAD, SAMPLES_HEAD_BYTES);
    return RH_OK;
}

void rh_sample_writer_deinit(struct sample_writer *writer)
{
    rh_buf_deinit(&writer->waiting);
}

static void write_some(struct sample_writer *writer)
{
    while (!writer->is_broken && writer->sent < writer->waiting.len) {
        ssize_t written = write(writer->fd, writer->waiting.data + writer->sent,
                                writer->waiting.len - writer->sent);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            writer->is_broken = errno != EAGAIN && errno != EWOULDBLOCK;
            return;
        }
        writer->sent += (size_t)written;
    }
    rh_buf_clear(&writer->waiting);
    writer->sent = 0;
}

static void add_record(struct sample_writer *writer, const uint8_t record[static SAMPLE_BYTES])
{
    if (writer->sent > SAMPLES_WAITING_MAX / 4) {
        rh_buf_consume(&writer->waiting, writer->sent);
        writer->sent = 0;
    }
    if (writer->is_broken || writer->waiting.len + SAMPLE_BYTES > writer->waiting.max) {
        writer->dropped++;
        return;
    }
    rh_buf_add(&writer->waiting, record, SAMPLE_BYTES);
}

void rh_sample_writer_add(struct sample_writer *writer, const struct replay_execution *execution)
{
    uint8_t record[SAMPLE_BYTES];
    rh_sample_encode(execution, record);
    add_record(writer, record);
    if (writer->waiting.len - writer->sent >= PIECE_BYTES)
        write_some(writer);
}

void rh_sample_writer_prepared(struct sample_writer *writer)
{
    uint8_t record[SAMPLE_BYTES] = {SAMPLE_PREPARED};
    add_record(writer, record);
    write_some(writer);
}

void rh_sample_writer_flush(struct sample_writer *writer, struct mono deadline)
{
    write_some(writer);
    while (!writer->is_broken && writer->waiting.len > writer->sent && !rh_clock_passed(deadline)) {
        struct pollfd waits = {.fd = writer->fd, .events = POLLOUT};
        (void)poll(&waits, 1, rh_clock_poll_ms(deadline));
        write_some(writer);
    }
}
