#include "cmd/transform_option.h"

#include "base/file.h"

enum err_code rh_transform_option_read(const struct options *options,
                                       const struct transform **ret_transform, struct err *err)
{
    const char *path = rh_option_text(options, "transform");
    struct transform *transform = RH_NEW(options->arena, struct transform);
    struct text content;
    if (path == NULL)
        return RH_OK;
    enum err_code code = rh_file_read(path, TRANSFORM_FILE_BYTES_MAX, options->arena, &content,
                                      err);
    if (code == RH_OK)
        code = rh_transform_read(path, content, options->arena, transform, err);
    if (code == RH_OK)
        *ret_transform = transform;
    return code;
}
