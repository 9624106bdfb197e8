#include "structured.h"

#define LEAVES(...) ((const char *const[]){__VA_ARGS__})

static void test_text_and_attributes_are_masked_and_markup_stays(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&xml, &text, "<a b=\"one\" c='two'>\n  three <br/> four\n</a>",
                 "<a b=\"\1\" c='\2'>\n  \3 <br/> \4\n</a>", LEAVES("one", "two", "three", "four"));
    check_leaves(&xml, &text, "just text", "\1", LEAVES("just text"));
    check_leaves(&xml, &text, "<?xml version=\"1.0\"?><r><!-- note --><![CDATA[<data>]]></r>",
                 "<?xml version=\"1.0\"?><r><!-- \1 --><![CDATA[\2]]></r>",
                 LEAVES("note", "<data>"));
    check_leaves(&xml, &text, "<?php echo one?><r/>", "<?php \1?><r/>", LEAVES("echo one"));
    check_leaves(
        &xml, &text, "<s:a xmlns:s=\"urn:keep\" xmlns=\"urn:too\" xml:lang=\"de\" s:b=\"no\"/>",
        "<s:a xmlns:s=\"urn:keep\" xmlns=\"urn:too\" xml:lang=\"de\" s:b=\"\1\"/>", LEAVES("no"));
    check_leaves(&xml, &text, "<a x=\"1 > 0\">b > c</a>", "<a x=\"\1\">\2</a>",
                 LEAVES("1 > 0", "b > c"));
}

static void test_entities_stay_and_characters_stay_written_as_they_were(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&xml, &text, "<a>one&own;two &other; three</a>", "<a>\1&own;\2 &other; \3</a>",
                 LEAVES("one", "two", "three"));
    check_leaves(&xml, &text, "<a b='x &own; y'/>", "<a b='\1 &own; \2'/>", LEAVES("x", "y"));
    const char *value = "<a b=\"&quot;x&quot;\">one &amp; two &lt;three&gt; &#65;&#x42;&#xfc;</a>";
    const char *masked = mask_one(&xml, value);
    assert_non_null(strstr(masked, " &amp; "));
    assert_non_null(strstr(masked, "\"&quot;"));
    assert_null(strstr(masked, "&#65;&#x42;"));
    assert_null(strstr(masked, "&#xfc;"));
    int references = 0;
    for (const char *at = masked; (at = strstr(at, "&#")) != NULL; at++)
        references++;
    assert_int_equal(references, 3);
    /* However a character is written, the value is the same. */
    char expected[64];
    snprintf(expected, sizeof expected, "<a>&#%d;%s</a>", mask_one(&text, "Anna")[0],
             mask_one(&text, "Anna") + 1);
    assert_string_equal(mask_one(&xml, "<a>&#65;nna</a>"), expected);
}

static void test_addresses_join_with_columns(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    CLEANUP_BENCH struct bench email = bench_new(MASK_EMAIL, "text");
    check_leaves(&xml, &email, "<m to=\"anna@example.org\"> anna@example.org </m>",
                 "<m to=\"\1\"> \1 </m>", LEAVES("anna@example.org"));
}

static void test_a_doctype_hides_nothing(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    check_leaves(&xml, &text,
                 "<!DOCTYPE r [<!ELEMENT r ANY><!ENTITY own \"secret\"><!-- hush -->]><r>&own;</r>",
                 "<!DOCTYPE r [<!ELEMENT r ANY><!ENTITY own \"\1\"><!-- \2 -->]><r>&own;</r>",
                 LEAVES("secret", "hush"));
    check_leaves(&xml, &text, "<!DOCTYPE r [ <?note Anna Muster?> %p; ]><r>two</r>",
                 "<!DOCTYPE r [ <?note \1?> %p; ]><r>\2</r>", LEAVES("Anna Muster", "two"));
    check_leaves(&xml, &text,
                 "<!DOCTYPE r PUBLIC \"one\" 'two' [<!ATTLIST r a CDATA #IMPLIED>]><r/>",
                 "<!DOCTYPE r PUBLIC \"\1\" '\2' [<!ATTLIST r a CDATA #IMPLIED>]><r/>",
                 LEAVES("one", "two"));
    CLEANUP_BENCH struct bench email = bench_new(MASK_EMAIL, "text");
    check_leaves(&xml, &email, "<?xml version='1.0' encoding=\"UTF-8\" standalone='yes' ?><r/>",
                 "<?xml version='1.0' encoding=\"UTF-8\" standalone='yes' ?><r/>", NULL);
}

