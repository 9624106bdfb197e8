/*
 * Certificates for tests, made anew for every run (nothing expires in the tree):
 *
 *   root.crt            an authority; other-root.crt another one
 *   server.crt          for localhost, *.example.test and 127.0.0.1
 *   named.crt           for db.example.test alone
 *   common.crt          for localhost by its common name, without alternative names
 *   expired.crt         as server.crt, until yesterday
 *   revoked.crt         as server.crt, on the list in root.crl
 *   stranger.crt        as server.crt, by the other authority
 *   client.crt          for the user "alice"; client-encrypted.key has the password "hush",
 *                       client.der is the key in DER
 *   other-client.crt    for "alice", by the other authority
 *
 * Each has its key beside it (x.key, mode 0600).
 */
#ifndef RH_TESTS_CERTIFICATES_H
#define RH_TESTS_CERTIFICATES_H

/* Writes them into an existing directory; ends the program when that fails. */
void certificates_make(const char *directory);

#endif
