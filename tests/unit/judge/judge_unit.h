/*
 * Traces for the tests of the judge, told as stories: statements one after the other, the locks
 * they took, what they rewrote. A story begins clean: one file, everything observed, lock_timeout
 * set; so that whatever fires was asked for.
 */
#ifndef JUDGE_UNIT_H
#define JUDGE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "judge/judge.h"
#include "judge/rules.h"

#include <stdio.h>
#include <string.h>

#define MS INT64_C(1000)
#define S INT64_C(1000000)
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

struct story {
    struct arena *arena;
    struct trace trace;
    struct result result;
    int transaction; /* open, -1: none */
    int64_t now_us;
};

/* cmocka fixtures: *state is a struct story. */
int story_setup(void **state);
int story_teardown(void **state);
#define STORY_TEST(f) cmocka_unit_test_setup_teardown(f, story_setup, story_teardown)

/* The next statement, took `duration_us`; pointers stay valid for 500 statements. */
struct statement *story_run(struct story *story, const char *tag, int64_t duration_us);
/* The same in its own words: "UPDATE users SET age = 1". */
struct statement *story_say(struct story *story, const char *tag, const char *sql);
struct statement *story_begin(struct story *story);
/* Ends the transaction: its locks were held until now. */
struct statement *story_commit(struct story *story);
struct statement *story_rollback(struct story *story);
/* The statement failed with this. Returns the error to add names to. */
struct server_message *story_fail(struct story *story, struct statement *statement,
                                  const char *sqlstate, const char *message);
struct statement *story_child(struct story *story, struct statement *parent, const char *tag,
                              int64_t duration_us);
/* A command instead of a file, which ended with that status. */
void story_wrap(struct story *story, const char *command_line, int exit_status);

/* What a statement did. Relations existed before unless said otherwise. */
struct lock *story_lock(struct story *story, struct statement *statement, const char *relation,
                        const char *mode);
struct lock *story_index_lock(struct story *story, struct statement *statement, const char *index,
                              const char *table, const char *mode);
struct rewrite *story_rewrite(struct story *story, struct statement *statement,
                              const char *relation, const char *kind, const char *reason);
struct scan *story_scan(struct story *story, struct statement *statement, const char *relation,
                        int64_t rows);
struct dropped_object *story_drop(struct story *story, struct statement *statement,
                                  const char *type, const char *identity, bool named);
struct index_work *story_index(struct story *story, struct statement *statement, const char *index,
                               const char *table);
struct clause *story_clause(struct story *story, struct statement *statement, enum clause_kind kind,
                            const char *relation);
struct relation_facts *story_table(struct story *story, const char *name, int64_t rows);
struct probe *story_probe(struct story *story, struct statement *statement, const char *relation,
                          bool is_write, int64_t longest_wait_us);
struct leftover *story_leftover(struct story *story, const char *kind, const char *identity,
                                const char *table);

/* The server reported that it altered this. */
void story_alters(struct story *story, struct statement *statement, const char *type,
                  const char *identity);
/* How the states before and after differ. */
struct schema_difference *story_schema_difference(struct story *story,
                                                  enum difference_change change, const char *kind,
                                                  const char *identity, const char *parent);
struct data_difference *story_data_difference(struct story *story, enum data_subject subject,
                                              const char *table, const char *column,
                                              int64_t rows_before, int64_t rows_after);

/* Judges. May be called again after the story went on. */
void story_judge(struct story *story);
/* Judges, and returns the first finding of the rule; fails when there is none. */
const struct finding *story_expect(struct story *story, const char *rule, enum severity severity);
/* Judges, and fails when the rule fired. */
void story_expect_none(struct story *story, const char *rule);
size_t story_count(const struct story *story, const char *rule);
void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);
double evidence_number(const struct finding *finding, const char *key);
const char *evidence_text(const struct finding *finding, const char *key);

#endif
