/*
 * The server's errors and notices as data: decoded, row values in them masked. Pure.
 */
#ifndef RH_TRACE_SERVER_MESSAGE_H
#define RH_TRACE_SERVER_MESSAGE_H

#include "model/trace.h"

/* The fields of an ErrorResponse or NoticeResponse as they are, by their codes; NULL: none. They
   lie in `body`. False: it was cut, and what could be read is there. */
struct server_fields {
    const char *values[128];
};
bool rh_server_fields_read(struct text body, struct server_fields *ret_fields);

/* `body` of an ErrorResponse or NoticeResponse, perhaps cut: what could be read counts. Texts lie
   in `arena`. */
struct server_message rh_server_message_read(struct arena *arena, struct text body);

#endif
