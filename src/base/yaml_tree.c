#include "base/yaml_tree.h"

#include <ctype.h>
#include <libfyaml.h>

struct reader {
    struct fy_parser *parser;
    struct text content;
    struct arena *arena;
    struct yaml_tree *tree;
    bool stopped; /* the rest cannot be read */
};

static void add_problem(struct reader *reader, size_t line, size_t column, const char *message)
{
    struct yaml_problem *problem = RH_PUSH(reader->arena, &reader->tree->problems);

    problem->line = line;
    problem->column = column;
    problem->message = message;
}

/* libfyaml's marks: 0-based line, 0-based column in characters. */
static void place_of(const struct fy_mark *mark, size_t *ret_line, size_t *ret_column)
{
    *ret_line = mark && mark->line >= 0 ? (size_t)mark->line + 1 : 1;
    *ret_column = mark && mark->column >= 0 ? (size_t)mark->column + 1 : 1;
}

static struct fy_event *next_event(struct reader *reader)
{
    struct fy_event *event = reader->stopped ? NULL : fy_parser_parse(reader->parser);

    if (!event)
        reader->stopped = true;
    return event;
}

static void refuse_extras(struct reader *reader, const struct yaml_node *node,
                          struct fy_event *event)
{
    if (fy_event_get_anchor_token(event))
        add_problem(reader, node->line, node->column, "anchors (&name) are not supported here");
    if (fy_event_get_tag_token(event))
        add_problem(reader, node->line, node->column, "tags (!name) are not supported here");
}

static const char *scalar_text(struct reader *reader, struct fy_token *token)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;

    return text ? rh_arena_strndup(reader->arena, text, len) : rh_arena_strdup(reader->arena, "");
}

static struct yaml_node *new_node(struct reader *reader, struct fy_event *event)
{
    struct yaml_node *node = RH_NEW(reader->arena, struct yaml_node);

    place_of(fy_event_start_mark(event), &node->line, &node->column);
    switch (event->type) {
    case FYET_SCALAR: {
        struct fy_token *token = fy_event_get_token(event);

        node->kind = YAML_SCALAR;
        node->text = scalar_text(reader, token);
        node->is_plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
        /* Of a quoted scalar libfyaml marks what is inside the quotes. */
        if (token && node->column > 1 &&
            (fy_token_scalar_style(token) == FYSS_SINGLE_QUOTED ||
             fy_token_scalar_style(token) == FYSS_DOUBLE_QUOTED))
            node->column--;
        break;
    }
    case FYET_MAPPING_START:
        node->kind = YAML_MAPPING;
        break;
    case FYET_SEQUENCE_START:
        node->kind = YAML_SEQUENCE;
        break;
    case FYET_ALIAS:
        node->kind = YAML_SCALAR;
        node->text = "";
        add_problem(reader, node->line, node->column, "aliases (*name) are not supported here");
        break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_START:
    case FYET_DOCUMENT_END:
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return NULL;
    }
    refuse_extras(reader, node, event);
    return node;
}

/* Reads the next node with all in it; NULL at the end of the collection around it, or of the text.
 */
static struct yaml_node *read_node(struct reader *reader, unsigned depth)
{
    struct fy_event *event = next_event(reader);
    struct yaml_node *node = event ? new_node(reader, event) : NULL;

    if (event)
        fy_parser_event_free(reader->parser, event);
    if (!node || node->kind == YAML_SCALAR)
        return node;
    if (depth == 0) {
        add_problem(reader, node->line, node->column, "too deeply nested");
        reader->stopped = true;
        return node;
    }
    for (struct yaml_node *child; (child = read_node(reader, depth - 1));) {
        if (node->kind == YAML_SEQUENCE) {
            *RH_PUSH(reader->arena, &node->items) = child;
            continue;
        }

        struct yaml_node *value = read_node(reader, depth - 1);

        if (child->kind != YAML_SCALAR) {
            add_problem(reader, child->line, child->column, "a key must be a plain name");
            continue;
        }

        struct yaml_pair *pair = RH_PUSH(reader->arena, &node->pairs);

        pair->key = child;
        pair->value = value;
    }
    return node;
}

/* Documents behind the first one are refused, not skipped. */
static void read_stream(struct reader *reader)
{
    size_t documents = 0;

    for (struct fy_event *event; (event = next_event(reader));) {
        enum fy_event_type type = event->type;
        size_t line, column;

        place_of(fy_event_start_mark(event), &line, &column);
        fy_parser_event_free(reader->parser, event);
        if (type != FYET_DOCUMENT_START)
            continue;
        if (documents++ > 0) {
            add_problem(reader, line, column, "a second document in one file");
            return;
        }
        reader->tree->root = read_node(reader, YAML_DEPTH_MAX);
    }
}

static void add_diagnostics(struct reader *reader, struct fy_diag *diag)
{
    void *state = NULL;

    for (struct fy_diag_error *error; (error = fy_diag_errors_iterate(diag, &state));) {
        struct text message = rh_text_trim(rh_text(error->msg ? error->msg : ""));
        char *text;

        if (error->type != FYET_ERROR || message.len == 0)
            continue;
        text = rh_text_dup(reader->arena, message);
        text[0] = (char)tolower((unsigned char)text[0]);
        add_problem(reader, error->line > 0 ? (size_t)error->line : 1,
                    error->column > 0 ? (size_t)error->column : 1, text);
    }
}

void rh_yaml_read(struct text content, struct arena *arena, struct yaml_tree *ret_tree)
{
    struct yaml_tree tree = {0};
    struct fy_diag_cfg diag_config;
    struct reader reader = {.content = content, .arena = arena, .tree = &tree};

    fy_diag_cfg_default(&diag_config);
    diag_config.fp = NULL; /* libraries never print */
    diag_config.colorize = false;

    struct fy_diag *diag = fy_diag_create(&diag_config);
    struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_QUIET |
                                           FYPCF_ALLOW_DUPLICATE_KEYS,
                                  .diag = diag};

    RH_ASSERT(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    reader.parser = fy_parser_create(&config);
    RH_ASSERT(reader.parser != NULL);
    if (content.len > 0 && fy_parser_set_string(reader.parser, content.data, content.len) == 0)
        read_stream(&reader);
    add_diagnostics(&reader, diag);
    if (fy_parser_get_stream_error(reader.parser) && tree.problems.count == 0)
        add_problem(&reader, 1, 1, "this is no YAML");
    fy_parser_destroy(reader.parser);
    fy_diag_destroy(diag);
    *ret_tree = tree;
}