static void test_what_is_no_xml_is_text(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    CLEANUP_BENCH struct bench text = bench_new(MASK_TEXT, "text");
    static const char *const broken[] = {"<secret",
                                         "<a b=secret\"x\"",
                                         "<!-- secret",
                                         "<a b=\"secret>",
                                         "<a <secret>",
                                         "< secret>",
                                         "<![CDATA[secret",
                                         "<a \"secret\">",
                                         "Anna <anna@example.org> wrote",
                                         "<p class=anna@example.org>x</p>",
                                         "<p class = anna>x</p>",
                                         "<Anna Muster, Berlin>",
                                         "<Anna Muster/>",
                                         "<a Anna=\"x\" Muster></a>",
                                         "<a x=/>",
                                         "<a></a Muster>",
                                         "<a></a></a>",
                                         "<a>x",
                                         "</a>",
                                         "<?xml Anna Muster?>",
                                         "<?xml version=\"Anna\"?>",
                                         "<?xml encoding=\"Anna Muster\"?>",
                                         " <?xml version=\"1.0\"?>",
                                         "<a/><?xml version=\"1.0\"?>",
                                         "<?anna@example.org x?>",
                                         "<!Anna Muster>",
                                         "<!DOCTYPE Anna Muster>",
                                         "<!DOCTYPE a [Anna Muster]>",
                                         "<!DOCTYPE anna@example.org>"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_string_equal(mask_one(&xml, broken[i]), mask_one(&text, broken[i]));
}

static void test_large_documents_stream_as_they_are_mapped(void **state)
{
    (void)state;
    CLEANUP_BENCH struct bench xml = bench_new(MASK_XML, "xml");
    static const char *const large[] = {"<a>",  "</a>", "<a b=\"",   "\"/>",
                                        "<!--", "-->",  "<![CDATA[", "]]>"};
    RH_CLEANUP_BUF struct buf value;
    rh_buf_init(&value, 1 << 26);
    rh_buf_add_str(&value, "<r>");
    for (size_t i = 0; i < 8; i += 2) {
        rh_buf_add_str(&value, large[i]);
        for (size_t j = 0; j < LEAVES_PIECE_BYTES / 2; j++)
            rh_buf_add_str(&value, "secret");
        rh_buf_add_str(&value, large[i + 1]);
    }
    for (int i = 0; i < 50000; i++)
        rh_buf_printf(&value, "<e n=\"%d\">word %d &amp; more</e>\n", i, i);
    rh_buf_add_str(&value, "</r>");
    const char *whole = mask_one(&xml, value.data);
    assert_int_equal(strlen(whole), value.len);
    assert_null(strstr(whole, "secretsecret"));
    static const size_t steps[] = {4095, 70001, 1 << 26};
    for (size_t i = 0; i < 3; i++)
        assert_true(strcmp(mask_streamed(&xml, rh_buf_text(&value), steps[i]), whole) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_attributes_are_masked_and_markup_stays),
        cmocka_unit_test(test_entities_stay_and_characters_stay_written_as_they_were),
        cmocka_unit_test(test_addresses_join_with_columns),
        cmocka_unit_test(test_a_doctype_hides_nothing),
        cmocka_unit_test(test_what_is_no_xml_is_text),
        cmocka_unit_test(test_large_documents_stream_as_they_are_mapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
