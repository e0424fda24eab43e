/* module_list: which kernel modules the image wants loaded, in which order. */
#include "module_list.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"

/* The kernel and modprobe(8) write the same name in both ways. */
static char canonical(char c)
{
    if (c == '-')
        c = '_';
    return c;
}

/* @return 0, or -1 if the path is no module's */
static int name_of(const char *path, char *name)
{
    const char *base = strrchr(path, '/');
    const char *end = base ? strstr(base, ".ko") : NULL;
    size_t size = end ? (size_t)(end - base - 1) : 0;

    if (path[0] != '/' || size == 0 || size >= MODULE_NAME_SIZE)
        return -1;
    if (strcmp(end, ".ko") != 0 && strcmp(end, ".ko.xz") != 0 && strcmp(end, ".ko.zst") != 0 &&
        strcmp(end, ".ko.gz") != 0)
        return -1;
    for (size_t i = 0; i < size; i++)
        name[i] = canonical(base[1 + i]);
    name[size] = '\0';
    return 0;
}

/* Cuts one line. @return 0, MODULE_LIST_E_LINE or MODULE_LIST_E_FULL */
static int parse_line(struct module_list *list, char *line, bool *late)
{
    struct module *module = &list->modules[list->count];
    char *rest;

    line[strcspn(line, "#")] = '\0';
    line += strspn(line, BLANKS);
    rest = line + strcspn(line, BLANKS);
    if (*rest != '\0')
        *rest++ = '\0';
    if (line[0] == '\0')
        return 0;
    if (strcmp(line, "-") == 0) {
        *late = true;
        return 0;
    }
    if (list->count == INIT_MODULES)
        return MODULE_LIST_E_FULL;
    *module = (struct module){.path = line, .dependencies = rest, .late = *late, .wanted = true};
    if (name_of(line, module->name) < 0)
        return MODULE_LIST_E_LINE;
    list->count++;
    return 0;
}

int module_list_parse(struct module_list *list, unsigned *ret_line)
{
    char *line = list->text;
    bool late = false;
    int result = 0;

    list->count = 0;
    for (unsigned number = 1; line; number++) {
        char *next = strchr(line, '\n');
        int r;

        if (next)
            *next++ = '\0';
        r = parse_line(list, line, &late);
        if (r != 0 && result == 0) {
            result = r;
            *ret_line = number;
        }
        line = next;
    }
    return result;
}

struct module *module_list_find(struct module_list *list, const char *name, size_t size)
{
    for (size_t i = 0; i < list->count; i++) {
        const char *own = list->modules[i].name;
        size_t n = 0;

        while (n < size && own[n] != '\0' && own[n] == canonical(name[n]))
            n++;
        if (n == size && own[n] == '\0')
            return &list->modules[i];
    }
    return NULL;
}

/* Wants every module in @p names. @return the first name that is not there, or NULL */
static const char *want(struct module_list *list, const char *names, const char *separators)
{
    const char *missing = NULL;

    for (;;) {
        size_t size;
        struct module *module;

        names += strspn(names, separators);
        size = strcspn(names, separators);
        if (size == 0)
            return missing;
        module = module_list_find(list, names, size);
        if (module)
            module->wanted = true;
        else if (!missing)
            missing = names;
        names += size;
    }
}

void module_list_choose(struct module_list *list, const char *names, char *ret_missing)
{
    const char *missing;

    for (size_t i = 0; i < list->count; i++)
        list->modules[i].wanted = false;
    missing = want(list, names, ",");
    /* Dependencies are earlier lines, so that one pass from the end finds all. */
    for (size_t i = list->count; i > 0; i--)
        if (list->modules[i - 1].wanted)
            (void)want(list, list->modules[i - 1].dependencies, BLANKS);

    ret_missing[0] = '\0';
    if (missing) {
        size_t size = strcspn(missing, ",");

        if (size >= MODULE_NAME_SIZE)
            size = MODULE_NAME_SIZE - 1;
        memcpy(ret_missing, missing, size);
        ret_missing[size] = '\0';
    }
}
