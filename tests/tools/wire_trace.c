#include "tools/wire_trace.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define STREAM_BYTES_MAX (1024 * 1024)
#define MESSAGES_MAX 4096

static unsigned hex_digit(const char *path, char c)
{
    if (!isxdigit((unsigned char)c))
        RH_PANIC("%s: \"%c\" is no hexadecimal digit", path, c);
    return (unsigned)(isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10);
}

/* The rest of a line: "text" and hex. */
static void add_body(struct buf *body, const char *path, const char *at)
{
    while (*at && *at != '\n') {
        if (*at == '"') {
            const char *end = strchr(at + 1, '"');
            if (!end)
                RH_PANIC("%s: text without an end", path);
            rh_buf_add(body, at + 1, (size_t)(end - at - 1));
            at = end + 1;
        } else if (*at == ' ') {
            at++;
        } else {
            unsigned byte = hex_digit(path, at[0]) << 4;
            rh_buf_add_char(body, (char)(byte | hex_digit(path, at[1])));
            at += 2;
        }
    }
}

static void read_trace(const char *path, struct arena *arena, struct wire_trace *trace)
{
    FILE *file = fopen(path, "r");
    if (!file)
        RH_PANIC("cannot open %s", path);
    char *line = NULL;
    size_t capacity = 0;
    struct buf bytes[2], body;
    size_t ends[2][MESSAGES_MAX];
    for (int d = 0; d < 2; d++) {
        rh_buf_init(&bytes[d], STREAM_BYTES_MAX);
        trace->streams[d].messages = rh_arena_alloc_array(arena, MESSAGES_MAX,
                                                          sizeof(struct wire_message));
    }
    rh_buf_init(&body, STREAM_BYTES_MAX);
    while (getline(&line, &capacity, file) > 0) {
        if (line[0] == '#')
            continue;
        enum pg_direction direction = line[0] == 'F' ? PG_FRONTEND : PG_BACKEND;
        struct wire_stream *stream = &trace->streams[direction];
        char type = line[2] == '-' ? '\0' : line[2];
        rh_buf_clear(&body);
        add_body(&body, path, line + 3);
        RH_ASSERT(stream->count < MESSAGES_MAX);
        stream->messages[stream->count].type = (unsigned char)type;
        rh_pg_encode_message(&bytes[direction], type, rh_buf_text(&body));
        ends[direction][stream->count++] = bytes[direction].len;
    }
    for (int d = 0; d < 2; d++) {
        struct wire_stream *stream = &trace->streams[d];
        RH_ASSERT(!bytes[d].failed);
        char *copy = rh_arena_memdup(arena, rh_buf_text(&bytes[d]).data, bytes[d].len);
        stream->bytes = (struct text){copy, bytes[d].len};
        size_t begin = 0;
        for (size_t i = 0; i < stream->count; i++) {
            struct wire_message *message = &stream->messages[i];
            size_t head = message->type ? 5 : 4;
            message->bytes = (struct text){copy + begin, ends[d][i] - begin};
            message->body = (struct text){copy + begin + head, ends[d][i] - begin - head};
            begin = ends[d][i];
        }
        rh_buf_deinit(&bytes[d]);
    }
    rh_buf_deinit(&body);
    free(line);
    fclose(file);
}

static int is_trace(const struct dirent *entry)
{
    return rh_text_ends_with(rh_text(entry->d_name), ".trace");
}

struct wire_traces rh_wire_traces_read(const char *directory, struct arena *arena)
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_trace, alphasort);
    if (count < 0)
        RH_PANIC("cannot list %s", directory);
    struct wire_traces traces = {
        rh_arena_alloc_array(arena, (size_t)count, sizeof(struct wire_trace)), (size_t)count};
    for (int i = 0; i < count; i++) {
        traces.items[i].name = rh_arena_strdup(arena, entries[i]->d_name);
        read_trace(rh_arena_printf(arena, "%s/%s", directory, entries[i]->d_name), arena,
                   &traces.items[i]);
        free(entries[i]);
    }
    free(entries);
    return traces;
}
