/* Who waits for whose commit, with made-up recordings. */
#include "replay/commit_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { READS_A = 1, WRITES_A, READS_B, WRITES_A_READS_C, WRITES_C };

static const char *const a[] = {"public.a"}, *const plain_a[] = {"a"}, *const b[] = {"b"},
                         *const c[] = {"s.c"};
#define NAMES(list)                                \
    {                                              \
        .items = (const char **)(list), .count = 1 \
    }
static const struct workload_pattern patterns[] = {
    {.number = READS_A, .reads = NAMES(plain_a)},
    {.number = WRITES_A, .writes = NAMES(a)},
    {.number = READS_B, .reads = NAMES(b)},
    {.number = WRITES_A_READS_C, .writes = NAMES(a), .reads = NAMES(c)},
    {.number = WRITES_C, .writes = NAMES(c)},
};

static struct commit_order *new_order(void)
{
    const struct workload_pattern *list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = &patterns[i];
    return rh_commit_order_new(list, 5);
}

struct transaction {
    struct order_touched touched;
    struct order_request order;
    struct order_mark *marks;
    size_t mark_count;
};

static void request(struct commit_order *order, struct transaction *it, uint32_t pattern)
{
    rh_commit_order_request(order, pattern, &it->touched, &it->order);
}

/* All its statements were sent. */
static void send_all(struct commit_order *order, struct transaction *it)
{
    (void)rh_commit_order_done(order, it->order.turns, it->order.turn_count);
    it->order.turn_count = 0;
}

static void end(struct commit_order *order, struct transaction *it)
{
    send_all(order, it);
    it->marks = rh_commit_order_end(order, &it->touched, &it->mark_count);
}

static bool has(const struct commit_order *order, const struct transaction *it)
{
    return rh_commit_order_has(order, it->order.needs, it->order.need_count);
}

static bool done(struct commit_order *order, struct transaction *it)
{
    bool moved = rh_commit_order_done(order, it->marks, it->mark_count);
    free(it->marks);
    it->marks = NULL;
    rh_order_touched_deinit(&it->touched);
    return moved;
}

