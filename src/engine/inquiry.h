/*
 * An inquiry: which rows made a statement fail, all of them, and does the repair help? Asked in the
 * very session and transaction in which the statement failed, so that it sees what earlier
 * statements did. The engine says what to send next and reads the answers; whoever owns the
 * session (a tap, a test's connection) sends:
 *
 *     inquiry = engine->inquiry_new(sql, &error, shows_values, arena);
 *     do {
 *         begin();
 *         for (answer = NULL; (question = engine->inquiry_next(inquiry, answer));)
 *             answer = send(question);
 *         roll_back();
 *     } while (engine->inquiry_again(inquiry));
 *     engine->inquiry_result(inquiry, &blocker);
 *
 * The sender opens a transaction or a savepoint before the first question and rolls all of it back
 * after the last; a question that fails is rolled back alone (a savepoint each). The failing
 * statement itself is already rolled back when the inquiry begins. Questions set their own time
 * limits with SET LOCAL and read what they need of the catalogue themselves; they also make copies,
 * functions and indexes, so that event triggers fire and locks are taken. Answers are bounded,
 * whatever the number of offenders. The sender may stop after any question: the result says what is
 * known by then. Pure: sends nothing itself.
 */
#ifndef RH_ENGINE_INQUIRY_H
#define RH_ENGINE_INQUIRY_H

#include "base/arena.h"
#include "model/blocker.h"

struct inquiry;

struct inquiry_answer {
    size_t rows, columns;
    const char *const *values;          /* row by row; NULL: SQL NULL; valid during the call */
    const struct server_message *error; /* NULL: it succeeded */
};

#endif
