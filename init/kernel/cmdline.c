/* cmdline: what the kernel's command line says to PID 1. */
#include "cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/*
 * Cuts the next word off: separated by blanks, which count as part of a word inside double quotes,
 * as in the kernel's own parser. The quotes themselves are dropped.
 *
 * @return NULL at the end
 */
static char *next_word(char **cursor)
{
    char *p = *cursor, *word, *end;
    bool quoted = false;

    while (is_blank(*p))
        p++;
    if (*p == '\0')
        return NULL;
    for (word = end = p; *p != '\0' && (quoted || !is_blank(*p)); p++) {
        if (*p == '"')
            quoted = !quoted;
        else
            *end++ = *p;
    }
    *cursor = *p == '\0' ? p : p + 1;
    *end = '\0';
    return word;
}

static int parse_number(const char *value, unsigned long most, unsigned long *ret)
{
    char *end = NULL;
    unsigned long number;

    if (value[0] < '0' || value[0] > '9')
        return -EINVAL;
    errno = 0;
    number = strtoul(value, &end, 10);
    if (errno != 0 || *end != '\0' || number > most)
        return -EINVAL;
    *ret = number;
    return 0;
}

static int parse_host(struct cmdline *c, const char *value)
{
    return host_address_parse(value, &c->host);
}

static int parse_on_host_loss(struct cmdline *c, const char *value)
{
    if (strcmp(value, "reconnect") != 0 && strcmp(value, "poweroff") != 0)
        return -EINVAL;
    c->power_off_on_host_loss = strcmp(value, "poweroff") == 0;
    return 0;
}

static int parse_power_off(struct cmdline *c, const char *value)
{
    if (strcmp(value, "acpi") != 0 && strcmp(value, "reboot") != 0)
        return -EINVAL;
    c->power_off = value[0] == 'a' ? CMDLINE_POWER_OFF_ACPI : CMDLINE_POWER_OFF_REBOOT;
    return 0;
}

static int parse_connect_timeout(struct cmdline *c, const char *value)
{
    unsigned long number;

    if (parse_number(value, INIT_JOB_LONGEST_MS, &number) < 0)
        return -EINVAL;
    c->connect_timeout_ms = (uint32_t)number;
    return 0;
}

static int parse_log_level(struct cmdline *c, const char *value)
{
    unsigned long number;

    if (parse_number(value, 7, &number) < 0)
        return -EINVAL;
    c->log_level = (int)number;
    return 0;
}

static int copy_value(char *buffer, size_t capacity, const char *value)
{
    size_t size = strlen(value);

    if (size >= capacity)
        return -EINVAL;
    memcpy(buffer, value, size + 1);
    return 0;
}

static int parse_modules(struct cmdline *c, const char *value)
{
    c->has_modules = copy_value(c->modules, sizeof(c->modules), value) == 0;
    return c->has_modules ? 0 : -EINVAL;
}

static int parse_root(struct cmdline *c, const char *value)
{
    return copy_value(c->root, sizeof(c->root), value);
}

static int parse_root_options(struct cmdline *c, const char *value)
{
    return copy_value(c->root_options, sizeof(c->root_options), value);
}

static int parse_root_init(struct cmdline *c, const char *value)
{
    return value[0] == '/' ? copy_value(c->root_init, sizeof(c->root_init), value) : -EINVAL;
}

static void skip_number_and_comma(const char **cursor)
{
    char *end = NULL;

    if (strspn(*cursor, "0123456789") > 0) {
        (void)strtoul(*cursor, &end, 0);
        *cursor = end;
    }
    if (strncmp(*cursor, ",", 1) == 0)
        (*cursor)++;
}

/* `[SLOTS][,][AREAS][,][force|noforce]`, as setup_io_tlb_npages() of Linux' kernel/dma/swiotlb.c
 * reads it. It may be there several times: one that says neither changes nothing. */
static void parse_swiotlb(struct cmdline *c, const char *value)
{
    skip_number_and_comma(&value);
    skip_number_and_comma(&value);
    if (strcmp(value, "force") == 0)
        c->swiotlb_forced = true;
    else if (strcmp(value, "noforce") == 0)
        c->swiotlb_forced = false;
}

#define PREFIX "guestlink."

static const struct {
    const char *key; /* behind the prefix, with the `=` */
    int (*parse)(struct cmdline *c, const char *value);
    const char *expected;
} parameters[] = {
    {"host=", parse_host, "vsock:CID:PORT or virtio-port:NAME"},
    {"on_host_loss=", parse_on_host_loss, "reconnect or poweroff"},
    {"poweroff=", parse_power_off, "acpi or reboot"},
    {"connect_timeout_ms=", parse_connect_timeout, "milliseconds, at most 3600000"},
    {"log_level=", parse_log_level, "0 to 7"},
    {"modules=", parse_modules, "names with commas, at most 1023 bytes"},
    {"root=", parse_root, "virtiofs:TAG, /dev/NAME, LABEL=…, UUID=…, PARTUUID=… or PARTLABEL=…"},
    {"root_options=", parse_root_options, "mount options, at most 127 bytes"},
    {"root_init=", parse_root_init, "an absolute path, at most 127 bytes"},
};

static void parse_parameter(struct cmdline *c, const char *word)
{
    const char *key = word + sizeof(PREFIX) - 1;

    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        size_t size = strlen(parameters[i].key);

        if (strncmp(key, parameters[i].key, size) != 0)
            continue;
        if (parameters[i].parse(c, key + size) < 0 && c->warning_count < INIT_CMDLINE_WARNINGS)
            c->warnings[c->warning_count++] =
                (struct cmdline_warning){.word = word, .expected = parameters[i].expected};
    }
}

static void parse_word(struct cmdline *c, const char *word)
{
    if (strncmp(word, PREFIX, sizeof(PREFIX) - 1) == 0)
        parse_parameter(c, word);
    else if (strncmp(word, "hv_pci_swiotlb=", 15) == 0)
        c->swiotlb_asked = true;
    else if (strncmp(word, "swiotlb=", 8) == 0)
        parse_swiotlb(c, word + 8);
}

void cmdline_parse(char *text, struct cmdline *ret)
{
    bool after_dashes = false;
    const char *word;

    *ret = (struct cmdline){
        .host = HOST_ADDRESS_DEFAULT,
        .connect_timeout_ms = INIT_CONNECT_TIMEOUT_MS,
        .log_level = 6,
        .root_init = "/sbin/init",
    };
    while ((word = next_word(&text))) {
        if (after_dashes)
            ret->payload_words++;
        else if (strcmp(word, "--") == 0)
            after_dashes = true;
        else
            parse_word(ret, word);
    }
}
