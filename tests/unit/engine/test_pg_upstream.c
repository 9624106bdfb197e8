/* What a connection URL tells a relay: hosts, TLS, files of libpq; nothing from the environment. */
#include "base/file.h"
#include "engine/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char home[] = "/tmp/rh-upstream-XXXXXX";

static void write_file(const char *name, const char *content)
{
    char path[128];
    struct err err = RH_ERR_INIT;
    snprintf(path, sizeof(path), "%s/%s", home, name);
    assert_int_equal(rh_file_write(path, rh_text(content), 0600, &err), RH_OK);
}

static int make_home(void **state)
{
    static const char *const variables[] = {
        "PGHOST=not.this",         "PGSSLMODE=verify-full", "PGPASSWORD=not this",
        "PGSSLROOTCERT=/not/this", "PGUSER=not this",       "PGPORT=1",
        "PGSERVICE=notthis",       "PGCONNECT_TIMEOUT=1",   "PGSSLCERT=/not/this",
        "PGDATABASE=not this",     "PGSERVICEFILE=/not/it", "PGPASSFILE=/not/this"};
    (void)state;
    if (!mkdtemp(home))
        return -1;
    setenv("HOME", home, 1);
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++)
        putenv((char *)variables[i]);
    write_file(".pg_service.conf", "[prod]\nhost=db1\nport=5433\nsslmode=verify-ca\n"
                                   "sslrootcert=/ca.crt\ndbname=shop\nuser=reader\n");
    write_file(".pgpass", "db1:5433:shop:reader:hush\n");
    return 0;
}

static int remove_home(void **state)
{
    struct err err = RH_ERR_INIT;
    (void)state;
    return rh_file_remove_tree(home, &err) == RH_OK ? 0 : -1;
}

static struct url_upstream describe(const char *url, struct arena *arena)
{
    struct url_upstream upstream = {0};
    struct err err = RH_ERR_INIT;
    if (rh_engine_postgres.describe_upstream(url, arena, &upstream, &err))
        fail_msg("%s: %s", url, err.message);
    return upstream;
}

static void check_text(const char *what, const char *said, const char *expected)
{
    if ((said == NULL) != (expected == NULL) || (said && strcmp(said, expected) != 0))
        fail_msg("%s is \"%s\", expected \"%s\"", what, said, expected);
}

static void test_pg_upstream_says_what_the_url_says(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    struct url_upstream u = describe(
        "postgresql://me:hush@db.example.com:6432/shop?sslmode=verify-full&sslrootcert=/r.crt"
        "&sslcrl=/r.crl&sslcert=/c.crt&sslkey=/c.key&sslpassword=hush2&sslsni=0&options=-cx%3D1"
        "&ssl_min_protocol_version=TLSv1.3&sslnegotiation=direct&connect_timeout=7",
        arena);
    const struct tls_options *tls = &u.upstream.tls;
    assert_int_equal(u.upstream.host_count, 1);
    check_text("host", u.upstream.hosts[0].name, "db.example.com");
    check_text("address", u.upstream.hosts[0].address, NULL);
    assert_int_equal(u.upstream.hosts[0].port, 6432);
    assert_int_equal(u.upstream.tls_mode, TLS_MODE_VERIFY_FULL);
    assert_true(u.upstream.tls_is_direct && tls->omits_sni);
    check_text("roots", tls->root_file, "/r.crt");
    check_text("list", tls->crl_file, "/r.crl");
    check_text("certificate", tls->certificate_file, "/c.crt");
    check_text("key", tls->key_file, "/c.key");
    check_text("key password", tls->key_password, "hush2");
    assert_int_equal(tls->min_version, TLS_1_3);
    assert_int_equal(tls->max_version, TLS_VERSION_DEFAULT);
    assert_int_equal(u.upstream.connect_timeout_us, 7000000);
    check_text("user", u.user, "me");
    check_text("database", u.database, "shop");
    check_text("password", u.password, "hush");
    check_text("options", u.options, "-cx=1");
}

