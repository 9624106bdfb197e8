#include "store/workload_file_int.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <zstd.h>

#include "base/file.h"

enum err_code rh_workload_sqlite_error(sqlite3 *db, const char *doing, const char *path,
                                       struct err *err)
{
    int errno_value = db == NULL ? 0 : sqlite3_system_errno(db);
    int code = db == NULL ? SQLITE_NOMEM : sqlite3_errcode(db);
    rh_err_set(err, RH_ERR_IO, "cannot %s \"%s\": %s", doing, path,
               db == NULL ? "out of memory" : sqlite3_errmsg(db));
    if ((code & 0xff) == SQLITE_FULL) {
        err->errno_value = ENOSPC;
        rh_err_hint(err, "Make room on that disk, or choose another place.");
    } else if ((code & 0xff) == SQLITE_IOERR) {
        err->errno_value = errno_value;
    }
    return err->code;
}

/* --- digest of the tables --------------------------------------------------------------------- */

#define FUNCTIONS_DIGESTED "SELECT * FROM functions ORDER BY oid"
#define KEYS_DIGESTED "SELECT * FROM keys ORDER BY number"
static const char *const digested[] = {
    ("SELECT name, value FROM about WHERE name <> '" ABOUT_FOOTER "' ORDER BY name"),
    "SELECT * FROM notes ORDER BY number",
    "SELECT * FROM types ORDER BY oid",
    FUNCTIONS_DIGESTED,
    KEYS_DIGESTED,
    "SELECT * FROM gaps ORDER BY number",
    "SELECT * FROM patterns ORDER BY number",
    "SELECT * FROM pattern_tables ORDER BY pattern, access, position",
    "SELECT * FROM sums ORDER BY pattern",
};

/* Kind, length, bytes: no two rows are one text. */
static bool digest_column(EVP_MD_CTX *context, sqlite3_stmt *row, int column)
{
    int kind = sqlite3_column_type(row, column);
    const void *bytes;
    int64_t length;
    double real = 0;
    if (kind == SQLITE_FLOAT) {
        real = sqlite3_column_double(row, column);
        bytes = &real;
        length = sizeof(real);
    } else {
        bytes = sqlite3_column_text(row, column);
        length = sqlite3_column_bytes(row, column);
    }
    unsigned char head[9] = {(unsigned char)kind};
    memcpy(head + 1, &length, sizeof(length));
    return EVP_DigestUpdate(context, head, sizeof(head)) == 1 &&
           (length == 0 || EVP_DigestUpdate(context, bytes, (size_t)length) == 1);
}

static bool digest_rows(EVP_MD_CTX *context, sqlite3 *db, const char *query)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) != SQLITE_OK)
        return false;
    int step;
    bool is_ok = EVP_DigestUpdate(context, query, strlen(query)) == 1;
    while ((step = sqlite3_step(statement)) == SQLITE_ROW && is_ok) {
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            is_ok = is_ok && digest_column(context, statement, i);
    }
    sqlite3_finalize(statement);
    return is_ok && step == SQLITE_DONE;
}

bool rh_workload_tables_digest(sqlite3 *db, bool has_keys,
                               uint8_t ret_digest[static TABLES_DIGEST_BYTES])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < sizeof(digested) / sizeof(digested[0]) && is_ok; i++)
        is_ok = (!has_keys && (strcmp(digested[i], KEYS_DIGESTED) == 0 ||
                               strcmp(digested[i], FUNCTIONS_DIGESTED) == 0)) ||
                digest_rows(context, db, digested[i]);
    is_ok = is_ok && EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    return is_ok;
}

void rh_workload_put_footer(uint64_t batches, uint64_t events,
                            const uint8_t digest[static TABLES_DIGEST_BYTES],
                            uint8_t ret_footer[static FOOTER_BYTES])
{
    for (unsigned i = 0; i < 8; i++) {
        ret_footer[i] = (uint8_t)(batches >> (56 - 8 * i));
        ret_footer[8 + i] = (uint8_t)(events >> (56 - 8 * i));
    }
    memcpy(ret_footer + 16, digest, TABLES_DIGEST_BYTES);
}

/* --- hexadecimal ------------------------------------------------------------------------------ */

char *rh_workload_hex(struct arena *arena, const uint8_t *bytes, size_t length)
{
    char *hex = rh_arena_alloc(arena, 2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return hex;
}

bool rh_workload_unhex(const char *hex, uint8_t *ret_bytes, size_t length)
{
    if (strlen(hex) != 2 * length)
        return false;
    for (size_t i = 0; i < length; i++) {
        int high = rh_hex_value(hex[2 * i]), low = rh_hex_value(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* What zstd and AES-GCM add to a few dozen bytes. */
#define SEALED_EXTRA_BYTES 64

char *rh_workload_seal_hex(struct seal *seal, uint64_t number, const uint8_t *bytes, size_t length,
                           struct arena *arena)
{
    RH_CLEANUP_BUF struct buf sealed;
    rh_buf_init(&sealed, ZSTD_COMPRESSBOUND(length) + SEALED_EXTRA_BYTES);
    rh_seal_close(seal, number, (struct text){(const char *)bytes, length}, &sealed);
    return rh_workload_hex(arena, (const uint8_t *)sealed.data, sealed.len);
}

bool rh_workload_unseal_hex(struct seal *seal, uint64_t number, const char *hex, uint8_t *ret_bytes,
                            size_t length)
{
    RH_CLEANUP_ARENA struct arena *scratch = rh_arena_new();
    size_t sealed_length = hex == NULL ? 0 : strlen(hex) / 2;
    if (sealed_length == 0 || sealed_length > length + SEALED_EXTRA_BYTES)
        return false;
    uint8_t *sealed = rh_arena_alloc(scratch, sealed_length);
    RH_CLEANUP_BUF struct buf plain;
    rh_buf_init(&plain, length + SEALED_EXTRA_BYTES);
    if (!rh_workload_unhex(hex, sealed, sealed_length) ||
        !rh_seal_open(seal, number, (struct text){(char *)sealed, sealed_length}, length, &plain) ||
        plain.len != length)
        return false;
    memcpy(ret_bytes, plain.data, length);
    return true;
}

/* --- recognised by its head ------------------------------------------------------------------- */

/* "The Database Header" in SQLite's "Database File Format": the application id is big-endian. */
#define HEADER_BYTES 100
#define HEADER_APPLICATION_ID 68

bool rh_workload_file_is(const char *path)
{
    unsigned char head[HEADER_BYTES];
    RH_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
        memcmp(head, "SQLite format 3", 16) != 0)
        return false;
    uint32_t id = 0;
    for (unsigned i = 0; i < 4; i++)
        id = id << 8 | head[HEADER_APPLICATION_ID + i];
    return id == WORKLOAD_APPLICATION_ID;
}
