#include "base/suggest.h"

#include <string.h>

#define NAME_MAX_BYTES 48 /* longer names are nobody's typing mistake */

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Edits between two names: insert, delete, replace, swap of neighbours (optimal string alignment).
 */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_BYTES + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = smallest(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two_above[j - 2] + 1 < row[j])
                row[j] = two_above[j - 2] + 1;
        }
    }
    return rows[a_len % 3][b_len];
}

void rh_suggest_consider(struct suggestion *suggestion, const char *candidate)
{
    size_t typed_len = strlen(suggestion->typed), candidate_len = strlen(candidate);
    size_t allowed = typed_len / 3 < 3 ? typed_len / 3 : 3; /* a third of it, at most three edits */
    size_t found;

    if (typed_len == 0 || typed_len > NAME_MAX_BYTES || candidate_len > NAME_MAX_BYTES)
        return;
    /* Names are never abbreviated, but an abbreviation says what was meant. */
    if (typed_len >= 3 && strncmp(candidate, suggestion->typed, typed_len) == 0)
        found = 1;
    else
        found = distance(suggestion->typed, candidate);
    if (found > (allowed > 0 ? allowed : 1) || found >= typed_len)
        return;
    if (!suggestion->best || found < suggestion->best_distance) {
        suggestion->best = candidate;
        suggestion->best_distance = found;
    }
}