static void test_pg_upstream_has_libpqs_defaults_and_nothing_of_the_environment(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    struct url_upstream u = describe("postgresql://db/shop?user=me", arena);
    assert_int_equal(u.upstream.tls_mode, TLS_MODE_PREFER);
    assert_int_equal(u.upstream.hosts[0].port, 5432);
    assert_int_equal(u.upstream.connect_timeout_us, 0);
    assert_false(u.upstream.tls.omits_sni || u.upstream.tls_is_direct);
    check_text("roots", u.upstream.tls.root_file, NULL);
    check_text("certificate", u.upstream.tls.certificate_file, NULL);
    check_text("password", u.password, NULL);
    assert_int_equal(u.upstream.tls.min_version, TLS_1_2);
    /* No host: the directory that libpq was built with, or this machine. */
    u = describe("user=me dbname=shop", arena);
    assert_int_equal(u.upstream.host_count, 1);
    assert_non_null(u.upstream.hosts[0].name);
    assert_string_not_equal(u.upstream.hosts[0].name, "not.this");
    assert_string_equal(getenv("PGHOST"), "not.this");
}

static void test_pg_upstream_takes_services_and_password_files(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    struct url_upstream u = describe("service=prod", arena);
    check_text("host", u.upstream.hosts[0].name, "db1");
    assert_int_equal(u.upstream.hosts[0].port, 5433);
    assert_int_equal(u.upstream.tls_mode, TLS_MODE_VERIFY_CA);
    check_text("roots", u.upstream.tls.root_file, "/ca.crt");
    check_text("user", u.user, "reader");
    check_text("password", u.password, "hush");
    u = describe("postgresql://other@/?service=prod", arena);
    check_text("user", u.user, "other");
    check_text("password", u.password, NULL);
}

static void test_pg_upstream_takes_lists_of_hosts(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    struct url_upstream u = describe("postgresql://db1,db2:5433/shop?user=me", arena);
    assert_int_equal(u.upstream.host_count, 2);
    check_text("host", u.upstream.hosts[1].name, "db2");
    assert_int_equal(u.upstream.hosts[0].port, 5432);
    assert_int_equal(u.upstream.hosts[1].port, 5433);
    u = describe("host=db1,db2 hostaddr=10.0.0.1,::1 port=7 user=me", arena);
    check_text("address", u.upstream.hosts[1].address, "::1");
    assert_int_equal(u.upstream.hosts[0].port, 7);
    assert_int_equal(u.upstream.hosts[1].port, 7);
    u = describe("hostaddr=10.0.0.1 user=me", arena);
    check_text("host", u.upstream.hosts[0].name, NULL);
    check_text("address", u.upstream.hosts[0].address, "10.0.0.1");
    u = describe("postgresql:///shop?host=/run/x&user=me", arena);
    check_text("host", u.upstream.hosts[0].name, "/run/x");
}

static void test_pg_upstream_cuts_newer_keywords_out_anywhere(void **state)
{
    static const char *const direct[] = {
        "postgresql://db/shop?sslnegotiation=direct&user=me&sslmode=require",
        "postgresql://db/shop?user=me&sslnegotiation=direct&sslmode=require",
        "postgresql://db/shop?user=me&sslmode=require&sslnegotiation=direct",
        "host=db dbname=shop user=me sslmode=require sslnegotiation=direct",
        "sslnegotiation = direct host='db' dbname=shop user=me sslmode=require",
        "host=db sslnegotiation='direct' dbname = 'shop' user=me sslmode=require"};
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    for (size_t i = 0; i < sizeof(direct) / sizeof(*direct); i++) {
        struct url_upstream u = describe(direct[i], arena);
        assert_true(u.upstream.tls_is_direct);
        check_text("host", u.upstream.hosts[0].name, "db");
        check_text("database", u.database, "shop");
        check_text("user", u.user, "me");
        assert_int_equal(u.upstream.tls_mode, TLS_MODE_REQUIRE);
        /* what our own libpq is given, it can read */
        struct url_place place;
        struct err err = RH_ERR_INIT;
        assert_int_equal(rh_engine_postgres.describe_url(u.url, arena, &place, &err), RH_OK);
        check_text("host", place.hosts, "db");
        check_text("user", place.user, "me");
    }
    /* A value that only looks like one. */
    struct url_upstream u = describe("host=db user='a sslnegotiation=direct b'", arena);
    assert_false(u.upstream.tls_is_direct);
    check_text("user", u.user, "a sslnegotiation=direct b");
    u = describe("host=db user=me sslcert=/c sslkey=/k sslcertmode=disable", arena);
    check_text("certificate", u.upstream.tls.certificate_file, NULL);
    u = describe("host=db user=me sslrootcert=system", arena);
    assert_int_equal(u.upstream.tls_mode, TLS_MODE_VERIFY_FULL);
    check_text("roots", u.upstream.tls.root_file, "system");
}

