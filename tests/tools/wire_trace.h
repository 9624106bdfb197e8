/*
 * Recorded conversations, tests/wire/<name>.trace (format: tests/wire/record.py), for tests.
 * Everything lies in the arena; a trace that cannot be read ends the test program.
 */
#ifndef RH_TESTS_WIRE_TRACE_H
#define RH_TESTS_WIRE_TRACE_H

#include "base/arena.h"
#include "base/text.h"
#include "net/pg_codec.h"

struct wire_message {
    unsigned char type; /* 0: start-up packet */
    struct text body;
    struct text bytes; /* as on the wire, type and length word included */
};

/* One direction of a conversation. */
struct wire_stream {
    struct wire_message *messages;
    size_t count;
    struct text bytes; /* all messages */
};

struct wire_trace {
    const char *name;
    struct wire_stream streams[2]; /* by enum pg_direction */
};

struct wire_traces {
    struct wire_trace *items;
    size_t count;
};

/* All *.trace files of a directory, in the order of their names. */
struct wire_traces rh_wire_traces_read(const char *directory, struct arena *arena);

#endif
