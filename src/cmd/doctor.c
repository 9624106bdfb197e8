#include "cmd/doctor.h"

#include "base/wrap.h"
#include "cmd/cli.h"
#include "cmd/help.h"
#include "model/result.h"

#include <string.h>

#define STATUS_COLUMNS 9 /* "problem" and two blanks */
#define INDENT 2

static const char *status_name(enum doctor_status status)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        DOCTOR_STATUS_LIST(X)
#undef X
    };
    return names[status];
}

void rh_doctor_add(struct doctor *doctor, const char *area, const char *name,
                   enum doctor_status status, const char *advice, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    *RH_PUSH(doctor->arena, &doctor->checks) = (struct doctor_check){
        .area = area,
        .name = name,
        .status = status,
        .text = rh_arena_vprintf(doctor->arena, fmt, args),
        .advice = advice ? rh_arena_strdup(doctor->arena, advice) : NULL};
    va_end(args);
}

void rh_doctor_add_err(struct doctor *doctor, const char *area, const char *name,
                       enum doctor_status status, const struct err *err)
{
    rh_doctor_add(doctor, area, name, status, err->hint[0] ? err->hint : NULL, "%s%s%s",
                  err->message, err->detail[0] ? "; " : "", err->detail);
}

size_t rh_doctor_problems(const struct doctor *doctor)
{
    size_t count = 0;

    for (size_t i = 0; i < doctor->checks.count; i++)
        count += doctor->checks.items[i].status == DOCTOR_PROBLEM;
    return count;
}

static void add_lines(struct buf *out, const char *first, const char *text)
{
    struct text line;

    for (struct text rest = rh_text(text);
         rh_text_wrap(&rest, HELP_COLUMNS - INDENT - STATUS_COLUMNS, &line); first = "")
        rh_buf_printf(out, "%*s%-*s%.*s\n", INDENT, "", STATUS_COLUMNS, first, (int)line.len,
                      line.data);
}

void rh_doctor_text(const struct doctor *doctor, struct buf *out)
{
    const char *area = "";
    size_t problems = rh_doctor_problems(doctor);

    for (size_t i = 0; i < doctor->checks.count; i++) {
        const struct doctor_check *check = &doctor->checks.items[i];

        if (strcmp(area, check->area) != 0)
            rh_buf_printf(out, "%s%s\n", i > 0 ? "\n" : "", check->area);
        area = check->area;
        add_lines(out, status_name(check->status), check->text);
        if (check->advice)
            add_lines(out, "", check->advice);
    }
    if (problems == 0)
        rh_buf_add_str(out, "\nNo problem was found.\n");
    else
        rh_buf_printf(out, "\n%zu problem%s found.\n", problems, problems == 1 ? " was" : "s were");
}

json_t *rh_doctor_json(const struct doctor *doctor)
{
    json_t *json = json_object(), *checks = json_array();

    json_object_set_new(json, "format_version", json_string("1.0"));
    json_object_set_new(json, "rehearse_version", json_string(REHEARSE_VERSION));
    json_object_set_new(json, "problems", json_integer((json_int_t)rh_doctor_problems(doctor)));
    for (size_t i = 0; i < doctor->checks.count; i++) {
        const struct doctor_check *check = &doctor->checks.items[i];
        json_t *item = json_object();

        json_object_set_new(item, "area", json_string(check->area));
        json_object_set_new(item, "check", json_string(check->name));
        json_object_set_new(item, "status", json_string(status_name(check->status)));
        json_object_set_new(item, "text", rh_json_text(check->text));
        json_object_set_new(item, "advice", rh_json_text(check->advice));
        json_array_append_new(checks, item);
    }
    json_object_set_new(json, "checks", checks);
    json_object_update(json, doctor->facts);
    return json;
}