static void test_pg_upstream_finds_libpqs_own_files(void **state)
{
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    char directory[64], path[128];
    snprintf(directory, sizeof(directory), "%s/.postgresql", home);
    assert_int_equal(mkdir(directory, 0700), 0);
    write_file(".postgresql/root.crt", "x");
    write_file(".postgresql/root.crl", "x");
    write_file(".postgresql/postgresql.crt", "x");
    write_file(".postgresql/postgresql.key", "x");
    struct url_upstream u = describe("postgresql://me@db/shop", arena);
    const char *const found[] = {u.upstream.tls.root_file, u.upstream.tls.crl_file,
                                 u.upstream.tls.certificate_file, u.upstream.tls.key_file};
    static const char *const names[] = {"root.crt", "root.crl", "postgresql.crt", "postgresql.key"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        check_text(names[i], found[i], path);
    }
    struct err err = RH_ERR_INIT;
    assert_int_equal(rh_file_remove_tree(directory, &err), RH_OK);
}

static void test_pg_upstream_refuses_what_a_relay_cannot_do(void **state)
{
    static const struct {
        const char *url, *said;
    } cases[] = {
        {"postgresql://me:hush@db/?channel_binding=require", "channel_binding"},
        {"postgresql://me:hush@db/?target_session_attrs=read-only", "target_session_attrs"},
        {"postgresql://me:hush@db/?gssencmode=require", "gssencmode"},
        {"postgresql://me:hush@db/?requirepeer=postgres", "requirepeer"},
        {"postgresql://me:hush@db/?sslmode=hush", "sslmode"},
        {"postgresql://me:hush@db/?sslnegotiation=hush", "sslnegotiation"},
        {"postgresql://me:hush@db/?sslcertmode=require", "sslcertmode=require"},
        {"postgresql://me:hush@db/?sslcertmode=hush", "sslcertmode"},
        {"postgresql://me:hush@db/?ssl_max_protocol_version=SSLv3", "TLS version"},
        {"postgresql://me:hush@db/?sslrootcert=system&sslmode=require", "verify-full"},
        {"postgresql://me:hush@db/?sslcert=/c&sslkey=engine:hush", "hardware"},
        {"postgresql://me:hush@db:0/", "port"},
        {"postgresql://me:hush@db/?service=hush", "make sense"},
        {"postgresql://me:hush@db/?hush=1", "no connection URL"},
        {"host=a,b hostaddr=1.2.3.4 password=hush", "make sense"},
        {"hush", "no connection URL"},
    };
    RH_CLEANUP_ARENA struct arena *arena = rh_arena_new();
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct url_upstream u = {0};
        struct err err = RH_ERR_INIT;
        if (rh_engine_postgres.describe_upstream(cases[i].url, arena, &u, &err) != RH_ERR_USAGE ||
            !strstr(err.message, cases[i].said))
            fail_msg("%s: \"%s\"", cases[i].url, err.message);
        assert_null(strstr(err.message, "hush"));
        assert_null(strstr(err.hint, "hush"));
        assert_null(u.upstream.hosts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pg_upstream_says_what_the_url_says),
        cmocka_unit_test(test_pg_upstream_has_libpqs_defaults_and_nothing_of_the_environment),
        cmocka_unit_test(test_pg_upstream_takes_services_and_password_files),
        cmocka_unit_test(test_pg_upstream_takes_lists_of_hosts),
        cmocka_unit_test(test_pg_upstream_cuts_newer_keywords_out_anywhere),
        cmocka_unit_test(test_pg_upstream_finds_libpqs_own_files),
        cmocka_unit_test(test_pg_upstream_refuses_what_a_relay_cannot_do),
    };
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
