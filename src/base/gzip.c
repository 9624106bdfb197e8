#include "base/gzip.h"

#include <endian.h>
#include <errno.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <unistd.h>

#define LEVEL 1
/* ISA-L counts in 32 bits. */
#define PIECE_MAX ((size_t)1 << 30)
/* Of a stored block (RFC 1951, 3.2.4), which has its length twice in front. */
#define BLOCK_MAX ((size_t)65535)
#define BLOCK_HEAD_BYTES 5
#define OUT_BYTES (BLOCK_HEAD_BYTES + BLOCK_MAX)
/* So many bytes tell whether compressing is worthwhile, and so many pass before that is asked
   again: of what is stored one byte in seventeen was compressed to know. */
#define TRIED_BYTES ((uint64_t)1024 * 1024)
#define STORED_BYTES ((uint64_t)16 * 1024 * 1024)

enum mode { MODE_NONE, MODE_COMPRESSES, MODE_STORES };

struct gzip_writer {
    int fd;
    enum mode mode;          /* of the member under way */
    uint64_t taken, written; /* bytes: of this member, or since the last look at it */
    uint64_t in_member;      /* bytes */
    bool is_worthless;       /* what was tried: the next member stores */
    uint32_t crc;            /* of a member that stores */
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
    writer->mode = MODE_NONE;
    writer->is_worthless = false;
    return writer;
}

void rh_gzip_writer_free(struct gzip_writer *writer)
{
    free(writer);
}

static enum err_code write_out(struct gzip_writer *writer, size_t len, struct err *err)
{
    const uint8_t *bytes = writer->out;

    writer->written += len;
    while (len > 0) {
        ssize_t written = write(writer->fd, bytes, len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return rh_err_set_errno(err, errno, "cannot write compressed bytes");
        bytes += written;
        len -= (size_t)written;
    }
    return RH_OK;
}

/* ---- members that are compressed ------------------------------------------------------------- */

static void begin_compressing(struct gzip_writer *writer)
{
    isal_deflate_init(&writer->stream);
    writer->stream.level = LEVEL;
    writer->stream.level_buf = writer->level_memory;
    writer->stream.level_buf_size = sizeof(writer->level_memory);
    writer->stream.gzip_flag = IGZIP_GZIP;
}

/* All that is in the stream, and what comes out of it. */
static enum err_code deflate_all(struct gzip_writer *writer, struct err *err)
{
    struct isal_zstream *stream = &writer->stream;
    enum err_code code = RH_OK;

    do {
        stream->next_out = writer->out;
        stream->avail_out = OUT_BYTES;
        int result = isal_deflate(stream);
        RH_ASSERT(result == COMP_OK);
        code = write_out(writer, OUT_BYTES - stream->avail_out, err);
    } while (!code && stream->avail_out == 0);
    return code;
}

static enum err_code compress_piece(struct gzip_writer *writer, struct text piece, struct err *err)
{
    /* Only read: the field is not const. */
    writer->stream.next_in = (uint8_t *)piece.data;
    writer->stream.avail_in = (uint32_t)piece.len;
    enum err_code code = deflate_all(writer, err);
    RH_ASSERT(code || writer->stream.avail_in == 0);
    return code;
}

static enum err_code finish_compressing(struct gzip_writer *writer, struct err *err)
{
    writer->stream.end_of_stream = 1;
    writer->stream.avail_in = 0;
    return deflate_all(writer, err);
}

/* ---- members that are stored ----------------------------------------------------------------- */

static enum err_code begin_storing(struct gzip_writer *writer, struct err *err)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; /* RFC 1952, 2.3 */

    writer->crc = 0;
    memcpy(writer->out, head, sizeof(head));
    return write_out(writer, sizeof(head), err);
}

static enum err_code store_block(struct gzip_writer *writer, struct text block, bool is_last,
                                 struct err *err)
{
    const uint16_t length = htole16((uint16_t)block.len), other = (uint16_t)~length;

    writer->out[0] = is_last;
    memcpy(writer->out + 1, &length, sizeof(length));
    memcpy(writer->out + 3, &other, sizeof(other));
    if (block.len > 0)
        memcpy(writer->out + BLOCK_HEAD_BYTES, block.data, block.len);
    return write_out(writer, BLOCK_HEAD_BYTES + block.len, err);
}

static enum err_code store_piece(struct gzip_writer *writer, struct text piece, struct err *err)
{
    enum err_code code = RH_OK;

    writer->crc = crc32_gzip_refl(writer->crc, (const unsigned char *)piece.data, piece.len);
    while (!code && piece.len > 0) {
        size_t len = piece.len < BLOCK_MAX ? piece.len : BLOCK_MAX;
        code = store_block(writer, (struct text){piece.data, len}, false, err);
        piece = (struct text){piece.data + len, piece.len - len};
    }
    return code;
}

static enum err_code finish_storing(struct gzip_writer *writer, struct err *err)
{
    const uint32_t end[] = {htole32(writer->crc), htole32((uint32_t)writer->in_member)};
    enum err_code code = store_block(writer, (struct text){"", 0}, true, err);

    if (code)
        return code;
    memcpy(writer->out, end, sizeof(end));
    return write_out(writer, sizeof(end), err);
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum err_code begin_member(struct gzip_writer *writer, struct err *err)
{
    writer->mode = writer->is_worthless ? MODE_STORES : MODE_COMPRESSES;
    writer->taken = writer->written = writer->in_member = 0;
    if (writer->mode == MODE_STORES)
        return begin_storing(writer, err);
    begin_compressing(writer);
    return RH_OK;
}

static enum err_code end_member(struct gzip_writer *writer, struct err *err)
{
    enum mode mode = writer->mode;

    writer->mode = MODE_NONE;
    return mode == MODE_STORES ? finish_storing(writer, err) : finish_compressing(writer, err);
}

/* Where the next bytes should go another way, the member ends. */
static enum err_code look(struct gzip_writer *writer, struct err *err)
{
    if (writer->mode == MODE_STORES) {
        if (writer->taken < STORED_BYTES)
            return RH_OK;
        writer->is_worthless = false;
        return end_member(writer, err);
    }
    if (writer->taken < TRIED_BYTES)
        return RH_OK;
    writer->is_worthless = (double)writer->written > GZIP_SHARE_MAX * (double)writer->taken;
    writer->taken = writer->written = 0;
    return writer->is_worthless ? end_member(writer, err) : RH_OK;
}

enum err_code rh_gzip_write(struct gzip_writer *writer, struct text bytes, struct err *err)
{
    enum err_code code = RH_OK;

    while (!code && bytes.len > 0) {
        struct text piece = {bytes.data, bytes.len < TRIED_BYTES ? bytes.len : TRIED_BYTES};
        if (writer->mode == MODE_NONE && (code = begin_member(writer, err)))
            break;
        code = writer->mode == MODE_STORES ? store_piece(writer, piece, err)
                                           : compress_piece(writer, piece, err);
        writer->taken += piece.len;
        writer->in_member += piece.len;
        bytes = (struct text){bytes.data + piece.len, bytes.len - piece.len};
        if (!code)
            code = look(writer, err);
    }
    return code;
}

enum err_code rh_gzip_finish(struct gzip_writer *writer, struct err *err)
{
    enum err_code code = RH_OK;

    if (writer->mode == MODE_NONE)
        code = begin_member(writer, err);
    return code ? code : end_member(writer, err);
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