static void test_commit_order_reader_waits_for_the_write_it_had_seen(void **state)
{
    struct commit_order *order = new_order();
    struct transaction writer = {0}, reader = {0}, early = {0};
    (void)state;
    request(order, &writer, WRITES_A);
    request(order, &early, READS_A); /* before the commit: it saw nothing of it */
    end(order, &writer);
    request(order, &reader, READS_A);
    assert_true(has(order, &early));
    assert_false(has(order, &reader));
    assert_true(done(order, &writer));
    assert_true(has(order, &reader));
    rh_order_touched_deinit(&early.touched);
    rh_order_touched_deinit(&reader.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_writer_waits_for_those_who_had_read(void **state)
{
    struct commit_order *order = new_order();
    struct transaction reader = {0}, writer = {0}, other = {0};
    (void)state;
    request(order, &reader, READS_A);
    end(order, &reader);
    request(order, &writer, WRITES_A);
    request(order, &other, READS_A); /* readers do not wait for readers */
    assert_false(has(order, &writer));
    assert_true(has(order, &other));
    done(order, &reader);
    assert_true(has(order, &writer));
    rh_order_touched_deinit(&writer.touched);
    rh_order_touched_deinit(&other.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_waits_for_all_of_them_in_whatever_order_they_come(void **state)
{
    struct commit_order *order = new_order();
    struct transaction writers[3] = {{{0}}}, reader = {0};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        request(order, &writers[i], WRITES_A);
        end(order, &writers[i]);
    }
    request(order, &reader, READS_A);
    assert_false(done(order, &writers[2]));
    assert_false(done(order, &writers[1]));
    assert_false(has(order, &reader));
    assert_true(done(order, &writers[0]));
    assert_true(has(order, &reader));
    rh_order_touched_deinit(&reader.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_tables_that_nobody_writes_do_not_matter(void **state)
{
    struct commit_order *order = new_order();
    struct transaction reader = {0};
    (void)state;
    assert_false(rh_commit_order_matters(order, READS_B));
    assert_false(rh_commit_order_matters(order, 0));
    assert_false(rh_commit_order_matters(order, 99));
    request(order, &reader, READS_B);
    end(order, &reader);
    assert_int_equal(reader.mark_count, 0);
    assert_null(reader.marks);
    rh_commit_order_free(order);
}

static void test_commit_order_one_statement_of_several_tables_needs_each(void **state)
{
    struct commit_order *order = new_order();
    struct transaction of_a = {0}, of_c = {0}, both = {0};
    (void)state;
    request(order, &of_a, WRITES_A);
    end(order, &of_a);
    request(order, &of_c, WRITES_C);
    end(order, &of_c);
    request(order, &both, WRITES_A_READS_C);
    assert_int_equal(both.order.need_count, 2);
    done(order, &of_a);
    assert_false(has(order, &both));
    done(order, &of_c);
    assert_true(has(order, &both));
    end(order, &both);
    /* a: touched and written; c: touched */
    assert_int_equal(both.mark_count, 3);
    done(order, &both);
    rh_commit_order_free(order);
}

static void test_commit_order_writes_of_a_table_are_sent_in_their_order(void **state)
{
    struct commit_order *order = new_order();
    struct transaction first = {0}, second = {0}, reader = {0};
    (void)state;
    request(order, &first, WRITES_A);
    request(order, &first, WRITES_A); /* of the same request: not a turn of its own */
    request(order, &second, WRITES_A);
    request(order, &reader, READS_A);
    assert_int_equal(first.order.turn_count, 1);
    assert_true(has(order, &first));
    assert_false(has(order, &second));
    assert_true(has(order, &reader));
    send_all(order, &first);
    assert_true(has(order, &second));
    send_all(order, &second);
    rh_order_touched_deinit(&first.touched);
    rh_order_touched_deinit(&second.touched);
    rh_order_touched_deinit(&reader.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_write_waits_for_the_writes_that_were_answered(void **state)
{
    struct commit_order *order = new_order();
    struct transaction first = {0}, second = {0}, early = {0};
    struct order_mark marks[ORDER_NEEDS_MAX];
    (void)state;
    request(order, &first, WRITES_A);
    request(order, &early, WRITES_A);
    rh_commit_order_answered(order, first.order.turns, 1, marks);
    request(order, &second, WRITES_A);
    send_all(order, &first);
    assert_true(has(order, &early));
    send_all(order, &early);
    assert_false(has(order, &second));
    assert_true(rh_commit_order_done(order, marks, 1));
    assert_true(has(order, &second));
    send_all(order, &second);
    rh_order_touched_deinit(&first.touched);
    rh_order_touched_deinit(&second.touched);
    rh_order_touched_deinit(&early.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_prepared_transaction_ends_with_its_second_phase(void **state)
{
    struct commit_order *order = new_order();
    struct transaction writer = {0}, early = {0}, late = {0}, ends = {0}, stranger = {0};
    const struct text name = rh_text("'g'");
    struct order_mark prepared;
    (void)state;
    request(order, &writer, WRITES_A);
    send_all(order, &writer);
    assert_true(rh_commit_order_prepare(order, name, &writer.touched, &prepared));
    assert_int_equal(writer.touched.count, 0);
    request(order, &early, READS_A); /* between the phases: it saw nothing */
    rh_commit_order_need_prepared(order, name, &ends.order);
    rh_commit_order_need_prepared(order, rh_text("'h'"), &stranger.order); /* of before */
    ends.marks = rh_commit_order_end_prepared(order, name, &ends.mark_count);
    assert_int_equal(ends.mark_count, 2);
    request(order, &late, READS_A);
    assert_true(has(order, &early));
    assert_true(has(order, &stranger));
    assert_false(has(order, &ends));
    assert_true(rh_commit_order_done(order, &prepared, 1));
    assert_true(has(order, &ends));
    assert_false(has(order, &late));
    assert_true(done(order, &ends));
    assert_true(has(order, &late));
    /* It is known no more. */
    assert_null(rh_commit_order_end_prepared(order, name, &ends.mark_count));
    assert_int_equal(ends.mark_count, 0);
    rh_order_touched_deinit(&writer.touched);
    rh_order_touched_deinit(&early.touched);
    rh_order_touched_deinit(&late.touched);
    rh_commit_order_free(order);
}

static void test_commit_order_prepared_transactions_are_bounded(void **state)
{
    struct commit_order *order = new_order();
    char name[16];
    (void)state;
    for (int i = 0; i < 5000; i++) {
        struct transaction writer = {0};
        struct order_mark mark;
        size_t length = (size_t)snprintf(name, sizeof(name), "'%d'", i);
        request(order, &writer, WRITES_A);
        bool is_kept = rh_commit_order_prepare(order, (struct text){name, length}, &writer.touched,
                                               &mark);
        assert_int_equal(is_kept, i < 4096);
        assert_int_equal(writer.touched.count, is_kept ? 0 : 1);
        rh_order_touched_deinit(&writer.touched);
    }
    rh_commit_order_free(order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_order_reader_waits_for_the_write_it_had_seen),
        cmocka_unit_test(test_commit_order_writer_waits_for_those_who_had_read),
        cmocka_unit_test(test_commit_order_waits_for_all_of_them_in_whatever_order_they_come),
        cmocka_unit_test(test_commit_order_tables_that_nobody_writes_do_not_matter),
        cmocka_unit_test(test_commit_order_one_statement_of_several_tables_needs_each),
        cmocka_unit_test(test_commit_order_writes_of_a_table_are_sent_in_their_order),
        cmocka_unit_test(test_commit_order_write_waits_for_the_writes_that_were_answered),
        cmocka_unit_test(test_commit_order_prepared_transaction_ends_with_its_second_phase),
        cmocka_unit_test(test_commit_order_prepared_transactions_are_bounded),
    };
    return cmocka_run_group_tests_name("commit_order", tests, NULL, NULL);
}
