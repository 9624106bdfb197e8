/*
 * The server's errors and notices as data: decoded, row values in them masked. Pure.
 */
#ifndef RH_TRACE_SERVER_MESSAGE_H
#define RH_TRACE_SERVER_MESSAGE_H

#include "model/trace.h"

/* `body` of an ErrorResponse or NoticeResponse, perhaps cut: what could be read counts. Texts lie
   in `arena`. */
struct server_message rh_server_message_read(struct arena *arena, struct text body);

#endif
