/* cmdline: what the kernel's command line says to PID 1. */
#include "cmdline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Takes the next word: separated by blanks, which count as part of a word inside double quotes, as
 * in the kernel's own parser. The quotes themselves are dropped.
 *
 * @return false at the end; a word that is too long is cut
 */
static bool next_word(const char **cursor, char *word, size_t capacity)
{
    const char *p = *cursor;
    bool quoted = false;
    size_t size = 0;

    while (*p == ' ' || *p == '\t' || *p == '\n')
        p++;
    if (*p == '\0')
        return false;
    for (; *p != '\0' && (quoted || (*p != ' ' && *p != '\t' && *p != '\n')); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (size < capacity - 1)
            word[size++] = *p;
    }
    word[size] = '\0';
    *cursor = p;
    return true;
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

static const struct {
    const char *key; /* with the `=` */
    int (*parse)(struct cmdline *c, const char *value);
    const char *expected;
} parameters[] = {
    {"guestlink.host=", parse_host, "vsock:CID:PORT or virtio-port:NAME"},
    {"guestlink.on_host_loss=", parse_on_host_loss, "reconnect or poweroff"},
    {"guestlink.poweroff=", parse_power_off, "acpi or reboot"},
    {"guestlink.connect_timeout_ms=", parse_connect_timeout, "milliseconds, at most 3600000"},
    {"guestlink.log_level=", parse_log_level, "0 to 7"},
    {"guestlink.modules=", parse_modules, "names with commas, at most 1023 bytes"},
    {"guestlink.root=", parse_root,
     "virtiofs:TAG, /dev/NAME, LABEL=…, UUID=…, PARTUUID=… or PARTLABEL=…"},
    {"guestlink.root_options=", parse_root_options, "mount options, at most 127 bytes"},
    {"guestlink.root_init=", parse_root_init, "an absolute path, at most 127 bytes"},
};

static void parse_word(struct cmdline *c, const char *word)
{
    if (strncmp(word, "hv_pci_swiotlb=", 15) == 0)
        c->swiotlb_asked = true;
    if (strncmp(word, "swiotlb=", 8) == 0)
        parse_swiotlb(c, word + 8);
    for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
        size_t size = strlen(parameters[i].key);

        if (strncmp(word, parameters[i].key, size) != 0)
            continue;
        if (parameters[i].parse(c, word + size) < 0 && c->warning_count < INIT_CMDLINE_WARNINGS)
            (void)snprintf(c->warnings[c->warning_count++], INIT_TEXT_SIZE,
                           "kernel command line: %.100s: expected %s; the default is used", word,
                           parameters[i].expected);
    }
}

void cmdline_parse(const char *text, struct cmdline *ret)
{
    char word[INIT_CMDLINE_SIZE];
    bool after_dashes = false;

    *ret = (struct cmdline){
        .host = HOST_ADDRESS_DEFAULT,
        .connect_timeout_ms = INIT_CONNECT_TIMEOUT_MS,
        .log_level = 6,
        .root_init = "/sbin/init",
    };
    while (next_word(&text, word, sizeof(word))) {
        if (after_dashes)
            ret->payload_words++;
        else if (strcmp(word, "--") == 0)
            after_dashes = true;
        else
            parse_word(ret, word);
    }
}
