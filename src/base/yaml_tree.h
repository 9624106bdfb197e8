/*
 * A small YAML document as a tree with places: scalars, sequences, mappings, each with line and
 * column. Anchors, aliases, tags, keys that are no scalars and second documents are problems. The
 * sole home of libfyaml. Pure.
 */
#ifndef RH_BASE_YAML_TREE_H
#define RH_BASE_YAML_TREE_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

#define YAML_DEPTH_MAX 8 /* nesting; our keys need three levels */

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

struct yaml_node;

struct yaml_pair {
    struct yaml_node *key;   /* a scalar */
    struct yaml_node *value; /* NULL: the document broke off here */
};

struct yaml_node {
    enum yaml_kind kind;
    size_t line, column; /* 1-based, in characters */
    const char *text;    /* of a scalar; "" for nothing */
    bool is_plain;       /* a scalar without quotes */
    VEC(struct yaml_node *) items;
    VEC(struct yaml_pair) pairs;
};

struct yaml_problem {
    size_t line, column;
    const char *message;
};

struct yaml_tree {
    struct yaml_node *root; /* NULL: an empty document */
    VEC(struct yaml_problem) problems;
};

/* Always gives what it could read; `problems` says what it could not. `content` is valid UTF-8. */
void rh_yaml_read(struct text content, struct arena *arena, struct yaml_tree *ret_tree);

#endif
