#include "base/gzip.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <unistd.h>

#define LEVEL 1
#define OUT_BYTES ((size_t)64 * 1024)
/* ISA-L counts in 32 bits. */
#define PIECE_MAX ((size_t)1 << 30)

struct gzip_writer {
    int fd;
    struct isal_zstream stream;
    uint8_t out[OUT_BYTES];
    uint8_t level_memory[ISAL_DEF_LVL1_DEFAULT];
};

struct gzip_writer *rh_gzip_writer_new(int fd)
{
    struct gzip_writer *writer = malloc(sizeof(*writer));
    if (!writer)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*writer));
    writer->fd = fd;
    isal_deflate_init(&writer->stream);
    writer->stream.level = LEVEL;
    writer->stream.level_buf = writer->level_memory;
    writer->stream.level_buf_size = sizeof(writer->level_memory);
    writer->stream.gzip_flag = IGZIP_GZIP;
    return writer;
}

void rh_gzip_writer_free(struct gzip_writer *writer)
{
    free(writer);
}

static enum err_code write_all(int fd, const uint8_t *bytes, size_t len, struct err *err)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return rh_err_set_errno(err, errno, "cannot write compressed bytes");
        bytes += written;
        len -= (size_t)written;
    }
    return RH_OK;
}

/* All that is in the stream, and what comes out of it. */
static enum err_code run(struct gzip_writer *writer, struct err *err)
{
    struct isal_zstream *stream = &writer->stream;
    enum err_code code = RH_OK;

    do {
        stream->next_out = writer->out;
        stream->avail_out = OUT_BYTES;
        int result = isal_deflate(stream);
        RH_ASSERT(result == COMP_OK);
        code = write_all(writer->fd, writer->out, OUT_BYTES - stream->avail_out, err);
    } while (!code && stream->avail_out == 0);
    return code;
}

enum err_code rh_gzip_write(struct gzip_writer *writer, struct text bytes, struct err *err)
{
    enum err_code code = RH_OK;

    while (!code && bytes.len > 0) {
        size_t piece = bytes.len < PIECE_MAX ? bytes.len : PIECE_MAX;
        /* Only read: the field is not const. */
        writer->stream.next_in = (uint8_t *)bytes.data;
        writer->stream.avail_in = (uint32_t)piece;
        code = run(writer, err);
        RH_ASSERT(code || writer->stream.avail_in == 0);
        bytes.data += piece;
        bytes.len -= piece;
    }
    return code;
}

enum err_code rh_gzip_finish(struct gzip_writer *writer, struct err *err)
{
    writer->stream.end_of_stream = 1;
    writer->stream.avail_in = 0;
    return run(writer, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum err_code damaged(struct err *err)
{
    return rh_err_set(err, RH_ERR_FORMAT, "compressed bytes are cut or damaged");
}

/* One member at the front of *file. */
static enum err_code take_member(struct text *file, struct buf *out, struct err *err)
{
    uint8_t piece[4096];
    struct inflate_state *state = malloc(sizeof(*state));
    enum err_code code = RH_OK;

    if (!state)
        RH_PANIC("out of memory (%zu bytes)", sizeof(*state));
    isal_inflate_init(state);
    state->crc_flag = ISAL_GZIP;
    state->next_in = (uint8_t *)file->data;
    state->avail_in = (uint32_t)file->len;
    while (!code && state->block_state != ISAL_BLOCK_FINISH) {
        state->next_out = piece;
        state->avail_out = sizeof(piece);
        if (isal_inflate(state) != ISAL_DECOMP_OK)
            code = damaged(err);
        else if (state->avail_in == 0 && state->avail_out > 0 &&
                 state->block_state != ISAL_BLOCK_FINISH)
            code = damaged(err);
        else
            rh_buf_add(out, piece, sizeof(piece) - state->avail_out);
        if (!code && out->failed)
            code = rh_err_set(err, RH_ERR_LIMIT, "compressed bytes hold more than %zu", out->max);
    }
    *file = (struct text){file->data + (file->len - state->avail_in), state->avail_in};
    free(state);
    return code;
}

enum err_code rh_gunzip(struct text file, struct buf *out, struct err *err)
{
    const size_t before = out->len;
    enum err_code code = file.len > 0 && file.len <= PIECE_MAX ? RH_OK : damaged(err);

    while (!code && file.len > 0)
        code = take_member(&file, out, err);
    if (code && out->len > before) {
        out->len = before;
        out->data[before] = '\0';
    }
    return code;
}
