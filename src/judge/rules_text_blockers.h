/*
 * What the rules about offending rows are for, as rules_text.h: what, why, example, what to write
 * instead.
 */
#ifndef RH_JUDGE_RULES_TEXT_BLOCKERS_H
#define RH_JUDGE_RULES_TEXT_BLOCKERS_H

#define BLOCKER_COUNTED                                                                            \
    " The server names one row and stops; here all of them were counted, in the very session and " \
    "transaction in which the statement failed."

#define BLOCKER_REPAIR                                                                            \
    "The repair that comes with the finding was run before the statement on a clone, and the "    \
    "statement then went through, unless the finding says otherwise. Run it in the migration, "   \
    "right before the statement; where it deletes, overwrites or invents values, choose what is " \
    "right for your data."

#define TEXT_DUPLICATE_KEYS                                                                        \
    "A unique index, a unique constraint or a primary key was asked for, and rows share a "        \
    "key." BLOCKER_COUNTED,                                                                        \
        "The statement fails with 23505 as soon as it meets the first pair, after it has read "    \
        "and "                                                                                     \
        "sorted the table under its lock; one repair after the other would be found out, each by " \
        "another failed release.",                                                                 \
        "Four rows, two with the e-mail a@x and two with b@x: groups 2, rows 4. CREATE UNIQUE "    \
        "INDEX "                                                                                   \
        "names one of the two keys.",                                                              \
        BLOCKER_REPAIR                                                                             \
        "\n"                                                                                       \
        "Keep writes from making new ones in between: repair and CREATE UNIQUE INDEX in one "      \
        "transaction, or the index CONCURRENTLY and the repair until it is valid."

#define TEXT_NULL_VALUES                                                                           \
    "SET NOT NULL, a primary key or a NOT NULL column was asked for, and rows are NULL "           \
    "there." BLOCKER_COUNTED,                                                                      \
        "The statement fails with 23502 after it has read the table under ACCESS EXCLUSIVE.",      \
        "ALTER TABLE users ALTER email SET NOT NULL where 12 of 1,000 users have none: rows 12.",  \
        BLOCKER_REPAIR                                                                             \
        "\n"                                                                                       \
        "Where the column is unique, or the release makes it so in whatever statement, each row "  \
        "gets a value of its own, after its key or behind the last one; where the type has none, " \
        "only a person can say what is right.\n"                                                   \
        "Then prove it without the long lock:\n"                                                   \
        "    ALTER TABLE users ADD CHECK (email IS NOT NULL) NOT VALID;\n"                         \
        "    ALTER TABLE users VALIDATE CONSTRAINT users_email_check;\n"                           \
        "    ALTER TABLE users ALTER email SET NOT NULL;"

#define TEXT_ORPHAN_ROWS                                                                         \
    "A foreign key was asked for or validated, and rows refer to no row of the other "           \
    "table." BLOCKER_COUNTED,                                                                    \
        "The statement fails with 23503; so does a COMMIT, when the constraint is deferred.",    \
        "Three orders of users that were deleted years ago: rows 3. ADD FOREIGN KEY names one.", \
        BLOCKER_REPAIR                                                                           \
        "\n"                                                                                     \
        "Set the column to NULL, delete the rows, or bring back what they refer to:\n"           \
        "    ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users NOT VALID;\n"         \
        "    -- the repair\n"                                                                    \
        "    ALTER TABLE orders VALIDATE CONSTRAINT orders_user_id_fkey;"

#define TEXT_CHECK_VIOLATIONS                                                                    \
    "A check constraint was asked for or validated, also one of a domain, and rows violate "     \
    "it." BLOCKER_COUNTED,                                                                       \
        "The statement fails with 23514 and names the constraint, not how many rows there are.", \
        "ADD CHECK (total >= 0) where two orders are negative: rows 2.",                         \
        "    ALTER TABLE orders ADD CONSTRAINT total_positive CHECK (total >= 0) NOT VALID;\n"   \
        "    -- mend the rows\n"                                                                 \
        "    ALTER TABLE orders VALIDATE CONSTRAINT total_positive;\n"                           \
        "From the first line on no new row can violate it."

#define TEXT_EXCLUSION_CONFLICTS                                                               \
    "An exclusion constraint was asked for, and rows exclude each other." BLOCKER_COUNTED,     \
        "The statement fails with 23P01 and names one pair.",                                  \
        "Two bookings of one room that overlap: rows 2.",                                      \
        "Decide which of the rows stays; no statement can. An exclusion constraint cannot be " \
        "added "                                                                               \
        "NOT VALID."

#define TEXT_PARTITION_MISFITS                                                                     \
    "A table was attached as a partition, and rows lie outside its bounds, or rows of the "        \
    "default partition belong to the new one." BLOCKER_COUNTED,                                    \
        "The statement fails with 23514 after it has read the table under its lock.",              \
        "ATTACH PARTITION events_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') where one " \
        "row "                                                                                     \
        "is of 2023: rows 1.",                                                                     \
        "Move the rows first:\n"                                                                   \
        "    WITH moved AS (DELETE FROM events_2024 WHERE created_at < '2024-01-01' RETURNING "    \
        "*)\n"                                                                                     \
        "    INSERT INTO events SELECT * FROM moved;\n"                                            \
        "A CHECK constraint with the bounds, validated before, saves the scan under lock."

#define TEXT_CAST_FAILURE                                                                          \
    "A column's type was changed, and values cannot become the new one, or a default or USING "    \
    "expression fails on them." BLOCKER_COUNTED,                                                   \
        "The statement fails with a class 22 error at the first such value, in the middle of "     \
        "writing "                                                                                 \
        "the table anew.",                                                                         \
        "ALTER TABLE orders ALTER code TYPE integer USING code::integer where one code is 'n/a': " \
        "rows 1.",                                                                                 \
        BLOCKER_REPAIR                                                                             \
        "\n"                                                                                       \
        "Or say in USING what becomes of them:\n"                                                  \
        "    ALTER TABLE orders ALTER code TYPE integer USING nullif(code, 'n/a')::integer;"

#define TEXT_VALUE_TOO_LONG                                                                        \
    "A column was made shorter, and values do not fit." BLOCKER_COUNTED,                           \
        "The statement fails with 22001; only an explicit cast cuts values, silently.",            \
        "ALTER TABLE users ALTER name TYPE varchar(20) where five names have 21 characters: rows " \
        "5.",                                                                                      \
        BLOCKER_REPAIR "\n"                                                                        \
                       "Or keep the type: text and varchar(n) cost the same."

#define TEXT_OUT_OF_RANGE                                                                  \
    "A column's type was made narrower, and numbers or times do not fit." BLOCKER_COUNTED, \
        "The statement fails with 22003 or 22008.",                                        \
        "ALTER TABLE orders ALTER id TYPE integer where ids are beyond 2147483647.",       \
        BLOCKER_REPAIR

#endif
